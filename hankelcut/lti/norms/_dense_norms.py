"""Brackets of the H-infinity norms of dense systems, one after the other."""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._parallel import map_in_threads, one_blas_thread
from hankelcut.lti.norms._bounded_real_frame import System
from hankelcut.lti.norms._level_set import DenseBracket, bracket_dense
from hankelcut.lti.norms._modal_bracket import ModalBracket, bracket_modal
from hankelcut.lti.structure.stability import require_stable
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["DenseNorms", "dense_norms", "require_width"]

# Up to this many states a second BLAS thread gains little, and beside busy cores costs
# twenty times as much: 2 s became 40 s.
_ONE_THREAD = 256


@dataclass(frozen=True, eq=False)
class DenseNorms:
    """What is found of the norms of one system.

    Parameters
    ----------
    bracket : DenseBracket
        Of the H-infinity norm.
    modal : ModalBracket or None
        The diagonal form behind it; None where level sets were searched.
    """

    bracket: DenseBracket
    modal: ModalBracket | None = None


def dense_norms(caller: str, system: StateSpace, rtol: float) -> list[DenseNorms]:
    """Bracket each item of a stack, by its diagonal form or else by level sets.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    system : StateSpace
        The systems.
    rtol : float
        Width wanted: upper <= (1 + rtol) lower.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, `rtol` is not positive, or the system is on an
        accelerator.
    UnstableSystemError
        If a pole is on or outside the stability boundary.
    """
    require_width(caller, rtol)
    matrices = {"A": system.A, "B": system.B, "C": system.C, "D": system.D}
    _array.require_finite(caller, **matrices)
    wide = np.complex128 if _array.is_complex(system.A) else np.float64
    A, B, C, D = (_array.to_numpy(matrix).astype(wide) for matrix in matrices.values())
    items = [
        System(A[index], B[index], C[index], D[index], system.time)
        for index in _array.batch_indices(system)
    ]
    threads = nullcontext() if system.n_states > _ONE_THREAD else one_blas_thread()
    with threads:
        found = map_in_threads(lambda item: bracket_modal(item, rtol), items)
        if None in found:
            # A system with a bracket is proven stable by it.
            require_stable(caller, system)
        rest = [item for item, own in zip(items, found, strict=True) if own is None]
        others = iter(map_in_threads(lambda item: bracket_dense(item, rtol), rest))
    return [
        DenseNorms(next(others)) if own is None else DenseNorms(own.bracket, own)
        for own in found
    ]


def require_width(caller: str, rtol: float) -> None:
    """Raise `InvalidSystemError` unless the width wanted is positive.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    rtol : float
        The width.
    """
    if not rtol > 0:
        msg = f"{caller}: got rtol={rtol!r}, need a positive number"
        raise InvalidSystemError(msg)
