"""The S4D adapter: banks of channels, read, written and cut."""

import copy

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut import nn as own
from hankelcut.adapters import (
    EnergyTolerance,
    ErrorTolerance,
    FixedFraction,
    TargetOrder,
    extract,
    find_layers,
    load_reduced,
    reduce_,
    skeleton,
    state_sizes,
    write_back,
)
from hankelcut.validation import (
    ADAPTER_CHECKS,
    check_adapter,
    check_in_training_reduction,
)
from tests.adapters.stand_ins.s4d import S4D, S4DKernel


class Model(nn.Module):
    """Two layers between linear ones, trained through everything they do."""

    def __init__(self, channels: int = 4, d_state: int = 24) -> None:
        super().__init__()
        self.encoder = nn.Linear(2, channels)
        self.layers = nn.ModuleList(S4D(channels, d_state) for _ in range(2))
        self.head = nn.Linear(channels, 5)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(inputs).mT
        for layer in self.layers:
            hidden = hidden + layer(hidden)[0]
        return self.head(hidden.mean(dim=-1))


def run(layer, inputs):
    return layer.convolve(inputs.mT).mT


# In single precision the layer itself computes e^x - 1 as a difference, which leaves
# no digits for poles as slow as the extreme ones.
CHECKS = [
    (check, dtype)
    for check in ADAPTER_CHECKS
    for dtype in (torch.float32, torch.float64)
    if (check, dtype) != ("extreme_poles", torch.float32)
]


@pytest.mark.parametrize(("check", "dtype"), CHECKS)
def test_contract(check, dtype):
    check_adapter(lambda: S4D(3, 14).to(dtype), run=run, checks=[check], examples=1)


@pytest.mark.slow
@pytest.mark.parametrize(("check", "dtype"), CHECKS)
@pytest.mark.parametrize("sizes", [(1, 4), (5, 32), (2, 64)])
def test_contract_for_many_sizes(check, dtype, sizes):
    check_adapter(lambda: S4D(*sizes).to(dtype), run=run, checks=[check], examples=5)


def test_training_goes_on_after_cuts():
    def loss(model):
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(8, 32, 2, generator=generator)
        targets = torch.randint(0, 5, (8,), generator=generator)
        return nn.functional.cross_entropy(model(inputs), targets)

    check_in_training_reduction(Model, policy=EnergyTolerance(0.02), loss=loss)


def test_slow_poles_are_stored_in_single_precision():
    layer = S4D(2, 12)
    system = extract(layer)
    exponents = torch.complex(
        torch.tensor([[-1e-6, -1e-3], [-2e-7, -1.0]]).double(),
        torch.tensor([[0.0, 3.1], [-1e-4, 0.5]]).double(),
    )
    slow = hc.DiagonalStateSpace(
        exponents,
        system.B[:, :2],
        system.C[..., :2],
        system.D,
        system.time,
        system.readout,
    )
    write_back(layer, slow)
    stored = extract(layer)
    torch.testing.assert_close(
        stored.exponents.real, exponents.real, rtol=1e-6, atol=0.0
    )
    torch.testing.assert_close(stored.C, slow.C, rtol=1e-6, atol=1e-7)


def test_all_channels_have_one_number_of_states_and_keep_their_steps():
    layer = S4D(6, 40)
    steps = layer.kernel.log_dt
    event = reduce_(layer, EnergyTolerance(0.05))
    (cut,) = event.layers
    assert cut.is_cut
    assert layer.kernel.C.shape == (6, cut.states_after, 2)
    assert layer.kernel.log_A_real.shape == (6, cut.states_after)
    assert layer.kernel.log_dt is steps
    assert len(cut.hankel_singular_values) == 40
    outputs, _ = layer(torch.randn(2, 6, 30))
    assert outputs.shape == (2, 6, 30)


