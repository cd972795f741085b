"""The layers of s5-pytorch: one direction of time and both."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call

import hankelcut as hc
from hankelcut.adapters import (
    EnergyTolerance,
    ErrorTolerance,
    GlobalBudget,
    TargetOrder,
    extract,
    find_adapter,
    find_layers,
    find_refused,
    load_reduced,
    reduce_,
    skeleton,
    state_sizes,
    survey,
    write_back,
)
from hankelcut.nn import LRU
from hankelcut.validation import (
    ADAPTER_CHECKS,
    check_adapter,
    check_in_training_reduction,
)
from tests.adapters.packages import package


def s5(width: int = 3, states: int = 8, **settings) -> nn.Module:
    """A layer whose steps are large enough for its own e^x - 1 in single precision."""
    return package("s5").S5(width, states, dt_min=0.05, dt_max=0.5, **settings)


def both_directions(layer, inputs):
    """Outputs of both directions side by side, each by the layer's own forward."""
    C, D = layer.seq.C, layer.seq.D
    forward, backward = C.chunk(2, dim=1)
    ahead = torch.cat([forward, torch.zeros_like(forward)], dim=1)
    behind = torch.cat([torch.zeros_like(backward), backward], dim=1)
    first = functional_call(layer, {"seq.C": ahead}, (inputs,))
    second = functional_call(layer, {"seq.C": behind}, (inputs.flip(1),)).flip(1)
    return torch.cat([first, second - D * inputs], dim=-1)


# In single precision the layer itself computes e^x - 1 as a difference, which leaves
# no digits for poles as slow as the extreme ones.
CHECKS = [check for check in ADAPTER_CHECKS if check != "extreme_poles"]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check):
    check_adapter(s5, checks=[check], examples=1)


@pytest.mark.parametrize("check", CHECKS)
def test_contract_in_both_directions(check):
    check_adapter(
        lambda: s5(bidir=True), run=both_directions, checks=[check], examples=1
    )


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("sizes", [(1, 4), (2, 24), (5, 12)])
@pytest.mark.parametrize("bidir", [False, True])
def test_contract_for_many_sizes(check, sizes, bidir):
    check_adapter(
        lambda: s5(*sizes, bidir=bidir, bcInit="complex_normal"),
        run=both_directions if bidir else None,
        checks=[check],
        examples=5,
    )


def test_training_goes_on_after_cuts():
    def model():
        return nn.Sequential(nn.Linear(2, 4), s5(4, 16), nn.GELU(), nn.Linear(4, 3))

    def loss(model):
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(4, 24, 2, generator=generator)
        targets = torch.randn(4, 24, 3, generator=generator)
        return nn.functional.mse_loss(model(inputs), targets)

    check_in_training_reduction(model, policy=EnergyTolerance(0.02), loss=loss)


def test_the_layer_with_its_usual_steps_is_read():
    """Its forward in single precision against the system in double."""
    layer = package("s5").S5(3, 16)
    inputs = torch.randn(1, 200, 3)
    system = extract(layer)
    state, outputs = torch.zeros(16, dtype=torch.complex128), []
    for sample in inputs[0].double():
        state = system.poles * state + system.B @ sample.to(state)
        outputs.append((system.C @ state).real + system.D @ sample)
    expected = torch.stack(outputs)
    error = torch.linalg.norm(layer(inputs)[0].detach() - expected)
    # The layer's e^x - 1 loses eps / |x|, with x = 0.001 / 2 at least.
    assert float(error) < 1e-3 * float(torch.linalg.norm(expected))


def test_slow_poles_are_stored_in_single_precision():
    layer = s5()
    system = extract(layer)
    exponents = torch.complex(
        torch.tensor([-1e-6, -2e-7, -1.0]).double(),
        torch.tensor([0.0, -1e-4, 3.1]).double(),
    )
    slow = hc.DiagonalStateSpace(
        exponents, system.B[:3], system.C[:, :3], system.D, system.time, system.readout
    )
    write_back(layer, slow)
    stored = extract(layer)
    torch.testing.assert_close(
        stored.exponents.real, exponents.real, rtol=1e-6, atol=0.0
    )
    residues = [torch.einsum("pi,im->pim", one.C, one.B) for one in (stored, slow)]
    torch.testing.assert_close(*residues, rtol=1e-6, atol=1e-7)


def test_steps_and_rows_stay_in_the_range_of_training():
    layer = s5(4, 20)
    steps = layer.seq.log_step.detach().exp()
    rows = torch.linalg.vector_norm(layer.seq.B.detach(), dim=(1, 2))
    reduce_(layer, TargetOrder(8))
    now = layer.seq.log_step.detach().exp()
    torch.testing.assert_close(now, steps.log().mean().exp().expand(8))
    rows_now = torch.linalg.vector_norm(layer.seq.B.detach(), dim=(1, 2))
    torch.testing.assert_close(rows_now, rows.mean().expand(8))


