"""Systems of scipy.signal, which is imported where it is used: it takes long."""

from typing import Any

import numpy as np

from hankelcut._errors import InvalidSystemError
from hankelcut.lti.exchange._host_arrays import host_arrays, require_one_system
from hankelcut.lti.exchange._time import StatedTime, agreed_time
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.signal_names import SignalNames
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain

__all__ = ["from_scipy", "to_scipy"]


def from_scipy(system: Any, *, time: TimeDomain | None = None) -> StateSpace:
    """Convert an `lti` or `dlti` system of scipy.signal.

    Parameters
    ----------
    system : scipy.signal.lti or scipy.signal.dlti
        A `StateSpace`, `TransferFunction` or `ZerosPolesGain`; the latter two are
        realised by SciPy.
    time : Discrete, optional
        The time domain of a discrete system without a period (``system.dt is True``).

    Returns
    -------
    StateSpace
        The same system in copies of its arrays, dtype kept. A transfer function
        without poles has no states.

    Raises
    ------
    InvalidSystemError
        If `system` is of another kind or not proper, its sampling period is not known,
        or `time` contradicts it.
    """
    from scipy import signal

    caller = "from_scipy"
    if not isinstance(system, signal.lti | signal.dlti):
        msg = (
            f"{caller}: got a {type(system).__name__}, need a scipy.signal.lti or "
            "scipy.signal.dlti; wrap matrices in scipy.signal.StateSpace(A, B, C, D)"
        )
        raise InvalidSystemError(msg)
    domain = agreed_time(caller, _stated_time(system.dt), time)
    try:
        dense = system.to_ss()
    except ValueError as error:
        msg = f"{caller}: got a system without a state-space form: {error}"
        raise InvalidSystemError(msg) from error
    A, B, C, D = (np.array(matrix) for matrix in (dense.A, dense.B, dense.C, dense.D))
    if not isinstance(system, signal.StateSpace) and len(system.poles) == 0:
        # SciPy realises a gain with a silent integrator.
        A, B, C = A[:0, :0], B[:0], C[:, :0]
    return StateSpace(A, B, C, D, domain)


def to_scipy(system: StateSpace | DiagonalStateSpace) -> Any:
    """Convert a system to a `scipy.signal.StateSpace`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One system without names; a diagonal one becomes dense by `to_dense`. Complex
        arrays are kept, but simulations of SciPy may drop imaginary parts.

    Returns
    -------
    scipy.signal.StateSpace
        The same system in copies of its arrays, dtype kept but for that of empty ones;
        an `lti`, or a `dlti` with its ``dt``.

    Raises
    ------
    InvalidSystemError
        If it is a stack of systems or has names, which SciPy cannot hold.
    """
    from scipy import signal

    caller = "to_scipy"
    require_one_system(caller, system, "scipy.signal")
    dense = to_dense(system)
    if dense.names != SignalNames():
        msg = (
            f"{caller}: got a system with names, which scipy.signal cannot hold; drop "
            "them by dataclasses.replace(system, names=SignalNames())"
        )
        raise InvalidSystemError(msg)
    period = {"dt": dense.time.dt} if isinstance(dense.time, Discrete) else {}
    return signal.StateSpace(*host_arrays(caller, dense).values(), **period)


def _stated_time(dt: Any) -> StatedTime:
    """Read the `dt` of SciPy: None is continuous, ``True`` a period unknown."""
    if dt is None:
        return Continuous()
    return "discrete" if dt is True else Discrete(float(dt))
