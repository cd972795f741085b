"""Cuts of selective layers in training: moments, rollback, norms over the states."""

import copy
import warnings

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    FixedFraction,
    InTrainingReducer,
    TargetOrder,
    calibrate,
    load_reduced,
    reduce_,
    state_sizes,
    survey,
)
from hankelcut.validation import check_in_training_reduction
from tests.adapters.packages import package
from tests.adapters.selective.cutting import INPUTS, silence, stack
from tests.adapters.stand_ins.fla import Mamba, Mamba2


@pytest.mark.parametrize("kind", [Mamba, Mamba2])
def test_the_states_of_the_largest_scores_stay_with_their_moments(kind):
    model = stack(kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        model(INPUTS).square().mean().backward()
        optimizer.step()
    old = copy.deepcopy(model)
    moments = {name: dict(optimizer.state[p]) for name, p in model.named_parameters()}
    calibration = calibrate(model, [INPUTS])
    reduce_(model, TargetOrder(4), optimizer=optimizer, calibration=calibration)
    assert state_sizes(model) == {"0": 4, "1": 4}
    assert [p for g in optimizer.param_groups for p in g["params"]] == list(
        model.parameters()
    )
    for name, layer in model.named_children():
        before = old.get_submodule(name)
        scores = calibration.gramians[name].scores
        kept = [sorted(row.argsort(descending=True)[:4].tolist()) for row in scores]
        inner, rank, heads = layer.intermediate_size, 2, 4
        if kind is Mamba:
            rows = list(range(rank))
            rows += [rank + k for k in kept[0]] + [rank + 6 + k for k in kept[0]]
            checked = {"x_proj.weight": (0, rows), "A_log": (1, kept[0])}
        else:
            states = [6 * g + k for g, row in enumerate((*kept, *kept)) for k in row]
            conv = [*range(inner), *(inner + k for k in states)]
            rows = [*range(2 * inner), *(2 * inner + k for k in states)]
            rows += range(2 * inner + 4 * 6, 2 * inner + 4 * 6 + heads)
            checked = {
                "conv1d.weight": (0, conv),
                "conv1d.bias": (0, conv),
                "in_proj.weight": (0, rows),
                "in_proj.bias": (0, rows),
            }
        for path, (axis, index) in checked.items():
            new, whole = layer.get_parameter(path), before.get_parameter(path)
            assert torch.equal(new, whole.index_select(axis, torch.tensor(index)))
            for key in ("exp_avg", "exp_avg_sq"):
                moved = moments[f"{name}.{path}"][key]
                moved = moved.index_select(axis, torch.tensor(index))
                assert torch.equal(optimizer.state[new][key], moved)
            assert optimizer.state[new]["step"] == 2
    optimizer.zero_grad()
    model(INPUTS).square().mean().backward()
    optimizer.step()


def test_cuts_in_training_are_calibrated_each_time_and_rolled_back():
    model = stack()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    calls = []

    def source():
        calls.append(1)
        return calibrate(model, [INPUTS])

    def probe():
        with torch.no_grad():
            return float(model(INPUTS).square().mean())

    reducer = InTrainingReducer(
        model,
        optimizer,
        FixedFraction(0.34),
        every=2,
        probe=probe,
        rollback_tolerance=10.0,
        calibration=source,
    )
    for _ in range(4):
        optimizer.zero_grad()
        model(INPUTS).square().mean().backward()
        optimizer.step()
        reducer.step()
    assert len(calls) == 2
    assert state_sizes(model) == {"0": 3, "1": 3}
    assert [e.layers[0].error_bound for e in reducer.events] == [None, None]
    again = InTrainingReducer(
        model,
        optimizer,
        FixedFraction(0.34),
        every=2,
        probe=probe,
        rollback_tolerance=10.0,
        calibration=source,
    )
    again.load_state_dict(reducer.state_dict())
    assert again.events == reducer.events

    worse = iter([1.0, 3.0])
    reducer = InTrainingReducer(
        model,
        optimizer,
        TargetOrder(1),
        every=1,
        probe=lambda: next(worse),
        rollback_tolerance=0.5,
        calibration=source,
    )
    before = dict(model.named_parameters())
    assert reducer.step().rolled_back
    assert state_sizes(model) == {"0": 3, "1": 3}
    assert all(p is before[name] for name, p in model.named_parameters())
    assert model[0].ssm_state_size == 3
    assert model[0].x_proj.out_features == 2 + 2 * 3


@pytest.mark.parametrize(
    ("kind", "selective"),
    [(Mamba, "select"), (Mamba2, "select"), (Mamba2, "project")],
)
def test_reductions_in_training_stand_the_checks_of_validation(kind, selective):
    def reducer(model, *args, **options):
        return InTrainingReducer(
            model,
            *args,
            calibration=lambda: calibrate(model, [INPUTS]),
            selective=selective,
            **options,
        )

    check_in_training_reduction(
        lambda: stack(kind),
        policy=FixedFraction(0.2),
        loss=lambda model: (model(INPUTS) - 1).square().mean(),
        reducer_factory=reducer,
    )


def test_a_configuration_is_rolled_back():
    mamba = package("mambapy.mamba")
    torch.manual_seed(0)
    config = mamba.MambaConfig(d_model=4, n_layers=1, d_state=6)
    model = mamba.Mamba(config)
    losses = iter([1.0, 3.0])
    reducer = InTrainingReducer(
        model,
        torch.optim.SGD(model.parameters()),
        TargetOrder(2),
        every=1,
        probe=lambda: next(losses),
        rollback_tolerance=0.5,
        calibration=lambda: calibrate(model, [INPUTS]),
    )
    assert reducer.step().rolled_back
    assert model.config is config
    assert model.layers[0].mixer.config is config


def test_norms_over_the_states_are_warned_of():
    mamba = package("mambapy.mamba")
    torch.manual_seed(0)
    config = mamba.MambaConfig(d_model=4, n_layers=1, d_state=6, inner_layernorms=True)
    model = mamba.Mamba(config)
    calibration = calibrate(model, [INPUTS])
    (row,) = survey(model, [TargetOrder(4)], calibration=calibration).layers
    assert "normalises over its states" in row.cuts[0].notes[1]
    before = model.state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(hc.NumericalWarning, match=r"B x .*weights make up for"):
            reduce_(model, TargetOrder(4), calibration=calibration)
    assert state_sizes(model) == {"layers.0.mixer": 6}
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_norms_of_torch_are_cut_with_their_biases():
    mamba = package("mambapy.mamba")
    torch.manual_seed(0)

    def build():
        model = mamba.Mamba(
            mamba.MambaConfig(d_model=4, n_layers=1, d_state=6, inner_layernorms=True)
        )
        layer = model.layers[0].mixer
        layer.B_layernorm, layer.C_layernorm = nn.RMSNorm(6), nn.LayerNorm(6)
        return model, layer

    model, layer = build()
    with torch.no_grad():
        layer.C_layernorm.weight.copy_(torch.arange(1.0, 7.0))
        layer.C_layernorm.bias.copy_(torch.arange(1.0, 7.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    model(INPUTS).square().sum().backward()
    optimizer.step()
    calibration = calibrate(model, [INPUTS])
    with pytest.warns(hc.NumericalWarning, match="C by a factor that its bias hides"):
        reduce_(model, TargetOrder(4), optimizer=optimizer, calibration=calibration)
    kept = layer.A_log[0].exp()
    torch.testing.assert_close(layer.C_layernorm.bias, kept)
    torch.testing.assert_close(layer.C_layernorm.weight, kept)
    assert layer.B_layernorm.normalized_shape == (4,)
    optimizer.zero_grad()
    model(INPUTS).square().sum().backward()
    optimizer.step()
    fresh, _ = build()
    load_reduced(fresh, model.state_dict())
    assert torch.equal(fresh(INPUTS), model(INPUTS))


def test_weights_of_norms_are_scaled_with_their_moments():
    mamba = package("mambapy.mamba")
    torch.manual_seed(0)
    config = mamba.MambaConfig(d_model=4, n_layers=1, d_state=6, inner_layernorms=True)
    config.rms_norm_eps = 1e-12
    model = mamba.Mamba(config)
    layer = model.layers[0].mixer
    silence(layer, [1, 4], "BC")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)

    def gradients():
        optimizer.zero_grad()
        model(INPUTS).square().sum().backward()
        return layer.B_layernorm.weight.grad, layer.C_layernorm.weight.grad

    before = gradients()
    optimizer.step()
    with pytest.warns(hc.NumericalWarning, match=r"B x 0.816, C x 0.816 on average"):
        cut_once = reduce_(
            model,
            TargetOrder(4),
            optimizer=optimizer,
            calibration=calibrate(model, [INPUTS]),
        )
    assert cut_once.is_cut
    kept = [0, 2, 3, 5]
    for old, new, norm in zip(
        before, gradients(), (layer.B_layernorm, layer.C_layernorm), strict=True
    ):
        torch.testing.assert_close(norm.weight, torch.full((4,), 1.5**0.5))
        torch.testing.assert_close(new, old[kept] / 1.5**0.5, rtol=1e-4, atol=1e-5)
        moments = optimizer.state[norm.weight]
        torch.testing.assert_close(moments["exp_avg"], 0.1 * new, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(
            moments["exp_avg_sq"], 1e-3 * new.square(), rtol=1e-4, atol=1e-8
        )
