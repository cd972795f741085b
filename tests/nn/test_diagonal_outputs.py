"""Outputs by blocks of steps against the defining recurrence, written out."""

import math
import shutil

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from hankelcut.nn import LRU
from hankelcut.nn.diagonal_outputs import _best_block, diagonal_outputs
from tests.helpers import call_in_new_process

M, P, N = 2, 3, 4


def reference(
    inputs: Tensor,
    exponents: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    initial_state: Tensor | None,
) -> Tensor:
    """One step after the other in complex numbers, by autograd."""
    poles = torch.exp(exponents)[..., None, :]
    shape = (*inputs.shape[:-2], poles.shape[-1])
    state = torch.zeros(shape, dtype=poles.dtype)
    if initial_state is not None:
        state = initial_state
    outputs = [inputs.new_zeros(*inputs.shape[:-2], 0, C.shape[-2])]
    for sample in inputs.unbind(-2):
        state = poles * state + sample.to(B.dtype) @ B.mT
        output = (state @ C.mT).real
        if D is not None:
            output = output + D[..., None, :] * sample
        outputs.append(output[..., None, :])
    return torch.cat(outputs, dim=-2)


def random_problem(
    groups: tuple[int, ...],
    length: int,
    *,
    with_D: bool = False,
    with_initial: bool = False,
    seed: int = 0,
) -> tuple[Tensor | None, ...]:
    """All six arguments, in double precision, leaves where they are given."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, dtype: torch.dtype = torch.complex128) -> Tensor:
        return torch.randn(*groups, *shape, dtype=dtype, generator=generator)

    p = M if with_D else P
    parts = torch.rand(2, *groups, N, dtype=torch.float64, generator=generator)
    arguments = (
        normal(5, length, M, dtype=torch.float64),
        torch.complex(-parts[0], 2 * math.pi * parts[1]),
        normal(N, M),
        normal(p, N),
        normal(p, dtype=torch.float64) if with_D else None,
        normal(5, N) if with_initial else None,
    )
    return tuple(None if t is None else t.requires_grad_() for t in arguments)


def run(*arguments: Tensor | None, block: int | None = None) -> Tensor:
    *others, initial_state = arguments
    return diagonal_outputs(*others, initial_state=initial_state, block=block)


@pytest.mark.parametrize("groups", [(), (3,), (2, 3)])
@pytest.mark.parametrize("length", [0, 1, 4, 11])
@pytest.mark.parametrize("block", [None, 1, 2, 3, 11, 16])
@pytest.mark.parametrize("extras", [False, True])
def test_equals_the_recurrence_in_values_and_gradients(
    groups: tuple[int, ...], length: int, block: int | None, extras: bool
) -> None:
    arguments = random_problem(groups, length, with_D=extras, with_initial=extras)
    outputs = run(*arguments, block=block)
    expected = reference(*arguments)
    torch.testing.assert_close(outputs, expected, rtol=1e-11, atol=1e-11)

    leaves = [tensor for tensor in arguments if tensor is not None]
    weights = torch.randn_like(expected)
    gradients = torch.autograd.grad(outputs, leaves, weights, materialize_grads=True)
    expected_gradients = [torch.zeros_like(leaf) for leaf in leaves]
    if length > 0:
        expected_gradients = torch.autograd.grad(expected, leaves, weights)
    torch.testing.assert_close(
        list(gradients), list(expected_gradients), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("block", [1, 2])
def test_gradients_match_finite_differences(block: int) -> None:
    arguments = random_problem((), 3, with_D=True, with_initial=True)
    assert torch.autograd.gradcheck(lambda *a: run(*a, block=block), arguments)


@pytest.mark.parametrize("block", [1, 16, 64, None])
def test_single_precision_is_accurate_near_the_unit_circle(block: int | None) -> None:
    """16384 steps of two poles that hardly decay, against SciPy in double precision."""
    length = 16384
    exponents = torch.tensor([-1e-6 + 0.3j, -1e-6 + 5.9j], dtype=torch.complex128)
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.standard_normal((1, length, 1))).float()
    inputs.requires_grad_()
    B, C = torch.randn(2, 1, dtype=torch.complex64), torch.tensor([[1 - 2j, 0.5 + 1j]])
    outputs = diagonal_outputs(inputs, exponents, B, C, block=block)
    weights = torch.from_numpy(rng.standard_normal((1, length, 1))).float()
    (adjoint,) = torch.autograd.grad(outputs, inputs, weights)

    residues = C[0].numpy().astype(complex) * B[:, 0].numpy()
    poles = np.exp(exponents.numpy())
    for found, driving, order in ((outputs, inputs, 1), (adjoint, weights, -1)):
        signal = driving.detach().double().numpy()[0, ::order, 0].astype(complex)
        expected = sum(
            scipy.signal.lfilter([residue], [1.0, -pole], signal).real
            for residue, pole in zip(residues, poles, strict=True)
        )
        error = np.abs(found.detach().numpy()[0, ::order, 0] - expected).max()
        assert error < 2e-5 * np.abs(expected).max()


@pytest.mark.parametrize("block", [1, 4])
def test_a_pole_at_zero_forgets_at_once(block: int) -> None:
    inputs, _, B, C, _, _ = random_problem((), 9)
    exponents = torch.tensor([complex(-math.inf, 1.0)] * N, dtype=torch.complex128)
    outputs = diagonal_outputs(inputs, exponents, B, C, block=block)
    torch.testing.assert_close(outputs, inputs @ (C @ B).real.mT)
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs)
    assert torch.isfinite(gradient).all()


def test_a_bank_of_channels_is_a_group_for_each() -> None:
    """The S4D form: twice the real part, one input and output for each channel."""
    channels, n = 3, 5
    exponents = torch.complex(-torch.rand(channels, n), 6 * torch.rand(channels, n))
    C = torch.randn(channels, 1, n, dtype=torch.complex64)
    inputs = torch.randn(2, 40, channels)
    grouped = inputs.permute(2, 0, 1)[..., None]
    ones = torch.ones_like(C).mT
    outputs = diagonal_outputs(grouped, exponents, ones, 2 * C)[..., 0].permute(1, 2, 0)

    steps = torch.arange(40)[:, None, None]
    powers = torch.exp(steps * exponents)
    kernel = 2 * (powers * C[:, 0]).sum(-1).real
    for channel in range(channels):
        for sequence in range(2):
            expected = np.convolve(
                inputs[sequence, :, channel].numpy(), kernel[:, channel].numpy()
            )
            found = outputs[sequence, :, channel].numpy()
            np.testing.assert_allclose(found, expected[:40], rtol=1e-4, atol=1e-4)


def test_the_states_of_all_steps_are_not_kept() -> None:
    layer = LRU(8, 64)
    inputs = torch.randn(10, 784, 8)
    storages = {}

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(inputs)
    kept = sum(storage.nbytes() for storage in storages.values())
    assert kept < 0.25 * 10 * 784 * 64 * 8


@pytest.mark.parametrize(
    ("sizes", "measured"),
    [
        ((50, 784, 256, 8, 8), 16),
        ((50, 784, 28, 8, 8), 8),
        ((8, 784, 256, 64, 64), 4),
        ((8, 784, 28, 64, 64), 1),
        ((4, 784, 256, 256, 256), 1),
        ((50, 784, 64, 16, 16), 8),
        ((50, 3, 256, 8, 8), 4),
        ((50, 1, 256, 8, 8), 1),
        ((0, 784, 28, 8, 8), 32),
    ],
)
def test_the_block_is_the_fastest_measured(
    sizes: tuple[int, ...], measured: int
) -> None:
    assert _best_block(*sizes) == measured


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_layers_equal_eager_ones() -> None:
    call_in_new_process(__name__, "compare_compiled_layers")


def compare_compiled_layers() -> None:
    """Without a break in the graph, in blocks and without, with sizes that change."""
    torch.manual_seed(0)
    for d_model in (3, 200):
        layer = LRU(d_model, 5)
        compiled = torch.compile(layer, fullgraph=True)
        for batch, length in ((4, 50), (4, 50), (3, 77), (6, 20)):
            inputs = torch.randn(batch, length, d_model, requires_grad=True)
            leaves = (inputs, *layer.parameters())
            weights = torch.randn(batch, length, d_model)
            results = [function(inputs) for function in (compiled, layer)]
            gradients = [torch.autograd.grad(y, leaves, weights) for y in results]
            pairs = zip(*gradients, strict=True)
            for found, expected in (tuple(results), *pairs):
                atol = 1e-5 * expected.abs().max().item()
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=atol)


def test_bad_arguments_say_what_is_needed() -> None:
    inputs, exponents, B, C, _, initial = random_problem((3,), 6, with_initial=True)
    with pytest.raises(ValueError, match=r"got inputs of shape \(6, 2\), B of"):
        diagonal_outputs(inputs[0, 0], exponents, B, C)
    with pytest.raises(ValueError, match=r"exponents of shape \(4,\).*need \(3, 4\)"):
        diagonal_outputs(inputs, exponents[0], B, C)
    with pytest.raises(ValueError, match=r"got B of shape \(3, 4, 1\).*\(3, 4, 2\)"):
        diagonal_outputs(inputs, exponents, B[..., :1], C)
    with pytest.raises(ValueError, match=r"got C of shape \(3, 3, 2\)"):
        diagonal_outputs(inputs, exponents, B, C[..., :2])
    with pytest.raises(ValueError, match=r"got D of shape \(3, 3\).*not 2 and 3"):
        diagonal_outputs(inputs, exponents, B, C, C[..., 0].real)
    with pytest.raises(ValueError, match=r"initial_state of shape \(3, 5, 1\)"):
        diagonal_outputs(inputs, exponents, B, C, initial_state=initial[..., :1])
    with pytest.raises(ValueError, match=r"C of torch.complex64 .* torch.complex128"):
        diagonal_outputs(inputs, exponents, B, C.to(torch.complex64))
    with pytest.raises(ValueError, match=r"got B of torch.float64 with inputs of"):
        diagonal_outputs(inputs, exponents, B.real, C)
    with pytest.raises(ValueError, match=r"inputs of torch.complex128, need real"):
        diagonal_outputs(inputs.to(B.dtype), exponents, B, C)
    with pytest.raises(ValueError, match="got block=0, need at least 1"):
        diagonal_outputs(inputs, exponents, B, C, block=0)
