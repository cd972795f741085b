"""What the files of this project say about a system, beside its arrays."""

import sys
from collections.abc import Mapping, Set
from typing import Any, TypeAlias, get_args

from hankelcut.lti.exchange._host_arrays import HostArray, array_names
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace, Readout
from hankelcut.lti.systems.signal_names import SignalNames
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain

__all__ = ["System", "header_of", "system_from"]

System: TypeAlias = StateSpace | DiagonalStateSpace

_FORMAT = "hankelcut-system"
_VERSION = 1
_SIGNALS = ("inputs", "outputs", "states")
_TIME_KEYS = {"continuous": {"domain"}, "discrete": {"domain", "dt"}}


def header_of(system: System) -> dict[str, Any]:
    """Return all but the arrays of a system, in plain values."""
    diagonal = isinstance(system, DiagonalStateSpace)
    header: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "kind": "diagonal" if diagonal else "dense",
        "time": {"domain": "continuous"},
    }
    if isinstance(system.time, Discrete):
        header["time"] = {"domain": "discrete", "dt": float(system.time.dt)}
    if isinstance(system, DiagonalStateSpace):
        return {**header, "readout": system.readout}
    names = {k: v for k, v in vars(system.names).items() if v is not None}
    return {**header, "names": names} if names else header


def system_from(header: Any, arrays: Mapping[str, HostArray]) -> System:
    """Return the system of a header and its arrays.

    Raises
    ------
    ValueError
        If the header is of another format or version, lacks or adds an entry, or the
        arrays do not fit to it or to each other.
    """
    _require_version(header)
    kind = header.get("kind")
    if kind not in ("dense", "diagonal"):
        msg = f'got "kind": {kind!r}, need "dense" or "diagonal"'
        raise ValueError(msg)
    diagonal = kind == "diagonal"
    _require_keys("arrays", set(arrays), set(array_names(diagonal=diagonal)))
    common = {"format", "version", "kind", "time"}
    if diagonal:
        _require_keys("entries", set(header), common | {"readout"})
    else:
        _require_keys("entries", set(header), common, {"names"})
    time = _time_from(header["time"])
    if not diagonal:
        names = _names_from(header.get("names", {}))
        return StateSpace(**arrays, time=time, names=names)
    readout = header["readout"]
    if readout not in get_args(Readout):
        msg = f'got "readout": {readout!r}, need one of {", ".join(get_args(Readout))}'
        raise ValueError(msg)
    return DiagonalStateSpace(**arrays, time=time, readout=readout)


def _require_version(header: Any) -> None:
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        msg = (
            f'got no "format": "{_FORMAT}", need a file that hankelcut.save wrote; '
            "build a StateSpace from your arrays"
        )
        raise ValueError(msg)
    version = header.get("version")
    if version != _VERSION:
        msg = (
            f"got version {version!r} of the format, need {_VERSION}; upgrade hankelcut"
        )
        raise ValueError(msg)


def _require_keys(
    what: str, got: set[str], required: set[str], optional: Set[str] = frozenset()
) -> None:
    if not required <= got <= required | optional:
        msg = f"got the {what} {sorted(got)}, need {sorted(required)}"
        msg += f" and perhaps {sorted(optional)}" if optional else ""
        raise ValueError(msg)


def _time_from(entry: Any) -> TimeDomain:
    domain = entry.get("domain") if isinstance(entry, dict) else None
    if not isinstance(domain, str) or set(entry) != _TIME_KEYS.get(domain):
        msg = (
            f'got "time": {entry!r}, need {{"domain": "continuous"}} or '
            '{"domain": "discrete", "dt": seconds}'
        )
        raise ValueError(msg)
    if domain == "continuous":
        return Continuous()
    dt = entry["dt"]
    if type(dt) not in (int, float) or not 0 < dt <= sys.float_info.max:
        msg = f'got "dt": {dt!r}, need a positive number of seconds'
        raise ValueError(msg)
    return Discrete(float(dt))


def _names_from(entry: Any) -> SignalNames:
    known = {*_SIGNALS, "system"}
    if not isinstance(entry, dict) or not set(entry) <= known:
        msg = f'got "names": {entry!r}, need some of {sorted(known)}'
        raise ValueError(msg)
    for kind, value in entry.items():
        strings = [value] if kind == "system" else value
        if not isinstance(strings, list) or not all(
            isinstance(s, str) for s in strings
        ):
            msg = f'got the names "{kind}": {value!r}, need strings'
            raise ValueError(msg)
    signals = {kind: tuple(entry[kind]) for kind in _SIGNALS if kind in entry}
    return SignalNames(**signals, system=entry.get("system"))
