"""One-shot cuts: bounds on the layer's own forward, exactness, transactions."""

import math

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    EnergyTolerance,
    ErrorTolerance,
    FixedFraction,
    TargetOrder,
    extract,
    find_layers,
    reduce_,
    state_sizes,
)
from hankelcut.nn import LRU, S4D


def snapshot(model, optimizer=None):
    """Identities and values of everything a failed cut must not touch."""
    parameters = [(p, p.detach().clone()) for p in model.parameters()]
    groups = [list(g["params"]) for g in optimizer.param_groups] if optimizer else []
    moments = {}
    if optimizer:
        for p, state in optimizer.state.items():
            moments[p] = {k: torch.as_tensor(v).clone() for k, v in state.items()}
    return parameters, groups, moments


def assert_unchanged(model, before, optimizer=None):
    parameters, groups, moments = before
    for now, (then, value) in zip(model.parameters(), parameters, strict=True):
        assert now is then
        torch.testing.assert_close(now.detach(), value, equal_nan=True, rtol=0, atol=0)
    if optimizer is None:
        return
    for group, then in zip(optimizer.param_groups, groups, strict=True):
        assert all(p is q for p, q in zip(group["params"], then, strict=True))
    assert set(optimizer.state) == set(moments)
    for p, state in moments.items():
        for key, value in state.items():
            torch.testing.assert_close(torch.as_tensor(optimizer.state[p][key]), value)


def worst_case_inputs(system, reduced, length):
    """Real inputs close to the worst for the difference of two systems."""
    error = hc.error_system(system, reduced)
    frequency = hc.hinf_norm(error, rtol=0.01).frequency
    response = hc.frequency_response(error, frequency[None])[0]
    direction = torch.linalg.svd(response)[2][0].conj()
    phase = torch.arange(length, dtype=torch.float64) * frequency
    return (torch.exp(1j * phase)[:, None] * direction[None, :]).real[None]


