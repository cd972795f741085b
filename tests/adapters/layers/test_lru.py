"""The LRU adapter against the layer's own forward."""

import math

import numpy as np
import pytest
import torch

import hankelcut as hc
from hankelcut.adapters import (
    TargetOrder,
    extract,
    find_adapter,
    reduce_,
    write_back,
)
from hankelcut.nn import LRU
from hankelcut.validation import ADAPTER_CHECKS, check_adapter
from tests.adapters.stand_ins import lrnnx


def impulse_response(layer: LRU, length: int) -> torch.Tensor:
    """h_k of the layer's own forward, (length, p, m)."""
    m = layer.d_model
    inputs = torch.zeros(m, length, m, dtype=layer.D.dtype)
    for channel in range(m):
        inputs[channel, 0, channel] = 1
    with torch.no_grad():
        return layer(inputs).permute(1, 2, 0)


def test_extracted_system_has_the_layers_impulse_response(make_layer):
    layer = make_layer(dtype=torch.float64)
    system = extract(layer)
    # The layer reads its state after the update: h_k = Re(C A^k B) is sample k + 1.
    standard = hc.impulse_response(system, n_samples=21)
    expected = standard[1:].clone()
    expected[0] += standard[0]
    torch.testing.assert_close(
        impulse_response(layer, 20), expected, rtol=1e-12, atol=1e-12
    )


def test_extract_is_double_precision_and_detached(make_layer):
    system = extract(make_layer())
    assert system.B.dtype == torch.complex128
    assert not system.B.requires_grad
    assert system.readout == "real"
    assert system.time == hc.Discrete()


def test_extract_leaves_the_layer_alone(make_layer):
    layer = make_layer()
    before = {k: v.clone() for k, v in layer.state_dict().items()}
    extract(layer)
    for key, value in layer.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_writing_back_what_was_extracted_is_the_identity(make_layer, dtype):
    layer = make_layer(dtype=dtype)
    inputs = torch.randn(2, 40, 3, dtype=dtype)
    with torch.no_grad():
        before = layer(inputs)
        write_back(layer, extract(layer))
        after = layer(inputs)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert torch.linalg.norm(after - before) <= tolerance * torch.linalg.norm(before)


def test_rows_are_normalised_and_gamma_is_tied_to_the_pole(make_layer):
    layer = make_layer(dtype=torch.float64)
    with torch.no_grad():
        layer.gamma_log += torch.randn(12)
    write_back(layer, extract(layer))
    system = extract(layer)
    radius = system.exponents.real.exp()
    torch.testing.assert_close(layer.gamma_log.detach().exp() ** 2, 1 - radius**2)
    rows = torch.complex(layer.B_re, layer.B_im).detach()
    norms = torch.linalg.vector_norm(rows, dim=1)
    torch.testing.assert_close(norms, norms.mean().expand(12))
    largest = rows.gather(1, rows.abs().argmax(dim=1, keepdim=True))
    assert float(largest.imag.abs().max()) < 1e-12
    assert float(largest.real.min()) > 0


def written(poles: list[complex], make_layer, dtype=torch.float64) -> LRU:
    """A layer that was given a system with these poles."""
    layer = make_layer(d_state=len(poles) + 2, dtype=dtype)
    n = len(poles)
    B = torch.randn(n, 3, dtype=torch.complex128)
    C = torch.randn(3, n, dtype=torch.complex128)
    D = torch.diag(layer.D.detach().double())
    system = hc.DiagonalStateSpace.from_poles(
        torch.tensor(poles, dtype=torch.complex128), B, C, D, readout="real"
    )
    expected = hc.impulse_response(system, n_samples=31)
    write_back(layer, system)
    assert layer.d_state == n
    for parameter in layer.parameters():
        assert bool(torch.isfinite(parameter).all())
    actual = hc.impulse_response(extract(layer), n_samples=31)
    tolerance = 2e-5 if dtype == torch.float32 else 1e-10
    scale = expected.abs().max()
    torch.testing.assert_close(actual, expected, rtol=0, atol=float(tolerance * scale))
    torch.testing.assert_close(
        impulse_response(layer, 30)[1:].double(),
        expected[2:],
        rtol=0,
        atol=float(tolerance * scale),
    )
    return layer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_real_positive_poles_get_the_phase_two_pi(make_layer, dtype):
    layer = written([0.5, 0.9, 0.3 + 0.2j], make_layer, dtype)
    phases = layer.theta_log.detach().exp()
    np.testing.assert_allclose(phases[:2], 2 * math.pi, rtol=1e-6)


def test_negative_poles_get_the_phase_pi(make_layer):
    layer = written([-0.5, 0.1 - 0.7j], make_layer)
    np.testing.assert_allclose(layer.theta_log.detach().exp()[0], math.pi, rtol=1e-12)


def test_poles_near_one_keep_their_decay(make_layer):
    decay = torch.tensor([1e-9, 1e-3], dtype=torch.float64)
    layer = make_layer(d_state=5)
    B = torch.ones(2, 3, dtype=torch.complex128)
    system = hc.DiagonalStateSpace(
        torch.complex(-decay, torch.tensor([0.4, 2.0], dtype=torch.float64)),
        B,
        B.T,
        torch.diag(layer.D.detach().double()),
        hc.Discrete(),
        "real",
    )
    write_back(layer, system)
    np.testing.assert_allclose(-extract(layer).exponents.real, decay, rtol=3e-6)


