"""Diagonal linear recurrence with its own backward pass, on CPU and GPU."""

import torch
from jaxtyping import Complex, Inexact
from torch import Tensor

from hankelcut.nn._recurrence import recurrence

__all__ = ["linear_scan"]


def linear_scan(
    inputs: Inexact[Tensor, "..."],
    exponents: Inexact[Tensor, "..."],
    *,
    initial_state: Inexact[Tensor, "..."] | None = None,
    exclusive: bool = False,
    n_chunks: int | None = None,
) -> Complex[Tensor, "length *batch n"]:
    r"""States of the recurrence :math:`x_t = \lambda x_{t-1} + u_t`.

    The multipliers :math:`\lambda = e^{\mu}` do not depend on time and are given by
    their exponents :math:`\mu`, so that powers of them stay accurate.

    Parameters
    ----------
    inputs : (length, ..., n) complex tensor
        The sequence u. Time is the first axis; its place in memory does not matter.
    exponents : (..., n) complex tensor
        Logarithms of the multipliers, on the inputs' device, of their dtype or in
        double precision. Axes before the last broadcast against those between time
        and n of the inputs: ``(n,)`` is one set of multipliers for all sequences,
        ``(channels, n)`` one set for each channel of ``(length, batch, channels, n)``.
    initial_state : (..., n) complex tensor, optional
        The state before the first step; zero by default.
    exclusive : bool
        Return the state that each step starts from, instead of the one it leads to:
        :math:`x_{t-1}` in the place of :math:`x_t`.
    n_chunks : int, optional
        Number of pieces of the sequence that are scanned side by side: a sequence of
        length L takes about ``L / n_chunks + n_chunks`` steps one after the other.
        The result does not depend on it beyond rounding. By default 1 on a CPU and
        where the Triton kernel runs, about the square root of the length elsewhere.

    Returns
    -------
    (length, ..., n) complex tensor
        The states x, one for every input, laid out in memory as the inputs are.

    Raises
    ------
    ValueError
        If the shapes, dtypes or the number of chunks do not fit.

    Notes
    -----
    **Method.** One step after the other; on a CUDA device, where Triton is installed,
    all of them in one kernel, which has run in Triton's interpreter only so far. Chunks
    start from zero; their last states are chained by the same recurrence with
    :math:`\lambda^T`, T the steps in a chunk, and :math:`\lambda^{t+1}` times the state
    that enters a chunk is added to its step t. The backward pass is the reversed scan
    with :math:`\bar\lambda`; it keeps the states and the exponents and nothing else.
    **Numerical aspects.** Work and memory are linear in the number of inputs; chunks
    double the work. A multiplier on the unit circle that is rounded to single precision
    is out of phase by 1e-3 radians after 16384 steps: every 64 steps the state gets
    what it has lost so, or the kernel runs in double precision, which leaves 1e-5.
    Powers are formed as :math:`e^{t\mu}` in double precision.
    """
    _check(inputs, exponents, initial_state, n_chunks)
    states: Tensor = recurrence(
        inputs, exponents, initial_state, exclusive, False, n_chunks
    )
    return states


def _check(
    inputs: Tensor,
    exponents: Tensor,
    initial_state: Tensor | None,
    n_chunks: int | None,
) -> None:
    """Raise ValueError where the arguments of `linear_scan` do not fit together."""
    shape = tuple(inputs.shape)
    if not _broadcasts(exponents.shape, inputs.shape[1:]):
        msg = (
            f"got inputs of shape {shape} and exponents of shape "
            f"{tuple(exponents.shape)}, need (length, ..., n) and (n,), or axes before "
            "n that broadcast against those of the inputs between time and n"
        )
        raise ValueError(msg)
    doubles = (inputs.dtype, torch.complex128)
    if not inputs.is_complex() or exponents.dtype not in doubles:
        msg = (
            f"got inputs of {inputs.dtype} and exponents of {exponents.dtype}, need "
            "one complex dtype, or exponents of torch.complex128; convert with "
            "`.to(torch.complex64)`"
        )
        raise ValueError(msg)
    if initial_state is not None and (
        initial_state.shape != inputs.shape[1:] or initial_state.dtype != inputs.dtype
    ):
        msg = (
            f"got an initial state of shape {tuple(initial_state.shape)} and "
            f"{initial_state.dtype}, need {shape[1:]} and {inputs.dtype}"
        )
        raise ValueError(msg)
    if n_chunks is not None and n_chunks < 1:
        msg = f"got n_chunks={n_chunks}, need at least 1 (or None for the default)"
        raise ValueError(msg)


def _broadcasts(shape: torch.Size, target: torch.Size) -> bool:
    """Whether a shape ends in the target's last axis and broadcasts to the target."""
    if not shape or not target or shape[-1] != target[-1] or len(shape) > len(target):
        return False
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return all(own in (1, other) for own, other in pairs)
