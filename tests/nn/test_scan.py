"""The scan against a literal loop, in values and in gradients."""

import math

import pytest
import torch
from torch import Tensor

from hankelcut.nn import linear_scan, scan


def reference_scan(
    inputs: Tensor, exponents: Tensor, initial_state: Tensor | None = None
) -> Tensor:
    """x_t = exp(exponents) x_{t-1} + u_t, one step after the other, by autograd."""
    state = torch.zeros_like(inputs[:1].sum(0))
    if initial_state is not None:
        state = initial_state
    states = []
    for step_input in inputs:
        state = torch.exp(exponents) * state + step_input
        states.append(state)
    return torch.stack(states) if states else inputs.clone()


def random_problem(
    length: int,
    batch: tuple[int, ...] = (2,),
    n: int = 3,
    dtype: torch.dtype = torch.complex128,
    *,
    seed: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, exponents of stable multipliers, and an initial state, all leaves."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.complex128, generator=generator)

    decay = torch.rand(n, dtype=torch.float64, generator=generator)
    phase = 2 * math.pi * torch.rand(n, dtype=torch.float64, generator=generator)
    tensors = (
        normal(length, *batch, n),
        torch.complex(-decay, phase),
        normal(*batch, n),
    )
    inputs, exponents, initial = (t.to(dtype).requires_grad_() for t in tensors)
    return inputs, exponents, initial


@pytest.mark.parametrize("length", [1, 2, 7, 12])
@pytest.mark.parametrize("batch", [(), (4,), (2, 5), (0,)])
@pytest.mark.parametrize("n_chunks", [None, 1, 2, 3, 5, 40])
@pytest.mark.parametrize("with_initial", [False, True])
def test_equals_the_loop_in_values_and_gradients(
    length: int, batch: tuple[int, ...], n_chunks: int | None, with_initial: bool
) -> None:
    inputs, exponents, initial = random_problem(length, batch)
    leaves = (inputs, exponents, *((initial,) if with_initial else ()))
    given = initial if with_initial else None
    states = linear_scan(inputs, exponents, initial_state=given, n_chunks=n_chunks)
    expected = reference_scan(inputs, exponents, given)
    torch.testing.assert_close(states, expected, rtol=1e-12, atol=1e-12)

    weights = torch.randn_like(expected)
    gradients = torch.autograd.grad(states, leaves, weights)
    expected_gradients = torch.autograd.grad(expected, leaves, weights)
    torch.testing.assert_close(gradients, expected_gradients, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("elements", [1, 6, 20])
def test_the_gradient_does_not_depend_on_its_blocks(
    elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of one step, of one step exactly, and of three with a shorter last."""
    inputs, exponents, _ = random_problem(9, (2,), 3)
    monkeypatch.setattr(scan, "_ELEMENTS_PER_BLOCK", elements)
    weights = torch.randn(9, 2, 3, dtype=torch.complex128)
    (gradient,) = torch.autograd.grad(
        linear_scan(inputs, exponents), exponents, weights
    )
    (expected,) = torch.autograd.grad(
        reference_scan(inputs, exponents), exponents, weights
    )
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_chunks", [1, 3])
def test_gradient_matches_finite_differences(n_chunks: int) -> None:
    inputs, exponents, initial = random_problem(5, (2,), 3)

    def states(inputs: Tensor, exponents: Tensor, initial_state: Tensor) -> Tensor:
        return linear_scan(
            inputs, exponents, initial_state=initial_state, n_chunks=n_chunks
        )

    assert torch.autograd.gradcheck(states, (inputs, exponents, initial))


def test_impulse_response_is_the_powers_of_the_multipliers() -> None:
    exponents = torch.tensor([-0.1 + 0.5j, -0.7 - 2.0j], dtype=torch.complex128)
    inputs = torch.zeros(9, 1, 2, dtype=torch.complex128)
    inputs[0] = 1
    states = linear_scan(inputs, exponents, n_chunks=4)
    powers = torch.exp(exponents) ** torch.arange(9)[:, None]
    torch.testing.assert_close(states[:, 0], powers)


@pytest.mark.parametrize("n_chunks", [1, 28])
def test_single_precision_is_accurate_over_long_sequences(n_chunks: int) -> None:
    inputs, exponents, _ = random_problem(784, (2,), 5)
    with torch.no_grad():
        exponents.real[:2] = torch.tensor([-1e-4, -1e-3])
    single = linear_scan(
        inputs.to(torch.complex64), exponents.to(torch.complex64), n_chunks=n_chunks
    )
    exact = reference_scan(inputs, exponents.to(torch.complex64).to(torch.complex128))
    assert single.dtype == torch.complex64
    error = (single - exact).abs().max() / exact.abs().max()
    assert error < 1e-5


@pytest.mark.parametrize("n_chunks", [None, 1, 3])
def test_an_empty_sequence_has_no_states_and_zero_gradients(
    n_chunks: int | None,
) -> None:
    inputs, exponents, initial = random_problem(0, (2,), 3)
    states = linear_scan(inputs, exponents, initial_state=initial, n_chunks=n_chunks)
    assert states.shape == (0, 2, 3)
    gradients = torch.autograd.grad(states.sum().real, (inputs, exponents, initial))
    assert [g.shape for g in gradients] == [(0, 2, 3), (3,), (2, 3)]
    assert all(not g.any() for g in gradients)


def test_inputs_that_are_not_contiguous() -> None:
    inputs, exponents, _ = random_problem(6, (4,))
    swapped = inputs.detach().transpose(0, 1)
    states = linear_scan(swapped, exponents)
    torch.testing.assert_close(states, reference_scan(swapped, exponents))
    assert states.is_contiguous()


@pytest.mark.parametrize("n_chunks", [1, 3])
def test_inputs_unmodified(n_chunks: int) -> None:
    problem = random_problem(7)
    before = [tensor.detach().clone() for tensor in problem]
    inputs, exponents, initial = problem
    states = linear_scan(inputs, exponents, initial_state=initial, n_chunks=n_chunks)
    states.abs().sum().backward()
    for tensor, copy in zip(problem, before, strict=True):
        assert torch.equal(tensor, copy)


def test_gradients_only_where_asked_for() -> None:
    inputs, exponents, initial = random_problem(4)
    states = linear_scan(inputs.detach(), exponents, initial_state=initial.detach())
    (gradient,) = torch.autograd.grad(states.abs().sum(), (exponents,))
    assert gradient.shape == (3,)
    states = linear_scan(inputs, exponents.detach())
    (gradient,) = torch.autograd.grad(states.abs().sum(), (inputs,))
    assert gradient.shape == inputs.shape


def test_second_derivatives_are_refused() -> None:
    inputs, exponents, _ = random_problem(4)
    states = linear_scan(inputs, exponents)
    (gradient,) = torch.autograd.grad(
        states.abs().sum(), (exponents,), create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.abs().sum().backward()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    results = []
    for device in ("cpu", "cuda"):
        inputs, exponents, initial = (
            tensor.detach().to(device).requires_grad_()
            for tensor in random_problem(50, (3,), 4)
        )
        states = linear_scan(inputs, exponents, initial_state=initial)
        states.abs().sum().backward()
        results.append(
            [t.cpu() for t in (states, inputs.grad, exponents.grad, initial.grad)]
        )
    torch.testing.assert_close(results[0], results[1], rtol=1e-10, atol=1e-10)


def test_bad_arguments_say_what_is_needed() -> None:
    inputs, exponents, initial = random_problem(5, (2,), 3)
    with pytest.raises(ValueError, match=r"got inputs of shape \(5, 2, 3\).*need"):
        linear_scan(inputs, exponents[:2])
    with pytest.raises(ValueError, match=r"need \(length, ..., n\) and \(n,\)"):
        linear_scan(exponents, exponents)
    with pytest.raises(ValueError, match="need one complex dtype"):
        linear_scan(inputs, exponents.to(torch.complex64))
    with pytest.raises(ValueError, match="need one complex dtype"):
        linear_scan(inputs.real, exponents.real)
    with pytest.raises(ValueError, match=r"initial state of shape \(1, 3\)"):
        linear_scan(inputs, exponents, initial_state=initial[:1])
    with pytest.raises(ValueError, match="got n_chunks=0, need at least 1"):
        linear_scan(inputs, exponents, n_chunks=0)
