"""Systems made of systems."""

from dataclasses import replace
from typing import Literal, TypeVar, overload

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems import _shapes, _sparse_lu
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.signal_names import SignalNames
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["append", "error_system", "feedback", "parallel", "series"]

_System = TypeVar("_System", bound=StateSpace | DiagonalStateSpace)


def series(
    first: StateSpace | DiagonalStateSpace, second: StateSpace | DiagonalStateSpace
) -> StateSpace:
    """Return the system u -> first -> second -> y, whose response is G2 G1.

    Parameters
    ----------
    first, second : StateSpace or DiagonalStateSpace
        Systems of one time domain; `second` has as many inputs as `first` has outputs.
        Batch axes broadcast.

    Returns
    -------
    StateSpace
        States [x1; x2], the inputs of `first` and the outputs of `second`.

    Raises
    ------
    InvalidSystemError
        If time domains, sizes, batch axes or devices do not fit together.
    """
    _require_one_time("series", first, second)
    if first.n_outputs != second.n_inputs:
        msg = f"series: got {first.n_outputs} outputs of the first system and "
        msg += f"{second.n_inputs} inputs of the second, need as many"
        raise InvalidSystemError(msg)
    head, tail = _matched("series", to_dense(first), to_dense(second))
    coupling = tail.B @ head.C
    none = _array.zeros((*coupling.shape[:-2], head.n_states, tail.n_states), head.A)
    rows = [
        _concat([head.A, none], axis=-1),
        _concat([coupling, tail.A], axis=-1),
    ]
    return StateSpace(
        _concat(rows, axis=-2),
        _concat([head.B, tail.B @ head.D], axis=-2),
        _concat([tail.D @ head.C, tail.C], axis=-1),
        tail.D @ head.D,
        head.time,
        SignalNames(inputs=head.names.inputs, outputs=tail.names.outputs),
    )


def parallel(
    first: StateSpace | DiagonalStateSpace, second: StateSpace | DiagonalStateSpace
) -> StateSpace | DiagonalStateSpace:
    """Return the sum G1 + G2: both systems see the inputs, their outputs add.

    Parameters
    ----------
    first, second : StateSpace or DiagonalStateSpace
        Systems of one time domain with as many inputs and as many outputs. Batch axes
        broadcast.

    Returns
    -------
    DiagonalStateSpace
        When both are diagonal with the same readout.
    StateSpace
        Otherwise, with the input and output names of `first`, or else of `second`.

    Raises
    ------
    InvalidSystemError
        If time domains, sizes, batch axes or devices do not fit together.
    """
    _require_one_time("parallel", first, second)
    sizes = [(system.n_inputs, system.n_outputs) for system in (first, second)]
    if sizes[0] != sizes[1]:
        msg = f"parallel: got (inputs, outputs) = {sizes[0]} and {sizes[1]}, need "
        raise InvalidSystemError(msg + "equal ones")
    pair = _diagonal_pair("parallel", first, second)
    if pair is not None:
        exponents = _concat([system.exponents for system in pair], axis=-1)
        return replace(pair[0], exponents=exponents, **_summed(*pair))
    dense, other = _matched("parallel", to_dense(first), to_dense(second))
    names = SignalNames(
        inputs=dense.names.inputs or other.names.inputs,
        outputs=dense.names.outputs or other.names.outputs,
    )
    A = _array.block_diagonal(dense.A, other.A)
    return replace(dense, A=A, **_summed(dense, other), names=names)


def append(
    first: StateSpace | DiagonalStateSpace, second: StateSpace | DiagonalStateSpace
) -> StateSpace | DiagonalStateSpace:
    """Return both systems as one, uncoupled: the response is block diagonal.

    Parameters
    ----------
    first, second : StateSpace or DiagonalStateSpace
        Systems of one time domain. Batch axes broadcast.

    Returns
    -------
    DiagonalStateSpace
        When both are diagonal with the same readout.
    StateSpace
        Otherwise. Inputs are [u1; u2], outputs [y1; y2], and so are their names.

    Raises
    ------
    InvalidSystemError
        If time domains, batch axes or devices do not fit together.
    """
    _require_one_time("append", first, second)
    pair = _diagonal_pair("append", first, second)
    if pair is not None:
        exponents = _concat([system.exponents for system in pair], axis=-1)
        return replace(pair[0], exponents=exponents, **_uncoupled(*pair))
    dense, other = _matched("append", to_dense(first), to_dense(second))
    names = SignalNames(
        inputs=_names_of_both("inputs", dense, other),
        outputs=_names_of_both("outputs", dense, other),
    )
    A = _array.block_diagonal(dense.A, other.A)
    return replace(dense, A=A, **_uncoupled(dense, other), names=names)


