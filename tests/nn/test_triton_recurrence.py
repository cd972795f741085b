"""The Triton kernel against the plain recurrence, in Triton's interpreter."""

import importlib.util
import itertools

import pytest
import torch

from hankelcut.nn import _recurrence, linear_scan
from hankelcut.nn._recurrence import _recur_by_steps
from hankelcut.nn._triton_recurrence import triton_recur
from tests.helpers import call_in_new_process


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs Triton")
@pytest.mark.parametrize("comparison", ["compare_states", "compare_gradients"])
def test_kernel_equals_the_plain_recurrence(comparison: str) -> None:
    call_in_new_process(__name__, comparison, TRITON_INTERPRET="1")


def compare_states() -> None:
    """Sizes around that of a program, both precisions, every option and layout."""
    torch.manual_seed(0)
    for length, batch, n, dtype, options in itertools.product(
        (1, 5),
        ((), (2, 5)),
        (7, 70),
        (torch.complex64, torch.complex128),
        itertools.product((False, True), repeat=3),
    ):
        with_initial, exclusive, reverse = options
        inputs = torch.randn(length, *batch, n, dtype=dtype)
        parts = torch.rand(2, *batch[1:], n, dtype=torch.float64)
        exponents = torch.complex(-parts[0], 6 * parts[1])
        initial = torch.randn(*batch, n, dtype=dtype) if with_initial else None
        for place in range(inputs.ndim):
            laid_out = inputs.movedim(0, place).contiguous().movedim(place, 0)
            plain, kernel = torch.empty_like(laid_out), torch.empty_like(laid_out)
            for run, states in ((_recur_by_steps, plain), (triton_recur, kernel)):
                run(
                    laid_out,
                    exponents,
                    initial,
                    states,
                    exclusive=exclusive,
                    reverse=reverse,
                )
            torch.testing.assert_close(kernel, plain)


def compare_gradients() -> None:
    """The whole operator with the kernel in it: backward pass, chunks, in place."""
    torch.manual_seed(0)
    inputs = torch.randn(20, 3, 5, dtype=torch.complex128, requires_grad=True)
    parts = torch.rand(2, 5, dtype=torch.float64)
    exponents = torch.complex(-parts[0], 6 * parts[1]).requires_grad_()
    initial = torch.randn(3, 5, dtype=torch.complex128, requires_grad=True)
    leaves = (inputs, exponents, initial)
    weights = torch.randn(20, 3, 5, dtype=torch.complex128)
    for exclusive, n_chunks in itertools.product((False, True), (1, 3)):
        results = []
        for with_kernel in (False, True):
            _recurrence.triton_runs_on = lambda _, answer=with_kernel: answer
            states = linear_scan(
                inputs,
                exponents,
                initial_state=initial,
                exclusive=exclusive,
                n_chunks=n_chunks,
            )
            results.append([states, *torch.autograd.grad(states, leaves, weights)])
        torch.testing.assert_close(*results)
