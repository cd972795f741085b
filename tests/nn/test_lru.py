"""The LRU layer against its defining equations, written out in NumPy."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hankelcut.nn import LRU

D_MODEL, D_STATE = 3, 5


@pytest.fixture
def layer() -> LRU:
    torch.manual_seed(1)
    return LRU(D_MODEL, D_STATE).double()


def literal_outputs(layer: LRU, inputs: Tensor) -> np.ndarray:
    """y_k = Re(C x_k) + D u_k step by step, for every sequence of the batch."""
    p = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    poles = np.exp(-np.exp(p["nu_log"]) + 1j * np.exp(p["theta_log"]))
    B = np.exp(p["gamma_log"])[:, None] * (p["B_re"] + 1j * p["B_im"])
    C = p["C_re"] + 1j * p["C_im"]
    outputs = np.empty(inputs.shape)
    for index, sequence in enumerate(inputs.numpy()):
        state = np.zeros(len(poles), dtype=complex)
        for time, sample in enumerate(sequence):
            state = poles * state + B @ sample
            outputs[index, time] = (C @ state).real + p["D"] * sample
    return outputs


@pytest.mark.parametrize("length", [0, 1, 9, 40])
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_forward_is_the_defining_recurrence(
    layer: LRU, batch: int, length: int
) -> None:
    inputs = torch.randn(batch, length, D_MODEL, dtype=torch.float64)
    outputs = layer(inputs)
    assert outputs.shape == inputs.shape
    np.testing.assert_allclose(
        outputs.detach().numpy(), literal_outputs(layer, inputs), rtol=1e-12, atol=1e-12
    )


def test_single_precision_stays_close_to_double(layer: LRU) -> None:
    inputs = torch.randn(2, 200, D_MODEL, dtype=torch.float64)
    expected = layer(inputs)
    outputs = layer.float()(inputs.float())
    assert outputs.dtype == torch.float32
    error = (outputs - expected).abs().max() / expected.abs().max()
    assert error < 1e-5


def test_step_agrees_with_forward(layer: LRU) -> None:
    inputs = torch.randn(4, 7, D_MODEL, dtype=torch.float64)
    state = layer.initial_state(4)
    assert state.dtype == torch.complex128
    assert not state.any()
    outputs = []
    for sample in inputs.unbind(1):
        output, state = layer.step(sample, state)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs, dim=1), layer(inputs))
    assert state.shape == (4, D_STATE)


def test_gradients_match_finite_differences(layer: LRU) -> None:
    inputs = torch.randn(2, 4, D_MODEL, dtype=torch.float64, requires_grad=True)
    names, values = zip(*layer.named_parameters(), strict=True)

    def outputs(inputs: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, named, (inputs,))

    assert torch.autograd.gradcheck(outputs, (inputs, *values))


def test_parameters_have_the_standard_names_and_shapes(layer: LRU) -> None:
    shapes = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    assert shapes == {
        "nu_log": (D_STATE,),
        "theta_log": (D_STATE,),
        "gamma_log": (D_STATE,),
        "B_re": (D_STATE, D_MODEL),
        "B_im": (D_STATE, D_MODEL),
        "C_re": (D_MODEL, D_STATE),
        "C_im": (D_MODEL, D_STATE),
        "D": (D_MODEL,),
    }
    assert all(value.requires_grad for value in layer.parameters())


def test_replaced_parameters_make_a_smaller_layer(layer: LRU) -> None:
    """Dropping states whose input row is zero changes nothing but the size."""
    keep = torch.tensor([0, 3])
    inputs = torch.randn(2, 6, D_MODEL, dtype=torch.float64)
    dropped = torch.ones(D_STATE, dtype=torch.bool)
    dropped[keep] = False
    with torch.no_grad():
        layer.B_re[dropped] = 0
        layer.B_im[dropped] = 0
    expected = layer(inputs)
    for name in ("nu_log", "theta_log", "gamma_log", "B_re", "B_im", "C_re", "C_im"):
        value = getattr(layer, name).detach()
        axis = 1 if name.startswith("C") else 0
        setattr(layer, name, nn.Parameter(value.index_select(axis, keep)))
    assert (layer.d_model, layer.d_state) == (D_MODEL, 2)
    assert "d_state=2" in repr(layer)
    torch.testing.assert_close(layer(inputs), expected)
    output, state = layer.step(inputs[:, 0], layer.initial_state(2))
    torch.testing.assert_close(output, expected[:, 0])
    assert state.shape == (2, 2)


@pytest.mark.parametrize(
    ("r_min", "r_max", "max_phase"),
    [(0.0, 1.0, 6.28), (0.9, 0.999, math.pi / 10), (0.0, 0.5, 2 * math.pi)],
)
def test_initial_poles_fill_the_ring_sector(
    r_min: float, r_max: float, max_phase: float
) -> None:
    torch.manual_seed(0)
    n = 20_000
    layer = LRU(1, n, r_min, r_max, max_phase)
    radius = torch.exp(-torch.exp(layer.nu_log.double()))
    phase = torch.exp(layer.theta_log.double())
    assert radius.min() >= r_min - 1e-6
    assert radius.max() <= r_max + 1e-6
    assert phase.max() <= max_phase * (1 + 1e-6)
    # Uniform over the ring: the squared radius and the phase are uniform, so their
    # means and variances are known; 5 standard errors of the mean.
    for values, low, high in (
        (radius.square(), r_min**2, r_max**2),
        (phase, 0.0, max_phase),
    ):
        scaled = (values - low) / (high - low)
        assert abs(scaled.mean() - 1 / 2) < 5 / math.sqrt(12 * n)
        assert abs(scaled.var() - 1 / 12) < 5e-3
    # Normalisation of the input, see the reference: exp(gamma)^2 = 1 - |lambda|^2.
    torch.testing.assert_close(
        torch.exp(2 * layer.gamma_log.double()),
        1 - radius.square(),
        rtol=1e-4,
        atol=1e-6,
    )


def test_initial_matrices_have_the_published_variances() -> None:
    torch.manual_seed(0)
    layer = LRU(d_model=40, d_state=300)
    with torch.no_grad():
        deviations = {n: p.std().item() for n, p in layer.named_parameters()}
    for name in ("B_re", "B_im"):
        assert deviations[name] == pytest.approx(1 / math.sqrt(80), rel=0.05)
    for name in ("C_re", "C_im"):
        assert deviations[name] == pytest.approx(1 / math.sqrt(300), rel=0.05)
    assert deviations["D"] == pytest.approx(1, rel=0.4)


@pytest.mark.parametrize("draw", [0.0, 1.0])
def test_extreme_draws_stay_finite_and_stable(
    draw: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "rand", lambda *s, dtype: torch.full(s, draw).to(dtype))
    layer = LRU(2, 3, r_min=0.0, r_max=1.0)
    assert all(torch.isfinite(value).all() for value in layer.parameters())
    radius = torch.exp(-torch.exp(layer.nu_log))
    assert (radius < 1).all()


@pytest.mark.parametrize("phase", [2 * math.pi, math.pi])
def test_a_full_turn_is_a_real_pole(phase: float) -> None:
    """Real positive poles are stored with the phase 2 pi, negative ones with pi."""
    layer = LRU(1, 1).double()
    with torch.no_grad():
        layer.theta_log.fill_(math.log(phase))
        layer.nu_log.fill_(math.log(-math.log(0.5)))
        layer.gamma_log.zero_()
        for name, value in (("B_re", 1), ("B_im", 0), ("C_re", 1), ("C_im", 0)):
            getattr(layer, name).fill_(value)
        layer.D.zero_()
    impulse = torch.zeros(1, 4, 1, dtype=torch.float64)
    impulse[0, 0] = 1
    pole = 0.5 * math.cos(phase)
    expected = torch.tensor([1, pole, pole**2, pole**3], dtype=torch.float64)
    torch.testing.assert_close(layer(impulse).flatten(), expected)


def test_bad_sizes_say_what_is_needed(layer: LRU) -> None:
    with pytest.raises(ValueError, match=r"got d_model=0, d_state=4, need"):
        LRU(0, 4)
    with pytest.raises(ValueError, match=r"got d_model=4, d_state=-1, need"):
        LRU(4, -1)
    with pytest.raises(ValueError, match=r"need 0 <= r_min < r_max <= 1"):
        LRU(2, 3, r_min=0.9, r_max=0.9)
    with pytest.raises(ValueError, match=r"need 0 <= r_min < r_max <= 1"):
        LRU(2, 3, r_max=float("nan"))
    with pytest.raises(ValueError, match=r"got max_phase=7.0, need 0 < max_phase"):
        LRU(2, 3, max_phase=7.0)
    double = torch.float64
    with pytest.raises(ValueError, match=r"got inputs of shape \(2, 9, 4\).*d_model=3"):
        layer(torch.zeros(2, 9, 4, dtype=double))
    with pytest.raises(ValueError, match=r"need \(batch, length, d_model\)"):
        layer(torch.zeros(9, 3, dtype=double))
    with pytest.raises(ValueError, match=r"need torch.float64; convert the inputs"):
        layer(torch.zeros(2, 9, 3))
    with pytest.raises(ValueError, match=r"need \(batch, d_model\)"):
        layer.step(torch.zeros(2, 9, 3, dtype=double), layer.initial_state(2))
    with pytest.raises(ValueError, match=r"state of shape \(1, 5\).*need \(2, 5\)"):
        layer.step(torch.zeros(2, 3, dtype=double), layer.initial_state(1))
    with pytest.raises(ValueError, match=r"torch.complex64, need \(2, 5\)"):
        layer.step(
            torch.zeros(2, 3, dtype=double), layer.initial_state(2).to(torch.complex64)
        )
