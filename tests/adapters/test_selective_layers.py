"""Cuts of selective layers of other packages: what stays, and what goes on working."""

import copy
import math

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    EnergyTolerance,
    ErrorTolerance,
    GlobalBudget,
    InTrainingReducer,
    TargetOrder,
    calibrate,
    extract,
    find_adapter,
    load_reduced,
    reduce_,
    skeleton,
    state_sizes,
    survey,
)
from hankelcut.adapters.tensors import find_tensor
from tests.adapters.language_models import (
    MODELS,
    TOKENS,
    N,
    decoded,
    language_model,
    logits,
)
from tests.adapters.packages import package
from tests.adapters.selective.cutting import INPUTS, cut, silence, stack
from tests.adapters.stand_ins.fla import Mamba, Mamba2

# Their modules take seconds to import, and their layers are those of the others.
SLOW = {"Bamba", "GraniteMoeHybrid", "NemotronH", "Zamba2"}
FAMILY = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in MODELS
]


@pytest.mark.parametrize("name", FAMILY)
def test_states_that_nothing_reaches_go_and_the_model_stays(name, tmp_path):
    model = language_model(name)
    field, _, kind = MODELS[name]
    layers = hc.adapters.find_layers(model)
    assert len(layers) == sum(hasattr(module, "A_log") for module in model.modules())
    for layer in layers.values():
        assert find_adapter(layer).name == kind
        silence(layer, [1, 4, 8], "BC" if name == "Jamba" else "B")
    before, full = logits(model), copy.deepcopy(model)
    event = cut(model, EnergyTolerance(1e-9), [TOKENS])
    assert {layer.states_after for layer in event.layers} == {N - 3}
    assert {layer.error_bound for layer in event.layers} == {None}
    after = logits(model)
    scale = float(before.abs().max())
    if name != "FalconMamba":  # its norms rescale the states that stay
        assert float((after - before).abs().max()) < 1e-5 * scale
    assert getattr(model.config, field) == N - 3

    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path).eval()
    assert torch.equal(logits(loaded), after)
    load_reduced(full, model.state_dict())
    assert torch.equal(logits(full), after)
    assert getattr(full.config, field) == N - 3

    found, expected = decoded(model)
    assert float((found - expected).abs().max()) < 1e-4 * scale


@pytest.mark.parametrize("kind", [Mamba, Mamba2])
def test_keeping_every_state_is_the_identity(kind):
    model = stack(kind)
    before, tensors = model(INPUTS), dict(model.state_dict())
    event = cut(model, EnergyTolerance(1e-12), [INPUTS])
    assert not event.is_cut
    assert torch.equal(model(INPUTS), before)
    assert all(
        v is tensors[k] or torch.equal(v, tensors[k])
        for k, v in model.state_dict().items()
    )
    for layer in model:
        every = torch.arange(6).expand(getattr(layer, "n_groups", 1), 6)
        for p in find_adapter(layer).state_parameters(layer):
            tensor = find_tensor(layer, p.name)
            assert torch.equal(p.select(tensor, every), tensor)


@pytest.mark.parametrize("vector", ["B", "C"])
@pytest.mark.parametrize("kind", [Mamba, Mamba2])
def test_states_that_are_not_reached_or_not_seen_go_first(kind, vector):
    model = stack(kind)
    before = copy.deepcopy(model)
    for layer in model:
        silence(layer, [0, 3], "BC")
        if vector == "C":  # B as it was: the states move, and nothing sees them
            for p in find_adapter(layer).state_parameters(layer):
                if p.blocks > 1:
                    old = dict(zip(model, before, strict=True))[layer]
                    rows = p.before + p.blocks // 2 * 6
                    with torch.no_grad():
                        find_tensor(layer, p.name)[:rows] = find_tensor(old, p.name)[
                            :rows
                        ]
        scores = calibrate(layer, [INPUTS]).gramians[""].scores
        assert torch.equal(
            scores == 0, torch.tensor([1, 0, 0, 1, 0, 0]).bool() & (scores > -1)
        )
    outputs = model(INPUTS)
    cut(model, TargetOrder(4), [INPUTS])
    torch.testing.assert_close(model(INPUTS), outputs, rtol=1e-5, atol=1e-6)


