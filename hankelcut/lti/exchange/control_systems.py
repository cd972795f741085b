"""Systems of python-control."""

import importlib
import re
from typing import Any

import numpy as np

from hankelcut._errors import InvalidSystemError, MissingDependencyError
from hankelcut.lti.exchange._host_arrays import host_arrays, require_one_system
from hankelcut.lti.exchange._time import StatedTime, agreed_time
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.signal_names import SignalNames
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain

__all__ = ["from_control", "to_control"]

# What python-control calls a system that nobody named.
_GENERIC_NAME = re.compile(r"sys\[\d+\]")
_LABELS = {"inputs": "u", "outputs": "y", "states": "x"}


def from_control(system: Any, *, time: TimeDomain | None = None) -> StateSpace:
    """Convert a system of python-control, with its names.

    Parameters
    ----------
    system : control.StateSpace or control.TransferFunction
        The system. A transfer function is realised by python-control, which needs
        Slycot for several inputs or outputs.
    time : Continuous or Discrete, optional
        Its time domain, where ``system.dt`` does not tell: ``True`` (a discrete system
        of unknown period) needs ``Discrete(dt)``, ``None`` needs either.

    Returns
    -------
    StateSpace
        The same system in copies of its arrays, every state kept. Labels that
        python-control made up (``u[0]``, ``sys[3]``) are no names.

    Raises
    ------
    InvalidSystemError
        If `system` is of another kind or not proper, or its time domain is not known,
        or `time` contradicts it.
    MissingDependencyError
        If python-control is not installed, or Slycot where it is needed.
    """
    caller = "from_control"
    control = _control(caller)
    if not isinstance(system, control.StateSpace | control.TransferFunction):
        kind = type(system).__name__
        msg = (
            f"{caller}: got a {kind}, need a control.StateSpace or "
            "control.TransferFunction; linearise or fit the system first"
        )
        raise InvalidSystemError(msg)
    domain = agreed_time(caller, _stated_time(system.dt), time)
    dense = system
    if isinstance(system, control.TransferFunction):
        dense = _realised(control, system, caller)
    A, B, C, D = (np.array(matrix) for matrix in (dense.A, dense.B, dense.C, dense.D))
    # The realisation has a name of its own, made up from that of the function.
    name = None if _GENERIC_NAME.fullmatch(system.name) else system.name
    names = SignalNames(**{k: _names(dense, k) for k in _LABELS}, system=name)
    return StateSpace(A, B, C, D, domain, names)


def to_control(system: StateSpace | DiagonalStateSpace) -> Any:
    """Convert a real system to a `control.StateSpace`, with its names.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One real system; a diagonal one with a real readout becomes its `real_form`.
        Single precision is widened to double, the only one of python-control.

    Returns
    -------
    control.StateSpace
        The same system in copies of its arrays, every state kept.

    Raises
    ------
    InvalidSystemError
        If the system is complex, of which python-control would drop the imaginary part,
        or a stack of systems, or has names or sizes that python-control cannot hold.
    MissingDependencyError
        If python-control is not installed.
    """
    caller = "to_control"
    control = _control(caller)
    require_one_system(caller, system, "python-control")
    dense = to_dense(system)
    arrays = host_arrays(caller, dense)
    if arrays["A"].dtype.kind == "c":
        msg = (
            f"{caller}: got a complex system of dtype {arrays['A'].dtype}, need a real "
            "one: python-control would drop the imaginary part; pass the real parts if "
            "the imaginary ones are zero"
        )
        raise InvalidSystemError(msg)
    names = {k: list(v) for k in _LABELS if (v := getattr(dense.names, k)) is not None}
    try:
        converted = control.StateSpace(
            *arrays.values(),
            dt=dense.time.dt if isinstance(dense.time, Discrete) else 0,
            remove_useless_states=False,
            name=dense.names.system,
            **names,
        )
    except ValueError as error:
        msg = f"{caller}: python-control cannot hold the system: {error}"
        raise InvalidSystemError(msg) from error
    for kind, wanted in names.items():
        if _labels(converted, kind) != wanted:
            msg = (
                f"{caller}: got the {kind} {wanted}, need names that differ from each "
                "other, as python-control does; change them or drop them"
            )
            raise InvalidSystemError(msg)
    return converted


def _control(caller: str) -> Any:
    try:
        return importlib.import_module("control")
    except ImportError as error:
        msg = (
            f"{caller} needs python-control, which is not installed; pip install "
            "'hankelcut[validation]'"
        )
        raise MissingDependencyError(msg) from error


def _stated_time(dt: Any) -> StatedTime:
    """Read the timebase of python-control, in which ``True`` is no number."""
    if dt is None:
        return None
    if dt is True:
        return "discrete"
    return Continuous() if dt == 0 else Discrete(float(dt))


def _realised(control: Any, function: Any, caller: str) -> Any:
    try:
        return control.tf2ss(function)
    except ValueError as error:
        msg = f"{caller}: got a transfer function that is not proper: {error}"
        raise InvalidSystemError(msg) from error
    except NotImplementedError as error:
        msg = (
            f"{caller} needs Slycot to realise transfer functions of several inputs or "
            "outputs; pip install 'hankelcut[validation]'"
        )
        raise MissingDependencyError(msg) from error


def _labels(system: Any, kind: str) -> list[str]:
    return list(getattr(system, f"{kind[:-1]}_labels"))


def _names(system: Any, kind: str) -> tuple[str, ...] | None:
    """Labels of the signals, or None where python-control made them up."""
    labels = _labels(system, kind)
    made_up = [f"{_LABELS[kind]}[{index}]" for index in range(len(labels))]
    return None if labels == made_up else tuple(labels)