def feedback(
    forward: StateSpace | DiagonalStateSpace,
    backward: StateSpace | DiagonalStateSpace | None = None,
    sign: Literal[-1, 1] = -1,
) -> StateSpace:
    r"""Return the closed loop y = forward(u + sign backward(y)).

    The response is :math:`(I - s\,G_1 G_2)^{-1} G_1` with the sign s.

    Parameters
    ----------
    forward : StateSpace or DiagonalStateSpace
        System from the inputs to the outputs of the loop.
    backward : StateSpace or DiagonalStateSpace, optional
        System of the same time domain from those outputs to those inputs; by default
        each output goes back to the input of the same number.
    sign : {-1, 1}
        Of what comes back; -1 is negative feedback.

    Returns
    -------
    StateSpace
        States [x1; x2], inputs and outputs those of `forward`.

    Raises
    ------
    InvalidSystemError
        If time domains, sizes, batch axes or devices do not fit together, or
        :math:`I - s\,D_1 D_2` is singular: the loop has no unique solution.
    """
    if sign not in (-1, 1):
        msg = f"feedback: got sign={sign!r}, need -1 or 1"
        raise InvalidSystemError(msg)
    m, p = forward.n_inputs, forward.n_outputs
    back = _unit_feedback(forward) if backward is None else to_dense(backward)
    if (back.n_inputs, back.n_outputs) != (p, m):
        what = "no backward system" if backward is None else "a backward system"
        msg = f"feedback: got {what} of {back.n_inputs} inputs and {back.n_outputs} "
        msg += f"outputs around {m} inputs and {p} outputs, need {p} and {m}"
        raise InvalidSystemError(msg)
    _require_one_time("feedback", forward, back)
    first, second = _matched("feedback", to_dense(forward), back)
    _require_well_posed(sign * first.D, second.D)
    xp = _array.namespace(first.A)
    C1, C2, D1, D2 = first.C, sign * second.C, first.D, sign * second.D
    identity = xp.broadcast_to(_array.eye(m, D1), (*D1.shape[:-2], m, m))
    # Outputs of the forward system, and its inputs, from the states and the reference.
    y = xp.linalg.solve(
        _array.eye(p, D1) - D1 @ D2, xp.concat([C1, D1 @ C2, D1], axis=-1)
    )
    u = xp.linalg.solve(
        _array.eye(m, D1) - D2 @ D1, xp.concat([D2 @ C1, C2, identity], axis=-1)
    )
    n = first.n_states + second.n_states
    driven = xp.concat([first.B @ u, second.B @ y], axis=-2)
    return StateSpace(
        _array.block_diagonal(first.A, second.A) + driven[..., :n],
        driven[..., n:],
        y[..., :n],
        y[..., n:],
        first.time,
        SignalNames(inputs=first.names.inputs, outputs=first.names.outputs),
    )


@overload
def error_system(
    full: StateSpace | DiagonalStateSpace, reduced: StateSpace | DiagonalStateSpace
) -> StateSpace | DiagonalStateSpace: ...


@overload
def error_system(
    full: SparseStateSpace, reduced: StateSpace | DiagonalStateSpace | SparseStateSpace
) -> SparseStateSpace: ...


def error_system(
    full: StateSpace | DiagonalStateSpace | SparseStateSpace,
    reduced: StateSpace | DiagonalStateSpace | SparseStateSpace,
) -> StateSpace | DiagonalStateSpace | SparseStateSpace:
    """Return the system G - G_r whose norms are the errors of a reduction.

    Parameters
    ----------
    full, reduced : StateSpace, DiagonalStateSpace or SparseStateSpace
        Systems with the same time domain, inputs, outputs and batch axes.

    Returns
    -------
    DiagonalStateSpace
        When both are diagonal with the same readout, of n + r states.
    SparseStateSpace
        When one of them is sparse.
    StateSpace
        Otherwise, with the input and output names of `full`.

    Raises
    ------
    InvalidSystemError
        If time domains or sizes differ.
    """
    facts = [(s.time, s.n_inputs, s.n_outputs, s.batch_shape) for s in (full, reduced)]
    if facts[0] != facts[1]:
        msg = f"error_system: got (time, m, p, batch) = {facts[0]} and {facts[1]}, need"
        raise InvalidSystemError(msg + " equal ones")
    if isinstance(full, SparseStateSpace) or isinstance(reduced, SparseStateSpace):
        return _sparse_error_system(_as_sparse(full), _as_sparse(reduced))
    return parallel(full, replace(reduced, C=-reduced.C, D=-reduced.D))


def _sparse_error_system(
    full: SparseStateSpace, reduced: SparseStateSpace
) -> SparseStateSpace:
    return SparseStateSpace(
        _sparse_lu.block_diagonal(full.A, reduced.A),
        np.concatenate([full.B, reduced.B], axis=0),
        np.concatenate([full.C, -reduced.C], axis=1),
        full.D - reduced.D,
        _sparse_lu.block_diagonal(full.E, reduced.E),
        full.time,
    )


