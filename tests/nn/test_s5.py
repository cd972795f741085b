"""The S5 layer against its defining equations, written out in NumPy."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from hankelcut.nn import S5

D_MODEL, D_STATE = 3, 5


@pytest.fixture
def layer() -> S5:
    torch.manual_seed(1)
    return S5(D_MODEL, D_STATE).double()


def literal_outputs(layer: S5, inputs: Tensor) -> np.ndarray:
    """The recurrence step by step, with the integral of the hold by its series."""
    p = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    poles = -np.exp(p["log_decay"]) + 1j * p["frequency"]
    steps = np.exp(p["log_step"])
    terms = [(steps * poles) ** k / math.factorial(k + 1) for k in range(40)]
    B = (steps * np.sum(terms, axis=0))[:, None] * (p["B_re"] + 1j * p["B_im"])
    C = p["C_re"] + 1j * p["C_im"]
    outputs = np.empty(inputs.shape)
    for index, sequence in enumerate(inputs.numpy()):
        state = np.zeros(len(poles), dtype=complex)
        for time, sample in enumerate(sequence):
            state = np.exp(steps * poles) * state + B @ sample
            outputs[index, time] = (C @ state).real + p["D"] * sample
    return outputs


@pytest.mark.parametrize("length", [0, 1, 9])
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_forward_is_the_defining_recurrence(layer: S5, batch: int, length: int) -> None:
    inputs = torch.randn(batch, length, D_MODEL, dtype=torch.float64)
    outputs = layer(inputs).detach().numpy()
    expected = literal_outputs(layer, inputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-12, atol=1e-12)


def test_single_precision_keeps_small_steps(layer: S5) -> None:
    """The difference e^x - 1 would lose all digits at steps of 1e-7."""
    with torch.no_grad():
        layer.log_step.copy_(torch.linspace(-16, -3, D_STATE))
        layer.D.zero_()
    inputs = torch.randn(2, 100, D_MODEL, dtype=torch.float64)
    expected = layer(inputs)
    outputs = layer.float()(inputs.float())
    assert outputs.dtype == torch.float32
    error = torch.linalg.norm(outputs - expected) / torch.linalg.norm(expected)
    assert float(error.detach()) < 1e-5
    slow = torch.zeros(1, 3, D_MODEL)
    slow[0, 0] = 1
    with torch.no_grad():
        layer.C_re[:, 1:] = 0
        layer.C_im[:, 1:] = 0
        single = layer(slow)
        double = layer.double()(slow.double())
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=0.0)


def test_step_agrees_with_forward(layer: S5) -> None:
    inputs = torch.randn(4, 7, D_MODEL, dtype=torch.float64)
    state, outputs = layer.initial_state(4), []
    for sample in inputs.unbind(1):
        output, state = layer.step(sample, state)
        outputs.append(output)
    assert state.shape == (4, D_STATE)
    torch.testing.assert_close(torch.stack(outputs, dim=1), layer(inputs))


def test_gradients_match_finite_differences(layer: S5) -> None:
    inputs = torch.randn(2, 4, D_MODEL, dtype=torch.float64, requires_grad=True)
    names, values = zip(*layer.named_parameters(), strict=True)
    with torch.no_grad():
        layer.log_step += 2

    def outputs(inputs: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, named, (inputs,))

    assert torch.autograd.gradcheck(outputs, (inputs, *values))


def test_parameters_have_their_names_and_shapes(layer: S5) -> None:
    shapes = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    state, inputs, outputs = (D_STATE,), (D_STATE, D_MODEL), (D_MODEL, D_STATE)
    assert shapes == {
        **dict.fromkeys(("log_decay", "frequency", "log_step"), state),
        **dict.fromkeys(("B_re", "B_im"), inputs),
        **dict.fromkeys(("C_re", "C_im"), outputs),
        "D": (D_MODEL,),
    }
    assert (layer.d_model, layer.d_state) == (D_MODEL, D_STATE)
    assert repr(layer) == "S5(d_model=3, d_state=5)"


def test_every_layer_is_stable(layer: S5) -> None:
    with torch.no_grad():
        for value in layer.parameters():
            value.copy_(10 * torch.randn_like(value).clamp(-3, 3))
        impulse = torch.zeros(1, 4, D_MODEL, dtype=torch.float64)
        impulse[0, 0] = 1
        assert bool(torch.isfinite(layer(impulse)).all())
        state = torch.ones(1, D_STATE, dtype=torch.complex128)
        _, later = layer.step(torch.zeros(1, D_MODEL, dtype=torch.float64), state)
    assert bool((later.abs() <= 1).all())


@pytest.mark.parametrize("n", [1, 4, 16])
def test_initial_poles_are_those_of_the_normal_part_of_hippo(n: int) -> None:
    rows, columns = np.indices((2 * n, 2 * n))
    hippo = -np.sqrt((2 * rows + 1) * (2 * columns + 1.0)) * (rows > columns)
    hippo -= np.diag(np.arange(2 * n) + 1.0)
    low_rank = np.sqrt(np.arange(2 * n) + 0.5)
    poles = np.linalg.eigvals(hippo + np.outer(low_rank, low_rank))
    upper = poles[poles.imag > 0]
    upper = upper[np.argsort(upper.imag)]
    layer = S5(2, n)
    decay, frequency = (p.detach().numpy() for p in (layer.log_decay, layer.frequency))
    found = -np.exp(decay) + 1j * frequency
    np.testing.assert_allclose(found, upper, rtol=1e-5)


def test_initial_steps_and_matrices_are_drawn_as_published() -> None:
    torch.manual_seed(0)
    drawn = S5(4, 300, step_min=0.01, step_max=0.05)
    share = (drawn.log_step.detach() - math.log(0.01)) / math.log(5)
    assert float(share.min()) >= -1e-6
    assert float(share.max()) <= 1 + 1e-6
    # Uniform: five standard errors of the mean.
    assert abs(float(share.mean()) - 0.5) < 5 / math.sqrt(12 * 300)
    for name, deviation in (
        ("B_re", 1 / math.sqrt(1200)),
        ("B_im", 1 / math.sqrt(1200)),
        ("C_re", 2 / math.sqrt(600)),
        ("C_im", 2 / math.sqrt(600)),
    ):
        found = drawn.get_parameter(name).std().item()
        assert found == pytest.approx(deviation, rel=0.1)


def test_bad_sizes_say_what_is_needed(layer: S5) -> None:
    with pytest.raises(ValueError, match=r"got d_model=0, d_state=4, need"):
        S5(0, 4)
    with pytest.raises(ValueError, match=r"got d_model=4, d_state=0, need"):
        S5(4, 0)
    for steps in ((0.0, 0.1), (0.2, 0.1), (0.1, math.inf), (math.nan, 1.0)):
        with pytest.raises(ValueError, match=r"need 0 < step_min <= step_max"):
            S5(2, 3, *steps)
    double = torch.float64
    with pytest.raises(ValueError, match=r"got inputs of shape \(2, 9, 4\).*d_model=3"):
        layer(torch.zeros(2, 9, 4, dtype=double))
    with pytest.raises(ValueError, match=r"need torch.float64; convert the inputs"):
        layer(torch.zeros(2, 9, 3))
    with pytest.raises(ValueError, match=r"state of shape \(1, 5\).*need \(2, 5\)"):
        layer.step(torch.zeros(2, 3, dtype=double), layer.initial_state(1))
