"""The adapter for diagonal S4 kernels: every discretization, own and shared poles."""

import copy
from functools import partial

import numpy as np
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
    find_layers,
    load_reduced,
    reduce_,
    skeleton,
    state_sizes,
)
from hankelcut.lti import error_system, frequency_response, hinf_norm
from hankelcut.validation import (
    ADAPTER_CHECKS,
    check_adapter,
    check_in_training_reduction,
)
from tests.adapters.stand_ins.s4_kernels import DiagonalKernel
from tests.adapters.stand_ins.s4_layers import (
    LrnnxS4,
    both_directions,
    layer_factory,
    layer_response,
    linear_part,
)

FIXED_LENGTH = 256


def at_fixed_length(layer, inputs):
    """Run a layer on a fixed number of samples, with silence behind the inputs."""
    missing = FIXED_LENGTH - inputs.shape[1]
    padded = nn.functional.pad(inputs, (0, 0, 0, missing))
    return linear_part(layer, padded)[:, : inputs.shape[1]]


make = partial(layer_factory, "s4d")


LAYERS = {
    "zoh": (make(), linear_part),
    "bilinear, outputs": (make(channels=2, disc="bilinear"), linear_part),
    "shared, zoh": (make(6, n_ssm=2, channels=2), linear_part),
    "shared, bilinear": (make(6, n_ssm=2, disc="bilinear"), linear_part),
    "lrnnx": (lambda: LrnnxS4(3, d_state=14), linear_part),
    "both ways": (make(bidirectional=True), both_directions),
    "shared, both ways": (
        make(4, n_ssm=2, channels=2, bidirectional=True),
        both_directions,
    ),
    "dss": (make(disc="dss", l_max=FIXED_LENGTH), at_fixed_length),
    "shared, dss": (make(4, n_ssm=2, disc="dss", l_max=FIXED_LENGTH), at_fixed_length),
    "band limit": (make(bandlimit=0.5), linear_part),
    "real": (make(d_state=7, is_real=True), linear_part),
    "shared, real": (
        make(4, d_state=7, n_ssm=2, is_real=True, disc="bilinear"),
        linear_part,
    ),
    "steps of modes": (
        make(dt_tie=False, dt_fast=True, dt_transform="softplus"),
        linear_part,
    ),
    "exp, softplus": (
        make(real_transform="softplus", imag_transform="exp"),
        linear_part,
    ),
    "relu, none": (make(real_transform="relu", imag_transform="relu"), linear_part),
}
SINGLE, DOUBLE = torch.float32, torch.float64
FAST = [
    ("zoh", SINGLE),
    ("zoh", DOUBLE),
    ("shared, zoh", SINGLE),
    ("shared, bilinear", DOUBLE),
    ("lrnnx", SINGLE),
]


def is_within_arithmetic(name, check, dtype):
    """Whether a layer itself is accurate enough for a check.

    The layers compute e^x - 1 as a difference, which leaves no digits for poles as slow
    as the extreme ones: in single precision, and in double for shared poles, which are
    slower still; DSS computes in single precision whatever its parameters are.
    """
    if dtype == DOUBLE and "dss" in name:
        return False
    slow = dtype == SINGLE or ("shared" in name and "bilinear" not in name)
    return check != "extreme_poles" or not slow


CASES = [
    pytest.param(
        name,
        check,
        dtype,
        id=f"{name}-{check}-{str(dtype)[-2:]}",
        marks=() if (name, dtype) in FAST else pytest.mark.slow,
    )
    for name in LAYERS
    for check in ADAPTER_CHECKS
    for dtype in (SINGLE, DOUBLE)
    if is_within_arithmetic(name, check, dtype)
]


@pytest.mark.parametrize(("name", "check", "dtype"), CASES)
def test_contract(name, check, dtype):
    factory, run = LAYERS[name]
    check_adapter(lambda: factory().to(dtype), run=run, checks=[check], examples=1)


