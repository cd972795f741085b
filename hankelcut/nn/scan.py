"""Diagonal linear recurrence with its own backward pass, on CPU and GPU."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Complex, Inexact
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["linear_scan"]

# Elements per block of the gradient's reduction on a CPU: its product then stays in
# the cache. Measured, complex64: 2**17 to 2**19 are equally fast, the whole sequence
# at once is up to 6 times slower.
_ELEMENTS_PER_BLOCK = 2**18


def linear_scan(
    inputs: Inexact[Tensor, "..."],
    exponents: Inexact[Tensor, "..."],
    *,
    initial_state: Inexact[Tensor, "..."] | None = None,
    n_chunks: int | None = None,
) -> Complex[Tensor, "length *batch n"]:
    r"""States of the recurrence :math:`x_t = \lambda x_{t-1} + u_t`.

    The multipliers :math:`\lambda = e^{\mu}` do not depend on time and are given by
    their exponents :math:`\mu`, so that powers of them stay accurate.

    Parameters
    ----------
    inputs : (length, ..., n) complex tensor
        The sequence u. Time leads: one step is then one contiguous piece of memory.
    exponents : (n,) complex tensor
        Logarithms of the multipliers, of the inputs' dtype and device.
    initial_state : (..., n) complex tensor, optional
        The state before the first step; zero by default.
    n_chunks : int, optional
        Number of pieces of the sequence that are scanned side by side: a sequence of
        length L takes about ``L / n_chunks + n_chunks`` steps one after the other.
        The result does not depend on it beyond rounding. By default 1 on a CPU and
        about the square root of the length elsewhere.

    Returns
    -------
    (length, ..., n) complex tensor
        The states x, one for every input.

    Raises
    ------
    ValueError
        If the shapes, dtypes or the number of chunks do not fit.

    Notes
    -----
    **Method.** Every chunk starts from zero; the chunks' last states are chained by
    the same recurrence with :math:`\lambda^T`, T the steps in a chunk, and
    :math:`\lambda^{t+1}` times the state that enters a chunk is added to its step t.
    The backward pass is the reversed scan with :math:`\bar\lambda`; it keeps the states
    and the exponents and nothing else, and cannot be differentiated again.
    **Numerical aspects.** Work and memory are linear in the number of inputs; chunks
    double the work. Powers are formed as :math:`e^{t\mu}` in double precision.
    """
    _check(inputs, exponents, initial_state, n_chunks)
    length = inputs.shape[0]
    if n_chunks is None:
        n_chunks = 1 if inputs.device.type == "cpu" else math.isqrt(length)
    n_chunks = max(1, min(n_chunks, length))
    states: Tensor = _LinearScan.apply(  # type: ignore[no-untyped-call]
        inputs, exponents, initial_state, n_chunks
    )
    return states


class _LinearScan(torch.autograd.Function):
    """The scan and its adjoint, the same scan backwards in time."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        exponents: Tensor,
        initial_state: Tensor | None,
        n_chunks: int,
    ) -> Tensor:
        states = _scan(inputs, exponents, initial_state, n_chunks)
        ctx.save_for_backward(states, exponents, initial_state)
        ctx.n_chunks = n_chunks
        return states

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        states, exponents, initial_state = ctx.saved_tensors
        adjoint = _scan(gradient, exponents.conj(), None, ctx.n_chunks, backwards=True)
        multipliers = exponents.exp()
        gradient_exponents = gradient_initial = None
        if ctx.needs_input_grad[1]:
            gradient_multipliers = _correlate(adjoint[1:], states[:-1])
            if initial_state is not None:
                gradient_multipliers += _correlate(
                    adjoint[:1], initial_state.expand_as(adjoint[:1])
                )
            gradient_exponents = gradient_multipliers * multipliers.conj()
        if ctx.needs_input_grad[2]:
            # For a sequence of length 0 no state depends on the initial one.
            gradient_initial = multipliers.conj() * adjoint[:1].sum(0)
        return adjoint, gradient_exponents, gradient_initial, None


