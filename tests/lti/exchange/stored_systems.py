"""Strategies of systems that files hold, and their comparison to the last bit."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SignalNames,
    StateSpace,
)
from tests.helpers import DTYPES, READOUTS, System, fields_of

# No empty names: they are no names; no characters that MATLAB does not have.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=1,
    max_size=5,
)
PERIODS = st.floats(0, exclude_min=True, allow_infinity=False)
TIMES = st.one_of(st.just(Continuous()), PERIODS.map(Discrete))


@st.composite
def dense_systems(
    draw: Any, *, finite: bool = False, stacks: bool = True, least: int = 0
) -> StateSpace:
    """Systems of any sizes, dtype, time domain and names; values of all kinds."""
    n, m, p = (draw(st.integers(least, 3)) for _ in range(3))
    batch = draw(batches()) if stacks else ()
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shapes = [(n, n), (n, m), (p, n), (p, m)]
    arrays = [draw(values(dtype, (*batch, *shape), finite)) for shape in shapes]
    names = SignalNames(
        *(draw(names_of(size)) for size in (m, p, n)), draw(st.none() | TEXT)
    )
    return StateSpace(*arrays, draw(TIMES), names)


@st.composite
def diagonal_systems(draw: Any, *, finite: bool = False) -> DiagonalStateSpace:
    """Diagonal systems of any sizes, precision, readout and time domain."""
    n, m, p = (draw(st.integers(0, 3)) for _ in range(3))
    batch, readout = draw(batches()), draw(st.sampled_from(READOUTS))
    dtype = np.dtype(draw(st.sampled_from([np.complex64, np.complex128])))
    shapes = [(n,), (n, m), (p, n)]
    arrays = [draw(values(dtype, (*batch, *shape), finite)) for shape in shapes]
    of_D = dtype if readout == "complex" else np.zeros(0, dtype).real.dtype
    D = draw(values(of_D, (*batch, p, m), finite))
    return DiagonalStateSpace(*arrays, D, draw(TIMES), readout)


def batches() -> Any:
    """No batch axes, or some, of which one may be empty."""
    return st.lists(st.integers(0, 2), max_size=2).map(tuple)


def names_of(size: int) -> Any:
    """Names of so many signals, or none."""
    return st.none() | st.tuples(*[TEXT] * size) if size else st.none()


def values(dtype: Any, shape: tuple[int, ...], finite: bool) -> Any:
    """Arrays of a dtype, with every number there is but for signalling NaNs."""
    real = np.zeros(0, dtype).real.dtype
    unbounded = not finite
    numbers = st.floats(
        width=8 * real.itemsize, allow_nan=False, allow_infinity=unbounded
    )
    if unbounded:
        numbers |= st.just(np.nan)
    pairs = hnp.arrays(real, (*shape, 1 + (dtype.kind == "c")), elements=numbers)
    return pairs.map(lambda drawn: drawn.view(dtype)[..., 0])


def assert_same(ours: System, theirs: System) -> None:
    """Every array to the last bit, with its dtype; time domain, names and readout."""
    assert type(ours) is type(theirs)
    assert ours.time == theirs.time
    for first, second in zip(fields_of(ours), fields_of(theirs), strict=True):
        assert isinstance(first, np.ndarray)
        assert (first.dtype, first.shape) == (second.dtype, second.shape)
        assert first.tobytes() == second.tobytes()
    if isinstance(ours, StateSpace):
        assert ours.names == theirs.names
    else:
        assert ours.readout == theirs.readout
