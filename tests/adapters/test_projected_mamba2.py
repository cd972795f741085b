"""Mamba-2 layers with projections: exact where states repeat, and smaller elsewhere."""

import copy

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    EnergyTolerance,
    GlobalBudget,
    InTrainingReducer,
    ProjectedMamba2,
    TargetOrder,
    calibrate,
    find_adapter,
    load_reduced,
    reduce_,
    state_sizes,
    survey,
)
from hankelcut.adapters.tensors import find_tensor
from tests.adapters.language_models import TOKENS, N, decoded, language_model, logits
from tests.adapters.stand_ins.fla import Mamba, Mamba2

INPUTS = torch.randn(3, 9, 4, generator=torch.Generator().manual_seed(2))


def stack(dtype=torch.float32, n=6):
    torch.manual_seed(1)
    model = nn.Sequential(Mamba2(4, n), Mamba2(4, n)).to(dtype)
    with torch.no_grad():
        for layer in model:
            layer.in_proj.weight.mul_(2)
    return model


def repeat_states(layer):
    """Make the last state of each group a copy of the first, in B and in C."""
    with torch.no_grad():
        for p in find_adapter(layer).state_parameters(layer):
            tensor = find_tensor(layer, p.name)
            n = p.n_states(tensor)
            for block in range(p.blocks):
                first = p.before + block * n
                tensor[first + n - 1] = tensor[first]


def project(model, policy, **options):
    calibration = calibrate(model, [INPUTS.to(next(model.parameters()))])
    return reduce_(
        model, policy, calibration=calibration, selective="project", **options
    )


def test_all_directions_give_the_layer_itself():
    model = stack(torch.float64)
    inputs = INPUTS.double()
    gramians = calibrate(model, [inputs]).gramians
    for name, layer in model.named_children():
        values, W, T = gramians[name].subspaces()
        torch.testing.assert_close(
            W.mT @ T, torch.eye(6).double().expand(2, 6, 6), rtol=0, atol=1e-6
        )
        P, Q = gramians[name].controllability, gramians[name].observability
        squares = torch.linalg.eigvals(P @ Q).real.sort(descending=True).values
        error = (values.square() - squares).abs() / squares[:, :1]
        assert float(error.max()) < 1e-10
        torch.testing.assert_close(
            ProjectedMamba2(layer, W, T)(inputs), layer(inputs), rtol=1e-6, atol=1e-6
        )


def test_repeated_states_are_projected_away_and_cannot_be_selected_away():
    model = stack(torch.float64)
    for layer in model:
        repeat_states(layer)
    inputs = INPUTS.double()
    outputs, selected = model(inputs), copy.deepcopy(model)
    event = project(model, EnergyTolerance(1e-6))
    assert state_sizes(model) == {"0": 5, "1": 5}
    assert event.layers[0].error_bound is None
    reduce_(selected, TargetOrder(5), calibration=calibrate(selected, [inputs]))
    errors = [float((m(inputs) - outputs).detach().norm()) for m in (model, selected)]
    assert errors[0] < 1e-6 * float(outputs.detach().norm())
    assert errors[1] > 1e3 * errors[0]


def test_projections_err_less_than_selections():
    model = stack(n=12)
    outputs, selected = model(INPUTS).detach(), copy.deepcopy(model)
    project(model, TargetOrder(6))
    reduce_(selected, TargetOrder(6), calibration=calibrate(selected, [INPUTS]))
    errors = [float((m(INPUTS) - outputs).norm().detach()) for m in (model, selected)]
    assert errors[0] < 0.5 * errors[1]


def test_layers_get_numbers_of_their_own_and_are_cut_again():
    model = stack()
    repeat_states(model[1])
    event = project(model, GlobalBudget(9))
    assert sum(layer.states_after for layer in event.layers) == 9
    project(model, TargetOrder(3))
    assert state_sizes(model) == {"0": 3, "1": 3}
    assert {find_adapter(layer).name for layer in model} == {"projected Mamba-2"}
    reduce_(model, TargetOrder(2), calibration=calibrate(model, [INPUTS]))
    assert model[0].B_projection.shape == (2, 6, 2)
    found = survey(model, [TargetOrder(1)], calibration=calibrate(model, [INPUTS]))
    assert found.layers[0].cuts[0].states_after == 1


def test_a_chain_of_projections_is_one():
    model = stack(torch.float64)
    inputs = INPUTS.double()
    project(model, TargetOrder(5))
    layer = model[0]
    B, C = layer.B_projection.detach(), layer.C_projection.detach()
    _, W, T = calibrate(model, [inputs]).gramians["0"].subspaces()
    project(model, TargetOrder(3))
    torch.testing.assert_close(layer.B_projection.detach(), B @ W[..., :3])
    torch.testing.assert_close(layer.C_projection.detach(), C @ T[..., :3])


def train(model, optimizer):
    optimizer.zero_grad()
    model(INPUTS).square().mean().backward()
    optimizer.step()


def test_the_optimizer_trains_the_projections_and_their_moments_move():
    model = stack()
    optimizer = torch.optim.Adam(
        [
            {"params": model[0].parameters(), "lr": 1e-3},
            {"params": model[1].parameters(), "lr": 1e-2},
        ]
    )
    train(model, optimizer)
    project(model, TargetOrder(5), optimizer=optimizer)
    for layer, group in zip(model, optimizer.param_groups, strict=True):
        assert {id(p) for p in group["params"]} == {id(p) for p in layer.parameters()}
    before = model[0].B_projection.detach().clone()
    train(model, optimizer)
    assert not torch.equal(model[0].B_projection, before)
    moments = dict(optimizer.state[model[0].B_projection])
    _, _, T = calibrate(model, [INPUTS]).gramians["0"].subspaces()
    project(model, TargetOrder(3), optimizer=optimizer)
    moved = optimizer.state[model[0].B_projection]
    T = T[..., :3]
    torch.testing.assert_close(
        moved["exp_avg"], (moments["exp_avg"].double() @ T).float()
    )
    torch.testing.assert_close(
        moved["exp_avg_sq"], (moments["exp_avg_sq"].double() @ T.square()).float()
    )
    train(model, optimizer)


