"""What modes S4 layers hold: transforms, real modes, band limits, fixed lengths."""

import copy
import math
from functools import partial

import pytest
import torch

import hankelcut as hc
from hankelcut.adapters import (
    TargetOrder,
    extract,
    reduce_,
    write_back,
)
from hankelcut.adapters.layers._transforms import transformed, untransformed
from tests.adapters.stand_ins.s4_layers import (
    layer_factory,
)

make = partial(layer_factory, "s4d")


def test_steps_of_single_modes_become_their_mean():
    layer = make(3, 20, dt_tie=False)()
    means = layer.kernel.inv_dt.detach().double().mean(dim=1, keepdim=True)
    reduce_(layer, TargetOrder(4))
    torch.testing.assert_close(
        layer.kernel.inv_dt.detach().double(), means.expand(3, 4), rtol=1e-6, atol=0.0
    )


@pytest.mark.parametrize("transform", ["none", "exp", "relu", "sigmoid", "softplus"])
def test_transforms_are_undone(transform):
    values = torch.tensor([2e-4, 0.01, 0.7, 0.99], dtype=torch.float64)
    parameter = untransformed("layer", "the decay", values, transform)
    again = transformed("layer", parameter, transform)
    torch.testing.assert_close(again, values, rtol=1e-13, atol=0.0)


@pytest.mark.parametrize(
    ("transform", "value", "message"),
    [
        ("relu", 5e-5, r"the decay 5e-05 .* between 0\.0001 and inf"),
        ("sigmoid", 1.5, r"the decay 1\.5 .* between 0 and 1"),
        ("exp", -1.0, r"the decay -1 .* between 0 and inf"),
        ("softplus", 0.0, r"the decay 0 .* between 0 and inf"),
    ],
)
def test_numbers_without_a_parameter_are_refused(transform, value, message):
    values = torch.tensor([0.5, value], dtype=torch.float64)
    with pytest.raises(hc.UnsupportedLayerError, match=message):
        untransformed("layer", "the decay", values, transform)


def test_what_a_transform_cannot_hold_leaves_the_layer_as_it_is():
    layer = make(3, 20, real_transform="sigmoid")()
    before = extract(layer)
    (cut,) = reduce_(layer, TargetOrder(2)).layers
    assert not cut.is_cut
    assert any("under the transform 'sigmoid'" in note for note in cut.notes)
    torch.testing.assert_close(extract(layer).C, before.C, rtol=0.0, atol=0.0)


def test_real_modes_stay_real_and_complex_ones_are_refused():
    layer = make(3, 8, is_real=True)().double()
    (cut,) = reduce_(layer, TargetOrder(3)).layers
    assert cut.is_cut
    assert layer.kernel.C.shape == (1, 3, 3)
    form = extract(layer)
    pair = hc.DiagonalStateSpace(
        form.exponents + 0.3j, form.B, form.C, form.D, form.time, form.readout
    )
    with pytest.raises(hc.UnsupportedLayerError, match="holds no others"):
        write_back(layer, pair)
    turned = hc.DiagonalStateSpace(
        form.exponents, form.B, 1j * form.C, form.D, form.time, form.readout
    )
    with pytest.raises(hc.UnsupportedLayerError, match="an output 1"):
        write_back(layer, turned)


def test_modes_above_a_band_limit_are_not_heard():
    layer = make(3, 40, bandlimit=0.02)().double()
    turns = extract(layer).exponents.imag.abs() / (2 * math.pi)
    silent = turns >= 0.01
    assert bool(silent.any())
    assert not bool(extract(layer).C[:, 0][silent].any())
    form = extract(layer)
    fast = hc.DiagonalStateSpace(
        torch.full_like(form.exponents, -0.1 + 1j),
        form.B,
        torch.ones_like(form.C),
        form.D,
        form.time,
        form.readout,
    )
    with pytest.raises(hc.UnsupportedLayerError, match=r"0\.159 times per sample"):
        write_back(layer, fast)


def test_dss_is_read_at_its_fixed_length_only():
    layer = make(3, 20, disc="dss", l_max=64)()
    full = copy.deepcopy(layer)
    system = extract(layer)
    assert system.readout == "real"
    (cut,) = reduce_(layer, TargetOrder(4)).layers
    assert cut.is_cut
    inputs = torch.randn(5, 64, 3)
    change = (full.convolve(inputs) - layer.convolve(inputs)).detach()
    gain = change.norm(dim=-1)[:, 0] / inputs.norm(dim=1)
    assert float(gain.max()) <= cut.error_bound
    with pytest.raises(hc.UnsupportedLayerError, match="another system for every leng"):
        extract(make(3, 20, disc="dss")())
