"""Largest singular values of a frequency response, estimated without forming it."""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.responses.frequency_response import resolvent
from hankelcut.lti.systems.conversions import conjugate_closure
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace

__all__ = ["sampled_gain"]


def sampled_gain(
    system: DiagonalStateSpace, frequencies: Array, *, n_iterations: int = 6
) -> Array:
    r"""Estimate :math:`\bar\sigma(G)` at given frequencies, never above the true value.

    Parameters
    ----------
    system : DiagonalStateSpace
        Diagonal system, taken without its feedthrough.
    frequencies : (F,) real array
        In rad/s (continuous) or radians per sample (discrete).
    n_iterations : int
        Steps of the power iteration; systems with one input or output need none.

    Returns
    -------
    gains : (..., F) real array
        Lower bounds of the largest singular values, usually within a few percent.

    Notes
    -----
    **Method.** Power iteration on :math:`G^H G` from a fixed start, applied factor by
    factor: O(n (m + p)) per frequency and step instead of the O(n m p) of forming G.
    With one input or output G is a vector, which is formed.
    """
    if system.readout != "complex":
        system = conjugate_closure(system)
    xp = _array.namespace(system.B)
    gains = xp.matrix_transpose(resolvent(system, frequencies))
    if min(system.n_inputs, system.n_outputs) == 1:
        # Residues, a row for each of many outputs or inputs.
        residues = system.C * xp.matrix_transpose(system.B)
        return _norms(residues @ gains)[..., 0, :]
    Bh, Ch = _array.adjoint(system.B), _array.adjoint(system.C)
    columns = _array.zeros((system.n_inputs,), system.B) + 1
    start = xp.exp(1j * xp.cumulative_sum(columns) ** 2)[:, None]
    shape = (*system.batch_shape, system.n_inputs, int(frequencies.shape[0]))
    vectors = xp.broadcast_to(start, shape)
    norms = _norms(vectors)
    for _ in range(n_iterations):
        image = system.C @ (gains * (system.B @ (vectors / _positive(norms))))
        vectors = Bh @ (xp.conj(gains) * (Ch @ image))
        estimate = _norms(image)
        norms = _norms(vectors)
    return estimate[..., 0, :]


def _norms(vectors: Array) -> Array:
    xp = _array.namespace(vectors)
    return xp.linalg.vector_norm(vectors, axis=-2, keepdims=True)


def _positive(norms: Array) -> Array:
    xp = _array.namespace(norms)
    return xp.where(norms > 0, norms, xp.ones_like(norms))