def test_mambapy_goes_on_step_by_step(tmp_path):
    mamba = package("mambapy.mamba")
    torch.manual_seed(0)
    model = mamba.Mamba(mamba.MambaConfig(d_model=4, n_layers=2, d_state=6))
    shared = model.config
    cut(model, TargetOrder(4), [INPUTS])
    assert shared.d_state == 6
    assert model.config.d_state == 4
    assert all(layer.mixer.config is model.config for layer in model.layers)
    assert model.layers[0].mixer.A_log._no_weight_decay
    with torch.no_grad():
        expected = model(INPUTS)
        caches = [(None, torch.zeros(3, 8, 3)) for _ in model.layers]
        for t in range(INPUTS.shape[1]):
            found, caches = model.step(INPUTS[:, t], caches)
            torch.testing.assert_close(found, expected[:, t], rtol=1e-4, atol=1e-5)
    fresh = mamba.Mamba(shared)
    load_reduced(fresh, model.state_dict())
    assert torch.equal(fresh(INPUTS), model(INPUTS))


def test_layers_of_one_configuration_get_one_number_of_states():
    mamba = package("mambapy.mamba")
    torch.manual_seed(0)
    config = mamba.MambaConfig(d_model=4, n_layers=2, d_state=6)
    model = mamba.Mamba(config)
    silence(model.layers[0].mixer, [0, 1, 2])
    silence(model.layers[1].mixer, [5])
    found = survey(
        model, [EnergyTolerance(1e-9)], calibration=calibrate(model, [INPUTS])
    )
    event = cut(model, EnergyTolerance(1e-9), [INPUTS])
    assert [layer.states_after for layer in event.layers] == [5, 5]
    assert [layer.cuts[0].states_after for layer in found.layers] == [5, 5]

    model = mamba.Mamba(config)
    silence(model.layers[0].mixer, [0, 1, 2, 3])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(hc.PolicyError, match=r"share one configuration \(MambaConfig"):
        cut(model, GlobalBudget(8), [INPUTS])
    with pytest.raises(hc.UnsupportedLayerError, match=r"layers.1.mixer would keep 6"):
        cut(model, TargetOrder(3), [INPUTS], filter_fn=lambda name, _: "0" in name)
    assert model.config is config
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    model.config.d_state = 7
    with pytest.raises(
        hc.UnsupportedLayerError, match="has 6 states, its configuration"
    ):
        reduce_(model, TargetOrder(3))


def test_without_a_configuration_each_layer_has_its_own_number():
    model = stack()
    silence(model[0], [0, 1, 2])
    silence(model[1], [5])
    event = cut(model, EnergyTolerance(1e-9), [INPUTS])
    assert [layer.states_after for layer in event.layers] == [3, 5]
    model = stack()
    event = cut(model, GlobalBudget(7), [INPUTS])
    assert sum(layer.states_after for layer in event.layers) == 7


def test_errors_of_a_calibration_leave_everything():
    model = stack()
    calibration = calibrate(model, [INPUTS])
    with pytest.raises(hc.CalibrationError, match=r"0 is a selective layer \(Mamba\)"):
        reduce_(model, TargetOrder(3))
    with pytest.raises(hc.CalibrationError, match="selective layer"):
        InTrainingReducer(
            model, torch.optim.SGD(model.parameters()), TargetOrder(3), every=1
        )
    other = nn.ModuleDict({"other": model})
    with pytest.raises(hc.CalibrationError, match=r"other.0 was not calibrated"):
        reduce_(other, TargetOrder(3), calibration=calibration)
    reduce_(model, TargetOrder(5), calibration=calibration)
    with pytest.raises(
        hc.CalibrationError, match="has 5 states, the calibration is of 6"
    ):
        reduce_(model, TargetOrder(3), calibration=calibration)
    with torch.no_grad():
        model[0].D[1] = math.inf
    with pytest.raises(hc.InvalidSystemError, match="D holds 1 NaN or infinite"):
        calibrate(model, [INPUTS])
    assert state_sizes(model) == {"0": 5, "1": 5}


