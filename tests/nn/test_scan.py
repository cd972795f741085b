"""The scan against a literal loop, in values and in gradients."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from hankelcut.nn import LRU, _recurrence, linear_scan


def reference_scan(
    inputs: Tensor,
    exponents: Tensor,
    initial_state: Tensor | None = None,
    *,
    exclusive: bool = False,
) -> Tensor:
    """x_t = exp(exponents) x_{t-1} + u_t, one step after the other, by autograd."""
    state = torch.zeros_like(inputs[:1].sum(0))
    if initial_state is not None:
        state = initial_state
    states = []
    for step_input in inputs:
        before = state
        state = torch.exp(exponents) * state + step_input
        states.append(before if exclusive else state)
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


@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("batch", [(), (2, 5), (0,)])
@pytest.mark.parametrize("n_chunks", [None, 2, 3, 40])
@pytest.mark.parametrize("with_initial", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
def test_equals_the_loop_in_values_and_gradients(
    length: int,
    batch: tuple[int, ...],
    n_chunks: int | None,
    with_initial: bool,
    exclusive: bool,
) -> None:
    inputs, exponents, initial = random_problem(length, batch)
    given = initial if with_initial else None
    states = linear_scan(
        inputs, exponents, initial_state=given, exclusive=exclusive, n_chunks=n_chunks
    )
    expected = reference_scan(inputs, exponents, given, exclusive=exclusive)
    assert_same(states, expected, (inputs, exponents, initial))


def assert_same(states: Tensor, expected: Tensor, leaves: tuple[Tensor, ...]) -> None:
    """Check that two results, and the gradients of a function of them, agree."""
    torch.testing.assert_close(states, expected, rtol=1e-12, atol=1e-12)
    if not expected.requires_grad:  # one step that starts from zero
        return
    weights = torch.randn_like(expected)
    gradients, expected_gradients = (
        torch.autograd.grad(result, leaves, weights, materialize_grads=True)
        for result in (states, expected)
    )
    torch.testing.assert_close(gradients, expected_gradients, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("n_chunks", [1, 2])
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("shape", [(1,), (1, 3), (5, 1), (5, 3), (2, 5, 3), (2, 1, 3)])
def test_exponents_broadcast_against_the_batch(
    shape: tuple[int, ...], exclusive: bool, n_chunks: int
) -> None:
    inputs, _, initial = random_problem(6, (2, 5), 3)
    exponents = torch.complex(-torch.rand(shape), 6 * torch.rand(shape))
    exponents = exponents.to(torch.complex128).requires_grad_()
    if shape[-1] == 1:
        with pytest.raises(ValueError, match="got inputs of shape"):
            linear_scan(inputs, exponents)
        return
    states = linear_scan(
        inputs,
        exponents,
        initial_state=initial,
        exclusive=exclusive,
        n_chunks=n_chunks,
    )
    expected = reference_scan(inputs, exponents, initial, exclusive=exclusive)
    assert_same(states, expected, (inputs, exponents, initial))


@pytest.mark.parametrize("n_chunks", [1, 2])
def test_corrections_on_the_way_change_nothing_in_double_precision(
    n_chunks: int,
) -> None:
    """Sequences longer than the steps between them, with and without a start."""
    inputs, exponents, initial = random_problem(280, (2,), 3)
    for given in (None, initial):
        states = linear_scan(inputs, exponents, initial_state=given, n_chunks=n_chunks)
        expected = reference_scan(inputs, exponents, given)
        assert_same(states, expected, (inputs, exponents, initial))


@pytest.mark.parametrize("n_chunks", [1, 2])
def test_a_pole_at_zero_forgets_at_once(n_chunks: int) -> None:
    exponents = torch.tensor([complex(-math.inf, 1.0), -0.5 + 1j])
    inputs = torch.randn(70, 2, 2, dtype=torch.complex64)
    states = linear_scan(inputs, exponents, n_chunks=n_chunks)
    torch.testing.assert_close(states[..., 0], inputs[..., 0])
    assert torch.isfinite(torch.view_as_real(states)).all()


@pytest.mark.parametrize("elements", [1, 6, 20])
def test_the_gradient_does_not_depend_on_its_blocks(
    elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of one step, of one step exactly, and of three with a shorter last."""
    inputs, exponents, _ = random_problem(9, (2,), 3)
    monkeypatch.setattr(_recurrence, "_ELEMENTS_PER_BLOCK", elements)
    weights = torch.randn(9, 2, 3, dtype=torch.complex128)
    (gradient,) = torch.autograd.grad(
        linear_scan(inputs, exponents), exponents, weights
    )
    (expected,) = torch.autograd.grad(
        reference_scan(inputs, exponents), exponents, weights
    )
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_chunks", [1, 3])
@pytest.mark.parametrize("exclusive", [False, True])
def test_gradients_match_finite_differences(exclusive: bool, n_chunks: int) -> None:
    problem = random_problem(4, (), 2)

    def states(inputs: Tensor, exponents: Tensor, initial_state: Tensor) -> Tensor:
        return linear_scan(
            inputs,
            exponents,
            initial_state=initial_state,
            exclusive=exclusive,
            n_chunks=n_chunks,
        )

    assert torch.autograd.gradcheck(states, problem)
    assert torch.autograd.gradgradcheck(states, problem)


