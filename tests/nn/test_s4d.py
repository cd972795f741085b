"""The S4D layer against its defining equations, written out in NumPy."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from hankelcut.nn import S4D
from tests.helpers import unchecked_types

D_MODEL, D_STATE = 3, 5


@pytest.fixture
def layer() -> S4D:
    torch.manual_seed(1)
    return S4D(D_MODEL, D_STATE).double()


def literal_outputs(layer: S4D, inputs: Tensor) -> np.ndarray:
    """The recurrence of the class's description, step by step."""
    p = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    a = -np.exp(p["log_A_real"]) + 1j * p["A_imag"]
    poles = np.exp(np.exp(p["log_dt"])[:, None] * a)
    C = (p["C"] @ [1, 1j]) * (poles - 1) / a
    outputs = np.empty(inputs.shape)
    for index, sequence in enumerate(inputs.numpy()):
        state = np.zeros(a.shape, dtype=complex)
        for time, sample in enumerate(sequence):
            state = poles * state + sample[:, None]
            outputs[index, time] = 2 * (C * state).sum(axis=1).real + p["D"] * sample
    return outputs


@pytest.mark.parametrize("length", [0, 1, 2, 9, 50])
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_forward_is_the_defining_recurrence(
    layer: S4D, batch: int, length: int
) -> None:
    inputs = torch.randn(batch, length, D_MODEL, dtype=torch.float64)
    outputs = layer(inputs)
    assert outputs.shape == inputs.shape
    np.testing.assert_allclose(
        outputs.detach().numpy(), literal_outputs(layer, inputs), rtol=1e-11, atol=1e-12
    )


def test_single_precision_stays_close_to_double(layer: S4D) -> None:
    inputs = torch.randn(2, 3000, D_MODEL, dtype=torch.float64)
    single = layer.float()
    outputs = single(inputs.float())
    assert outputs.dtype == torch.float32
    # Of the very parameters, whose rounding is another matter.
    expected = single.double()(inputs)
    error = (outputs - expected).abs().max() / expected.abs().max()
    assert error < 2e-6


def test_step_agrees_with_forward(layer: S4D) -> None:
    inputs = torch.randn(4, 7, D_MODEL, dtype=torch.float64)
    state = layer.initial_state(4)
    assert state.dtype == torch.complex128
    assert not state.any()
    outputs = []
    for sample in inputs.unbind(1):
        output, state = layer.step(sample, state)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs, dim=1), layer(inputs))
    assert state.shape == (4, D_MODEL, D_STATE)


def test_gradients_match_finite_differences(layer: S4D) -> None:
    inputs = torch.randn(2, 4, D_MODEL, dtype=torch.float64, requires_grad=True)
    names, values = zip(*layer.named_parameters(), strict=True)

    def outputs(inputs: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, named, (inputs,))

    assert torch.autograd.gradcheck(outputs, (inputs, *values))


def test_initial_frequencies_are_those_of_the_paper() -> None:
    linear, inverse = S4D(2, 4), S4D(2, 4, "inv")
    expected = torch.tensor([0, 1, 2, 3]) * math.pi
    torch.testing.assert_close(linear.A_imag, expected.expand(2, 4))
    # N / pi (N / (2 k + 1) - 1) with N = 8.
    expected = torch.tensor([7, 5 / 3, 3 / 5, 1 / 7]) * 8 / math.pi
    torch.testing.assert_close(inverse.A_imag, expected.expand(2, 4))
    for layer in (linear, inverse):
        torch.testing.assert_close(layer.log_A_real.exp(), torch.full((2, 4), 0.5))


def test_initial_steps_are_log_uniform() -> None:
    torch.manual_seed(0)
    steps = S4D(20_000, 1, dt_min=0.01, dt_max=1.0).log_dt.detach().exp()
    assert float(steps.min()) >= 0.01 * (1 - 1e-6)
    assert float(steps.max()) <= 1 + 1e-6
    share = float((steps < 0.1).double().mean())
    assert abs(share - 0.5) < 0.02  # five standard deviations


def test_sizes_are_those_of_the_parameters(layer: S4D) -> None:
    assert (layer.d_model, layer.d_state) == (D_MODEL, D_STATE)
    assert repr(layer) == f"S4D(d_model={D_MODEL}, d_state={D_STATE})"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "d_model=0, d_state=4"),
        ((4, 0), "d_model=4, d_state=0"),
        ((2, 2, "hippo"), "initialisation='hippo', need one of lin, inv"),
        ((2, 2, "lin", 0.0), "dt_min=0.0, dt_max=0.1"),
        ((2, 2, "lin", 0.2, 0.1), "need 0 < dt_min <= dt_max"),
    ],
)
def test_what_does_not_exist_is_refused(arguments: tuple, message: str) -> None:
    with unchecked_types(), pytest.raises(ValueError, match=message):
        S4D(*arguments)


def test_inputs_that_do_not_fit_are_refused(layer: S4D) -> None:
    with pytest.raises(ValueError, match=r"\(batch, length, d_model\) with d_model=3"):
        layer(torch.zeros(2, 4, D_MODEL + 1, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"need torch\.float64; convert"):
        layer(torch.zeros(2, 4, D_MODEL))
    sample = torch.zeros(2, D_MODEL, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"\(2, 3, 5\) and torch\.complex128; begin"):
        layer.step(sample, torch.zeros(2, D_MODEL, D_STATE))
