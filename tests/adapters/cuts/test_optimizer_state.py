"""Optimizer state through a cut."""

import pytest
import torch

import hankelcut as hc
from hankelcut.adapters import EnergyTolerance, ErrorTolerance, TargetOrder, reduce_
from hankelcut.adapters.cuts.optimizer_state import Coordinates, moved_state
from hankelcut.adapters.cuts.settings import CutSettings
from hankelcut.adapters.cuts.surgery import trial_layer
from hankelcut.adapters.protocol import Replacement
from hankelcut.adapters.registry import find_adapter

INPUTS_AND_OUTPUTS = ("B_re", "B_im", "C_re", "C_im")


def loss_of(layer, inputs):
    return layer(inputs).pow(3).sum() + layer(inputs).cos().sum()


@pytest.mark.parametrize("map", ["real", "complex"])
@pytest.mark.parametrize("kind", ["momentum_buffer", "exp_avg"])
def test_transported_gradient_is_the_gradient_in_the_new_coordinates(
    make_layer, map, kind
):
    layer = make_layer(3, 9, silent=3, dtype=torch.float64)
    with torch.no_grad():
        layer.gamma_log += torch.randn(9)
    inputs = torch.randn(2, 12, 3, dtype=torch.float64)
    if kind == "exp_avg":
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.0, betas=(0.0, 0.9))
    else:
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.0, momentum=0.9)
    loss_of(layer, inputs).backward()
    optimizer.step()
    optimizer.zero_grad()
    event = reduce_(layer, ErrorTolerance(1e-9), optimizer=optimizer, map=map)
    assert event.layers[0].states_after == 6
    loss_of(layer, inputs).backward()
    for name in INPUTS_AND_OUTPUTS:
        parameter = getattr(layer, name)
        moment = optimizer.state[parameter][kind]
        torch.testing.assert_close(moment, parameter.grad, rtol=1e-6, atol=1e-6)
    for name in ("nu_log", "theta_log", "gamma_log"):
        assert not bool(optimizer.state[getattr(layer, name)][kind].any())


def test_second_moments_are_those_of_transported_gradients(make_layer, rng):
    """Variances of independent entries, through the same maps, by sampling."""
    layer = make_layer(3, 8, dtype=torch.float64)
    adapter = find_adapter(layer)
    parameters = adapter.state_parameters(layer)
    old = adapter.read(layer)
    result = hc.balanced_truncation(old.system, order=5)
    written = adapter.write(layer, result.system)
    new = adapter.read(trial_layer(layer, written.values, {}))
    coordinates = Coordinates.of_cut(
        old, new, written, result.left_projection, result.right_projection
    )
    assert isinstance(written, Replacement)
    variances = {
        name: torch.rand_like(getattr(layer, name)) for name in INPUTS_AND_OUTPUTS
    }

    def moved(values, key):
        optimizer = torch.optim.Adam(layer.parameters())
        for name, value in values.items():
            optimizer.state[getattr(layer, name)] = {key: value}
        new = moved_state(optimizer, layer, parameters, coordinates, "transport")
        return {name: new[name][key] for name in INPUTS_AND_OUTPUTS}

    expected = moved(variances, "exp_avg_sq")
    n_samples, squares = 3000, dict.fromkeys(INPUTS_AND_OUTPUTS, 0.0)
    for _ in range(n_samples):
        sample = {k: torch.randn_like(v) * v.sqrt() for k, v in variances.items()}
        for name, value in moved(sample, "exp_avg").items():
            squares[name] = squares[name] + value**2
    for name in INPUTS_AND_OUTPUTS:
        ratio = squares[name] / n_samples / expected[name]
        # Standard deviation sqrt(2 / 3000) = 0.026; five of them.
        assert float((ratio - 1).abs().max()) < 0.13


def make_optimizers(parameters):
    return [
        torch.optim.Adam(parameters, lr=1e-2),
        torch.optim.AdamW(parameters, lr=1e-2, amsgrad=True),
        torch.optim.SGD(parameters, lr=1e-2, momentum=0.9),
        torch.optim.SGD(parameters, lr=1e-2),
    ]


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("mode", ["transport", "reset", "slice"])
def test_training_continues(model, batch, train, which, mode):
    optimizer = make_optimizers(list(model.parameters()))[which]
    for _ in range(3):
        train(model, optimizer, batch)
    reduce_(model, TargetOrder(6), optimizer=optimizer, optimizer_state=mode)
    held = {p for group in optimizer.param_groups for p in group["params"]}
    assert held == set(model.parameters())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    train(model, optimizer, batch)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name
        assert not torch.equal(parameter, before[name]), name
        for value in optimizer.state[parameter].values():
            if isinstance(value, torch.Tensor) and value.ndim:
                assert value.shape == parameter.shape, name
    assert set(optimizer.state) <= held
    first = train(model, optimizer, batch)
    for _ in range(15):
        last = train(model, optimizer, batch)
    assert last < first


