"""Gramians of selective layers against dense computations, and calibration's errors."""

import math

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import calibrate
from hankelcut.nn import LRU
from tests.adapters.stand_ins.fla import Mamba, Mamba2
from tests.helpers import unchecked_types


def seeded(kind, *sizes, dtype=torch.float64):
    torch.manual_seed(3)
    return kind(*sizes).to(dtype)


KINDS = {"Mamba": (Mamba, (3, 5), (6, 5)), "Mamba-2": (Mamba2, (4, 5), (4, 2, 5))}


def weighted(model, batch):
    """A loss whose gradient with respect to the outputs is the second of a pair."""
    inputs, weights = batch
    return (model(inputs) * weights).sum()


def in_groups(values, groups):
    """States (batch, length, ..., n) with the channels of each group in a row."""
    return values.flatten(2, -2).unflatten(2, (groups, -1))


def dense_gramians(layer, inputs, weights, shape, groups):
    """States and gradients of all times at once, by automatic differentiation."""
    states = []
    kicks = torch.zeros(*inputs.shape[:2], *shape, dtype=inputs.dtype)
    kicks.requires_grad_()
    (layer(inputs, kicks=kicks, states=states) * weights).sum().backward()
    h = in_groups(torch.stack(states, dim=1).detach(), groups)
    v = in_groups(kicks.grad, groups)
    count = inputs.shape[0] * inputs.shape[1]
    return [torch.einsum("btgkn,btgkm->gnm", x, x) / count for x in (h, v)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gramians_are_those_of_all_states_and_gradients(kind, dtype):
    build, sizes, shape = KINDS[kind]
    layer = seeded(build, *sizes)
    groups = getattr(layer, "n_groups", 1)
    batches = [torch.randn(2, 2, 7, sizes[0], dtype=torch.float64) for _ in range(3)]
    parts = [dense_gramians(layer, *pair, shape, groups) for pair in batches]
    expected = [sum(part[k] for part in parts) / 3 for k in range(2)]
    data = [tuple(pair.to(dtype)) for pair in batches]
    found = calibrate(layer.to(dtype), data, weighted).gramians[""]
    tol = 1e-12 if dtype == torch.float64 else 1e-5
    for gramian, dense in zip(
        (found.controllability, found.observability), expected, strict=True
    ):
        assert gramian.dtype == torch.float64
        assert float((gramian - dense).abs().max() / dense.abs().max()) < tol
    diagonals = [dense.diagonal(dim1=-2, dim2=-1) for dense in expected]
    torch.testing.assert_close(
        found.scores, (diagonals[0] * diagonals[1]).sqrt(), rtol=1e-4, atol=0.0
    )
    assert found.samples == 3 * 2 * 7


@pytest.mark.parametrize("kind", KINDS)
def test_random_signs_give_the_gramian_of_all_outputs(kind):
    build, sizes, shape = KINDS[kind]
    layer = seeded(build, *sizes)
    groups = getattr(layer, "n_groups", 1)
    inputs = torch.randn(1, 4, sizes[0], dtype=torch.float64)
    exact = 0.0
    for t in range(4):
        for channel in range(sizes[0]):
            weights = torch.zeros_like(inputs)
            weights[0, t, channel] = 1
            exact = exact + dense_gramians(layer, inputs, weights, shape, groups)[1]
    found = calibrate(layer, [inputs] * 60).gramians[""].observability
    assert float((found - exact).norm() / exact.norm()) < 0.25
    again = calibrate(layer, [inputs], seed=1).gramians[""].observability
    assert torch.equal(
        again, calibrate(layer, [inputs], seed=1).gramians[""].observability
    )


@pytest.mark.parametrize("kind", KINDS)
def test_mean_field_gramians_are_those_of_the_mean_layer(kind):
    build, sizes, _ = KINDS[kind]
    layer = seeded(build, *sizes)
    groups, n = getattr(layer, "n_groups", 1), sizes[1]
    inputs = torch.randn(2, 5, sizes[0], dtype=torch.float64)
    found = calibrate(layer, [inputs], gramians="mean_field").gramians[""]
    signals = hc.adapters.find_adapter(layer).signals(layer, inputs, None)
    for group in range(groups):
        B, C = (
            signals.B[:, :, group].flatten(0, 1),
            signals.C[:, :, group].flatten(0, 1),
        )
        BB, CC = B.T @ B / 10, C.T @ C / 10
        P, Q = torch.zeros(n, n).double(), torch.zeros(n, n).double()
        for k in range(signals.inputs.shape[-1]):
            dt = signals.steps[:, :, group, k].flatten()
            decays = torch.exp(dt[:, None] * signals.rates[group, k])
            lost = 1 - decays.square().mean(dim=0)
            P += dt.square().mean() * BB / lost
            Q += CC / lost
        if kind == "Mamba":  # states of a channel differ, so that only diagonals count
            P, Q = P.diagonal().diag(), Q.diagonal().diag()
        torch.testing.assert_close(found.controllability[group].detach(), P.detach())
        torch.testing.assert_close(found.observability[group].detach(), Q.detach())


def test_the_model_stays_as_it_is():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), seeded(Mamba, 3, 4).float())
    model[1].eval()
    model.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batch = (torch.randn(2, 6, 3), torch.randn(2, 6, 3))
    found = calibrate(model, [batch], weighted)
    assert list(found.gramians) == ["2"]
    assert [module.training for module in model] == [True, False, True]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not model[2]._forward_hooks
    assert all(p.grad is None for p in model.parameters())


