"""Strategies of frequencies and of input signals."""

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hankelcut.lti.systems.time_domain import Continuous, TimeDomain
from hankelcut.validation.strategies._lattice import (
    LARGEST_GAIN,
    Draw,
    Lattice,
    Values,
    hypothesis_strategies,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    Arrays: TypeAlias = SearchStrategy[Values]
else:
    Arrays = Any

__all__ = ["frequencies", "input_signals"]

# Decades of continuous frequencies, rad/s.
_DECADES = (-6, 6)


def frequencies(
    time: TimeDomain, *, max_size: int = 8, one_sided: bool = False
) -> Arrays:
    """Strategy of vectors of frequencies.

    Parameters
    ----------
    time : Continuous or Discrete
        Continuous: a digit times a power of ten from 1e-6 to 9e6 rad/s. Discrete:
        tenths of a radian per sample, and both ends of the circle.
    max_size : int
        Largest number of frequencies; the least is 1.
    one_sided : bool
        Whether there are no negative frequencies.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of (F,) arrays in double precision, in any order, with repetitions; the
        frequency 0 is common, and what failures shrink to.

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If `max_size` is below 1.

    Examples
    --------
    >>> from hypothesis import given
    >>> import hankelcut as hc
    >>> @given(frequencies(hc.Discrete()))
    ... def test_property(points):
    ...     assert abs(points).max() <= np.pi
    """
    if max_size < 1:
        msg = f"frequencies: got max_size={max_size}, need at least 1"
        raise ValueError(msg)
    strategies = hypothesis_strategies()
    integers = strategies.integers
    if isinstance(time, Continuous):
        sizes = strategies.tuples(integers(0, 9), integers(*_DECADES)).map(
            lambda drawn: float(f"{drawn[0]}e{drawn[1]}")
        )
    else:
        sizes = strategies.one_of(
            integers(0, 31).map(lambda drawn: drawn / 10),
            strategies.sampled_from((0.0, math.pi)),
        )
    signs = strategies.sampled_from((1.0,) if one_sided else (1.0, -1.0))
    points = strategies.tuples(sizes, signs).map(lambda drawn: drawn[0] * drawn[1])
    vectors: Arrays = strategies.lists(points, min_size=1, max_size=max_size).map(
        lambda drawn: np.array(drawn) + 0.0
    )
    return vectors


def input_signals(
    n_inputs: int,
    *,
    min_length: int = 1,
    max_length: int = 20,
    real: bool = True,
    dtype: Any = None,
    batch: tuple[int, ...] = (),
) -> Arrays:
    """Strategy of sampled inputs of a system.

    Parameters
    ----------
    n_inputs : int
        Number m of inputs.
    min_length, max_length : int
        Range of the number T of samples.
    real : bool
        Real or complex samples.
    dtype : dtype, optional
        The dtype, of the kind that `real` says; double precision by default.
    batch : tuple of int
        Leading axes.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of (..., T, m) arrays in hundredths up to 2: noise, impulses of any time and
        channel, and steps. Shrinks to zeros of the least length.

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If a size or the dtype is out of its range.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(input_signals(2, max_length=9))
    ... def test_property(signal):
    ...     assert signal.shape[-1] == 2
    """
    chosen = np.dtype(dtype or (np.float64 if real else np.complex128))
    if not 0 <= min_length <= max_length or n_inputs < 0 or any(k < 0 for k in batch):
        msg = f"input_signals: got n_inputs={n_inputs}, batch={batch}, lengths from "
        msg += f"{min_length} to {max_length}, need sizes and 0 <= least <= largest"
        raise ValueError(msg)
    if chosen.kind != ("f" if real else "c"):
        msg = f"input_signals: got dtype={chosen.name} with real={real}, need "
        raise ValueError(msg + ("a real dtype" if real else "a complex dtype"))
    lattice = Lattice(hypothesis_strategies())
    strategies, count = lattice.strategies, math.prod(batch)

    def build(draw: Draw) -> Values:
        length = draw(strategies.integers(min_length, max_length))
        shape = draw(strategies.sampled_from(("noise", "impulse", "step")))
        each = length if shape == "noise" else 1
        drawn = draw(lattice.matrix(count * each, n_inputs, LARGEST_GAIN, is_real=real))
        drawn = drawn.reshape(count, each, n_inputs)
        if shape != "noise" and length > 0:
            samples = np.zeros((count, length, n_inputs), dtype=drawn.dtype)
            start = draw(strategies.integers(0, length - 1))
            samples[:, start : length if shape == "step" else start + 1] = drawn
            drawn = samples
        drawn = drawn[:, :length].reshape(*batch, length, n_inputs)
        return np.asarray(drawn, dtype=chosen)

    signals: Arrays = strategies.composite(build)()
    return signals
