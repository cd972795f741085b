import numpy as np
import pytest

from hankelcut import ToleranceNotAttainableError
from hankelcut.reduction import HankelSpectrum, OrderTarget
from tests.helpers import unchecked_types

EPS = float(np.finfo(float).eps)


def spectrum(*values, uncertainty=0.0, eps=EPS):
    doubts = tuple(uncertainty for _ in values)
    return HankelSpectrum(tuple(float(v) for v in values), doubts, eps)


def test_bounds_are_twice_the_tails_for_every_order():
    assert spectrum(8, 4, 2, 1).error_bounds() == [30, 14, 6, 2, 0]


def test_truncating_the_last_state_is_not_free():
    # A published error_bound() claims 0 for the order n - 1.
    assert spectrum(8, 4, 2, 1).error_bounds()[3] == 2.0


def test_bounds_count_values_with_multiplicity_and_uncertainty():
    assert spectrum(4, 4, 4, uncertainty=0.5).error_bounds() == [27, 18, 9, 0]


def test_small_values_are_not_lost_in_the_sum():
    tails = spectrum(1.0, *[1e-17] * 1000).error_bounds()
    assert tails[1] == pytest.approx(2e-14, rel=1e-12)
    assert tails[0] == pytest.approx(2 + 2e-14, rel=1e-15)


def test_energy_share_is_of_the_sum_not_of_squares():
    assert spectrum(6, 3, 1).energy_shares() == [1.0, 0.4, 0.1, 0.0]


def test_values_that_were_not_computed_count_in_every_tail():
    partial = HankelSpectrum((6.0, 3.0), (0.0, 0.0), EPS, unknown_tail=1.0)
    assert partial.error_bounds() == [20, 8, 2]
    assert partial.energy_shares() == [1.0, 0.4, 0.1]
    assert OrderTarget(error_tol=3.0).select(partial, "f").order == 2
    with pytest.raises(ToleranceNotAttainableError, match=r"best 2 at order 2"):
        OrderTarget(error_tol=1.0).select(partial, "f")
    with pytest.raises(ToleranceNotAttainableError, match=r"best 0.1 at order 2"):
        OrderTarget(energy_tol=0.01).select(partial, "f")


def test_no_values():
    empty = spectrum()
    assert empty.error_bounds() == [0.0]
    assert empty.energy_shares() == [0.0]
    assert empty.numerical_rank == 0
    assert OrderTarget(error_tol=0.0).select(empty, "f").order == 0


def test_rank_counts_values_above_their_uncertainty():
    assert spectrum(1, 1e-3, 1e-9, uncertainty=1e-6).numerical_rank == 2
    assert spectrum(1, 1e-3, 1e-24, 1e-26, 0).numerical_rank == 3
    assert spectrum(0, 0).numerical_rank == 0


def test_ties_are_relative():
    values = spectrum(1e-9, 1e-9 * (1 - 1e-9), 0.5e-9)
    assert [values.cuts_tie(r) for r in range(4)] == [False, True, False, False]


def test_uncertainty_makes_ties():
    assert spectrum(1.0, 0.9, uncertainty=0.06).cuts_tie(1)
    assert not spectrum(1.0, 0.9, uncertainty=0.04).cuts_tie(1)


def test_next_gap_is_above_and_limited():
    values = spectrum(3, 2, 2, 2, 1)
    assert [values.next_gap(r, 5) for r in range(6)] == [0, 1, 4, 4, 4, 5]
    assert values.next_gap(2, 3) == 3


@pytest.mark.parametrize(
    ("tolerance", "order"),
    [
        (30.0, 0),
        (29.9, 1),
        (14.0, 1),
        (6.0, 2),
        (2.0, 3),
        (1.9, 4),
        (0.0, 4),
        (np.inf, 0),
    ],
)
def test_error_tolerance_picks_the_smallest_order(tolerance, order):
    selection = OrderTarget(error_tol=tolerance).select(spectrum(8, 4, 2, 1), "f")
    assert (selection.order, selection.notes) == (order, ())


@pytest.mark.parametrize(
    ("tolerance", "order"), [(0.0, 3), (0.09, 3), (0.1, 2), (0.4, 1), (0.99, 1)]
)
def test_energy_tolerance_picks_the_smallest_order(tolerance, order):
    selection = OrderTarget(energy_tol=tolerance).select(spectrum(6, 3, 1), "f")
    assert (selection.order, selection.notes) == (order, ())


def test_silent_system_needs_no_state():
    for target in (OrderTarget(error_tol=0.0), OrderTarget(energy_tol=0.0)):
        assert target.select(spectrum(0, 0, 0), "f").order == 0


def test_unattainable_tolerance_names_the_best():
    # Not order 1, as an argmax over False would have it.
    values = spectrum(1.0, 0.1, 1e-17, uncertainty=1e-16)
    message = (
        r"f: no order up to the numerical rank 2 of 3 has .* error bound <= 1e-20 "
        r"\(best 2\.2e-16 at order 2\); raise error_tol to at least that, or pass"
    )
    with pytest.raises(ToleranceNotAttainableError, match=message):
        OrderTarget(error_tol=1e-20).select(values, "f")
    with pytest.raises(ToleranceNotAttainableError, match="discarded share <= 0 "):
        OrderTarget(energy_tol=0.0).select(values, "f")