def _as_sparse(
    system: StateSpace | DiagonalStateSpace | SparseStateSpace,
) -> SparseStateSpace:
    if isinstance(system, SparseStateSpace):
        return system
    dense = to_dense(system)
    A = _sparse_lu.csc(_sparse_lu.dense(dense.A))
    return SparseStateSpace(A, dense.B, dense.C, dense.D, time=dense.time)


def _require_one_time(
    caller: str,
    first: StateSpace | DiagonalStateSpace,
    second: StateSpace | DiagonalStateSpace,
) -> None:
    if first.time != second.time:
        msg = (
            f"{caller}: got systems in {first.time} and {second.time}, need one time "
            "domain; discretize or undiscretize one of them first"
        )
        raise InvalidSystemError(msg)


def _diagonal_pair(
    caller: str,
    first: StateSpace | DiagonalStateSpace,
    second: StateSpace | DiagonalStateSpace,
) -> tuple[DiagonalStateSpace, DiagonalStateSpace] | None:
    """Both systems, matched, when they are diagonal with one readout."""
    if not isinstance(first, DiagonalStateSpace):
        return None
    if not isinstance(second, DiagonalStateSpace) or first.readout != second.readout:
        return None
    return _matched(caller, first, second)


def _matched(caller: str, first: _System, second: _System) -> tuple[_System, _System]:
    """Bring two systems of one kind to one dtype and to common batch axes."""
    dense = isinstance(first, StateSpace)
    fields = ("A" if dense else "exponents", "B", "C", "D")
    given = [getattr(system, field) for system in (first, second) for field in fields]
    _, arrays = _array.as_arrays(given)
    ranks = [2 if dense else 1, 2, 2, 2]
    arrays = _shapes.broadcast_batches(caller, arrays, ranks + ranks)
    if isinstance(first, DiagonalStateSpace) and first.readout != "complex":
        arrays[3], arrays[7] = (_array.to_real(D) for D in (arrays[3], arrays[7]))
    pairs = [dict(zip(fields, half, strict=True)) for half in (arrays[:4], arrays[4:])]
    return replace(first, **pairs[0]), replace(second, **pairs[1])


def _summed(first: _System, second: _System) -> dict[str, Array]:
    """Matrices of a system whose outputs are the sums of those of two."""
    return {
        "B": _concat([first.B, second.B], axis=-2),
        "C": _concat([first.C, second.C], axis=-1),
        "D": first.D + second.D,
    }


def _uncoupled(first: _System, second: _System) -> dict[str, Array]:
    """Matrices of a system with the inputs and the outputs of two."""
    return {
        k: _array.block_diagonal(*(getattr(s, k) for s in (first, second)))
        for k in "BCD"
    }


def _concat(arrays: list[Array], *, axis: int) -> Array:
    return _array.namespace(*arrays).concat(arrays, axis=axis)


def _names_of_both(
    kind: Literal["inputs", "outputs"], first: StateSpace, second: StateSpace
) -> tuple[str, ...]:
    """Names of the signals of two systems, empty ones where a system has none."""
    joined: tuple[str, ...] = ()
    for system in (first, second):
        names = getattr(system.names, kind)
        joined += names or ("",) * getattr(system, f"n_{kind}")
    return joined


def _unit_feedback(system: StateSpace | DiagonalStateSpace) -> StateSpace:
    """Return the static identity from the outputs of a system to its inputs."""
    p = system.n_outputs
    D = to_dense(system).D[..., :0, :0]
    shape = D.shape[:-2]
    return StateSpace(
        D,
        _array.zeros((*shape, 0, p), D),
        _array.zeros((*shape, p, 0), D),
        _array.eye(p, D),
        system.time,
    )


def _require_well_posed(D1: Array, D2: Array) -> None:
    """Raise where I - D1 D2 is singular to the precision of its rounding."""
    p, m = D1.shape[-2:]
    if p == 0:
        return
    xp = _array.namespace(D1)
    sizes = [xp.linalg.matrix_norm(_array.detach(D)) for D in (D1, D2)]
    loop = _array.eye(p, D1) - D1 @ D2
    smallest = xp.linalg.svdvals(_array.detach(loop))[..., -1]
    limit = (p + m) * _array.eps(D1) * (1 + sizes[0] * sizes[1])
    good = xp.reshape(smallest > limit, (-1,))
    if bool(xp.all(good)):
        return
    item = int(xp.argmin(xp.astype(good, xp.int64)))
    where = f" of batch item {item}" if D1.ndim > 2 else ""
    msg = (
        f"feedback: got feedthroughs{where} for which I - sign D1 D2 is singular: the "
        "loop has no unique solution; change a feedthrough or the sign"
    )
    raise InvalidSystemError(msg)
