"""Strategy of dense unstable systems."""

from typing import Any

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import TimeDomain
from hankelcut.validation.strategies._dense_drawing import DenseDrawing, choose_dtype
from hankelcut.validation.strategies._lattice import (
    Draw,
    Lattice,
    hypothesis_strategies,
)
from hankelcut.validation.strategies._sizes import Sizes
from hankelcut.validation.strategies.stable_systems import (
    DenseSystems,
    require_similarity,
)

__all__ = ["unstable_systems"]


def unstable_systems(
    *,
    min_states: int = 1,
    max_states: int = 6,
    max_inputs: int = 3,
    max_outputs: int = 3,
    max_unstable: int = 2,
    boundary: bool = False,
    time: TimeDomain | None = None,
    real: bool | None = None,
    dtype: Any = None,
    batch: tuple[int, ...] = (),
    margin: float = 0.1,
    condition: float = 1.0,
) -> DenseSystems:
    """Strategy of dense systems with poles outside the stability region.

    Parameters
    ----------
    min_states, max_states, max_inputs, max_outputs, time, real, dtype, batch, condition
        As in `stable_systems`; at least one state.
    max_unstable : int
        Largest number of unstable modes, which are two states for a pair of poles of a
        real system; the least is 1. The other poles are stable.
    boundary : bool
        Whether the unstable poles lie on the stability boundary itself: integrators
        and undamped oscillators.
    margin : float
        Least distance of stable and of unstable poles from the boundary, as in
        `stable_systems`.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of `StateSpace`; the unstable states come first, coupled to the others, unless
        `condition` mixes them. Shrinks to one state.

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If the options leave no system to draw; with `boundary`, also for a `condition`
        above 1, which would move the poles off the boundary.

    Examples
    --------
    >>> from hypothesis import given
    >>> import hankelcut as hc
    >>> @given(unstable_systems(max_states=3))
    ... def test_property(system):
    ...     assert not hc.is_stable(system)
    """
    dtype, real = choose_dtype("unstable_systems", dtype, real)
    require_similarity("unstable_systems", dtype, margin, condition)
    least = max(min_states, 1)
    sizes = Sizes(
        *("unstable_systems", least, max_states, max_inputs, max_outputs, batch)
    )
    if max_unstable < 1:
        msg = f"unstable_systems: got max_unstable={max_unstable}, need at least 1"
        raise ValueError(msg)
    if boundary and condition > 1:
        msg = f"unstable_systems: got condition={condition:g} with boundary=True, "
        raise ValueError(msg + "need 1: rounding would move the poles off the boundary")
    lattice = Lattice(hypothesis_strategies(), margin)
    unstable = 1, max_unstable
    drawing = DenseDrawing(lattice, sizes, dtype, condition, unstable, boundary)

    def build(draw: Draw) -> StateSpace:
        return drawing.draw(draw, time, real)

    systems: DenseSystems = lattice.strategies.composite(build)()
    return systems.filter(drawing.keeps_margin)