def test_projections_of_frozen_layers_are_frozen():
    model = stack()
    model[0].in_proj.weight.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained)
    project(model, TargetOrder(5), optimizer=optimizer)
    project(model, TargetOrder(3), optimizer=optimizer)
    train(model, optimizer)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters() if p.requires_grad}
    assert model[0].B_projection.grad is None
    fresh = stack()
    optimizer = torch.optim.Adam(fresh[0].parameters())
    layers = list(fresh)
    with pytest.raises(hc.OptimizerMismatchError, match=r"in_proj.weight of a Mamba2"):
        load_reduced(fresh, model.state_dict(), optimizer=optimizer)
    assert list(fresh) == layers
    assert optimizer.param_groups[0]["params"] == list(fresh[0].parameters())


def test_a_projection_is_rolled_back():
    model = stack()
    optimizer = torch.optim.Adam(model.parameters())
    layers, parameters = list(model), list(model.parameters())
    losses = iter([1.0, 2.0])
    reducer = InTrainingReducer(
        model,
        optimizer,
        TargetOrder(3),
        every=1,
        probe=lambda: next(losses),
        rollback_tolerance=0.1,
        calibration=lambda: calibrate(model, [INPUTS]),
        selective="project",
    )
    assert reducer.step().rolled_back
    assert list(model) == layers
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [
        id(p) for p in parameters
    ]


def test_projected_models_are_loaded_into_full_ones():
    model = stack()
    project(model, TargetOrder(4))
    fresh = stack()
    optimizer = torch.optim.Adam(fresh.parameters())
    load_reduced(fresh, model.state_dict(), optimizer=optimizer)
    assert torch.equal(fresh(INPUTS), model(INPUTS))
    assert len(optimizer.param_groups[0]["params"]) == len(list(fresh.parameters()))
    load_reduced(fresh, {**model.state_dict()})
    damaged = model.state_dict()
    del damaged["1.D"]
    untouched = stack()
    with pytest.raises(hc.CheckpointMismatchError, match="1 keys missing"):
        load_reduced(untouched, damaged)
    assert not any(isinstance(layer, ProjectedMamba2) for layer in untouched)


def test_models_of_transformers_go_on_from_their_cache():
    model = language_model("Mamba2")
    calibration = calibrate(model, [TOKENS])
    reduce_(model, TargetOrder(7), calibration=calibration, selective="project")
    assert set(state_sizes(model).values()) == {7}
    assert model.config.state_size == N
    found, expected = decoded(model)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    fresh = language_model("Mamba2")
    load_reduced(fresh, model.state_dict())
    assert torch.equal(logits(fresh), logits(model))


def test_layers_that_cannot_be_projected_say_why():
    layer = Mamba2(4, 6)
    with pytest.raises(hc.UnsupportedLayerError, match="pass the model that holds it"):
        project(layer, TargetOrder(3))
    mixed = nn.Sequential(Mamba(4, 6), Mamba2(4, 6))
    with pytest.raises(hc.UnsupportedLayerError, match="decay at rates of their own"):
        project(mixed, TargetOrder(3))
    project(mixed, TargetOrder(3), filter_fn=lambda name, _: name == "1")
    assert state_sizes(mixed) == {"0": 6, "1": 3}
    with pytest.raises(hc.UnsupportedLayerError, match="keeps the largest"):
        project(stack(), TargetOrder(3), selection="random")


def test_what_would_change_the_outputs_is_not_ignored():
    model = stack()
    project(model, TargetOrder(3))
    layer, expected = model[0], model[0](INPUTS)
    assert torch.equal(layer(INPUTS, cache_params=None, use_cache=True), expected)
    for name in ("cache_params", "seq_idx", "nonsense"):
        with pytest.raises(hc.UnsupportedLayerError, match=f"got {name}, which it"):
            layer(INPUTS, **{name: 3})


def test_a_forward_of_its_own_is_not_lost():
    model = stack()
    inner = model[1].forward
    model[1].forward = lambda hidden_states: inner(hidden_states)
    layers = list(model)
    with pytest.raises(hc.UnsupportedLayerError, match="whose forward was replaced"):
        project(model, TargetOrder(1))
    assert list(model) == layers


def test_hooks_go_on_with_the_projected_layer():
    model, seen = stack(), []
    handles = [
        model[0].register_forward_pre_hook(lambda *_: seen.append("before")),
        model[0].register_forward_hook(
            lambda *_, **__: seen.append("after"), with_kwargs=True
        ),
        model[0].register_full_backward_hook(lambda *_: seen.append("backward")),
    ]
    project(model, TargetOrder(3))
    seen.clear()
    assert isinstance(model[0], ProjectedMamba2)
    inputs = INPUTS.clone().requires_grad_()
    model(inputs).sum().backward()
    assert seen == ["before", "after", "backward"]
    for handle in handles:
        handle.remove()
    model(inputs).sum().backward()
    assert len(seen) == 3


def test_long_sequences_are_computed_in_chunks():
    torch.manual_seed(3)
    layer = Mamba2(4, 6).double()
    identity = torch.eye(6).expand(2, 6, 6)
    inputs = torch.randn(2, 150, 4).double()
    found = ProjectedMamba2(layer, identity, identity)(inputs)
    torch.testing.assert_close(found, layer(inputs), rtol=1e-9, atol=1e-9)
