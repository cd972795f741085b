"""Cuts that keep other states: as many as the policy says, with a measured error."""

import dataclasses

import pytest
import torch

import hankelcut as hc
from hankelcut.adapters import (
    CutSettings,
    EnergyTolerance,
    ErrorTolerance,
    GlobalBudget,
    InTrainingReducer,
    TargetOrder,
    extract,
    reduce_,
    state_sizes,
)
from hankelcut.adapters.cuts.modal_spectrum import modal_spectrum
from hankelcut.reduction import modal_scores
from tests.helpers import unchecked_types

CHOICES = ["smallest", "random", "hinf", "energy"]


@pytest.mark.parametrize("selection", CHOICES)
def test_the_policy_decides_their_number_and_the_error_is_certified(
    make_layer, selection
):
    layer, balanced = make_layer(), make_layer()
    balanced.load_state_dict(layer.state_dict())
    policy = EnergyTolerance(0.2)
    best = reduce_(balanced, policy).layers[0]
    before = extract(layer)
    cut = reduce_(layer, policy, selection=selection).layers[0]
    assert cut.states_after <= best.states_after
    if selection in ("hinf", "energy"):
        assert cut.states_after == best.states_after
    error = hc.hinf_norm(hc.error_system(before, extract(layer)), rtol=1e-3)
    assert cut.measured_error <= float(error.upper)
    assert float(error.lower) <= cut.error_bound <= 1.1 * float(error.upper)
    assert cut.error_bound > best.measured_error


@pytest.mark.parametrize("selection", ["hinf", "energy"])
def test_states_and_their_moments_stay_as_they_are(model, batch, train, selection):
    """Where rows of B have the scale that a cut gives them."""
    layer = model.blocks[0].layer
    with torch.no_grad():
        layer.B_im.zero_()
        layer.B_re.abs_()
        layer.B_re /= torch.linalg.vector_norm(layer.B_re, dim=1, keepdim=True)
    # Without a rate, moments gather and parameters stay.
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    for _ in range(3):
        train(model, optimizer, batch)
    scores = modal_scores(extract(layer), selection)
    kept = scores.argsort(descending=True)[:5]

    def state(name: str, axis: int) -> list[torch.Tensor]:
        own = optimizer.state[layer.get_parameter(name)]
        values = [layer.get_parameter(name).detach(), own["exp_avg"], own["exp_avg_sq"]]
        return [value.movedim(axis, 0).clone() for value in values]

    axes = {"B_re": 0, "B_im": 0, "C_re": 1, "C_im": 1}
    before = {name: state(name, axis) for name, axis in axes.items()}
    reduce_(model, TargetOrder(5), optimizer=optimizer, selection=selection)
    for name, axis in axes.items():
        for new, old in zip(state(name, axis), before[name], strict=True):
            # Which state comes first is the adapter's affair.
            order = _matching(layer, before, kept)
            torch.testing.assert_close(new, old[order], rtol=1e-4, atol=1e-9)


def _matching(layer, before, kept):
    """Which of the old states each new one is, by its row of B."""
    distances = torch.cdist(layer.B_re.detach(), before["B_re"][0][kept])
    return kept[distances.argmin(dim=1)]


def test_pruning_by_one_threshold_shares_a_budget_by_scores(model):
    """LAST: normalised scores, one threshold over the layers."""
    with torch.no_grad():
        model.blocks[1].layer.C_re *= 0.2
        model.blocks[1].layer.C_im *= 0.2
    wanted = {}
    for name in ("blocks.0.layer", "blocks.1.layer"):
        scores = modal_scores(extract(model.get_submodule(name)), "hinf")
        falling = scores.sort(descending=True).values
        wanted[name] = falling / falling.cumsum(0)
    threshold = torch.cat(list(wanted.values())).sort(descending=True).values[9]
    expected = {name: int((w >= threshold).sum()) for name, w in wanted.items()}
    reduce_(model, GlobalBudget(10, "normalised_score"), selection="hinf")
    assert state_sizes(model) == expected


def test_tolerances_are_checked_against_the_measured_error(make_layer):
    layer = make_layer()
    policy = ErrorTolerance(0.5)
    best = make_layer()
    best.load_state_dict(layer.state_dict())
    assert reduce_(best, policy).is_cut
    cut = reduce_(layer, policy, selection="smallest").layers[0]
    assert not cut.is_cut
    assert "above the tolerance 0.5" in cut.notes[-1]


def test_random_states_of_a_run_repeat_and_differ_by_seed(model):
    optimizer = torch.optim.Adam(model.parameters())
    reducer = InTrainingReducer(
        model, optimizer, TargetOrder(6), every=1, selection="random", seed=3
    )
    state = {name: value.clone() for name, value in model.state_dict().items()}
    event = reducer.step()
    assert event is not None
    assert event.is_cut
    other = InTrainingReducer(
        model, optimizer, TargetOrder(6), every=1, selection="random", seed=4
    )
    assert reducer.state_dict()["schedule"] != other.state_dict()["schedule"]
    assert state.keys() == model.state_dict().keys()


def test_an_unknown_choice_is_refused():
    with (
        unchecked_types(),
        pytest.raises(ValueError, match="selection='best', need one of largest, sma"),
    ):
        CutSettings(selection="best")


def test_what_single_states_cost_is_bounded_by_their_norms(make_layer):
    """The triangle inequality, for every number of states."""
    layer = make_layer(d_state=6)
    system = extract(layer)
    spectrum = modal_spectrum(system, "energy", 2.0)
    order = modal_scores(system, "energy").argsort(descending=True)
    for count in range(1, 6):
        kept = order[:count]
        fewer = dataclasses.replace(
            system,
            exponents=system.exponents[kept],
            B=system.B[kept],
            C=system.C[:, kept],
        )
        error = hc.hinf_norm(hc.error_system(system, fewer), rtol=1e-3)
        assert float(error.lower) <= spectrum.error_bounds[count]
    assert spectrum.error_bounds[6] == spectrum.energy_shares[6] == 0
    assert spectrum.energy_shares[0] == 1
