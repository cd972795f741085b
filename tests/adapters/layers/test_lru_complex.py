"""Linear recurrent units with complex parameters: LRU-pytorch and lru-reduction."""

import pytest
import torch

import hankelcut as hc
from hankelcut.adapters import TargetOrder, extract, load_reduced, reduce_, state_sizes
from hankelcut.validation import ADAPTER_CHECKS, check_adapter
from tests.adapters.packages import package
from tests.adapters.stand_ins import lru_reduction


def lucky(n_states: int = 10, *, in_features: int = 2, out_features: int = 3):
    """The layer of LRU-pytorch; single precision is all that it knows."""
    unit = package("LRU_pytorch").LRU
    return unit(in_features, out_features, n_states, rmin=0.3, rmax=0.9)


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
def test_contract_of_the_package(check):
    check_adapter(lucky, checks=[check], examples=1)


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contract_of_the_stand_in(check, dtype):
    check_adapter(
        lambda: lru_reduction.LRU(2, 3, 12, rmin=0.3, rmax=0.95, dtype=dtype),
        checks=[check],
        examples=1,
    )


def test_the_recurrent_state_starts_anew_at_the_new_size():
    layer = lucky()
    layer.state = torch.ones(10, dtype=torch.complex64)
    reduce_(layer, TargetOrder(4))
    assert layer.state.shape == (4,)
    assert not layer.state.any()
    inputs = torch.randn(9, 2)
    outputs = layer(inputs)
    system = extract(layer)
    state, steps = torch.zeros(4, dtype=torch.complex128), []
    for sample in inputs.double():
        state = system.poles * state + system.B @ sample.to(state)
        steps.append((system.C @ state).real + system.D @ sample)
    torch.testing.assert_close(outputs, torch.stack(steps).float())


def test_sizes_that_the_layer_keeps_are_updated():
    layer = lru_reduction.LRU(2, 3, 12, rmin=0.3, rmax=0.9)
    inputs = torch.randn(2, 20, 2)
    reduce_(layer, TargetOrder(5))
    assert (layer.state_features, layer.in_features, layer.out_features) == (5, 2, 3)
    torch.testing.assert_close(layer(inputs, mode="loop"), layer(inputs))


def test_a_reduced_layer_is_loaded_into_a_new_one():
    layer = lucky()
    reduce_(layer, TargetOrder(4))
    fresh = lucky()
    load_reduced(fresh, layer.state_dict())
    assert state_sizes(fresh) == {"": 4}
    inputs = torch.randn(2, 9, 2)
    torch.testing.assert_close(fresh(inputs), layer(inputs))


def test_real_matrices_in_place_of_complex_ones_are_refused():
    layer = lucky()
    layer.B = torch.nn.Parameter(layer.B.detach().real.clone())
    with pytest.raises(hc.UnsupportedLayerError, match=r"got B .*need a complex"):
        extract(layer)