@pytest.mark.parametrize(
    "policy", [ErrorTolerance(1.5), FixedFraction(0.5), TargetOrder(7)]
)
def test_bounds_hold_for_every_channel(policy):
    layer = S4D(5, 32)
    before = extract(layer)
    (cut,) = reduce_(layer, policy).layers
    assert cut.is_cut
    error = hc.hinf_norm(hc.error_system(before, extract(layer)), rtol=0.01)
    assert float(error.lower.max()) <= cut.error_bound
    assert cut.measured_error <= float(error.upper.max())
    if isinstance(policy, ErrorTolerance):
        assert cut.error_bound <= policy.error


def test_kernels_are_found_once_and_alone():
    model = Model()
    assert list(find_layers(model)) == ["layers.0", "layers.1"]
    kernel = S4DKernel(3, 8)
    assert list(find_layers(nn.ModuleDict({"kernel": kernel}))) == ["kernel"]
    assert not bool(extract(kernel).D.any())


def test_buffers_take_the_place_of_parameters_that_do_not_learn():
    layer = S4D(3, 16, lr=0.0)
    optimizer = torch.optim.AdamW(layer.parameters())
    before = copy.deepcopy(layer)
    reduce_(layer, TargetOrder(8), optimizer=optimizer)  # as many as there are
    (cut,) = reduce_(layer, TargetOrder(4), optimizer=optimizer).layers
    assert cut.states_after == 4
    assert dict(layer.kernel.named_buffers())["A_imag"].shape == (3, 4)
    error = hc.hinf_norm(hc.error_system(extract(before), extract(layer)), rtol=0.01)
    assert float(error.lower.max()) <= cut.error_bound


def test_learning_rates_of_parameters_are_carried():
    layer = S4D(3, 16, lr=1e-3)
    reduce_(layer, TargetOrder(4))
    assert layer.kernel.A_imag._optim == {"weight_decay": 0.0, "lr": 1e-3}


def test_a_reduced_model_is_loaded_into_a_new_one():
    model = Model()
    reduce_(model, TargetOrder(5))
    fresh = Model()
    load_reduced(fresh, model.state_dict())
    assert state_sizes(fresh) == {"layers.0": 5, "layers.1": 5}
    inputs = torch.randn(3, 20, 2)
    torch.testing.assert_close(fresh(inputs), model(inputs))


def test_shapes_that_do_not_fit_are_named():
    layer = S4D(3, 8)
    layer.kernel.C = nn.Parameter(torch.zeros(3, 5, 2))
    with pytest.raises(hc.UnsupportedLayerError, match=r"log_A_real of shape \(3, 4\)"):
        extract(layer)


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contract_of_the_layer_of_the_package_itself(check, dtype):
    check_adapter(lambda: own.S4D(3, 7).to(dtype), checks=[check], examples=1)


@pytest.mark.parametrize("initialisation", ["lin", "inv"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_writing_back_what_was_extracted_is_the_identity(initialisation, dtype):
    layer = own.S4D(3, 12, initialisation).to(dtype)
    inputs = torch.randn(2, 60, 3, dtype=dtype)
    with torch.no_grad():
        before = layer(inputs)
        write_back(layer, extract(layer))
        after = layer(inputs)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert torch.linalg.norm(after - before) <= tolerance * torch.linalg.norm(before)


def test_the_cut_layer_of_the_package_steps_as_it_convolves():
    layer = own.S4D(3, 16).double()
    (cut,) = reduce_(layer, TargetOrder(6)).layers
    assert cut.is_cut
    inputs = torch.randn(2, 25, 3, dtype=torch.float64)
    state, outputs = layer.initial_state(2), []
    for sample in inputs.unbind(1):
        output, state = layer.step(sample, state)
        outputs.append(output)
    assert state.shape == (2, 3, 6)
    torch.testing.assert_close(torch.stack(outputs, dim=1), layer(inputs))


def test_weights_alone_are_read_and_loaded():
    layer = own.S4D(3, 16)
    reduce_(layer, TargetOrder(6))
    weights = skeleton(layer.state_dict())
    torch.testing.assert_close(extract(weights).C, extract(layer).C)
    fresh = own.S4D(3, 16)
    load_reduced(fresh, layer.state_dict())
    assert state_sizes(fresh) == {"": 6}
    inputs = torch.randn(2, 9, 3)
    torch.testing.assert_close(fresh(inputs), layer(inputs))
