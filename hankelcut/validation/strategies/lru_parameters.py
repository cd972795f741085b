"""Strategy of the parameters of linear recurrent units."""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.time_domain import Discrete
from hankelcut.validation.strategies._lattice import (
    LARGEST_GAIN,
    Draw,
    Lattice,
    Values,
    hypothesis_strategies,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    ParameterSets: TypeAlias = "SearchStrategy[LRUParameters]"
else:
    ParameterSets = Any

__all__ = ["LRUParameters", "lru_parameters"]

# In tenths of the logarithms. abs(pole) = exp(-exp(nu_log)) from 0.066 to 0.9999; the
# phase exp(theta_log) from 0.0025 to 6.05 radians per step.
_NU_LOG = (-90, 10)
_THETA_LOG = (-60, 18)
_GAMMA_LOG = (-60, 10)


class LRUParameters(NamedTuple):
    """The eight parameters of a linear recurrent unit, as the layer names them.

    Parameters
    ----------
    nu_log, theta_log, gamma_log : (n,) array
        Logarithms of the decay and the phase per step and of the input scale.
    B_re, B_im : (n, m) array
        Input matrix.
    C_re, C_im : (m, n) array
        Output matrix.
    D : (m,) array
        Feedthrough of each channel.
    """

    nu_log: Values
    theta_log: Values
    gamma_log: Values
    B_re: Values
    B_im: Values
    C_re: Values
    C_im: Values
    D: Values

    def system(self) -> DiagonalStateSpace:
        """Return the linear map behind the layer, in double precision.

        The layer reads its state after the update: its impulse response is that of this
        system, C B, C A B, ..., one step earlier, with D added to the first.
        """
        wide = LRUParameters(*(array.astype(np.float64) for array in self))
        exponents = -np.exp(wide.nu_log) + 1j * np.exp(wide.theta_log)
        B = np.exp(wide.gamma_log)[:, None] * (wide.B_re + 1j * wide.B_im)
        C = wide.C_re + 1j * wide.C_im
        return DiagonalStateSpace(exponents, B, C, np.diag(wide.D), Discrete(), "real")


def lru_parameters(
    *,
    min_states: int = 1,
    max_states: int = 6,
    max_channels: int = 3,
    dtype: Any = np.float32,
    normalized: bool | None = None,
) -> ParameterSets:
    """Strategy of the parameters of linear recurrent units, as NumPy arrays.

    Parameters
    ----------
    min_states, max_states : int
        Range of n, the number of complex states.
    max_channels : int
        Largest number m of input and output channels; the least is 1.
    dtype : dtype
        float32 or float64.
    normalized : bool, optional
        Whether gamma is the root of 1 - abs(pole)^2, as at the layer's initialisation,
        or free, as after some training; either by default.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of `LRUParameters`, stable whatever their values.

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If a size or the dtype is out of its range.

    References
    ----------
    Orvieto et al., Resurrecting recurrent neural networks for long sequences, 2023,
    section 3.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(lru_parameters(max_states=3))
    ... def test_property(parameters):
    ...     assert abs(parameters.system().poles).max() < 1
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f" or not 0 <= min_states <= max_states or max_channels < 1:
        msg = (
            f"lru_parameters: got dtype={dtype.name}, min_states={min_states}, "
            f"max_states={max_states}, max_channels={max_channels}, need float32 or "
            "float64, 0 <= min_states <= max_states and at least one channel"
        )
        raise ValueError(msg)
    lattice = Lattice(hypothesis_strategies())
    strategies = lattice.strategies

    def build(draw: Draw) -> LRUParameters:
        m = draw(strategies.integers(1, max_channels))
        logs = [
            strategies.integers(*ends) for ends in (_NU_LOG, _THETA_LOG, _GAMMA_LOG)
        ]
        gains = lattice.numbers(m)
        states = draw(
            strategies.lists(
                strategies.tuples(*logs, gains, gains),
                min_size=min_states,
                max_size=max_states,
            )
        )
        is_normal = draw(strategies.booleans()) if normalized is None else normalized
        nu_log, theta_log, gamma_log = (
            np.array([state[k] for state in states], dtype=float) / 10 for k in range(3)
        )
        if is_normal:
            gamma_log = np.log(-np.expm1(-2 * np.exp(nu_log))) / 2
        B, C = (
            np.array([state[k] for state in states], dtype=complex).reshape(-1, m)
            for k in (3, 4)
        )
        D = draw(lattice.matrix(1, m, LARGEST_GAIN, is_real=True))[0]
        arrays = (nu_log, theta_log, gamma_log, B.real, B.imag, C.real.T, C.imag.T, D)
        return LRUParameters(*(np.array(x, dtype=dtype) for x in arrays))

    parameters: ParameterSets = strategies.composite(build)()
    return parameters
