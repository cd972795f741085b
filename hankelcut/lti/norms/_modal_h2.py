r"""H2 norm of a dense system from its diagonal form, where that has enough digits.

**Method.** :math:`\|G\|_2^2 = \sum_{ij} (c_i^H c_j)(b_j b_i^H)/d_{ij}` with
:math:`d_{ij} = -(\bar\lambda_i + \lambda_j)` (continuous) or
:math:`1 - \bar\lambda_i\lambda_j` (discrete), and the feedthrough in discrete time.

**Numerical aspects.** O(n^2 (m + p)). The sum cancels where modes of a system and of a
model of it do: its rounding is bounded by that of the magnitudes of its terms, and the
distance of the diagonal form adds its own bound.
"""

import math

import numpy as np

from hankelcut.lti.norms._modal_form import ModalForm
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["h2_of_modes"]

_EPS = float(np.finfo(float).eps)
# Roundings of a term besides those of its sums of products.
_MORE_ROUNDINGS = 16


def h2_of_modes(form: ModalForm, rtol: float) -> float | None:
    """H2 norm, or None where it is not proven to be right to a relative error.

    Parameters
    ----------
    form : ModalForm
        Of a system with entries of about 1.
    rtol : float
        The largest relative error.
    """
    continuous = isinstance(form.time, Continuous)
    if continuous and np.any(form.D):
        return math.inf
    poles, B, C = form.poles, form.B, form.C
    if continuous:
        denominators = -(poles.conj()[:, None] + poles)
    else:
        denominators = 1 - poles.conj()[:, None] * poles
    sizes = np.abs(denominators)
    # In place: for some hundred modes, fresh memory takes longer than the arithmetic.
    gains = C.conj().T @ C
    gains *= B.conj() @ B.T
    gains /= denominators
    norms = np.linalg.norm(B, axis=1) * np.linalg.norm(C, axis=0)
    terms = np.outer(norms, norms)
    terms /= sizes
    # Sums of numpy are pairwise.
    roundings = _MORE_ROUNDINGS + B.shape[1] + C.shape[0] + math.log2(gains.size)
    rounding = roundings * float(np.sum(terms))
    if not continuous:
        rounding += float(np.sum(terms / sizes))
    feedthrough = 0.0 if continuous else float(np.sum(np.abs(form.D) ** 2))
    square = float(np.sum(gains.real)) + feedthrough
    if not square > 0:
        return None
    norm = math.sqrt(square)
    rounding = _EPS * (rounding + roundings * feedthrough)
    error = norm - math.sqrt(max(square - rounding, 0.0)) + form.h2_distance
    return norm if error <= rtol * norm else None
