"""Strategy of diagonal stable systems."""

from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import numpy as np

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace, Readout
from hankelcut.lti.systems.time_domain import TimeDomain
from hankelcut.validation.strategies._lattice import (
    LARGEST_GAIN,
    Draw,
    Lattice,
    Mode,
    Values,
    hypothesis_strategies,
)
from hankelcut.validation.strategies._sizes import Sizes, require_margin

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    DiagonalSystems: TypeAlias = SearchStrategy[DiagonalStateSpace]
else:
    DiagonalSystems = Any

__all__ = ["DiagonalSystems", "diagonal_systems"]

# Exponents keep this distance from the boundary in either precision.
_SMALLEST_MARGIN = 1e-30


def diagonal_systems(
    *,
    min_states: int = 1,
    max_states: int = 6,
    max_inputs: int = 3,
    max_outputs: int = 3,
    time: TimeDomain | None = None,
    readout: Readout | None = None,
    dtype: Any = np.complex128,
    batch: tuple[int, ...] = (),
    margin: float = 0.1,
    silent: int = 0,
    copies: int = 1,
) -> DiagonalSystems:
    """Strategy of diagonal stable systems, as NumPy arrays.

    Parameters
    ----------
    min_states, max_states : int
        Range of n.
    max_inputs, max_outputs : int
        Largest m and p; the least is 1.
    time : Continuous or Discrete, optional
        The time domain; either by default.
    readout : {"complex", "real", "twice_real"}, optional
        The readout; any by default.
    dtype : dtype
        complex64 or complex128.
    batch, silent, copies
        As in `stable_systems`.
    margin : float
        As in `stable_systems`, down to 1e-30: exponents hold such margins in either
        precision.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of `DiagonalStateSpace`; poles may be equal, real, or 0 (discrete).

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If the options leave no system to draw.

    Examples
    --------
    >>> from hypothesis import given
    >>> import hankelcut as hc
    >>> @given(diagonal_systems(max_states=3, margin=1e-12))
    ... def test_property(system):
    ...     assert hc.stability_margin(system) > 0.999e-12
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "c":
        msg = f"diagonal_systems: got dtype={dtype.name}, need complex64 or complex128"
        raise ValueError(msg)
    require_margin("diagonal_systems", margin, _SMALLEST_MARGIN)
    sizes = Sizes(
        *("diagonal_systems", min_states, max_states, max_inputs, max_outputs),
        *(batch, silent, copies),
    )
    lattice = Lattice(hypothesis_strategies(), margin)

    def build(draw: Draw) -> DiagonalStateSpace:
        domain = draw(lattice.domains(time))
        options = lattice.strategies.sampled_from(get_args(Readout))
        chosen = readout or draw(options)
        m, p = draw(lattice.channels(*sizes.channels))
        items = [_item(draw, lattice, sizes, domain, (m, p), None)]
        n = len(items[0][0]) // sizes.copies
        for _ in range(sizes.count - 1):
            items.append(_item(draw, lattice, sizes, domain, (m, p), n))
        exponents, B, C, D = (
            np.stack(arrays)[: sizes.count].reshape(*batch, *arrays[0].shape)
            for arrays in zip(*items, strict=True)
        )
        exponents, B, C, D = (x.astype(dtype) for x in (exponents, B, C, D))
        D = D if chosen == "complex" else D.real
        return DiagonalStateSpace(exponents, B, C, D, domain, chosen)

    systems: DiagonalSystems = lattice.strategies.composite(build)()
    return systems


def _item(
    draw: Draw,
    lattice: Lattice,
    sizes: Sizes,
    time: TimeDomain,
    channels: tuple[int, int],
    n: int | None,
) -> tuple[Values, Values, Values, Values]:
    """Draw exponents, B, C and D of one system, of n states per copy if given."""
    least, most = sizes.least, sizes.most
    if n is not None:
        least = most = n - sizes.silent
    m, p = channels
    pole, strategies = lattice.stable_pole(time), lattice.strategies
    modes: list[Mode] = draw(lattice.modes(pole, m, p, least, most))
    hidden: list[Mode] = draw(lattice.modes(pole, m, p, sizes.silent, sizes.silent))
    for mode in hidden:
        if draw(strategies.booleans()):
            modes.append(mode._replace(column=np.zeros(p, dtype=complex)))
        else:
            modes.append(mode._replace(row=np.zeros(m, dtype=complex)))
    exponents = np.array([mode.pole.exponent for mode in modes], dtype=complex)
    B = np.array([mode.row for mode in modes], dtype=complex).reshape(-1, m)
    C = np.array([mode.column for mode in modes], dtype=complex).reshape(-1, p).T
    D = draw(lattice.matrix(p, m, LARGEST_GAIN, is_real=True))
    copies = np.eye(sizes.copies)
    B, C, D = (np.kron(copies, M) for M in (B, C, D))
    return np.tile(exponents, sizes.copies), B, C, D