def _scan(
    inputs: Complex[Tensor, "length *batch n"],
    exponents: Complex[Tensor, " n"],
    initial_state: Complex[Tensor, "*batch n"] | None,
    n_chunks: int,
    *,
    backwards: bool = False,
) -> Complex[Tensor, "length *batch n"]:
    """Scan in chunks side by side, forwards or backwards in time."""
    if n_chunks == 1:
        states = torch.empty_like(inputs, memory_format=torch.contiguous_format)
        _recur(inputs, exponents.exp(), initial_state, states, backwards=backwards)
        return states

    length, *rest = inputs.shape
    n_steps = -(-length // n_chunks)
    # Zeros at the end are harmless: they come after the last step forwards, and
    # leave the zero state as it is backwards.
    states = inputs.new_zeros(n_chunks * n_steps, *rest)
    states[:length] = inputs
    chunks = states.view(n_chunks, n_steps, *rest)
    steps = chunks.transpose(0, 1)
    _recur(steps, exponents.exp(), None, steps, backwards=backwards)

    ends = chunks[:, 0 if backwards else -1]
    carries = torch.empty_like(ends, memory_format=torch.contiguous_format)
    # Powers in double precision: in single, the phase of t * mu is off by t ulps.
    distances = torch.arange(1, n_steps + 1, device=inputs.device)
    powers = (distances[:, None] * exponents.to(torch.complex128)).exp()
    powers = powers.to(inputs.dtype)
    _recur(ends, powers[-1], initial_state, carries, backwards=backwards)
    if initial_state is None:
        initial_state = torch.zeros_like(carries[0])
    entering = [initial_state[None], carries[:-1]]
    if backwards:
        entering = [carries[1:], initial_state[None]]
    if backwards:
        powers = powers.flip(0)
    powers = powers.reshape(n_steps, *(1,) * (len(rest) - 1), rest[-1])
    chunks.addcmul_(powers, torch.cat(entering)[:, None])
    return states[:length]


def _recur(
    inputs: Complex[Tensor, "length *batch n"],
    multipliers: Complex[Tensor, " n"],
    initial_state: Complex[Tensor, "*batch n"] | None,
    states: Complex[Tensor, "length *batch n"],
    *,
    backwards: bool,
) -> None:
    """Write the states of the plain recurrence; `states` may be `inputs` itself."""
    steps: Iterable[tuple[Tensor, Tensor]] = zip(
        inputs.unbind(0), states.unbind(0), strict=True
    )
    if backwards:
        steps = reversed(list(steps))
    previous = initial_state
    for step_input, state in steps:
        if previous is None:
            state.copy_(step_input)
        else:
            torch.addcmul(step_input, multipliers, previous, out=state)
        previous = state


def _correlate(
    left: Complex[Tensor, "length *batch n"], right: Complex[Tensor, "length *batch n"]
) -> Complex[Tensor, " n"]:
    """Sum of ``left * conj(right)`` over time and batch."""
    n_states = left.shape[-1]
    total = left.new_zeros(n_states)
    if left.numel() == 0:
        return total
    block = left.shape[0]
    if left.device.type == "cpu":
        block = max(1, _ELEMENTS_PER_BLOCK // left[0].numel())
    for left_block, right_block in zip(
        torch.split(left, block), torch.split(right, block), strict=True
    ):
        total += (left_block * right_block.conj()).reshape(-1, n_states).sum(0)
    return total


def _check(
    inputs: Tensor,
    exponents: Tensor,
    initial_state: Tensor | None,
    n_chunks: int | None,
) -> None:
    """Raise ValueError where the arguments of `linear_scan` do not fit together."""
    if exponents.ndim != 1 or inputs.ndim < 2 or inputs.shape[-1:] != exponents.shape:
        msg = (
            f"got inputs of shape {tuple(inputs.shape)} and exponents of shape "
            f"{tuple(exponents.shape)}, need (length, ..., n) and (n,)"
        )
        raise ValueError(msg)
    if not inputs.is_complex() or inputs.dtype != exponents.dtype:
        msg = (
            f"got inputs of {inputs.dtype} and exponents of {exponents.dtype}, need "
            "one complex dtype; convert with `.to(torch.complex64)`"
        )
        raise ValueError(msg)
    if initial_state is not None and (
        initial_state.shape != inputs.shape[1:] or initial_state.dtype != inputs.dtype
    ):
        msg = (
            f"got an initial state of shape {tuple(initial_state.shape)} and "
            f"{initial_state.dtype}, need {tuple(inputs.shape[1:])} and {inputs.dtype}"
        )
        raise ValueError(msg)
    if n_chunks is not None and n_chunks < 1:
        msg = f"got n_chunks={n_chunks}, need at least 1 (or None for the default)"
        raise ValueError(msg)
