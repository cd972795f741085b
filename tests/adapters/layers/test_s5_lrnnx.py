"""The layers S5 of lrnnx: time-invariant with a real B, and with steps from outside."""

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    EnergyTolerance,
    FixedFraction,
    TargetOrder,
    extract,
    find_adapter,
    load_reduced,
    reduce_,
    state_sizes,
    with_real_inputs,
    write_back,
)
from hankelcut.validation import (
    ADAPTER_CHECKS,
    check_adapter,
    check_in_training_reduction,
)
from tests.adapters.stand_ins.lrnnx import RULES, S5, SteppedS5

# Convolutions in single precision are all that the package has; its own e^x - 1 leaves
# no digits for poles as slow as the extreme ones.
CHECKS = [check for check in ADAPTER_CHECKS if check != "extreme_poles"]
STEPS = {"dt_min": 0.05, "dt_max": 0.3}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("rule", ["zoh", "dirac"])
def test_contract(check, rule):
    check_adapter(lambda: S5(3, 10, rule, **STEPS), checks=[check], examples=1)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("rule", ["zoh", "bilinear", "dirac"])
def test_contract_with_steps_from_outside(check, rule):
    check_adapter(
        lambda: SteppedS5(3, 10, rule, rule == "zoh", step_rescale=0.5, **STEPS),
        checks=[check],
        examples=1,
    )


def trained(layer: nn.Module) -> nn.Module:
    """Rows of B start as multiples of one another; training tells them apart."""
    with torch.no_grad():
        layer.B += 0.5 * torch.randn_like(layer.B)
    return layer


@pytest.mark.parametrize(
    "make", [lambda: trained(S5(3, 12, "zoh")), lambda: SteppedS5(3, 12)]
)
def test_the_cut_layer_steps_as_it_convolves(make):
    layer = make()
    reduce_(layer, TargetOrder(5))
    assert layer.d_state == getattr(layer, "state_dim", 5) == 5
    inputs = torch.randn(2, 25, 3)
    with torch.no_grad():
        cache = layer.allocate_inference_cache(2)
        outputs = [layer.step(sample, cache)[0] for sample in inputs.unbind(1)]
        torch.testing.assert_close(
            torch.stack(outputs, 1), layer(inputs), rtol=1e-4, atol=1e-5
        )


def test_a_real_input_matrix_becomes_a_complex_one():
    layer = trained(S5(3, 12, "zoh"))
    before = extract(layer)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
    inputs = torch.randn(2, 20, 3)
    layer(inputs).square().mean().backward()
    optimizer.step()
    (cut,) = reduce_(layer, FixedFraction(0.5), optimizer=optimizer).layers
    assert layer.B.dtype == torch.complex64
    assert layer.B.shape == (6, 3)
    assert [k for k, _ in layer.named_parameters()] == ["A", "B", "log_dt", "C", "D"]
    assert optimizer.state[layer.B]["exp_avg"].dtype == torch.complex64
    error = hc.hinf_norm(hc.error_system(before, extract(layer)), rtol=0.01)
    assert float(error.lower) <= cut.error_bound
    optimizer.zero_grad()
    layer(inputs).square().mean().backward()
    optimizer.step()
    assert bool(layer.B.grad.imag.any())


@pytest.mark.parametrize("mode", ["transport", "reset", "slice"])
def test_training_goes_on_with_a_complex_input_matrix(mode):
    torch.manual_seed(0)
    layer = trained(S5(3, 12, "zoh"))
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3, amsgrad=True)
    for states in (12, 7, 4):
        reduce_(layer, TargetOrder(states), optimizer=optimizer, optimizer_state=mode)
        for _ in range(2):
            optimizer.zero_grad()
            layer(torch.randn(2, 20, 3)).square().mean().backward()
            optimizer.step()
    assert all(bool(torch.isfinite(p).all()) for p in layer.parameters())


def test_models_train_on_and_are_resumed_after_cuts():
    def model():
        return nn.Sequential(nn.Linear(3, 4), trained(S5(4, 16, "zoh", **STEPS)))

    def loss(model):
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(4, 24, 3, generator=generator)
        return (model(inputs) - inputs.sum(dim=-1, keepdim=True)).square().mean()

    check_in_training_reduction(model, policy=EnergyTolerance(0.02), loss=loss)


def test_what_was_extracted_is_written_back_with_a_real_input_matrix():
    layer = trained(S5(3, 12, "zoh", **STEPS))
    inputs = torch.randn(2, 30, 3)
    with torch.no_grad():
        before = layer(inputs)
        write_back(layer, extract(layer))
        after = layer(inputs)
    assert layer.B.dtype == torch.float32
    assert torch.linalg.norm(after - before) <= 1e-5 * torch.linalg.norm(before)


