"""The diagonal recurrence as one differentiable operator, closed to compilers."""

import itertools
import math
from functools import partial
from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor

from hankelcut.nn._triton_recurrence import triton_recur, triton_runs_on

__all__ = ["recurrence"]

# Steps after which the plain recurrence in single precision is put right.
_STEPS_UNCORRECTED = 64

# Elements per block of the gradient's reduction on a CPU: its product then stays in
# the cache. Measured, complex64: 2**17 to 2**19 are equally fast, the whole sequence
# at once is up to 6 times slower.
_ELEMENTS_PER_BLOCK = 2**18


@torch.library.custom_op("hankelcut::recurrence", mutates_args=())
def recurrence(
    inputs: Tensor,
    exponents: Tensor,
    initial_state: Tensor | None,
    exclusive: bool,
    reverse: bool,
    n_chunks: int | None,
) -> Tensor:
    """Run the recurrence, forwards or backwards in time.

    Parameters
    ----------
    inputs : (length, ..., n) complex tensor
        The sequence.
    exponents : (..., n) complex tensor
        Logarithms of the multipliers; leading axes broadcast against the batch.
    initial_state : (..., n) complex tensor, optional
        The state before the first step, zero by default; forwards only.
    exclusive : bool
        Return the state before each step.
    reverse : bool
        Go from the last step to the first.
    n_chunks : int, optional
        Pieces that are scanned side by side.

    Returns
    -------
    (length, ..., n) complex tensor
        The states, laid out in memory as the inputs are.
    """
    inputs = inputs.resolve_conj()
    states = torch.empty_like(inputs)
    if inputs.numel() == 0:
        return states
    if n_chunks is None:
        serial = inputs.device.type == "cpu" or triton_runs_on(inputs.device)
        n_chunks = 1 if serial else math.isqrt(inputs.shape[0])
    run = _recur if n_chunks == 1 else partial(_recur_in_chunks, n_chunks=n_chunks)
    run(
        inputs,
        exponents.to(torch.complex128).resolve_conj(),
        initial_state,
        states,
        exclusive=exclusive,
        reverse=reverse,
    )
    return states


@recurrence.register_fake
def _shapes_only(
    inputs: Tensor,
    exponents: Tensor,
    initial_state: Tensor | None,
    exclusive: bool,
    reverse: bool,
    n_chunks: int | None,
) -> Tensor:
    return torch.empty_like(inputs)


def _save_for_backward(
    ctx: Any,
    inputs: tuple[Tensor, Tensor, Tensor | None, bool, bool, int | None],
    output: Tensor,
) -> None:
    _, exponents, initial_state, ctx.exclusive, ctx.reverse, ctx.n_chunks = inputs
    ctx.save_for_backward(output, exponents, initial_state)


def _backward(
    ctx: Any, gradient: Tensor
) -> tuple[Tensor, Tensor | None, Tensor | None, None, None, None]:
    states, exponents, initial_state = ctx.saved_tensors
    adjoint: Tensor = recurrence(
        gradient, exponents.conj(), None, ctx.exclusive, not ctx.reverse, ctx.n_chunks
    )
    multipliers = exponents.to(torch.complex128).conj().exp()
    gradient_exponents = gradient_initial = None
    if ctx.needs_input_grad[1]:
        total = _correlate_with_previous(
            adjoint,
            states,
            initial_state,
            exclusive=ctx.exclusive,
            reverse=ctx.reverse,
        )
        total = total.sum_to_size(exponents.shape) * multipliers
        gradient_exponents = total.to(exponents.dtype)
    if ctx.needs_input_grad[2]:
        # For a sequence of length 0 no state depends on the initial one.
        gradient_initial = (adjoint[:1].sum(0) * multipliers).to(adjoint.dtype)
        if ctx.exclusive:
            gradient_initial = gradient_initial + gradient[:1].sum(0)
    return adjoint, gradient_exponents, gradient_initial, None, None, None


recurrence.register_autograd(_backward, setup_context=_save_for_backward)


@recurrence.register_vmap
def _batched(
    info: Any,
    in_dims: tuple[int | None, ...],
    inputs: Tensor,
    exponents: Tensor,
    initial_state: Tensor | None,
    exclusive: bool,
    reverse: bool,
    n_chunks: int | None,
) -> tuple[Tensor, int]:
    """One more axis of the batch: the first after time."""

    def with_axis(values: Tensor, place: int, axis: int | None) -> Tensor:
        if axis is None:
            rest = (-1,) * (values.ndim - place)
            sizes = (-1,) * place + (info.batch_size,) + rest
            return values.unsqueeze(place).expand(sizes)
        return values.movedim(axis, place)

    inputs = with_axis(inputs, 1, in_dims[0])
    exponents = with_axis(exponents, 0, in_dims[1])
    missing = inputs.ndim - 1 - exponents.ndim
    exponents = exponents.reshape(
        info.batch_size, *(1,) * missing, *exponents.shape[1:]
    )
    if initial_state is not None:
        initial_state = with_axis(initial_state, 0, in_dims[2])
    states: Tensor = recurrence(
        inputs, exponents, initial_state, exclusive, reverse, n_chunks
    )
    return states, 1