@pytest.mark.parametrize("map", ["real", "complex"])
@pytest.mark.parametrize("gramians", ["structured", "closed_form"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_forward_changes_by_no_more_than_the_bound(make_layer, map, gramians, dtype):
    layer = make_layer(5, 24, dtype=dtype, r_min=0.5, r_max=0.98)
    full = extract(layer)
    noise = torch.randn(1, 1500, 5, dtype=torch.float64)
    outputs = layer(noise.to(dtype)).detach()
    event = reduce_(layer, EnergyTolerance(0.1), map=map, gramians=gramians)
    (cut,) = event.layers
    assert cut.is_cut
    assert layer.d_state == cut.states_after < 24
    worst = worst_case_inputs(full, extract(layer), 1500)
    state = LRU(5, 24).to(dtype)
    hc.adapters.write_back(
        state,
        hc.DiagonalStateSpace(
            full.exponents,
            full.B,
            full.C,
            torch.diag(state.D.detach().double()),
            full.time,
            full.readout,
        ),
    )
    with torch.no_grad():
        state.D.copy_(layer.D)
        change = (layer(noise.to(dtype)) - outputs).double()
        worst_change = (layer(worst.to(dtype)) - state(worst.to(dtype))).double()
    assert torch.linalg.norm(change) <= cut.error_bound * torch.linalg.norm(noise)
    gain = torch.linalg.norm(worst_change) / torch.linalg.norm(worst)
    assert gain <= cut.error_bound
    # The worst input shows that the measured error is real, not an over-estimate.
    assert gain >= 0.8 * cut.measured_error
    assert cut.measured_error <= cut.error_bound


def test_no_smaller_error_than_the_next_singular_value(make_layer):
    layer = make_layer(5, 24)
    full = extract(layer)
    values = hc.hankel_singular_values(full)
    (cut,) = reduce_(layer, TargetOrder(8)).layers
    bracket = hc.hinf_norm(hc.error_system(full, extract(layer)), rtol=0.01)
    assert float(bracket.upper) >= float(values[2 * 8])
    torch.testing.assert_close(
        torch.tensor(cut.hankel_singular_values, dtype=torch.float64), values
    )
    assert float(bracket.lower) <= cut.error_bound


@pytest.mark.parametrize("map", ["real", "complex"])
def test_cutting_silent_states_changes_nothing(make_layer, map):
    layer = make_layer(4, 14, silent=5)
    inputs = torch.randn(2, 200, 4)
    with torch.no_grad():
        before = layer(inputs)
        event = reduce_(layer, ErrorTolerance(1e-3), map=map)
        after = layer(inputs)
    assert event.layers[0].states_after == 9
    assert torch.linalg.norm(after - before) < 1e-5 * torch.linalg.norm(before)


def test_nothing_to_remove_leaves_the_parameters_alone(make_layer):
    layer = make_layer(4, 6)
    before = snapshot(layer)
    (cut,) = reduce_(layer, EnergyTolerance(1e-6)).layers
    assert not cut.is_cut
    assert cut.error_bound == 0
    assert len(cut.hankel_singular_values) == 12
    assert_unchanged(layer, before)


def test_step_agrees_with_forward_after_a_cut(make_layer):
    layer = make_layer(3, 20, dtype=torch.float64)
    reduce_(layer, TargetOrder(7))
    inputs = torch.randn(2, 15, 3, dtype=torch.float64)
    state, outputs = layer.initial_state(2), []
    with torch.no_grad():
        for k in range(15):
            output, state = layer.step(inputs[:, k], state)
            outputs.append(output)
        torch.testing.assert_close(torch.stack(outputs, dim=1), layer(inputs))


def test_layers_cut_together_equal_layers_cut_alone(model):
    alone = [LRU(4, 16) for _ in range(2)]
    for layer, other in zip(find_layers(model).values(), alone, strict=True):
        other.load_state_dict(layer.state_dict())
    events = [reduce_(layer, EnergyTolerance(0.05)) for layer in alone]
    together = reduce_(model, EnergyTolerance(0.05))
    for cut, event in zip(together.layers, events, strict=True):
        assert cut.states_after == event.layers[0].states_after < 16
    for layer, other in zip(find_layers(model).values(), alone, strict=True):
        for key, value in layer.state_dict().items():
            torch.testing.assert_close(value, other.state_dict()[key])


def test_policies_decide_the_orders(model):
    sizes = lambda: list(state_sizes(model).values())  # noqa: E731
    reduce_(model, FixedFraction(0.25))
    assert sizes() == [12, 12]
    reduce_(model, TargetOrder(9))
    assert sizes() == [9, 9]
    reduce_(model, TargetOrder(11))
    assert sizes() == [9, 9]
    event = reduce_(model, ErrorTolerance(1.5))
    assert all(cut.error_bound <= 1.5 for cut in event.layers)
    assert max(sizes()) < 9


def test_filter_leaves_layers_alone(model):
    event = reduce_(
        model, TargetOrder(4), filter_fn=lambda name, layer: name.startswith("blocks.1")
    )
    assert [cut.name for cut in event.layers] == ["blocks.1.layer"]
    assert list(state_sizes(model).values()) == [16, 4]


def test_shared_layers_stay_shared():
    shared = LRU(3, 10)
    model = nn.Sequential(shared, nn.GELU(), shared)
    reduce_(model, TargetOrder(4))
    assert model[0] is model[2]
    assert model[0].d_state == 4


def test_shared_parameters_stay_shared():
    first, second = LRU(3, 10), LRU(3, 10)
    for name, _ in list(second.named_parameters()):
        setattr(second, name, getattr(first, name))
    model = nn.Sequential(first, second)
    reduce_(model, TargetOrder(4))
    assert first.nu_log is second.nu_log
    assert len(list(model.parameters())) == 8
    assert model(torch.randn(1, 5, 3)).shape == (1, 5, 3)


def test_attributes_hooks_and_frozen_parameters_are_carried_over(make_layer):
    layer = make_layer()
    layer.B_re._optim = {"lr": 1e-4}
    layer.C_re.requires_grad_(False)
    calls = []
    layer.nu_log.register_hook(lambda gradient: calls.append(gradient.shape))
    reduce_(layer, TargetOrder(5))
    assert layer.B_re._optim == {"lr": 1e-4}
    assert not layer.C_re.requires_grad
    layer(torch.randn(1, 4, 3)).sum().backward()
    assert calls == [torch.Size([5])]


def test_hooks_of_frozen_parameters_wait_until_they_are_trained_again(make_layer):
    layer, calls = make_layer(), []
    layer.C_re.register_hook(lambda gradient: calls.append(tuple(gradient.shape)))
    layer.C_re.requires_grad_(False)
    reduce_(layer, TargetOrder(5))
    assert not layer.C_re.requires_grad
    layer.C_re.requires_grad_(True)
    layer(torch.randn(1, 4, 3)).sum().backward()
    assert calls == [tuple(layer.C_re.shape)]


def test_old_graphs_stay_alive(make_layer):
    layer = make_layer()
    loss = layer(torch.randn(1, 4, 3)).square().sum()
    reduce_(layer, TargetOrder(5))
    loss.backward()
    layer(torch.randn(1, 4, 3)).square().sum().backward()
    assert layer.nu_log.grad.shape == (5,)


@pytest.mark.parametrize(
    ("policy", "error", "message"),
    [(ErrorTolerance(1e9), hc.PolicyError, r"remove every state of blocks\.0\.layer")],
)
def test_policies_that_remove_everything_change_nothing(
    model, batch, train, policy, error, message
):
    optimizer = torch.optim.Adam(model.parameters())
    train(model, optimizer, batch)
    before = snapshot(model, optimizer)
    with pytest.raises(error, match=message):
        reduce_(model, policy, optimizer=optimizer)
    assert_unchanged(model, before, optimizer)


def test_diverged_layers_change_nothing(model, batch, train):
    optimizer = torch.optim.Adam(model.parameters())
    train(model, optimizer, batch)
    with torch.no_grad():
        model.blocks[1].layer.B_re[0, 0] = math.nan
    before = snapshot(model, optimizer)
    with pytest.raises(hc.InvalidSystemError, match="B_re holds 1 NaN"):
        reduce_(model, EnergyTolerance(0.1), optimizer=optimizer)
    assert_unchanged(model, before, optimizer)


def test_foreign_optimizers_change_nothing(model):
    optimizer = torch.optim.Adam(model.head.parameters())
    before = snapshot(model, optimizer)
    with pytest.raises(
        hc.OptimizerMismatchError, match=r"does not hold blocks\.0\.layer\.nu_log"
    ):
        reduce_(model, EnergyTolerance(0.1), optimizer=optimizer)
    assert_unchanged(model, before, optimizer)


def test_models_without_layers_are_refused():
    with pytest.raises(hc.UnsupportedLayerError, match="Linear holds no layer"):
        reduce_(nn.Linear(2, 2), EnergyTolerance(0.1))


def test_wrapped_models_are_refused():
    class DistributedDataParallel(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    with pytest.raises(hc.UnsupportedLayerError, match="wrapped module"):
        reduce_(DistributedDataParallel(LRU(2, 3)), EnergyTolerance(0.1))


def test_layers_without_response_stay(make_layer):
    layer = make_layer(3, 6, silent=6)
    (cut,) = reduce_(layer, EnergyTolerance(0.1)).layers
    assert not cut.is_cut
    assert cut.notes == ("no response at all",)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EnergyTolerance(0.0),
        lambda: EnergyTolerance(1.0),
        lambda: ErrorTolerance(0.0),
        lambda: ErrorTolerance(math.inf),
        lambda: FixedFraction(1.0),
        lambda: TargetOrder(0),
    ],
)
def test_policies_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match=r"got .*need"):
        make()