def test_step_counts_stay_and_groups_keep_their_settings(model, batch, train):
    slow = [p for n, p in model.named_parameters() if "lru" in n]
    fast = [p for n, p in model.named_parameters() if "lru" not in n]
    optimizer = torch.optim.AdamW(
        [{"params": fast}, {"params": slow, "lr": 1e-4, "weight_decay": 0.0}], lr=1e-2
    )
    for _ in range(4):
        train(model, optimizer, batch)
    places = [id(p) for p in optimizer.param_groups[1]["params"]]
    reduce_(model, TargetOrder(6), optimizer=optimizer)
    names = {id(p): n for n, p in model.named_parameters()}
    after = optimizer.param_groups[1]
    assert after["lr"] == 1e-4
    assert len(after["params"]) == len(places)
    assert [names[id(p)] for p in after["params"]] == [
        n for n, _ in model.named_parameters() if "lru" in n
    ]
    assert float(optimizer.state[model.blocks[0].layer.nu_log]["step"]) == 4


def test_pole_moments_restart_at_the_largest_old_one(model, batch, train):
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        train(model, optimizer, batch)
    old = optimizer.state[model.blocks[0].layer.nu_log]["exp_avg_sq"].max()
    reduce_(model, TargetOrder(6), optimizer=optimizer)
    new = optimizer.state[model.blocks[0].layer.nu_log]
    assert bool((new["exp_avg_sq"] == old).all())
    assert not bool(new["exp_avg"].any())


def test_slicing_keeps_the_first_entries(model, batch, train):
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        train(model, optimizer, batch)
    old = optimizer.state[model.blocks[0].layer.C_re]["exp_avg"].clone()
    reduce_(model, TargetOrder(6), optimizer=optimizer, optimizer_state="slice")
    new = optimizer.state[model.blocks[0].layer.C_re]["exp_avg"]
    torch.testing.assert_close(new, old[:, :6], rtol=0, atol=0)


def test_unknown_state_is_refused_before_anything_changes(model, batch, train):
    optimizer = torch.optim.RMSprop(model.parameters())
    train(model, optimizer, batch)
    before = model.blocks[0].layer.nu_log
    with pytest.raises(hc.OptimizerMismatchError, match=r"square_avg.*reset"):
        reduce_(model, EnergyTolerance(0.1), optimizer=optimizer)
    assert model.blocks[0].layer.nu_log is before
    reduce_(model, TargetOrder(6), optimizer=optimizer, optimizer_state="reset")
    train(model, optimizer, batch)


@pytest.mark.parametrize("option", ["map", "gramians", "optimizer_state"])
def test_unknown_options_are_refused(option):
    # Not through the type-checked functions: users run without the checker.
    settings = CutSettings()
    object.__setattr__(settings, option, "rotate")
    with pytest.raises(ValueError, match=f"{option}='rotate', need one of"):
        settings.__post_init__()


@pytest.mark.parametrize("frozen", ["B_im", "C_re"])
@pytest.mark.parametrize("mode", ["transport", "slice"])
def test_partly_frozen_layers_train_on(model, batch, train, frozen, mode):
    getattr(model.blocks[0].layer, frozen).requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters())
    train(model, optimizer, batch)
    reduce_(model, TargetOrder(6), optimizer=optimizer, optimizer_state=mode)
    for parameter in model.parameters():
        for value in optimizer.state[parameter].values():
            if isinstance(value, torch.Tensor) and value.ndim:
                assert value.shape == parameter.shape
    train(model, optimizer, batch)


def test_optimizers_with_a_list_of_their_own_are_refused(model):
    optimizer = torch.optim.LBFGS(model.parameters())
    before = model.blocks[0].layer.nu_log
    with pytest.raises(hc.OptimizerMismatchError, match="LBFGS keeps its own list"):
        reduce_(model, TargetOrder(6), optimizer=optimizer, optimizer_state="reset")
    assert model.blocks[0].layer.nu_log is before


def test_factored_moments_are_refused(model, batch, train):
    optimizer = torch.optim.Adafactor(model.parameters())
    train(model, optimizer, batch)
    with pytest.raises(hc.OptimizerMismatchError, match=r"row_var|col_var|variance"):
        reduce_(model, TargetOrder(6), optimizer=optimizer)