def test_poles_at_zero_are_clamped(make_layer):
    layer = make_layer(d_state=4, dtype=torch.float64)
    B = torch.ones(2, 3, dtype=torch.complex128)
    D = torch.diag(layer.D.detach())
    system = hc.DiagonalStateSpace.from_poles(
        torch.tensor([0.0, 0.5j], dtype=torch.complex128), B, B.T, D, readout="real"
    )
    write_back(layer, system)
    assert float(extract(layer).exponents.real.exp()[0]) == pytest.approx(1e-6)
    difference = hc.impulse_response(extract(layer), n_samples=9)
    difference = difference - hc.impulse_response(system, n_samples=9)
    assert float(difference.abs().max()) < 1e-6 * 3


def test_twice_real_systems_are_stored_with_half_the_output(make_layer):
    layer = make_layer(d_state=4, dtype=torch.float64)
    system = extract(layer)
    twice = hc.DiagonalStateSpace(
        system.exponents, system.B, system.C / 2, system.D, system.time, "twice_real"
    )
    write_back(layer, twice)
    torch.testing.assert_close(
        hc.impulse_response(extract(layer), n_samples=9),
        hc.impulse_response(system, n_samples=9),
    )


@pytest.mark.parametrize("name", ["nu_log", "theta_log", "gamma_log", "B_im", "D"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_named(make_layer, name, value):
    layer = make_layer()
    with torch.no_grad():
        getattr(layer, name).view(-1)[0] = value
    with pytest.raises(hc.InvalidSystemError, match=f"{name} holds 1 NaN or infinite"):
        extract(layer)


def test_shapes_that_do_not_fit_are_named(make_layer):
    layer = make_layer()
    layer.C_re = torch.nn.Parameter(torch.zeros(3, 11))
    with pytest.raises(hc.UnsupportedLayerError, match=r"C_re of shape \(3, 11\)"):
        extract(layer)


def test_unknown_layers_are_refused_with_their_parameters():
    with pytest.raises(hc.UnsupportedLayerError, match=r"Linear.*weight, bias"):
        find_adapter(torch.nn.Linear(2, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"readout": "complex"}, "readout 'complex'"),
        ({"time": hc.Continuous()}, "Continuous system"),
        ({"D": torch.zeros(3, 3, dtype=torch.float64)}, "another feedthrough"),
        ({"B": torch.ones(12, 2, dtype=torch.complex128), "D": None}, "2 inputs"),
    ],
)
def test_systems_the_layer_cannot_hold_are_refused(make_layer, change, message):
    layer = make_layer()
    fields = {**vars(extract(layer)), **change}
    before = layer.nu_log
    with pytest.raises(hc.UnsupportedLayerError, match=message):
        write_back(layer, hc.DiagonalStateSpace(**fields))
    assert layer.nu_log is before


def test_unstable_systems_are_refused(make_layer):
    layer = make_layer()
    fields = vars(extract(layer))
    exponents = fields["exponents"].clone()
    exponents[2] = 0.01 + 1j
    system = hc.DiagonalStateSpace(**{**fields, "exponents": exponents})
    before = layer.nu_log
    with pytest.raises(hc.UnstableSystemError, match="state 2"):
        write_back(layer, system)
    assert layer.nu_log is before


def test_numpy_systems_are_refused(make_layer):
    layer = make_layer()
    fields = vars(extract(layer))
    arrays = {k: fields[k].numpy() for k in ("exponents", "B", "C", "D")}
    system = hc.DiagonalStateSpace(**{**fields, **arrays})
    with pytest.raises(hc.UnsupportedLayerError, match="torch tensors"):
        write_back(layer, system)


def test_writing_into_another_model_is_refused(make_layer):
    layer = make_layer()
    optimizer = torch.optim.Adam(layer.parameters())
    before = layer.nu_log
    with pytest.raises(hc.UnsupportedLayerError, match="no part of the Linear"):
        write_back(
            layer, extract(layer), model=torch.nn.Linear(2, 2), optimizer=optimizer
        )
    assert layer.nu_log is before
    assert any(p is before for p in optimizer.param_groups[0]["params"])


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
def test_contract_of_the_layer_of_lrnnx(check):
    check_adapter(lambda: lrnnx.LRU(3, 10, 0.3, 0.9), checks=[check], examples=1)


def test_the_layer_of_lrnnx_steps_after_a_cut_as_it_convolves():
    layer = lrnnx.LRU(3, 10, 0.3, 0.9)
    reduce_(layer, TargetOrder(4))
    assert layer.d_state == 4
    inputs = torch.randn(2, 15, 3)
    with torch.no_grad():
        cache = layer.allocate_inference_cache(2)
        outputs = [layer.step(sample, cache)[0] for sample in inputs.unbind(1)]
        torch.testing.assert_close(torch.stack(outputs, 1), layer(inputs))