def test_no_bound_is_claimed():
    model = stack()
    event = cut(model, ErrorTolerance(1e3), [INPUTS])
    assert not event.is_cut
    assert "needs a bound; no error bound" in event.layers[0].notes[0]
    calibration = calibrate(model, [INPUTS])
    found = survey(model, [TargetOrder(3)], calibration=calibration)
    assert found.rows()[0][-1] == "3 (no bound)"
    assert "the system depends on the inputs" in str(found)
    assert found.layers[0].verdict == "selection only"
    without = survey(model, [TargetOrder(3)])
    assert "pass calibration=calibrate" in without.layers[0].reason
    with pytest.raises(hc.UnsupportedLayerError, match="it is no linear system"):
        extract(model[0])


def test_budgets_of_error_bounds_are_refused():
    with pytest.raises(hc.PolicyError, match="has no error bound; use"):
        cut(stack(), GlobalBudget(7, "error"), [INPUTS])


def test_layers_that_share_their_parameters_are_refused():
    model = stack()
    model[1].A_log, model[1].x_proj.weight = model[0].A_log, model[0].x_proj.weight
    with pytest.raises(
        hc.UnsupportedLayerError, match="1 shares its parameters with 0"
    ):
        cut(model, TargetOrder(3), [INPUTS])


def test_states_can_be_chosen_otherwise_for_comparison():
    scores = calibrate(stack(), [INPUTS]).gramians["0"].scores[0]
    kept = {}
    for selection in ("largest", "smallest", "random"):
        model = stack(layers=1)
        model[0].A_log.data = torch.arange(6.0).repeat(8, 1)
        cut(model, TargetOrder(3), [INPUTS], selection=selection, seed=4)
        kept[selection] = set(model[0].A_log[0].int().tolist())
    assert kept["largest"] | kept["smallest"] == set(range(6))
    assert len(kept["random"]) == 3
    assert scores.shape == (6,)
    with pytest.raises(hc.UnsupportedLayerError, match="use 'largest', 'smallest' or"):
        cut(stack(), TargetOrder(3), [INPUTS], selection="hinf")


def test_numbers_are_rounded_up_and_small_savings_left():
    event = cut(stack(), TargetOrder(3), [INPUTS], multiple_of=4)
    assert event.layers[0].states_after == 4
    event = cut(stack(), TargetOrder(5), [INPUTS], minimum_saving=0.5)
    assert event.layers[0].notes == ("would keep 6 of 6 states",)


def test_layers_without_a_response_stay():
    model = stack(layers=1)
    nn.init.zeros_(model[0].x_proj.weight)
    event = cut(model, EnergyTolerance(0.1), [INPUTS])
    assert event.layers[0].notes == ("no response at all",)


def test_weights_alone_are_surveyed_as_far_as_they_tell():
    (row,) = survey(skeleton(stack(layers=1).state_dict())).layers
    assert (row.kind, row.states) == ("Mamba", 6)
    (row,) = survey(skeleton(stack(Mamba2, layers=1).state_dict())).layers
    assert (row.kind, row.states) == ("Mamba-2", None)
    assert "no whole number n_groups or ngroups" in row.reason


def test_rows_and_norms_of_other_sizes_are_refused():
    layer = Mamba(4, 6)
    layer.x_proj = nn.Linear(8, 15)
    with pytest.raises(hc.UnsupportedLayerError, match=r"15 rows, need 14, \[dt, B, C"):
        calibrate(layer, [INPUTS])
    layer = Mamba(4, 6)
    layer.b_layernorm = nn.LayerNorm(5)
    with pytest.raises(hc.UnsupportedLayerError, match=r"b_layernorm.* shape \(5,\)"):
        calibrate(layer, [INPUTS])


def test_parameters_that_do_not_fit_are_refused():
    layer = Mamba2(4, 6)
    layer.n_groups = 5
    with pytest.raises(hc.UnsupportedLayerError, match="equally many heads in each"):
        calibrate(layer, [INPUTS])
    layer = Mamba2(4, 6)
    layer.init_states = nn.Parameter(torch.zeros(4, 2, 6))
    with pytest.raises(
        hc.UnsupportedLayerError, match=r"init_states .* axis of 6 states"
    ):
        calibrate(layer, [INPUTS])