def test_the_cut_layer_steps_as_it_scans():
    layer = s5(3, 12)
    reduce_(layer, TargetOrder(5))
    inputs = torch.randn(15, 3)
    with torch.no_grad():
        state, outputs = torch.zeros(5, dtype=torch.complex64), []
        for sample in inputs:
            output, state = layer.seq.forward_rnn(sample, state)
            outputs.append(output)
        torch.testing.assert_close(torch.stack(outputs), layer(inputs[None])[0])


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("policy", [TargetOrder(9), ErrorTolerance(0.3)])
def test_the_bound_holds_for_both_directions_together(width, policy):
    """Against the gain of the layer itself, with what lies before and behind."""
    layer = s5(width, 24, bidir=True)
    length = 2048
    impulses = torch.zeros(width, length, width)
    impulses[range(width), length // 2, range(width)] = 1
    with torch.no_grad():
        before, side_by_side = layer(impulses), extract(layer)
        (cut,) = reduce_(layer, policy).layers
        change = (layer(impulses) - before).double()
    assert cut.is_cut
    response = torch.fft.fft(change.permute(1, 2, 0), dim=0)
    worst = float(torch.linalg.matrix_norm(response, ord=2).max())
    assert worst <= cut.error_bound
    # The grid of frequencies may miss the peak, never exceed it.
    assert 0.7 * worst <= cut.measured_error <= 1.001 * worst
    difference = hc.error_system(side_by_side, extract(layer))
    one = float(hc.hinf_norm(difference, rtol=1e-3).upper)
    assert worst <= (math.sqrt(2) if width == 1 else 2) * one
    if isinstance(policy, ErrorTolerance):
        assert cut.error_bound <= policy.error


def test_two_inputs_can_need_the_factor_two():
    """One direction sees v where the other, in reversed time, sees its conjugate."""
    v = torch.tensor([1, 1j], dtype=torch.complex128)[None] / math.sqrt(2)
    forward, backward = v.conj(), v
    side_by_side = torch.linalg.matrix_norm(torch.cat([forward, backward]), ord=2)
    together = torch.linalg.matrix_norm(forward + backward.conj(), ord=2)
    assert float(side_by_side) == pytest.approx(1.0)
    assert float(together) == pytest.approx(2.0)


def test_both_directions_share_one_budget_with_other_layers():
    model = nn.ModuleDict({"both": s5(3, 10, bidir=True), "lru": LRU(3, 10, 0.3, 0.9)})
    reduce_(model, GlobalBudget(9, criterion="error"))
    assert sum(state_sizes(model).values()) == 9
    assert model["both"].seq.C.shape == (3, 2 * state_sizes(model)["both"])


def test_layers_are_found_once_and_by_either_module():
    block = package("s5").S5Block(4, 8, bidir=False)
    assert list(find_layers(block)) == ["s5"]
    assert list(find_layers(block.s5.seq)) == [""]
    assert state_sizes(block) == {"s5": 8}


@pytest.mark.parametrize("bidir", [False, True])
def test_a_reduced_model_is_loaded_into_a_new_one(bidir):
    layer = s5(bidir=bidir)
    reduce_(layer, TargetOrder(3))
    fresh = s5(bidir=bidir)
    load_reduced(fresh, layer.state_dict())
    assert state_sizes(fresh) == {"": 3}
    inputs = torch.randn(2, 9, 3)
    torch.testing.assert_close(fresh(inputs), layer(inputs))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"liquid": True}, "liquid S5: its poles depend on the inputs"),
        ({"degree": 2}, "S5 of another degree: it takes powers"),
    ],
)
def test_layers_that_are_not_linear_are_refused(settings, message):
    layer = s5(**settings)
    for module in (layer, layer.seq):
        with pytest.raises(hc.UnsupportedLayerError, match=message):
            find_adapter(module)
    model = nn.ModuleDict({"s5": layer, "lru": LRU(3, 10, 0.3, 0.9)})
    assert list(find_layers(model)) == ["lru"]
    assert list(find_refused(model)) == ["s5"]


def test_unstable_poles_are_refused():
    layer = s5()
    with torch.no_grad():
        layer.seq.Lambda[2] = 0.1 + 2j
    assert not bool(hc.is_stable(extract(layer)))
    with pytest.raises(hc.UnstableSystemError, match=r"state 2.*is not stable"):
        reduce_(layer, TargetOrder(3))


@pytest.mark.parametrize("check", ["extraction", "write", "cut_bound", "stored_cut"])
def test_bilinear_layers_are_read_by_their_own_rule(check):
    def bilinear():
        layer = s5()
        layer.seq.discretize = package("s5.s5_model").discretize_bilinear
        return layer

    check_adapter(bilinear, checks=[check], examples=1)


def test_unknown_discretizations_are_refused():
    layer = s5()
    layer.seq.discretize = lambda Lambda, B, step: (torch.exp(Lambda), B)
    with pytest.raises(hc.UnsupportedLayerError, match=r"zero-order hold, bilinear"):
        extract(layer)


def test_a_file_of_weights_does_not_say_how_steps_are_used():
    weights = skeleton(s5().state_dict())
    with pytest.raises(hc.UnsupportedLayerError, match=r"no attribute 'discretize'"):
        extract(weights)
    (row,) = survey(weights).layers
    assert (row.kind, row.states) == ("s5-pytorch", 8)
    assert "no attribute 'discretize'" in row.reason


def test_shapes_that_do_not_fit_are_named():
    layer = s5()
    layer.seq.C = nn.Parameter(torch.zeros(3, 11, dtype=torch.complex64))
    with pytest.raises(hc.UnsupportedLayerError, match=r"C of shape \(3, 11\), need 8"):
        extract(layer)