class Model(nn.Module):
    """Two layers with shared poles between linear ones."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(2, 4)
        self.layers = nn.ModuleList(make(4, 24, n_ssm=2)() for _ in range(2))
        self.head = nn.Linear(4, 5)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(inputs)
        for layer in self.layers:
            hidden = hidden + layer(hidden)
        return self.head(hidden.mean(dim=1))


@pytest.mark.slow
def test_training_goes_on_after_cuts():
    def loss(model):
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(8, 32, 2, generator=generator)
        targets = torch.randint(0, 5, (8,), generator=generator)
        return nn.functional.cross_entropy(model(inputs), targets)

    check_in_training_reduction(Model, policy=EnergyTolerance(0.02), loss=loss)


@pytest.mark.parametrize("disc", ["zoh", "bilinear"])
@pytest.mark.parametrize("n_ssm", [2, 4])
def test_steps_agree_with_the_parallel_forward_after_a_cut(disc, n_ssm):
    layer = make(4, 20, disc=disc, n_ssm=n_ssm, channels=2)().double()
    layer.setup_step()
    (cut,) = reduce_(layer, TargetOrder(6)).layers
    assert cut.is_cut
    assert not hasattr(layer.kernel, "dA")
    assert layer.kernel.N == 6
    layer.setup_step()
    inputs = torch.randn(3, 12, 4, dtype=torch.float64)
    state, outputs = layer.kernel.default_state(3), []
    for sample in inputs.unbind(1):
        output, state = layer.step(sample, state)
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs, dim=-1), layer.convolve(inputs))


@pytest.mark.parametrize("n_ssm", [2, 4])
def test_bounds_hold_for_outputs_of_both_directions(n_ssm):
    layer = make(4, 20, bidirectional=True, n_ssm=n_ssm)().double()
    with torch.no_grad():
        layer.kernel.inv_dt += 2.0  # so that all responses end within the sequence
    full = copy.deepcopy(layer)
    (cut,) = reduce_(layer, FixedFraction(0.5)).layers
    assert cut.is_cut
    # The layer's own forward, in the middle of a sequence: what lies ahead counts too.
    pulse = torch.zeros(1, 4001, 4, dtype=torch.float64)
    pulse[:, 2000] = 1
    change = (full.convolve(pulse) - layer.convolve(pulse))[0, 0].detach()
    assert float(change[:, :1995].abs().max()) > 0
    gains = torch.fft.fft(change).abs()
    worst = float(gains.max())
    assert worst <= cut.error_bound
    # The grid of frequencies may miss the peak, never exceed it.
    assert 0.7 * worst <= cut.measured_error <= 1.001 * worst
    stacked = extract(full)
    assert stacked.n_outputs == 2
    assert not bool(stacked.D[:, 1].any())


def test_buffers_take_the_place_of_parameters_that_do_not_learn():
    layer = make(3, 16, lr=0.0)()
    optimizer = torch.optim.AdamW(layer.parameters())
    before = extract(layer)
    (cut,) = reduce_(layer, TargetOrder(4), optimizer=optimizer).layers
    assert cut.is_cut
    shapes = {name: tuple(b.shape) for name, b in layer.kernel.named_buffers()}
    assert shapes["B"] == (1, 3, 4, 2)
    assert shapes["inv_dt"] == (3, 1)
    error = hinf_norm(error_system(before, extract(layer)), rtol=0.01)
    assert float(error.lower.max()) <= cut.error_bound


def test_learning_rates_of_parameters_are_carried():
    layer = make(3, 16, lr=1e-3)()
    steps = layer.kernel.inv_dt
    reduce_(layer, TargetOrder(4))
    for name in ("A_real", "A_imag", "B"):
        parameter = layer.kernel.get_parameter(name)
        assert parameter._optim == {"weight_decay": 0.0, "lr": 1e-3}
    assert layer.kernel.inv_dt is steps


def test_parameters_that_are_registered_twice_stay_one():
    layer = LrnnxS4(3, d_state=16)
    optimizer = torch.optim.Adam(layer.parameters())
    layer.convolve(torch.randn(2, 9, 3)).square().sum().backward()
    optimizer.step()
    assert list(find_layers(nn.ModuleList([layer]))) == ["0"]
    reduce_(layer, TargetOrder(4), optimizer=optimizer)
    kernel = layer.layer.kernel
    for name in ("A_real", "A_imag", "B", "C", "inv_dt"):
        assert layer.get_parameter(name) is kernel.get_parameter(name)
    assert (layer.N, kernel.N) == (4, 4)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in layer.parameters()}


def test_a_reduced_model_is_loaded_into_a_new_one():
    for factory in (lambda: LrnnxS4(3, d_state=16), make(3, 16, dt_tie=False)):
        model = nn.ModuleDict({"layer": factory()})
        reduce_(model, TargetOrder(5))
        fresh = nn.ModuleDict({"layer": factory()})
        load_reduced(fresh, model.state_dict())
        assert state_sizes(fresh) == {"layer": 5}
        inputs = torch.randn(2, 20, 3)
        torch.testing.assert_close(
            linear_part(fresh["layer"], inputs), linear_part(model["layer"], inputs)
        )


def test_names_of_one_parameter_with_two_shapes_are_refused():
    layer = LrnnxS4(3, d_state=16)
    reduce_(layer, TargetOrder(5))
    weights = dict(layer.state_dict())
    weights["C"] = torch.zeros(1, 3, 4, 2)
    fresh = LrnnxS4(3, d_state=16)
    with pytest.raises(hc.CheckpointMismatchError, match=r"C has shape \(1, 3, 4, 2\)"):
        load_reduced(fresh, weights)
    assert fresh.C.shape == (1, 3, 8, 2)


def test_kernels_are_found_once_and_alone():
    block = nn.ModuleDict({"layer": make()(), "output_linear": nn.Linear(3, 3)})
    assert list(find_layers(block)) == ["layer"]
    kernel = DiagonalKernel(3, 8, channels=2)
    assert list(find_layers(nn.ModuleDict({"kernel": kernel}))) == ["kernel"]
    system = extract(kernel)
    assert system.D.shape == (3, 2, 1)
    assert not bool(system.D.any())
    assert find_adapter(kernel).name == "S4 (diagonal)"


def damaged(**attributes):
    layer = make()()
    for name, value in attributes.items():
        setattr(layer.kernel, name, value)
    return layer


def unshared(name, value):
    layer = make(4, n_ssm=2)()
    setattr(layer.kernel, name, nn.Parameter(value))
    return layer


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: damaged(disc="foh"), "discretization 'foh', need zoh, bilinear or d"),
        (lambda: damaged(real_transform="cube"), "transform 'cube', need one of none"),
        (lambda: damaged(dt_transform="none"), r"a step of -\d.*, need steps above 0"),
        (
            lambda: skeleton(make()().state_dict()),
            "Skeleton has no attribute 'real_transform', .*; load the weights",
        ),
        (
            lambda: unshared("inv_dt", torch.zeros(4, 7)),
            "4 channels share the poles of 2 groups .* dt_tie=True or n_ssm=None",
        ),
        (
            lambda: unshared("inv_dt", torch.zeros(4, 3)),
            "2 groups with 3 steps each, .* 1 step or 7",
        ),
        (
            lambda: unshared("C", torch.zeros(3, 4, 7, 2)),
            "C with 3 outputs and D with 1; need .* or twice as many",
        ),
        (
            lambda: unshared("B", torch.zeros(1, 2, 5, 2)),
            r"kernel\.B of shape \(1, 2, 5, 2\)",
        ),
    ],
)
def test_refusals_say_what_stands_against_a_cut(layer, message):
    with pytest.raises(hc.UnsupportedLayerError, match=message):
        extract(layer())


def test_extraction_at_many_lengths_is_the_kernel():
    layer = make(4, 16, n_ssm=2, channels=2)().double()
    system = extract(layer)
    for length in (1, 5, 90):
        kernels = layer.kernel(length).detach().permute(1, 0, 2)
        powers = np.exp(np.arange(length) * system.exponents[..., None].numpy())
        samples = 2 * np.einsum("hcn,hnl->hcl", system.C * system.B.mT, powers).real
        np.testing.assert_allclose(kernels, samples, rtol=1e-9, atol=1e-12)
    thetas = torch.tensor([0.3, 2.0], dtype=torch.float64)
    response = frequency_response(system, thetas)[..., 0] - system.D[..., None, :, 0]
    found = layer_response(layer, thetas).transpose(1, 2)
    turned = torch.exp(1j * thetas)[:, None] * response
    torch.testing.assert_close(found, turned, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("imag_transform", ["none", "exp"])
@pytest.mark.parametrize("selection", ["energy", "hinf"])
def test_other_choices_of_states_are_stored_as_they_are(selection, imag_transform):
    layer = make(3, 16, imag_transform=imag_transform)().double()
    before = extract(layer)
    (cut,) = reduce_(layer, TargetOrder(5), selection=selection).layers
    assert cut.states_after == 5
    after = extract(layer)
    assert float(after.exponents.imag.max()) <= 0
    error = hinf_norm(error_system(before, after), rtol=0.01)
    assert float(error.lower.max()) <= cut.error_bound
    distances = (after.exponents[..., None] - before.exponents[:, None]).abs()
    assert float(distances.min(dim=-1).values.max()) < 1e-6