def test_batches_may_be_tensors_positional_or_keyword_arguments():
    layer = seeded(Mamba, 3, 4)
    inputs = torch.randn(2, 6, 3, dtype=torch.float64)
    mask = torch.tensor([[0.0] * 2 + [1.0] * 4, [1.0] * 6]).double()
    scores = [
        calibrate(layer, [batch]).gramians[""].scores
        for batch in (inputs, (inputs,), {"hidden_states": inputs})
    ]
    assert torch.equal(scores[0], scores[1])
    assert torch.equal(scores[0], scores[2])
    inputs = inputs * mask[..., None]
    masked = {"hidden_states": inputs, "attention_mask": mask}
    assert not torch.equal(calibrate(layer, [masked]).gramians[""].scores, scores[0])


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("loss", [None, weighted])
def test_what_a_model_does_in_place_does_not_matter(loss, frozen):
    class Residual(nn.Module):
        def __init__(self, in_place):
            super().__init__()
            self.layer, self.in_place = seeded(Mamba, 3, 4), in_place

        def forward(self, inputs):
            x = 1 * inputs
            y = self.layer(x)
            if not self.in_place:
                return (y + x) * 3
            y += x
            y *= 3
            x.zero_()
            return y

    inputs = torch.randn(2, 6, 3).double()
    batch = (inputs, torch.randn(2, 6, 3).double()) if loss else inputs
    scores = [
        calibrate(Residual(in_place).requires_grad_(not frozen), [batch], loss)
        .gramians["layer"]
        .scores
        for in_place in (False, True)
    ]
    torch.testing.assert_close(scores[1], scores[0], rtol=1e-12, atol=0)


def test_layers_that_compute_something_else_are_refused():
    class Other(Mamba):
        def forward(self, hidden_states):
            return 1.01 * super().forward(hidden_states)

    layer = seeded(Other, 3, 4)
    with pytest.raises(
        hc.UnsupportedLayerError, match=r"differ by .* write an adapter"
    ):
        calibrate(layer, [torch.randn(2, 6, 3).double()])


def test_models_without_selective_layers_are_refused():
    with pytest.raises(hc.UnsupportedLayerError, match="linear layers need no data"):
        calibrate(LRU(3, 4), [torch.randn(1, 5, 3)])


def test_layers_that_no_batch_reaches_are_named():
    model = nn.ModuleDict({"a": Mamba(3, 4), "b": Mamba(3, 4)})
    with pytest.raises(hc.CalibrationError, match="no batch ran b"):
        calibrate(model, [torch.randn(1, 5, 3)], lambda m, batch: m["a"](batch).sum())
    with pytest.raises(hc.CalibrationError, match="no batch ran a"):
        calibrate(model, [])


def test_what_is_not_finite_is_refused():
    layer = Mamba(3, 4)
    inputs = torch.randn(1, 5, 3)
    with pytest.raises(hc.CalibrationError, match="data, the loss or its gradients"):
        calibrate(layer, [inputs], lambda m, x: m(x).sum() * math.nan)
    with torch.no_grad():
        layer.A_log[0, 0] = math.nan
    with pytest.raises(hc.InvalidSystemError, match="A_log holds 1 NaN"):
        calibrate(layer, [inputs])


def test_nan_in_the_data_is_refused():
    inputs = torch.randn(1, 5, 3)
    inputs[0, 2, 1] = math.nan
    with pytest.raises(hc.CalibrationError, match="not finite"):
        calibrate(Mamba(3, 4), [inputs])


def test_one_batch_is_not_several():
    layer = torch.nn.Linear(2, 2)
    for batch in (torch.zeros(3, 2), {"inputs": torch.zeros(3, 2)}):
        with unchecked_types(), pytest.raises(TypeError, match=r"pass \[batch\]"):
            calibrate(layer, batch)
