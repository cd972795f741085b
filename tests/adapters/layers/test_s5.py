"""The adapter of the S5 layer of the package itself."""

import pytest
import torch

import hankelcut as hc
from hankelcut.adapters import (
    EnergyTolerance,
    TargetOrder,
    extract,
    load_reduced,
    reduce_,
    skeleton,
    state_sizes,
    write_back,
)
from hankelcut.nn import S5
from hankelcut.validation import (
    ADAPTER_CHECKS,
    check_adapter,
    check_in_training_reduction,
)


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contract(check, dtype):
    check_adapter(lambda: S5(3, 10).to(dtype), checks=[check], examples=1)


@pytest.mark.slow
@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [(1, 4), (5, 24), (2, 12)])
def test_contract_for_many_sizes(check, dtype, sizes):
    check_adapter(lambda: S5(*sizes).to(dtype), checks=[check], examples=5)


def test_training_goes_on_after_cuts():
    check_in_training_reduction(lambda: S5(3, 16), policy=EnergyTolerance(0.02))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_writing_back_what_was_extracted_is_the_identity(dtype):
    layer = S5(3, 12).to(dtype)
    inputs = torch.randn(2, 60, 3, dtype=dtype)
    with torch.no_grad():
        before = layer(inputs)
        write_back(layer, extract(layer))
        after = layer(inputs)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert torch.linalg.norm(after - before) <= tolerance * torch.linalg.norm(before)


def test_the_cut_layer_steps_as_it_scans():
    layer = S5(3, 16).double()
    reduce_(layer, TargetOrder(6))
    inputs = torch.randn(2, 25, 3, dtype=torch.float64)
    state, outputs = layer.initial_state(2), []
    for sample in inputs.unbind(1):
        output, state = layer.step(sample, state)
        outputs.append(output)
    assert state.shape == (2, 6)
    torch.testing.assert_close(torch.stack(outputs, dim=1), layer(inputs))


def test_the_layer_is_its_continuous_system_sampled_with_a_hold():
    """One step for all states: discretised by the toolbox, it is the same system."""
    layer = S5(3, 8).double()
    with torch.no_grad():
        layer.log_step.fill_(-1.0)
    poles = torch.complex(-layer.log_decay.exp(), layer.frequency).detach()
    continuous = hc.DiagonalStateSpace(
        poles,
        torch.complex(layer.B_re, layer.B_im).detach(),
        torch.complex(layer.C_re, layer.C_im).detach(),
        torch.diag(layer.D.detach()),
        hc.Continuous(),
        "real",
    )
    step = float(layer.log_step.detach().exp()[0])
    expected = hc.discretize(continuous, step, method="zoh")
    torch.testing.assert_close(extract(layer).poles, expected.poles)
    torch.testing.assert_close(extract(layer).B, expected.B)


def test_weights_alone_are_read_and_loaded():
    layer = S5(3, 16)
    reduce_(layer, TargetOrder(6))
    weights = skeleton(layer.state_dict())
    torch.testing.assert_close(extract(weights).B, extract(layer).B)
    fresh = S5(3, 16)
    load_reduced(fresh, layer.state_dict())
    assert state_sizes(fresh) == {"": 6}
    inputs = torch.randn(2, 9, 3)
    torch.testing.assert_close(fresh(inputs), layer(inputs))


def test_shapes_that_do_not_fit_are_named():
    layer = S5(3, 8)
    layer.frequency = torch.nn.Parameter(torch.zeros(7))
    with pytest.raises(hc.UnsupportedLayerError, match=r"frequency of shape \(7,\)"):
        extract(layer)
