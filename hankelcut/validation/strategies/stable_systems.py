"""Strategy of dense stable systems."""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import TimeDomain
from hankelcut.validation.strategies._dense_drawing import DenseDrawing, choose_dtype
from hankelcut.validation.strategies._lattice import (
    Draw,
    Lattice,
    hypothesis_strategies,
)
from hankelcut.validation.strategies._sizes import Sizes, require_margin

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    DenseSystems: TypeAlias = SearchStrategy[StateSpace]
else:
    DenseSystems = Any

__all__ = ["DenseSystems", "require_similarity", "stable_systems"]

# Rounding moves a simple pole by about eps * condition; this leaves room for clusters.
_DIGITS_KEPT = 100


def stable_systems(
    *,
    min_states: int = 1,
    max_states: int = 6,
    max_inputs: int = 3,
    max_outputs: int = 3,
    time: TimeDomain | None = None,
    real: bool | None = None,
    dtype: Any = None,
    batch: tuple[int, ...] = (),
    margin: float = 0.1,
    condition: float = 1.0,
    silent: int = 0,
    copies: int = 1,
) -> DenseSystems:
    r"""Strategy of dense stable systems, as NumPy arrays.

    Parameters
    ----------
    min_states, max_states : int
        Range of n.
    max_inputs, max_outputs : int
        Largest m and p; the least is 1.
    time : Continuous or Discrete, optional
        The time domain; either by default.
    real : bool, optional
        Real or complex matrices; either by default.
    dtype : dtype, optional
        float32, float64, complex64 or complex128, which settles `real`; double
        precision by default.
    batch : tuple of int
        Leading axes; the systems of a stack have equal sizes and are drawn one by one.
    margin : float
        Least distance of the poles from the stability boundary: of abs(pole) from 1
        (discrete), of Re(pole) from 0 in rad/s (continuous), at most 0.9. Below 0.1,
        the nine digits of every decade of distances down to it are as likely as each
        hundredth of a pole.
    condition : float
        Largest condition number of the similarity T that fills the state matrix; the
        matrix stays (block) triangular with 1, the default.
    silent : int
        Number of states (of each copy) that no input reaches or that reach no output.
        By chance, there are some with 0 too.
    copies : int
        Number of equal blocks on the diagonals of A, B, C and D: every Hankel singular
        value is repeated so many times.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of `StateSpace`; shrinks to one real state at 0 (discrete) or -`margin`, no
        coupling, and gains 0.

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If the options leave no system to draw, or a margin that rounding could undo.

    Notes
    -----
    **Method.** A is (block) upper triangular, with couplings up to 0.3 above poles in
    hundredths and tenths of a radian; B, C and D have entries in hundredths up to 2.
    :math:`T = R_1 \mathrm{diag}(2^{k_i}) R_2` with products of plane rotations
    :math:`R_1, R_2`, whose condition number is that of the powers of two. Systems whose
    poles rounding or the similarity brought nearer to the boundary than half of the
    margin are not drawn.

    Examples
    --------
    >>> from hypothesis import given
    >>> import hankelcut as hc
    >>> @given(stable_systems(max_states=3, condition=10.0))
    ... def test_property(system):
    ...     assert hc.is_stable(system)
    """
    dtype, real = choose_dtype("stable_systems", dtype, real)
    require_similarity("stable_systems", dtype, margin, condition)
    sizes = Sizes(
        *("stable_systems", min_states, max_states, max_inputs, max_outputs),
        *(batch, silent, copies),
    )
    lattice = Lattice(hypothesis_strategies(), margin)
    drawing = DenseDrawing(lattice, sizes, dtype, condition)

    def build(draw: Draw) -> StateSpace:
        return drawing.draw(draw, time, real)

    systems: DenseSystems = lattice.strategies.composite(build)()
    return systems.filter(drawing.keeps_margin)


def require_similarity(
    caller: str, dtype: Any, margin: float, condition: float
) -> None:
    """Raise ValueError unless margin and condition suit a precision."""
    if not 1 <= condition <= 1e8:
        msg = f"{caller}: got condition={condition:g}, need 1 <= condition <= 1e8"
        raise ValueError(msg)
    eps = float(np.finfo(dtype or np.float64).eps)
    require_margin(caller, margin, _DIGITS_KEPT * eps * condition)
