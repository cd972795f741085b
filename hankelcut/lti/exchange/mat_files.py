"""Systems in MATLAB's ``.mat`` files (version 7 and older Level 5 files).

The matrices are ``A``, ``B``, ``C``, ``D`` and ``E``, the sampling period ``Ts`` in
seconds (0: continuous), the names ``InputName``, ``OutputName``, ``StateName`` (cells
of text) and ``Name``, as MATLAB calls them in its ``ss`` objects.
"""

import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.io
from scipy.sparse import csc_array, issparse

from hankelcut._errors import InvalidSystemError, NumericalWarning
from hankelcut.lti.exchange._host_arrays import (
    HostArray,
    host_arrays,
    require_one_system,
)
from hankelcut.lti.exchange._mat5 import (
    MatValue,
    Unsupported,
    read_variables,
    variable_names,
)
from hankelcut.lti.exchange._time import StatedTime, agreed_time
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.signal_names import SignalNames
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain

__all__ = ["MAT_VARIABLES", "decode_mat", "encode_mat"]

MAT_VARIABLES = {
    "A": ("A",),
    "B": ("B",),
    "C": ("C",),
    "D": ("D",),
    "E": ("E",),
    "dt": ("Ts", "dt"),
    "inputs": ("InputName",),
    "outputs": ("OutputName",),
    "states": ("StateName",),
    "system": ("Name",),
}
"""What a file may hold, and the names of the variables that are looked for."""

_REQUIRED = ("A", "B", "C")
_SIGNALS = ("inputs", "outputs", "states")
# MATLAB's sampling period of a discrete system that has none.
_UNKNOWN_PERIOD = -1.0
# Sparse systems with more states stay sparse: beyond, dense algorithms take minutes.
_LARGEST_DENSE = 2_000


def encode_mat(system: StateSpace | DiagonalStateSpace | SparseStateSpace) -> bytes:
    """Return the content of a MAT-file of a system.

    Parameters
    ----------
    system : StateSpace or SparseStateSpace
        One system of any dtype; NaN and infinity are kept.

    Raises
    ------
    InvalidSystemError
        If it is diagonal or a stack of systems, has names that MATLAB cannot hold, or
        an array lives on an accelerator or has a precision of its library alone.
    """
    if isinstance(system, DiagonalStateSpace):
        msg = (
            "save: got a diagonal system, which a .mat file cannot hold without losing "
            "its exponents and readout; save to_dense(system), or to .npz or .json"
        )
        raise InvalidSystemError(msg)
    variables: dict[str, Any]
    if isinstance(system, SparseStateSpace):
        variables = {name: getattr(system, name) for name in "ABCDE"}
    else:
        require_one_system("save", system, "a .mat file")
        variables = {**host_arrays("save", system), **_name_variables(system.names)}
    variables["Ts"] = system.time.dt if isinstance(system.time, Discrete) else 0.0
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables)
    return buffer.getvalue()


def decode_mat(
    content: bytes,
    *,
    variables: Mapping[str, str] | None = None,
    time: TimeDomain | None = None,
    sparse: bool | None = None,
) -> StateSpace | SparseStateSpace:
    """Return the system of the content of a MAT-file.

    Parameters
    ----------
    content : bytes
        The file. Integers become double precision, vectors the row or column that
        fits; D may be missing, empty or a scalar 0.
    variables : mapping of str to str, optional
        Names of variables for some of the keys of `MAT_VARIABLES`, where they are
        others.
    time : Continuous or Discrete, optional
        The time domain, where the file does not tell; continuous by default.
    sparse : bool, optional
        Whether to return a `SparseStateSpace`; by default, if A is stored sparse and
        has more than 2,000 rows.

    Raises
    ------
    ValueError
        If it is damaged, of another version, or does not hold a system.

    Warns
    -----
    NumericalWarning
        If the condition of E costs more than half of the digits, or a sparse system
        loses its names.
    """
    values = _values(content, dict(variables or {}))
    matrices = _matrices(values)
    domain = agreed_time("load", _stated_time(values, time), time)
    names = _names_from(values)
    large = issparse(matrices["A"]) and matrices["A"].shape[0] > _LARGEST_DENSE
    if large if sparse is None else sparse:
        return _sparse_system(matrices, domain, names)
    dense = {k: M.toarray() if issparse(M) else M for k, M in matrices.items()}
    if "E" in dense:
        return StateSpace.from_descriptor(**dense, time=domain, names=names)
    return StateSpace(**dense, time=domain, names=names)


def _sparse_system(
    matrices: dict[str, Any], time: TimeDomain, names: SignalNames
) -> SparseStateSpace:
    if names != SignalNames():
        msg = f"load: a sparse system has no names, these are dropped: {names}"
        warnings.warn(msg, NumericalWarning, stacklevel=4)
    stored = {k: csc_array(matrices[k]) for k in "AE" if k in matrices}
    return SparseStateSpace(**{**matrices, **stored}, time=time)


def _name_variables(names: SignalNames) -> dict[str, Any]:
    """Return the variables that hold the names that there are."""
    variables: dict[str, Any] = {}
    for role in (*_SIGNALS, "system"):
        value = getattr(names, role)
        if value is not None:
            (variable,) = MAT_VARIABLES[role]
            variables[variable] = _text(value) if role == "system" else _cell(value)
    return variables


