r"""Sign iteration for the Gramian factors of continuous systems, on any device.

**Method.** Newton's iteration :math:`A \leftarrow (A/c + cA^{-1})/2` for the matrix
sign function, which is -I for a stable A, carries the factors along:
:math:`B \leftarrow [B/\sqrt{c}, \sqrt{c}A^{-1}B]/\sqrt2` and C dually; in the end
:math:`P = BB^H/2`, :math:`Q = C^HC/2` (Benner & Quintana-Orti, Numer. Algorithms 20,
1999, p. 75). Each inverse serves both factors; c is the determinant-free scaling
:math:`\sqrt{\|A\|/\|A^{-1}\|}` until A is near -I.

**Numerical aspects.** 7 to 12 inverses and QR compressions for well-damped systems.
Poles near the imaginary axis cost digits, so that callers check the residual.
"""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.equations._squared_smith import compress, entry_norm, inverse

__all__ = ["sign_factors"]

# Newton doubles the digits from here on: scaling would only disturb it.
_NEAR = 0.1
_MOST_ITERATIONS = 50


def sign_factors(A: Array, B: Array, C: Array) -> tuple[Array, Array, Array]:
    """Factors of both Gramians of continuous systems.

    Parameters
    ----------
    A : (..., n, n) array
        State matrix.
    B : (..., n, m) array
        Input matrix.
    C : (..., p, n) array
        Output matrix.

    Returns
    -------
    Lc, Lo : (..., n, n) arrays
        Factors with P = Lc Lc^H and Q = Lo Lo^H; meaningless where not converged.
    converged : (...) bool array
        Where A went to -I.
    """
    xp = _array.namespace(A, B, C)
    n = A.shape[-1]
    identity = _array.eye(n, A)
    tolerance = n * _array.eps(A)
    controllability, observability = compress(xp, B), compress(xp, _array.adjoint(C))
    distance = entry_norm(A + identity)
    for _ in range(_MOST_ITERATIONS):
        inverted = inverse(A)
        ratio = xp.sqrt(entry_norm(A) / entry_norm(inverted))
        near = distance <= _NEAR
        scale = xp.where(near, xp.ones_like(ratio), ratio)[..., None, None]
        scale = xp.astype(scale, A.dtype)
        root = xp.sqrt(scale)
        doubled = [controllability / root, root * (inverted @ controllability)]
        controllability = compress(xp, xp.concat(doubled, axis=-1)) / 2**0.5
        doubled = [
            observability / root,
            root * (_array.adjoint(inverted) @ observability),
        ]
        observability = compress(xp, xp.concat(doubled, axis=-1)) / 2**0.5
        A = (A / scale + scale * inverted) / 2
        before, distance = distance, entry_norm(A + identity)
        # Quadratic convergence: what was near is exact after the step.
        if bool(xp.all((before <= tolerance**0.5) | ~xp.isfinite(distance))):
            break
    converged = distance <= n * tolerance**0.5
    return controllability / 2**0.5, observability / 2**0.5, converged
