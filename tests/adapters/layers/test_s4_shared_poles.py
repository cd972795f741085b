"""Channels of S4 layers that share their poles: bounds that are proven or bracketed."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    ErrorTolerance,
    GlobalBudget,
    TargetOrder,
    extract,
    reduce_,
)
from hankelcut.adapters.layers._s4_rules import BilinearRule
from hankelcut.lti import error_system, hinf_norm
from tests.adapters.stand_ins.s4_layers import (
    layer_factory,
    layer_response,
)

make = partial(layer_factory, "s4d")


def test_the_bilinear_rule_of_s4_does_not_keep_the_continuous_norm():
    r"""The layer is z (F(s) - F(2/step)) with F = C (1 - step A/2) (s - A)^-1 B."""
    layer = make(2, 6, disc="bilinear")().double()
    thetas = torch.tensor([0.01, 1.0, 3.1], dtype=torch.float64)
    found = layer_response(layer, thetas)
    dt, A, B, C = layer.kernel.stepped()
    z = torch.exp(1j * thetas)
    s = 2 / dt * (z - 1) / (z + 1)

    def response(points, weights):
        poles = A[:, None, :]
        terms = weights[:, None, :] * B[0, :, None, :]
        both = terms / (points[..., None] - poles)
        both = both + terms.conj() / (points[..., None] - poles.conj())
        return both.sum(dim=-1).detach()

    weighted = response(s, C[0] * BilinearRule().shared_weight(A, dt))
    at_infinity = response((2 / dt + 0j), C[0] * BilinearRule().shared_weight(A, dt))
    expected = z * (weighted - at_infinity)
    torch.testing.assert_close(found[:, 0], expected, rtol=1e-9, atol=1e-9)
    plain = response(s, C[0])
    ratio = found[:, 0].abs() / plain.abs()
    torch.testing.assert_close(
        ratio, (2 / (1 + z)).abs().expand_as(ratio), rtol=1e-6, atol=0.0
    )


@pytest.mark.parametrize("disc", ["zoh", "bilinear"])
@pytest.mark.parametrize("channels", [1, 2])
def test_bounds_hold_for_channels_that_share_their_poles(disc, channels):
    layer = make(6, 24, n_ssm=2, disc=disc, channels=channels)()
    before = extract(layer)
    (cut,) = reduce_(layer, TargetOrder(7)).layers
    assert cut.is_cut
    assert layer.kernel.A_real.shape == (2, 7)
    error = hinf_norm(error_system(before, extract(layer)), rtol=0.01)
    assert float(error.lower.max()) <= cut.error_bound
    assert cut.measured_error <= float(error.upper.max())
    if disc == "zoh":
        # Bracketed to a few percent, not bounded beforehand.
        assert cut.error_bound <= 1.06 * float(error.upper.max())


@pytest.mark.parametrize("disc", ["zoh", "bilinear"])
@pytest.mark.parametrize("share", [0.5, 0.05])
def test_tolerances_are_respected_by_channels_that_share_their_poles(disc, share):
    layer = make(6, 24, n_ssm=3, disc=disc)()
    before = extract(layer)
    tolerance = share * float(hinf_norm(before, rtol=0.01).upper.max())
    (cut,) = reduce_(layer, ErrorTolerance(tolerance)).layers
    error = float(
        hinf_norm(error_system(before, extract(layer)), rtol=0.01).upper.max()
    )
    if cut.is_cut:
        assert error <= cut.error_bound <= tolerance
    else:
        assert any("too little to save" in note for note in cut.notes)


def test_the_fewest_states_are_taken_whose_error_is_proven():
    layer = make(6, 24, n_ssm=3)()
    full = copy.deepcopy(layer)
    before = extract(full)
    tolerance = 0.2 * float(hinf_norm(before, rtol=0.01).upper.max())
    (cut,) = reduce_(layer, ErrorTolerance(tolerance)).layers
    assert cut.is_cut
    assert cut.states_after > 1
    reduce_(full, TargetOrder(cut.states_after - 1))
    error = hinf_norm(error_system(before, extract(full)), rtol=0.01)
    assert float(error.upper.max()) * 1.06 > tolerance


def test_no_tolerance_below_the_reach_of_all_states_is_promised():
    layer = make(6, 24, n_ssm=2)()
    (cut,) = reduce_(layer, ErrorTolerance(1e-9)).layers
    assert not cut.is_cut
    (note,) = cut.notes
    assert note.startswith("no cut to at most 11 of 12 states has an error that is pr")


def test_budgets_are_shared_by_energies_where_there_is_no_bound():
    model = nn.ModuleList([make(4, 24, n_ssm=2)(), make(4, 24)()])
    with pytest.raises(hc.PolicyError, match="0 has no error bound; use 'energy' or"):
        reduce_(model, GlobalBudget(16, criterion="error"))
    event = reduce_(model, GlobalBudget(8))
    assert sum(cut.states_after for cut in event.layers) == 8