def test_doubled_modes_keep_the_input_matrix_real():
    layer = trained(S5(3, 16, "zoh", **STEPS))
    reduced = hc.balanced_truncation(extract(layer), order=5).system
    real = with_real_inputs(reduced)
    assert 5 < real.n_states <= 10
    torch.testing.assert_close(
        hc.impulse_response(real, n_samples=40),
        hc.impulse_response(reduced, n_samples=40),
    )
    write_back(layer, real)
    assert layer.B.dtype == torch.float32
    assert layer.d_state == real.n_states
    stored = hc.impulse_response(extract(layer), n_samples=40)
    expected = hc.impulse_response(reduced, n_samples=40)
    scale = float(expected.abs().max())
    torch.testing.assert_close(stored, expected, rtol=0, atol=1e-5 * scale)
    assert with_real_inputs(extract(layer)).n_states == real.n_states


@pytest.mark.parametrize("n_inputs", [0, 1])
def test_modes_of_one_input_need_no_doubling(n_inputs):
    B = torch.randn(4, n_inputs, dtype=torch.complex128)
    C = torch.randn(2, 4, dtype=torch.complex128)
    exponents = torch.randn(4, dtype=torch.complex128) - 2
    system = with_real_inputs(hc.DiagonalStateSpace(exponents, B, C, readout="real"))
    assert system.n_states == 4
    assert not bool(system.B.imag.any())


def test_stacks_are_not_doubled():
    stack = hc.DiagonalStateSpace(torch.ones(2, 3), torch.ones(3, 1), torch.ones(1, 3))
    with pytest.raises(hc.UnsupportedLayerError, match=r"batch axes \(2,\), need"):
        with_real_inputs(stack)


@pytest.mark.parametrize("make", [lambda: S5(3, 12, "zoh"), lambda: SteppedS5(3, 12)])
def test_a_reduced_layer_is_loaded_into_a_new_one(make):
    layer = trained(make())
    reduce_(layer, TargetOrder(4))
    fresh = make()
    load_reduced(fresh, layer.state_dict())
    assert state_sizes(fresh) == {"": 4}
    assert fresh.B.dtype == layer.B.dtype
    inputs = torch.randn(2, 9, 3)
    torch.testing.assert_close(fresh(inputs), layer(inputs))


def test_a_complex_input_matrix_of_the_same_size_is_loaded():
    layer = trained(S5(3, 12, "zoh", **STEPS))
    system = extract(layer)
    turned = torch.exp(1j * torch.arange(12.0, dtype=torch.float64))
    mixed = hc.DiagonalStateSpace(
        system.exponents,
        system.B * turned[:, None] + 0.1j * system.B.flip(1),
        system.C,
        system.D,
        system.time,
        system.readout,
    )
    write_back(layer, mixed)
    assert layer.B.is_complex()
    fresh = S5(3, 12, "zoh")
    load_reduced(fresh, layer.state_dict())
    torch.testing.assert_close(fresh.B, layer.B)


@pytest.mark.parametrize("rule", ["bilinear", "no_discretization"])
def test_rules_that_make_the_layer_unstable_are_refused(rule):
    layer = S5(3, 8, rule)
    assert not bool(hc.is_stable(extract(layer)))
    with pytest.raises(hc.UnstableSystemError, match=r"is not stable.*abs\(pole\) < 1"):
        reduce_(layer, TargetOrder(3))


def test_poles_of_an_undiscretized_layer_are_its_own():
    layer = S5(2, 3, "no_discretization")
    with torch.no_grad():
        layer.A[:, 1] = torch.tensor([0.2, -0.5, 0.7])
    poles = extract(layer).poles
    torch.testing.assert_close(
        poles, torch.complex(torch.full((3,), -0.5), layer.A[:, 1]).to(poles)
    )


@pytest.mark.parametrize("rule", ["bilinear", "no_discretization"])
def test_poles_outside_the_left_half_plane_are_not_stored(rule):
    layer = S5(2, 3, rule)
    one = hc.DiagonalStateSpace.from_poles(
        torch.tensor([0.5], dtype=torch.complex128),
        torch.ones(1, 2, dtype=torch.complex128),
        torch.ones(2, 1, dtype=torch.complex128),
        extract(layer).D,
        readout="real",
    )
    with pytest.raises(hc.UnsupportedLayerError, match="cannot be stored: A would not"):
        write_back(layer, one)


def test_settings_without_a_known_rule_are_refused():
    layer = SteppedS5(3, 8)
    layer.discretization = "async"
    with pytest.raises(hc.UnsupportedLayerError, match=r"'async', need one of zoh"):
        extract(layer)
    del layer.conj_sym
    layer.discretization = "zoh"
    with pytest.raises(hc.UnsupportedLayerError, match=r"no attribute 'conj_sym'"):
        extract(layer)
    other = S5(3, 8, "zoh")
    other.discretize_fn = lambda A, d, _: (RULES["zoh"](A, d)[0], 2.0)
    with pytest.raises(hc.UnsupportedLayerError, match=r"none of the known ones"):
        extract(other)


def test_the_two_kinds_are_told_apart():
    assert find_adapter(S5(3, 8, "zoh")).name == "lrnnx S5"
    assert find_adapter(SteppedS5(3, 8)).name == "lrnnx S5 (LTV)"