def _text(name: str) -> str:
    """Return the name itself if MATLAB's characters can hold it."""
    try:
        name.encode()
        holds = "\0" not in name
    except UnicodeEncodeError:
        holds = False
    if not holds:
        msg = (
            f"save: got the name {name!r}, need one of characters; .mat cannot hold it"
        )
        raise InvalidSystemError(msg)
    return name


def _cell(names: tuple[str, ...]) -> HostArray:
    cell = np.empty((len(names), 1), dtype=object)
    cell[:, 0] = [_text(name) for name in names]
    return cell


def _values(content: bytes, chosen: dict[str, str]) -> dict[str, MatValue]:
    """Return what the file holds for each role."""
    wanted = MAT_VARIABLES | {role: (name,) for role, name in chosen.items()}
    try:
        found = read_variables(content, {n for names in wanted.values() for n in names})
    except ValueError as error:
        msg = (
            f"got a MAT-file that is damaged or of another version ({error}), need a "
            "complete Level 5 one; save it again with the option -v7"
        )
        raise ValueError(msg) from error
    values: dict[str, MatValue] = {}
    for role, names in wanted.items():
        present = [name for name in names if name in found]
        if not present and (role in _REQUIRED or role in chosen):
            msg = (
                f"got no variable {names[0]!r} (but {variable_names(content)}), need "
                "matrices A, B and C; save those of an object, or pass "
                f'variables={{"{role}": name}}'
            )
            raise ValueError(msg)
        if len(present) > 1:
            msg = f"got both {' and '.join(present)}, need one; pass variables="
            raise ValueError(msg + f'{{"{role}": name}}')
        if present:
            values[role] = found[present[0]]
    return values


def _matrices(values: dict[str, MatValue]) -> dict[str, Any]:
    """Return the matrices that there are, full or sparse, in shapes that fit."""
    matrices = {k: _numbers(k, values[k]) for k in "ABCDE" if k in values}
    n = matrices["A"].shape[0]
    empty = matrices.get("D", matrices["A"]).shape if n == 0 else (0, 0)
    B = _as_vector(matrices["B"], (n, 1), empty=(n, empty[1]))
    C = _as_vector(matrices["C"], (1, n), empty=(empty[0], n))
    p, m = C.shape[0], B.shape[1]
    matrices |= {"B": B, "C": C}
    if "D" in matrices:
        matrices["D"] = _feedthrough(matrices["D"], (p, m))
    if "E" in matrices and matrices["E"].shape == (0, 0):
        del matrices["E"]
    shapes = {"A": (n, n), "B": (n, m), "C": (p, n), "D": (p, m), "E": (n, n)}
    for role, matrix in matrices.items():
        if matrix.shape != shapes[role]:
            msg = f"got {role} of shape {matrix.shape}, need {shapes[role]}"
            raise ValueError(msg)
    return matrices


def _numbers(role: str, value: MatValue) -> Any:
    """Return a matrix, full or sparse, or say what there is in its place."""
    if issparse(value) or (isinstance(value, np.ndarray) and value.ndim == 2):
        return value
    if isinstance(value, np.ndarray):
        got = f"an array of shape {value.shape}"
    else:
        got = f"a {value.kind}" if isinstance(value, Unsupported) else "text"
    msg = (
        f"got {got} for {role}, need a matrix of numbers; save its matrices one by one"
    )
    raise ValueError(msg)


def _as_vector(matrix: Any, vector: tuple[int, int], *, empty: tuple[int, int]) -> Any:
    """Turn a vector of the other direction; give [] the shape that it stands for."""
    if matrix.shape == (0, 0):
        return np.zeros(empty, matrix.dtype)
    return matrix.T if matrix.shape == vector[::-1] else matrix


def _feedthrough(D: Any, shape: tuple[int, int]) -> Any:
    """Return D, zero where it is [] or the number 0, turned where it is a vector."""
    if D.shape == (0, 0) or (D.shape == (1, 1) != shape and D[0, 0] == 0):
        return np.zeros(shape, D.dtype)
    return D.T if 1 in D.shape and D.shape == shape[::-1] else D


def _stated_time(values: dict[str, MatValue], time: TimeDomain | None) -> StatedTime:
    if "dt" not in values:
        return time or Continuous()
    value = values["dt"]
    if not isinstance(value, np.ndarray) or value.size != 1 or value.dtype.kind != "f":
        msg = f"got the sampling period {value!r}, need one number (0: continuous)"
        raise ValueError(msg)
    dt = float(value.reshape(()))
    if dt == _UNKNOWN_PERIOD:
        return "discrete"
    return Continuous() if dt == 0 else Discrete(dt)


def _names_from(values: dict[str, MatValue]) -> SignalNames:
    names: dict[str, tuple[str, ...]] = {}
    for role in (*_SIGNALS, "system"):
        value = values.get(role, ())
        if isinstance(value, np.ndarray) and value.size == 0:
            value = ()
        if not isinstance(value, tuple):
            msg = (
                f"got the names of the {role} as {value!r}, need text or cells of text"
            )
            raise ValueError(msg)
        names[role] = value
    system = names.pop("system")
    if len(system) > 1:
        msg = f"got the names {system} of the system, need one"
        raise ValueError(msg)
    return SignalNames(**names, system="".join(system))
