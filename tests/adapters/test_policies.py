"""Policies over all layers of a model."""

import math

import pytest

import hankelcut as hc
from hankelcut.adapters import GlobalBudget, LayerSpectrum, find_layers, reduce_
from tests.helpers import unchecked_types


def spectrum(*values: float) -> LayerSpectrum:
    """Of a layer whose stored states have one value each."""
    tails = [math.fsum(values[k:]) for k in range(len(values) + 1)]
    return LayerSpectrum(
        tuple(2 * tail for tail in tails), tuple(tail / tails[0] for tail in tails)
    )


SPECTRA = {
    "steep": spectrum(1.0, 0.1, 0.01, 0.001),
    "flat": spectrum(1.0, 0.9, 0.8, 0.7),
    "quiet": spectrum(1e-3, 9e-4, 8e-4, 7e-4),
}


def orders(policy, spectra=SPECTRA):
    return {
        name: spectra[name].n_states if target is None else target.order
        for name, target in policy.targets(spectra).items()
    }


@pytest.mark.parametrize("criterion", ["energy", "error", "normalised_score"])
@pytest.mark.parametrize("states", range(3, 13))
def test_a_budget_is_spent_by_one_threshold(criterion, states):
    policy = GlobalBudget(states, criterion)
    found = orders(policy)
    assert sum(found.values()) == states
    costs = {name: policy._costs(one) for name, one in SPECTRA.items()}
    # No state that is kept, but the first of a layer, costs less than one left out.
    kept = [costs[n][k] for n, order in found.items() for k in range(1, order)]
    dropped = [costs[n][order] for n, order in found.items() if order < 4]
    assert min(kept, default=math.inf) >= max(dropped, default=-math.inf)


def test_criteria_compare_what_they_say():
    # Of absolute errors the quiet layer has none worth a state.
    assert orders(GlobalBudget(7, "error"))["quiet"] == 1
    # Of relative ones it is as good as the flat one.
    shares = orders(GlobalBudget(9, "energy"))
    assert shares["quiet"] == shares["flat"] > shares["steep"]


def test_normalised_scores_are_those_of_their_definition():
    values = [3.0, 2.0, 2.0, 0.5]
    squares = [value**2 for value in values]
    expected = [x / math.fsum(squares[: k + 1]) for k, x in enumerate(squares)]
    found = spectrum(*values).normalised_scores()
    assert found == pytest.approx(expected)


def test_budgets_out_of_range_are_refused():
    with pytest.raises(ValueError, match="states=0, need a whole number"):
        GlobalBudget(0)
    with (
        unchecked_types(),
        pytest.raises(ValueError, match="criterion='size', need one of energy"),
    ):
        GlobalBudget(3, "size")
    with pytest.raises(hc.PolicyError, match="states=2, need at least 3"):
        GlobalBudget(2).targets(SPECTRA)
    unbounded = {"mixer": LayerSpectrum((math.inf, math.inf, 0.0), (1.0, 0.2, 0.0))}
    with pytest.raises(hc.PolicyError, match="but mixer has no error bound; use 'ene"):
        GlobalBudget(2, "error").targets({**SPECTRA, **unbounded})


def test_a_model_is_cut_to_its_budget(model):
    event = reduce_(model, GlobalBudget(14))
    assert sum(cut.states_after for cut in event.layers) <= 14
    assert all(cut.is_cut for cut in event.layers)
    assert [layer.d_state for layer in find_layers(model).values()] == [
        cut.states_after for cut in event.layers
    ]
