"""The adapter for S4 layers: balanced in [Re x; Im x], stored diagonal with P = 0."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    ErrorTolerance,
    FixedFraction,
    TargetOrder,
    extract,
    find_adapter,
    load_reduced,
    reduce_,
    state_sizes,
)
from hankelcut.lti import error_system, hinf_norm
from hankelcut.validation import ADAPTER_CHECKS, check_adapter
from tests.adapters.stand_ins.s4_layers import (
    LrnnxS4,
    both_directions,
    layer_factory,
    linear_part,
)

make = partial(layer_factory, "dplr")


LAYERS = {
    "own poles": (make(channels=2), linear_part),
    "shared": (make(6, n_ssm=2, channels=2, rank=2), linear_part),
    "lrnnx": (lambda: LrnnxS4(3, "dplr", d_state=14), linear_part),
    "both ways": (make(bidirectional=True), both_directions),
    "steps of modes": (make(3, 10, dt_tie=False, dt_fast=True), linear_part),
    "known length": (make(4, n_ssm=2, l_max=300), linear_part),
}
# The reduced systems of HiPPO's have real poles, each of which takes a stored state: a
# cut that should discard nothing needs complex ones.
WEAK = {
    "own poles": (make(channels=2, coupling=0.2), linear_part),
    "shared": (make(6, n_ssm=2, channels=2, rank=2, coupling=0.2), linear_part),
    "lrnnx": (lambda: LrnnxS4(3, "dplr", d_state=14, coupling=0.2), linear_part),
    "both ways": (make(bidirectional=True, coupling=0.2), both_directions),
    "steps of modes": (make(dt_tie=False, coupling=0.2), linear_part),
    "known length": (make(4, n_ssm=2, l_max=300, coupling=0.2), linear_part),
}
FAST = [("own poles", torch.float32), ("shared", torch.float64)]
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
    for dtype in (torch.float32, torch.float64)
    # C (I - A^L) leaves few digits of C for the slowest poles.
    if check != "extreme_poles" or (dtype == torch.float64 and name != "known length")
]


@pytest.mark.parametrize(("name", "check", "dtype"), CASES)
def test_contract(name, check, dtype):
    factory, run = (WEAK if check == "moment_transport" else LAYERS)[name]
    check_adapter(lambda: factory().to(dtype), run=run, checks=[check], examples=1)


@pytest.mark.parametrize("n_ssm", [2, 4])
def test_the_system_does_not_depend_on_the_length_that_it_is_attuned_to(n_ssm):
    layer = make(4, 12, n_ssm=n_ssm, channels=2)().double()
    before = extract(layer)
    assert isinstance(before, hc.StateSpace)
    for length in (17, 40):
        layer.kernel(length)
        assert int(layer.kernel.l_kernel) >= length
        for name in ("A", "B", "C"):
            found, expected = getattr(extract(layer), name), getattr(before, name)
            torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("n_ssm", [1, 4])
def test_a_cut_layer_is_diagonal_and_stays_so(n_ssm):
    layer = make(4, 24, n_ssm=n_ssm)()
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-2)

    def train():
        for _ in range(3):
            outputs = layer(torch.randn(2, 40, 4))
            outputs.square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    train()
    before = extract(layer)
    (cut,) = reduce_(layer, TargetOrder(8), optimizer=optimizer).layers
    assert cut.states_after == 8
    assert layer.kernel.P.shape == (1, n_ssm, 8, 2)
    assert int(layer.kernel.l_kernel) == 40
    after = extract(layer)
    assert isinstance(after, hc.DiagonalStateSpace)
    for k in range(4):
        error = error_system(before[k], hc.to_dense(after[k]))
        assert float(hinf_norm(error, rtol=0.01).lower) <= cut.error_bound
    train()
    assert not bool(layer.kernel.P.any())
    assert isinstance(extract(layer), hc.DiagonalStateSpace)
    diagonal = extract(layer)
    (again,) = reduce_(layer, TargetOrder(5), optimizer=optimizer).layers
    assert again.states_after == 5
    error = hinf_norm(error_system(diagonal, extract(layer)), rtol=0.01)
    assert float(error.lower.max()) <= again.error_bound


def test_hippo_is_balanced_first_and_then_diagonalised():
    layer = make(2, 64)().double()
    full = copy.deepcopy(layer)
    reading = find_adapter(layer).read(layer)
    vectors = torch.linalg.eig(reading.system.A).eigenvectors
    assert float(torch.linalg.cond(vectors).min()) > 1e6
    (cut,) = reduce_(layer, TargetOrder(16)).layers
    assert cut.is_cut
    sizes = torch.tensor(cut.hankel_singular_values)
    # The bound is that of the values, with next to nothing for storage.
    assert cut.error_bound <= 2 * float(sizes[16:].sum()) * 1.05 + 1e-6
    inputs = torch.randn(2, 300, 2, dtype=torch.float64)
    change = (full.convolve(inputs) - layer.convolve(inputs)).detach()
    gain = change.norm(dim=-1)[:, 0] / inputs.norm(dim=1)
    assert float(gain.max()) <= cut.error_bound


@pytest.mark.parametrize("n_ssm", [2, 4])
def test_steps_agree_with_the_parallel_forward_after_a_cut(n_ssm):
    layer = make(4, 20, n_ssm=n_ssm, channels=2)().double()
    layer(torch.randn(1, 30, 4, dtype=torch.float64))
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
def test_tolerances_are_respected(n_ssm):
    layer = make(4, 24, n_ssm=n_ssm)()
    policy = ErrorTolerance(1.0)
    (cut,) = reduce_(layer, policy).layers
    assert cut.is_cut
    assert cut.measured_error <= cut.error_bound <= policy.error


def test_a_reduced_model_is_loaded_into_a_new_one():
    def factory():
        return nn.ModuleDict({"layer": LrnnxS4(3, "dplr", d_state=16)})

    model = factory()
    inputs = torch.randn(2, 20, 3)
    model["layer"].convolve(inputs)
    reduce_(model, FixedFraction(0.5))
    fresh = factory()
    load_reduced(fresh, model.state_dict())
    assert state_sizes(fresh) == {"layer": 4}
    torch.testing.assert_close(
        fresh["layer"].convolve(inputs), model["layer"].convolve(inputs)
    )


def test_kernels_with_a_band_limit_are_refused():
    layer = make(bandlimit=0.5)()
    with pytest.raises(hc.UnsupportedLayerError, match=r"bandlimit=0\.5, which masks"):
        extract(layer)
    with pytest.raises(hc.UnsupportedLayerError, match="need bandlimit=None"):
        reduce_(layer, TargetOrder(4))