def _recur(
    inputs: Complex[Tensor, "length *batch n"],
    exponents: Complex[Tensor, "*multiplier_batch n"],
    initial_state: Complex[Tensor, "*batch n"] | None,
    states: Complex[Tensor, "length *batch n"],
    *,
    exclusive: bool,
    reverse: bool,
) -> None:
    """Write the states of the plain recurrence.

    `states` may be `inputs` itself unless they are exclusive.
    """
    run = triton_recur if triton_runs_on(inputs.device) else _recur_by_steps
    run(inputs, exponents, initial_state, states, exclusive=exclusive, reverse=reverse)


def _recur_by_steps(
    inputs: Complex[Tensor, "length *batch n"],
    exponents: Complex[Tensor, "*multiplier_batch n"],
    initial_state: Complex[Tensor, "*batch n"] | None,
    states: Complex[Tensor, "length *batch n"],
    *,
    exclusive: bool,
    reverse: bool,
) -> None:
    """One step after the other.

    A multiplier that is rounded to single precision is out of phase after many steps.
    Now and then the state gets what the steps since the last time have lost of it.
    """
    rows = list(states.unbind(0))
    if reverse:
        rows.reverse()
    if exclusive and reverse:
        states[:-1].copy_(inputs[1:])
    elif exclusive:
        states[1:].copy_(inputs[:-1])
    else:
        states.copy_(inputs)
    if exclusive:
        rows[0].copy_(
            torch.zeros_like(rows[0]) if initial_state is None else initial_state
        )
    elif initial_state is not None:
        rows.insert(0, initial_state)

    multipliers = exponents.exp().to(inputs.dtype)
    exact = _scaled(exponents, _STEPS_UNCORRECTED).exp()
    loss = (exact - multipliers.to(exact.dtype) ** _STEPS_UNCORRECTED).to(inputs.dtype)
    anchor = rows[0]
    for count, (previous, following) in enumerate(itertools.pairwise(rows), start=1):
        following.addcmul_(multipliers, previous)
        if count % _STEPS_UNCORRECTED == 0:
            following.addcmul_(loss, anchor)
            anchor = following


def _recur_in_chunks(
    inputs: Complex[Tensor, "length *batch n"],
    exponents: Complex[Tensor, "*multiplier_batch n"],
    initial_state: Complex[Tensor, "*batch n"] | None,
    states: Complex[Tensor, "length *batch n"],
    *,
    n_chunks: int,
    exclusive: bool,
    reverse: bool,
) -> None:
    """Scan chunks side by side, chain their ends, and add what enters each chunk."""
    length, *rest = inputs.shape
    n_steps = -(-length // n_chunks)
    n_chunks = -(-length // n_steps)
    # Zeros at the end are harmless: they come after the last step forwards, and
    # leave the zero state as it is backwards.
    padded = inputs.new_zeros(n_chunks * n_steps, *rest)
    padded[:length] = inputs
    chunks = padded.view(n_chunks, n_steps, *rest)
    steps = chunks.transpose(0, 1)
    _recur(steps, exponents, None, steps, exclusive=False, reverse=reverse)

    ends = chunks[:, 0 if reverse else -1]
    entering = torch.empty_like(ends)
    _recur(
        ends,
        _scaled(exponents, n_steps),
        initial_state,
        entering,
        exclusive=True,
        reverse=reverse,
    )
    distances = torch.arange(1, n_steps + 1, device=inputs.device)
    if reverse:
        distances = distances.flip(0)
    aligned = exponents.reshape(*(1,) * (len(rest) - exponents.ndim), *exponents.shape)
    powers = _scaled(aligned, distances.view(-1, *(1,) * (len(rest) + 1))).exp()
    chunks.addcmul_(powers.to(inputs.dtype), entering[:, None])
    if not exclusive:
        states.copy_(padded[:length])
    elif reverse:
        states[:-1] = padded[1:length]
        states[-1] = 0
    else:
        states[1:] = padded[: length - 1]
        states[0] = 0 if initial_state is None else initial_state


def _scaled(
    exponents: Complex[Tensor, "*any"], factor: Tensor | int
) -> Complex[Tensor, "..."]:
    """Multiples of exponents; a complex product would make NaN of infinite ones."""
    return torch.view_as_complex(factor * torch.view_as_real(exponents))


def _correlate_with_previous(
    adjoint: Complex[Tensor, "length *batch n"],
    states: Complex[Tensor, "length *batch n"],
    initial_state: Complex[Tensor, "*batch n"] | None,
    *,
    exclusive: bool,
    reverse: bool,
) -> Complex[Tensor, "*batch n"]:
    """Sum over time of the adjoint times the conjugate state before the same step."""
    if exclusive:
        return _correlate(adjoint, states)
    if reverse:
        return _correlate(adjoint[:-1], states[1:])
    total = _correlate(adjoint[1:], states[:-1])
    if initial_state is not None:
        total = total + _correlate(adjoint[:1], initial_state.expand_as(adjoint[:1]))
    return total


def _correlate(
    left: Complex[Tensor, "length *batch n"], right: Complex[Tensor, "length *batch n"]
) -> Complex[Tensor, "*batch n"]:
    """Sum over time of ``left * conj(right)``, in double precision."""
    block = max(1, left.shape[0])
    if left.device.type == "cpu":
        block = max(1, _ELEMENTS_PER_BLOCK // max(1, left[:1].numel()))
    blocks = zip(torch.split(left, block), torch.split(right, block), strict=True)
    parts = [(one * other.conj()).sum(0) for one, other in blocks]
    return torch.stack(parts).sum(0, dtype=torch.complex128)
