"""The diagonal recurrence in one Triton kernel.

It agrees with the plain recurrence in Triton's interpreter, and compiles for GPUs of
compute capability 8.0 and 9.0. It has not run on one yet.
"""

import functools
import importlib.util
import inspect
from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor

__all__ = ["triton_recur", "triton_runs_on"]

# States of sequences in one program: one for each thread of two warps.
_COLUMNS = 64

tl: Any = None
"""Triton's language, from when the kernel is made."""


def triton_runs_on(device: torch.device) -> bool:
    """Whether the kernel is for this device, and Triton is installed.

    Parameters
    ----------
    device : torch.device
        Of the tensors.

    Returns
    -------
    bool
        True on CUDA devices with Triton.
    """
    return device.type == "cuda" and _triton_is_installed()


def triton_recur(
    inputs: Complex[Tensor, "length *batch n"],
    exponents: Complex[Tensor, "*multiplier_batch n"],
    initial_state: Complex[Tensor, "*batch n"] | None,
    states: Complex[Tensor, "length *batch n"],
    *,
    exclusive: bool,
    reverse: bool,
) -> None:
    """Write the states of the recurrence, as the plain one does.

    Parameters
    ----------
    inputs : (length, ..., n) complex tensor
        The sequence, of length 1 or more.
    exponents : (..., n) complex tensor
        Logarithms of the multipliers, in double precision.
    initial_state : (..., n) complex tensor, optional
        The state before the first step, zero by default.
    states : (length, ..., n) complex tensor
        What is written; may be `inputs` itself.
    exclusive : bool
        Write the state before each step.
    reverse : bool
        Go from the last step to the first.

    Notes
    -----
    **Method.** One thread for each state of each sequence goes through all steps, with
    the running state in double precision: one launch, and each input is read and each
    state written once.
    """
    length, *batch, n = inputs.shape
    multipliers = exponents.exp().expand(*batch, n).contiguous()
    n_columns = multipliers.numel()
    source, target = _rows(inputs), _rows(states)
    initial = multipliers
    if initial_state is not None:
        initial = initial_state.resolve_conj().contiguous()
    sign = -1 if reverse else 1
    # Triton launches on the current device, wherever the tensors are.
    with torch.cuda.device(inputs.device) if inputs.is_cuda else nullcontext():
        _kernel()[(-(-n_columns // _COLUMNS),)](
            torch.view_as_real(source[-1 if reverse else 0]),
            torch.view_as_real(multipliers),
            torch.view_as_real(initial),
            torch.view_as_real(target[-1 if reverse else 0]),
            length,
            n_columns,
            n,
            2 * sign * source.stride(0),
            2 * source.stride(1),
            2 * sign * target.stride(0),
            2 * target.stride(1),
            HAS_INITIAL=initial_state is not None,
            EXCLUSIVE=exclusive,
            COLUMNS=_COLUMNS,
        )
    if target.data_ptr() != states.data_ptr():
        states.copy_(target.view(states.shape))


def _rows(
    values: Complex[Tensor, "length *batch n"],
) -> Complex[Tensor, "length rows n"]:
    """Sequences on one axis, and n contiguous: a view where the layout allows it."""
    rows = values.reshape(values.shape[0], -1, values.shape[-1])
    return rows if rows.stride(-1) == 1 else rows.contiguous()


@functools.cache
def _kernel() -> Any:
    """Compile the kernel for Triton."""
    # A kernel finds names among the globals of its module, in every version of Triton.
    global tl
    import triton
    import triton.language

    tl = triton.language

    def recurrence_kernel(  # type: ignore[no-untyped-def]
        inputs,
        multipliers,
        initial,
        states,
        length,
        n_columns,
        n,
        input_step,
        input_row,
        state_step,
        state_row,
        HAS_INITIAL: tl.constexpr,
        EXCLUSIVE: tl.constexpr,
        COLUMNS: tl.constexpr,
    ):
        """All steps of some columns: a column is one state of one sequence."""
        column = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)).to(tl.int64)
        inside = column < n_columns
        source = inputs + (column // n) * input_row + 2 * (column % n)
        target = states + (column // n) * state_row + 2 * (column % n)
        a = tl.load(multipliers + 2 * column, mask=inside, other=0.0)
        b = tl.load(multipliers + 2 * column + 1, mask=inside, other=0.0)
        real = tl.zeros_like(a)
        imag = tl.zeros_like(a)
        if HAS_INITIAL:
            real = tl.load(initial + 2 * column, mask=inside, other=0.0).to(tl.float64)
            imag = tl.load(initial + 2 * column + 1, mask=inside, other=0.0).to(
                tl.float64
            )
        for _ in range(length):
            # Read before written: states may be inputs.
            driven_real = tl.load(source, mask=inside, other=0.0).to(tl.float64)
            driven_imag = tl.load(source + 1, mask=inside, other=0.0).to(tl.float64)
            if EXCLUSIVE:
                tl.store(target, real, mask=inside)
                tl.store(target + 1, imag, mask=inside)
            previous = real
            real = a * real - b * imag + driven_real
            imag = a * imag + b * previous + driven_imag
            if not EXCLUSIVE:
                tl.store(target, real, mask=inside)
                tl.store(target + 1, imag, mask=inside)
            source += input_step
            target += state_step

    # As written: a checker of types may have wrapped it.
    return triton.jit(inspect.unwrap(recurrence_kernel))


@functools.cache
def _triton_is_installed() -> bool:
    """Whether Triton can be imported."""
    return importlib.util.find_spec("triton") is not None
