"""Rational operators of dynonet with one input and one output."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    ErrorTolerance,
    TargetOrder,
    extract,
    find_adapter,
    find_layers,
    find_refused,
    load_reduced,
    reduce_,
    state_sizes,
    write_back,
)
from hankelcut.nn import LRU
from hankelcut.validation import (
    ADAPTER_CHECKS,
    check_adapter,
    check_in_training_reduction,
)
from tests.adapters.packages import package

# The package converts tensors to arrays in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")


def operator(
    n: int = 6,
    *,
    delay: int = 0,
    dtype: torch.dtype = torch.float32,
    radii: tuple[float, float] = (0.3, 0.8),
) -> nn.Module:
    """An operator with n poles, in pairs all around the circle."""
    siso = package("dynonet.lti").SisoLinearDynamicalOperator
    layer = siso(n_b=n + (delay == 0), n_a=n, n_k=delay)
    low, high = radii
    radius = low + (high - low) * torch.rand(n // 2, dtype=torch.float64)
    phase = math.pi * (torch.arange(n // 2) + torch.rand(n // 2)) / (n // 2)
    upper = torch.polar(radius, phase.double())
    real = torch.linspace(-0.6, 0.7, n % 2, dtype=torch.float64)
    coefficients = np.poly(torch.cat([upper, upper.conj(), real]).numpy()).real
    with torch.no_grad():
        layer.a_coeff[0, 0] = torch.as_tensor(coefficients[1:])
        layer.b_coeff.normal_()
    return layer.to(dtype)


def run(layer, inputs):
    """Outputs without the delays that stay outside the system."""
    lost = max(layer.n_k - 1, 0)
    longer = nn.functional.pad(inputs, (0, 0, 0, lost))
    return layer(longer)[:, lost:]


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("delay", [0, 1, 3])
def test_contract(check, dtype, delay):
    check_adapter(
        lambda: operator(delay=delay, dtype=dtype),
        run=run,
        reads="before update",
        checks=[check],
        examples=1,
    )


@pytest.mark.parametrize("n", [5, 8])
@pytest.mark.parametrize("order", [1, 3, 4])
def test_any_number_of_states_is_left_and_the_bound_holds(n, order):
    layer = operator(n, dtype=torch.float64)
    impulse = torch.zeros(1, 400, 1, dtype=torch.float64)
    impulse[0, 0] = 1
    with torch.no_grad():
        before = layer(impulse)
        (cut,) = reduce_(layer, TargetOrder(order)).layers
        change = (layer(impulse) - before)[0, :, 0]
    assert cut.states_after == order
    assert layer.a_coeff.shape == (1, 1, order)
    assert (layer.n_a, layer.n_b) == (order, order + 1)
    gain = float(torch.fft.rfft(change).abs().max())
    assert gain <= cut.error_bound <= 1.1 * gain
    tail = 2 * sum(cut.hankel_singular_values[order:])
    assert cut.error_bound <= 1.05 * tail


def test_tolerances_are_met_with_the_rounding_of_the_coefficients():
    layer = operator(8)
    (cut,) = reduce_(layer, ErrorTolerance(0.5)).layers
    assert cut.is_cut
    assert cut.error_bound <= 0.5


def test_the_package_itself_agrees_on_the_reduced_transfer_function():
    layer = operator(6, delay=1, dtype=torch.float64)
    reduce_(layer, TargetOrder(3))
    numerator, denominator = layer.get_tfdata()
    system = extract(layer)
    frequencies = np.linspace(0.1, 3.0, 7)
    points = np.exp(1j * frequencies)
    expected = np.polyval(numerator, points) / np.polyval(denominator, points)
    found = hc.frequency_response(system, torch.as_tensor(frequencies))
    np.testing.assert_allclose(found[:, 0, 0].numpy(), expected, rtol=1e-10)


def test_training_goes_on_after_cuts():
    def loss(model):
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(4, 40, 1, generator=generator)
        return (model(inputs) - inputs.roll(1, dims=1)).square().mean()

    check_in_training_reduction(
        lambda: operator(8), policy=TargetOrder(5), loss=loss, loss_tol=0.5
    )


def crowded(dtype):
    """Six poles that single precision cannot tell from unstable ones."""
    layer = operator(6, dtype=dtype)
    phases = torch.tensor([0.01, 0.03, 0.05], dtype=torch.float64)
    poles = 0.9999 * torch.exp(1j * phases)
    both = torch.cat([poles, poles.conj()]).numpy()
    with torch.no_grad():
        layer.a_coeff[0, 0] = torch.as_tensor(np.poly(both).real[1:])
    return layer


def test_coefficients_that_rounding_would_make_unstable_are_not_stored():
    exact = extract(crowded(torch.float64))
    assert bool(hc.is_stable(exact))
    single = operator(6)
    before = single.a_coeff
    with torch.no_grad():
        single.b_coeff[..., 0] = exact.D.real.float()
    with pytest.raises(hc.IllConditionedError, match=r"float32 would make it unstable"):
        write_back(single, exact)
    assert single.a_coeff is before


def test_a_cut_that_cannot_be_stored_leaves_the_layer_with_a_note(monkeypatch):
    def fails(*_):
        raise hc.IllConditionedError("the coefficients cannot hold it")

    layer = operator(6)
    before = layer.a_coeff
    monkeypatch.setattr(type(find_adapter(layer)), "write", fails)
    model = nn.ModuleDict({"operator": layer, "lru": LRU(3, 10, 0.3, 0.9)})
    stays, cut = reduce_(model, TargetOrder(3)).layers
    assert stays.notes == ("refused: the coefficients cannot hold it",)
    assert not stays.is_cut
    assert layer.a_coeff is before
    assert cut.is_cut


def test_a_reduced_operator_is_loaded_into_a_new_one():
    layer = operator()
    reduce_(layer, TargetOrder(3))
    fresh = operator()
    load_reduced(fresh, layer.state_dict())
    assert state_sizes(fresh) == {"": 3}
    assert (fresh.n_a, fresh.n_b) == (3, 4)
    inputs = torch.randn(2, 20, 1)
    torch.testing.assert_close(fresh(inputs), layer(inputs))


def test_coinciding_poles_are_refused():
    layer = operator(4, dtype=torch.float64)
    with torch.no_grad():
        layer.a_coeff[0, 0] = torch.as_tensor(np.poly([0.5, 0.5, 0.5, 0.5])[1:])
    with pytest.raises(
        hc.IllConditionedError, match=r"the layer: .*\(nearly\) coincide"
    ):
        reduce_(layer, TargetOrder(2))


def test_unstable_operators_are_refused():
    layer = operator(4)
    with torch.no_grad():
        layer.a_coeff[0, 0] = torch.as_tensor(np.poly([1.1, 0.5, 0.2, -0.3])[1:])
    with pytest.raises(hc.UnstableSystemError, match=r"pole 1\.1.*is not stable"):
        reduce_(layer, TargetOrder(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 1, 5, 4), "operator of several channels: each of its pairs"),
        ((1, 1, 4, 4), "operator of uneven lengths: .* append zeros"),
        ((1, 1, 7, 4), "operator of uneven lengths: .* append zeros"),
        ((1, 1, 5, 4, 1), "operator of uneven lengths: .* append zeros"),
    ],
)
def test_other_operators_are_refused_with_the_reason(arguments, message):
    layer = package("dynonet.lti").MimoLinearDynamicalOperator(*arguments)
    with pytest.raises(hc.UnsupportedLayerError, match=message):
        find_adapter(layer)
    model = nn.ModuleDict({"refused": layer, "taken": operator()})
    assert list(find_layers(model)) == ["taken"]
    assert list(find_refused(model)) == ["refused"]


def test_zeros_make_an_uneven_operator_an_even_one():
    siso = package("dynonet.lti").SisoLinearDynamicalOperator
    layer = siso(n_b=4, n_a=4)
    inputs = torch.randn(2, 30, 1)
    expected = layer(inputs).detach()
    layer.b_coeff = nn.Parameter(nn.functional.pad(layer.b_coeff.detach(), (0, 1)))
    layer.n_b += 1
    write_back(layer, extract(layer))
    torch.testing.assert_close(layer(inputs).detach(), expected)


def test_systems_that_are_not_real_are_refused():
    layer = operator(dtype=torch.float64)
    system = extract(layer)
    first = hc.DiagonalStateSpace(
        system.exponents[:1], system.B[:1], system.C[:, :1], system.D
    )
    with pytest.raises(hc.UnsupportedLayerError, match="no conjugate pairs"):
        write_back(layer, first)
    real = hc.DiagonalStateSpace(
        system.exponents, system.B, system.C, system.D.real, readout="real"
    )
    with pytest.raises(hc.UnsupportedLayerError, match=r"'real'.*need.*'complex'"):
        write_back(layer, real)
