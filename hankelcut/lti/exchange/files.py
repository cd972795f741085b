"""Systems in files: MATLAB's, NumPy's, and JSON."""

from collections.abc import Mapping
from pathlib import Path

from hankelcut._errors import DataError, InvalidSystemError
from hankelcut.lti.exchange._atomic_write import write_atomically
from hankelcut.lti.exchange.json_files import decode_json, encode_json
from hankelcut.lti.exchange.mat_files import MAT_VARIABLES, decode_mat, encode_mat
from hankelcut.lti.exchange.npz_files import decode_npz, encode_npz
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import TimeDomain

__all__ = ["load", "save"]

_SUFFIXES = (".mat", ".npz", ".json")


def load(
    path: Path | str,
    *,
    variables: Mapping[str, str] | None = None,
    time: TimeDomain | None = None,
    sparse: bool | None = None,
) -> StateSpace | DiagonalStateSpace | SparseStateSpace:
    """Read a system from a ``.mat``, ``.npz`` or ``.json`` file.

    Parameters
    ----------
    path : path
        The file; its suffix says of what kind it is.
    variables : mapping of str to str, optional
        Of a ``.mat`` file: names of its variables where they are not ``A``, ``B``,
        ``C``, ``D``, ``E``, ``Ts`` or ``dt``, ``InputName``, ``OutputName``,
        ``StateName`` and ``Name``. Keys are ``A`` to ``E``, ``dt``, ``inputs``,
        ``outputs``, ``states`` and ``system``: ``{"A": "Ahat", "dt": "h"}``.
    time : Continuous or Discrete, optional
        Of a ``.mat`` file: the time domain where the file has no ``Ts``, continuous by
        default, or where its ``Ts`` of -1 leaves the period open.
    sparse : bool, optional
        Of a ``.mat`` file: whether to return a `SparseStateSpace`; by default, if ``A``
        is stored sparse and has more than 2,000 rows.

    Returns
    -------
    StateSpace, DiagonalStateSpace or SparseStateSpace
        The system, as NumPy (or SciPy's sparse) arrays, with its time domain and names,
        which a sparse system has not. A descriptor matrix ``E`` of a ``.mat`` file is
        brought to the other side for a dense system.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another kind than its suffix says or of an
        unknown one, or does not hold a system.
    ValueError
        If an option of ``.mat`` files is given for another kind of file, or `variables`
        has an unknown key.

    Warns
    -----
    NumericalWarning
        If the condition of ``E`` costs more than half of the digits, or a sparse system
        loses the names that the file has.

    Notes
    -----
    ``.npz`` and ``.json`` files are those of `save`. MAT-files are read up to version
    7: save newer ones with the option ``-v7``.
    """
    path = Path(path)
    suffix = _known_suffix(path)
    options = {"variables": variables, "time": time, "sparse": sparse}
    given = [name for name, value in options.items() if value is not None]
    if given and suffix != ".mat":
        msg = f"load: got {' and '.join(given)} for a {suffix} file, need a .mat file"
        raise ValueError(f"{msg}; leave them out")
    if unknown := set(variables or {}) - MAT_VARIABLES.keys():
        msg = f"load: got {sorted(unknown)} in variables, need some of "
        raise ValueError(msg + ", ".join(MAT_VARIABLES))
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path}: got '{error}', need a file that can be read"
        raise DataError(msg) from error
    try:
        if suffix == ".mat":
            return decode_mat(content, variables=variables, time=time, sparse=sparse)
        return decode_npz(content) if suffix == ".npz" else decode_json(content)
    except ValueError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from error


def save(
    system: StateSpace | DiagonalStateSpace | SparseStateSpace, path: Path | str
) -> None:
    """Write a system to a ``.mat``, ``.npz`` or ``.json`` file, whole or not at all.

    Parameters
    ----------
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        The system; tensors are saved as their values. ``.mat`` holds one dense or
        sparse system; ``.npz`` and ``.json`` hold dense and diagonal ones and stacks
        of them, ``.json`` without NaN or infinity. All of them keep the dtype, the time
        domain and the names.
    path : path
        The file; one that exists is replaced.

    Raises
    ------
    InvalidSystemError
        If this kind of file cannot hold the system.
    DataError
        If the suffix is unknown or the file cannot be written.
    """
    path = Path(path)
    suffix = _known_suffix(path)
    if suffix == ".mat":
        content = encode_mat(system)
    elif isinstance(system, SparseStateSpace):
        msg = f"save: got a sparse system for a {suffix} file, need a .mat file for it"
        raise InvalidSystemError(msg)
    else:
        content = encode_npz(system) if suffix == ".npz" else encode_json(system)
    write_atomically(path, content)


def _known_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        msg = (
            f"{path}: got the suffix {path.suffix!r}, need one of "
            f"{', '.join(_SUFFIXES)}; rename the file or convert it"
        )
        raise DataError(msg)
    return suffix