def test_impulse_response_is_the_powers_of_the_multipliers() -> None:
    exponents = torch.tensor([-0.1 + 0.5j, -0.7 - 2.0j], dtype=torch.complex128)
    inputs = torch.zeros(9, 1, 2, dtype=torch.complex128)
    inputs[0] = 1
    states = linear_scan(inputs, exponents, n_chunks=4)
    powers = torch.exp(exponents) ** torch.arange(9)[:, None]
    torch.testing.assert_close(states[:, 0], powers)


@pytest.mark.parametrize("n_chunks", [1, 128, 1000])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_single_precision_is_accurate_near_the_unit_circle(
    dtype: torch.dtype, n_chunks: int
) -> None:
    """16384 steps that hardly decay; a rounded multiplier alone is off by 1e-4."""
    length, n = 16384, 4
    phases = torch.linspace(0.3, 6.2, n, dtype=torch.float64)
    exponents = torch.complex(torch.full_like(phases, -1e-6), phases).to(dtype)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((length, n, 2)) @ np.array([1, 1j])
    inputs = torch.from_numpy(inputs).to(torch.complex64)
    states = linear_scan(inputs, exponents, n_chunks=n_chunks)
    assert states.dtype == torch.complex64
    for k, pole in enumerate(np.exp(exponents.to(torch.complex128).numpy())):
        driven = inputs[:, k].to(torch.complex128).numpy()
        expected = scipy.signal.lfilter([1.0], [1.0, -pole], driven)
        error = np.abs(states[:, k].numpy() - expected).max()
        assert error < 2e-5 * np.abs(expected).max()


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


@pytest.mark.parametrize("n_chunks", [1, 3])
@pytest.mark.parametrize("exclusive", [False, True])
def test_inputs_of_any_layout(exclusive: bool, n_chunks: int) -> None:
    problem = random_problem(6, (4, 2), 3)
    inputs, exponents, initial = (tensor.detach() for tensor in problem)
    expected = reference_scan(inputs, exponents, initial, exclusive=exclusive)
    layouts = [
        inputs.movedim(0, -2).contiguous().movedim(-2, 0),
        inputs.movedim(-1, 0).contiguous().movedim(0, -1),
        inputs.repeat_interleave(2, dim=2)[:, :, ::2],
        inputs.conj().resolve_conj().conj(),
    ]
    for laid_out in layouts:
        states = linear_scan(
            laid_out,
            exponents,
            initial_state=initial,
            exclusive=exclusive,
            n_chunks=n_chunks,
        )
        torch.testing.assert_close(states, expected)
    assert linear_scan(layouts[0], exponents).stride() == layouts[0].stride()


def test_gradients_of_any_layout() -> None:
    inputs, exponents, _ = random_problem(6, (4,))
    weights = torch.randn(1, 1, 1, dtype=torch.complex128).expand(6, 4, 3)
    for given in (weights, weights.contiguous().mT.contiguous().mT):
        results = [
            torch.autograd.grad(scan(inputs, exponents), (inputs, exponents), given)
            for scan in (linear_scan, reference_scan)
        ]
        torch.testing.assert_close(*results)


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


def test_models_side_by_side_equal_models_alone() -> None:
    """`vmap` over stacked parameters; gradients are taken of what it returns."""
    torch.manual_seed(0)
    layers = [LRU(3, 5).double() for _ in range(4)]
    stacked, _ = stack_module_state(layers)
    skeleton = LRU(3, 5).double()
    inputs = torch.randn(2, 70, 3, dtype=torch.float64)

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        return functional_call(skeleton, parameters, (inputs,)).square().sum()

    vmap(loss)(stacked).sum().backward()
    for index, layer in enumerate(layers):
        layer(inputs).square().sum().backward()
        for name, value in layer.named_parameters():
            torch.testing.assert_close(stacked[name].grad[index], value.grad)


@pytest.mark.parametrize("in_dims", [(1, None, 0), (None, 0, None), (3, 1, 1)])
def test_vmap_over_any_argument(in_dims: tuple[int | None, ...]) -> None:
    shapes = [[5, 2, 3], [3], [2, 3]]
    for shape, axis in zip(shapes, in_dims, strict=True):
        if axis is not None:
            shape.insert(axis, 4)
    inputs, exponents, initial = (
        torch.randn(*shape, dtype=torch.complex128) for shape in shapes
    )

    def states(inputs: Tensor, exponents: Tensor, initial: Tensor) -> Tensor:
        return linear_scan(inputs, exponents, initial_state=initial)

    together = vmap(states, in_dims)(inputs, exponents, initial)
    for index, result in enumerate(together):
        alone = (
            tensor if axis is None else tensor.select(axis, index)
            for tensor, axis in zip((inputs, exponents, initial), in_dims, strict=True)
        )
        torch.testing.assert_close(result, states(*alone))


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
    with pytest.raises(ValueError, match=r"exponents of shape \(4, 3\)"):
        linear_scan(inputs, exponents.expand(4, 3))
    with pytest.raises(ValueError, match=r"exponents of shape \(1, 2, 3\)"):
        linear_scan(inputs, exponents.expand(1, 2, 3))
    with pytest.raises(ValueError, match="need one complex dtype"):
        linear_scan(inputs, exponents.to(torch.complex64))
    with pytest.raises(ValueError, match="need one complex dtype"):
        linear_scan(inputs.real, exponents.real)
    with pytest.raises(ValueError, match=r"initial state of shape \(1, 3\)"):
        linear_scan(inputs, exponents, initial_state=initial[:1])
    with pytest.raises(ValueError, match="got n_chunks=0, need at least 1"):
        linear_scan(inputs, exponents, n_chunks=0)
