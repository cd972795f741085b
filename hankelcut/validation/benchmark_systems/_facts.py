"""Facts that several formulas lead to, and checks of sizes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hankelcut.validation.benchmark_systems.benchmark_system import Fact, Quantity

__all__ = [
    "exact",
    "modal_h2_norm",
    "real_poles",
    "relaxation_facts",
    "require_size",
]

_Values = np.ndarray[Any, np.dtype[Any]]

# Formulas are evaluated in double precision.
_ROUNDING = 1e-12
_TIGHT = "Liu, Sreeram & Teo, Systems & Control Letters 34 (1998)"


def exact(values: float | Sequence[float | complex], reason: str) -> Fact:
    """Return a fact that a formula gives, right but for rounding."""
    several = (values,) if isinstance(values, float) else tuple(values)
    return Fact(several, _ROUNDING, reason)


def real_poles(poles: _Values, reason: str) -> Fact:
    """Return the fact of real poles, from the slowest on."""
    return exact(sorted(poles.tolist(), key=abs), reason)


def modal_h2_norm(poles: _Values, residues: _Values) -> float:
    r"""H2 norm of :math:`\sum_i r_i / (s - \lambda_i)`, a real function.

    Its square is :math:`\sum_i r_i G(-\lambda_i)` (Gugercin, Antoulas, Beattie, SIAM J.
    Matrix Anal. Appl. 30 (2008), section 2).
    """
    total = poles[:, None] + poles
    return math.sqrt(float(-np.sum(residues[:, None] * residues / total).real))


def relaxation_facts(static_gain: float, reason: str) -> dict[Quantity, Fact]:
    """State what holds of A = A^T < 0, C = B^T, one input, by the gain at 0.

    The error of balanced truncation is of the same kind: its largest gain is the one at
    0, which is twice the sum of the values that were discarded, at every order.
    """
    largest = "A = A^T, C = B^T: the gain falls with the frequency"
    return {
        "static_gain": exact(static_gain, reason),
        "hinf_norm": exact(static_gain, f"{largest}; {reason}"),
        "peak_frequency": exact(0.0, largest),
        "hankel_sum": exact(
            static_gain / 2, f"both Gramians equal, of trace G(0) / 2; {reason}"
        ),
        "passive": exact(1.0, "A = A^T < 0 and C = B^T"),
        "symmetric": exact(1.0, "by construction"),
        "tight_orders": exact((1.0, 2.0, 3.0), f"all orders; {_TIGHT}"),
    }


def require_size(caller: str, name: str, value: int, least: int) -> None:
    """Raise ValueError if a size is below its least value."""
    if value < least:
        msg = f"{caller}: got {name}={value}, need at least {least}"
        raise ValueError(msg)