def test_partly_shared_states_are_refused():
    model = nn.Sequential(LRU(3, 10), LRU(3, 10))
    for name in ("nu_log", "theta_log", "gamma_log"):
        setattr(model[1], name, getattr(model[0], name))
    before = snapshot(model)
    with pytest.raises(hc.UnsupportedLayerError, match="shares some state parameters"):
        reduce_(model, TargetOrder(4))
    assert_unchanged(model, before)


def test_compiled_layers_are_cut_in_place():
    model = nn.Sequential(torch.compile(LRU(3, 10), backend="eager"), nn.Linear(3, 2))
    event = reduce_(model, TargetOrder(4))
    assert [cut.states_after for cut in event.layers] == [4]
    assert model[0]._orig_mod.d_state == 4
    assert model[0]._orig_mod(torch.randn(1, 5, 3)).shape == (1, 5, 3)


def test_layers_with_more_state_tensors_are_refused():
    layer = LRU(3, 10)
    layer.initial = nn.Parameter(torch.zeros(10))
    with pytest.raises(hc.UnsupportedLayerError, match="initial of shape"):
        reduce_(layer, TargetOrder(4))
    assert layer.d_state == 10


def test_errors_name_the_layer(model):
    with torch.no_grad():
        model.blocks[1].layer.C_im[0, 0] = math.nan
    with pytest.raises(hc.InvalidSystemError, match=r"blocks\.1\.layer: .*C_im"):
        reduce_(model, EnergyTolerance(0.1))


def test_very_fast_poles_do_no_harm():
    layer = LRU(3, 10).double()
    with torch.no_grad():
        layer.nu_log[3] = 7.0  # a pole of e^-1097
    event = reduce_(layer, EnergyTolerance(0.05))
    assert event.is_cut
    assert bool(torch.isfinite(layer.nu_log).all())


def test_parameters_keep_their_own_dtypes():
    layer = LRU(3, 10)
    layer.B_re, layer.B_im = (
        nn.Parameter(matrix.detach().double()) for matrix in (layer.B_re, layer.B_im)
    )
    reduce_(layer, TargetOrder(4))
    assert layer.B_re.dtype == torch.float64
    assert layer.nu_log.dtype == torch.float32


def test_small_savings_are_noted():
    (cut,) = reduce_(LRU(3, 10), TargetOrder(9), minimum_saving=0.3).layers
    assert not cut.is_cut
    assert "too little to save" in cut.notes[-1]


def test_layers_of_other_steps_do_not_share_their_states():
    one, other = S4D(2, 12), S4D(2, 12)
    for name in ("log_A_real", "A_imag", "C"):
        setattr(other, name, getattr(one, name))
    model = torch.nn.ModuleList([one, other])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(hc.UnsupportedLayerError, match=r"1 shares .* but is another s"):
        reduce_(model, EnergyTolerance(0.05))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    other.log_dt = one.log_dt
    reduce_(model, EnergyTolerance(0.05))
    assert one.d_state == other.d_state < 12
