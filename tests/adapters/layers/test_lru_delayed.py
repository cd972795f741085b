"""Linear recurrent units with one step of delay: those of neural-ssm."""

import math

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    EnergyTolerance,
    TargetOrder,
    extract,
    load_reduced,
    reduce_,
    state_sizes,
    write_back,
)
from hankelcut.validation import ADAPTER_CHECKS, check_adapter
from tests.adapters.packages import package


def cell(
    n_states: int = 10, *, dtype: torch.dtype = torch.float32, learn_x0: bool = False
) -> nn.Module:
    """A layer of 2 inputs and 3 outputs; a learned initial state is not zero."""
    unit = package("neural_ssm").LRU
    layer = unit(2, 3, n_states, rmin=0.3, rmax=0.9, learn_x0=learn_x0)
    if learn_x0:
        nn.init.normal_(layer.x0_param)
    for name, value in list(layer.named_parameters()):
        kind = dtype.to_complex() if value.is_complex() else dtype
        setattr(layer, name, nn.Parameter(value.detach().to(kind)))
    layer.set_param()
    return layer


def run(layer, inputs):
    """Outputs from the zero state, whatever the initial state."""
    outputs = layer(inputs, mode="scan")[0]
    if layer.x0_param is None:
        return outputs
    return outputs - layer(torch.zeros_like(inputs), mode="scan")[0]


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize(
    ("dtype", "learn_x0"),
    [(torch.float32, False), (torch.float32, True), (torch.float64, True)],
)
def test_contract(check, dtype, learn_x0):
    check_adapter(
        lambda: cell(dtype=dtype, learn_x0=learn_x0),
        run=run,
        reads="before update",
        checks=[check],
        examples=1,
    )


@pytest.mark.parametrize("mode", ["loop", "scan", "conv"])
def test_every_way_to_run_the_cut_layer_is_the_same(mode):
    layer = cell()
    reduce_(layer, TargetOrder(4))
    inputs = torch.randn(2, 30, 2)
    outputs, states = layer(inputs, mode=mode)
    assert states.shape == (2, 31, 4)
    torch.testing.assert_close(outputs, layer(inputs, mode="loop")[0])


def test_running_states_and_caches_of_the_old_size_are_gone():
    layer = cell()
    inputs = torch.randn(2, 6, 2)
    layer(inputs)
    assert layer.state.shape == (2, 10)
    reduce_(layer, TargetOrder(4))
    assert layer.state is None
    assert layer.state_features == 4
    for name, shape in (("lambdas", (4,)), ("B", (4, 2))):
        assert getattr(layer, name).shape == shape
        assert bool(torch.isnan(getattr(layer, name)).all())
    expected = layer(inputs)[0]
    torch.testing.assert_close(layer.lambdas, extract(layer).poles.to(torch.complex64))
    layer.reset()
    first = layer(inputs[:, :2], reset_state=False)[0]
    second = layer(inputs[:, 2:], reset_state=False)[0]
    torch.testing.assert_close(torch.cat([first, second], dim=1), expected)


def test_the_response_to_the_initial_state_is_within_the_bound():
    layer = cell(24, dtype=torch.float64, learn_x0=True)
    inputs = torch.randn(3, 300, 2, dtype=torch.float64)
    nothing = torch.zeros_like(inputs)
    with torch.no_grad():
        before, free = layer(inputs)[0], layer(nothing)[0]
        (cut,) = reduce_(layer, EnergyTolerance(0.1)).layers
        after, free_after = layer(inputs)[0], layer(nothing)[0]
    assert cut.is_cut
    assert layer.x0_param.shape == (1, cut.states_after)
    assert float(torch.linalg.norm(free[0])) > 1
    error = torch.linalg.norm((free_after - free)[0])
    assert float(error) <= cut.error_bound
    for difference, driven in zip(after - before, inputs, strict=True):
        size = math.hypot(float(torch.linalg.norm(driven)), 1.0)
        assert float(torch.linalg.norm(difference)) <= cut.error_bound * size


def test_an_initial_state_that_no_input_reaches_is_kept():
    """Where B alone would be balanced, the free response would be lost."""
    layer = cell(6, dtype=torch.float64, learn_x0=True)
    with torch.no_grad():
        layer.Bp[4:] = 0
        layer.x0_param[:, :4] = 0
        layer.C[:, 0] = 0
        nothing = torch.zeros(1, 40, 2, dtype=torch.float64)
        free = layer(nothing)[0]
        assert float(torch.linalg.norm(free)) > 0.1
        reduce_(layer, TargetOrder(5))
        torch.testing.assert_close(layer(nothing)[0], free)


def test_moments_of_the_initial_state_follow_the_states():
    """With moments that are the gradient, they are the gradient after the cut."""
    layer = cell(8, dtype=torch.float64, learn_x0=True)
    with torch.no_grad():
        layer.C[:, 5:] = 0
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.0, betas=(0.0, 0.99))
    inputs = torch.randn(2, 20, 2, dtype=torch.float64)

    def differentiate():
        optimizer.zero_grad()
        layer(inputs)[0].square().cos().sum().backward()

    differentiate()
    optimizer.step()
    reduce_(layer, TargetOrder(5), optimizer=optimizer)
    differentiate()
    moment = optimizer.state[layer.x0_param]["exp_avg"]
    assert moment.shape == (1, 5)
    torch.testing.assert_close(moment, layer.x0_param.grad)


def test_the_system_with_an_initial_state_has_one_more_input():
    layer = cell(learn_x0=True)
    system = extract(layer)
    assert system.n_inputs == 2
    with pytest.raises(hc.UnsupportedLayerError, match=r"2 inputs.*need 3 inputs"):
        write_back(layer, system)


@pytest.mark.parametrize("learn_x0", [False, True])
def test_a_reduced_layer_is_loaded_into_a_new_one(learn_x0):
    layer = cell(learn_x0=learn_x0)
    reduce_(layer, TargetOrder(4))
    fresh = cell(learn_x0=learn_x0)
    load_reduced(fresh, layer.state_dict())
    assert state_sizes(fresh) == {"": 4}
    inputs = torch.randn(2, 9, 2)
    torch.testing.assert_close(fresh(inputs)[0], layer(inputs)[0])


def test_deep_models_are_cut_block_by_block():
    ssm = package("neural_ssm")
    model = ssm.DeepSSM(2, 3, d_model=4, d_state=12, n_layers=2, param="lru")
    inputs = torch.randn(2, 30, 2)
    with torch.no_grad():
        model(inputs)
        reduce_(model, TargetOrder(10))
        by_scan, by_loop = (model(inputs, mode=mode)[0] for mode in ("scan", "loop"))
    assert state_sizes(model) == {"blocks.0.lru": 10, "blocks.1.lru": 10}
    torch.testing.assert_close(by_scan, by_loop)