def test_tolerance_moves_up_to_a_gap_and_says_so():
    selection = OrderTarget(error_tol=7.0).select(spectrum(3, 2, 2, 2, 1), "f")
    assert selection.order == 4
    assert len(selection.notes) == 1
    assert "order 3 would cut inside a tie" in selection.notes[0]
    assert "moved up to 4" in selection.notes[0]


def test_fixed_order_in_a_tie_stays_and_says_so():
    selection = OrderTarget(order=2).select(spectrum(3, 2, 2, 2, 1), "f")
    assert selection.order == 2
    assert "cuts inside a tie" in selection.notes[0]
    assert "next gap is at order 4" in selection.notes[0]


def test_fixed_order_above_the_rank_is_lowered_and_says_so():
    selection = OrderTarget(order=3).select(spectrum(1, 0.1, 0, 0), "f")
    assert selection.order == 2
    assert "above the numerical rank 2" in selection.notes[0]


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_fixed_order_is_taken(order):
    selection = OrderTarget(order=order).select(spectrum(6, 3, 1), "f")
    assert (selection.order, selection.notes) == (order, ())


def test_fixed_order_above_the_number_of_values_is_refused():
    with pytest.raises(ValueError, match="got order=4, need at most the 3"):
        OrderTarget(order=4).select(spectrum(6, 3, 1), "f")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "got none of them; need exactly one"),
        ({"order": 2, "error_tol": 0.1}, "need exactly one"),
        ({"error_tol": 0.1, "energy_tol": 0.1}, "need exactly one"),
        ({"order": -1}, "need a whole number >= 0"),
        ({"order": 2.5}, "need a whole number >= 0"),
        ({"order": 2.0}, "need a whole number >= 0"),
        ({"error_tol": -1e-3}, "need a number >= 0"),
        ({"error_tol": float("nan")}, "need a number >= 0"),
        ({"energy_tol": 1.0}, r"need a share in \[0, 1\)"),
        ({"energy_tol": -0.1}, r"need a share in \[0, 1\)"),
        ({"energy_tol": float("nan")}, r"need a share in \[0, 1\)"),
    ],
)
def test_targets_are_checked(arguments, message):
    with unchecked_types(), pytest.raises(ValueError, match=message):
        OrderTarget(**arguments)


def test_relative_tolerances_become_absolute():
    target = OrderTarget(error_tol=0.01, relative=True)
    assert target.absolute(200.0) == OrderTarget(error_tol=2.0)
    assert target.absolute(200.0).select(spectrum(8, 4, 2, 1), "f").order == 3
    with pytest.raises(ValueError, match="f: a relative error_tol must be made"):
        target.select(spectrum(8, 4, 2, 1), "f")
    plain = OrderTarget(error_tol=0.01)
    assert plain.absolute(200.0) is plain


@pytest.mark.parametrize(
    ("target", "order"),
    [
        (OrderTarget(error_tol=0.0, max_order=2), 2),
        (OrderTarget(energy_tol=0.0, max_order=3), 3),
        (OrderTarget(order=4, max_order=1), 1),
        (OrderTarget(error_tol=15.0, max_order=3), 1),
        (OrderTarget(error_tol=1e-9, max_order=0), 0),
    ],
)
def test_no_order_is_above_the_largest_allowed(target, order):
    selection = target.select(spectrum(8, 4, 2, 1, uncertainty=1e-3), "f")
    assert selection.order == order
    assert target.announces
    if order != 1 or target.order is not None:
        assert f"cut to max_order={target.max_order}" in selection.notes[0]


def test_a_cap_above_the_rank_does_not_hide_an_unattainable_tolerance():
    values = spectrum(1.0, 0.1, 1e-17, uncertainty=1e-16)
    with pytest.raises(ToleranceNotAttainableError, match="numerical rank 2 of 3"):
        OrderTarget(error_tol=1e-20, max_order=3).select(values, "f")
    assert OrderTarget(error_tol=1e-20, max_order=2).select(values, "f").order == 2


def test_clusters_are_noted_where_an_order_is_fixed():
    pair = spectrum(1.0, 0.9995, 0.1)
    assert (
        "within 0.001 of each other" in OrderTarget(order=1).select(pair, "f").notes[0]
    )
    assert OrderTarget(order=2).select(pair, "f").notes == ()
    assert OrderTarget(order=1).select(spectrum(1.0, 0.99, 0.1), "f").notes == ()


def test_tolerances_do_not_split_a_pair():
    pairs = spectrum(1.0, 0.9995, 0.1, 0.09995, 0.01)
    selection = OrderTarget(error_tol=2.5).select(pairs, "f")
    assert (selection.order, "moved up by one" in selection.notes[0]) == (2, True)
    last = OrderTarget(error_tol=0.25).select(spectrum(1.0, 0.1, 0.09995), "f")
    assert last.order == 3
    # A crowd of values has no pairs, and the order stays where the tolerance is met.
    crowd = spectrum(*[0.9995**k for k in range(9)])
    selection = OrderTarget(energy_tol=0.5).select(crowd, "f")
    assert selection.order == 5
    assert "within 0.001 of each other" in selection.notes[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": 2, "max_order": -1}, r"got max_order=-1, need a whole number"),
        ({"order": 2, "relative": True}, r"relative=True without error_tol"),
        ({"max_order": 2}, r"need exactly one of order, error_tol and energy_tol"),
    ],
)
def test_targets_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        OrderTarget(**arguments)
