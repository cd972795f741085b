from dataclasses import replace

import numpy as np
import pytest

import hankelcut as hc
from hankelcut.reduction import METHODS, ErrorBound
from hankelcut.validation import (
    REDUCTION_CHECKS,
    REDUCTION_GROUPS,
    InvariantViolationError,
    check_reduction,
    diagonal_systems,
    stable_systems,
)
from hankelcut.validation.composites import check
from tests.helpers import on
from tests.validation.composites.right_functions import Textbook

GROUP_OF = {
    "balanced_truncation": "balanced_truncation",
    "singular_perturbation_approximation": "singular_perturbation",
    "hankel_norm_approximation": "hankel_norm",
}
# What the others promise, of all stable systems. LQG balancing reduces unstable
# systems as a whole, and IRKA and modal truncation may make another choice of poles.
ANY_OF = {
    "modal_truncation": ("reduced_form", "reduced_stability", "claims", "repeatable"),
    "lqg_balanced_truncation": ("reduced_form", "claims", "repeatable"),
    "irka": ("reduced_form", "reduced_stability", "claims", "hankel_lower_bound"),
    "balance_and_refine": ("reduced_form", "reduced_stability", "claims"),
}


@pytest.mark.parametrize("name", GROUP_OF)
def test_methods_pass(name):
    check_reduction(METHODS[name].function, checks=GROUP_OF[name], max_examples=2)


@pytest.mark.parametrize("name", ANY_OF)
def test_methods_without_a_group_pass(name):
    check_reduction(METHODS[name].function, checks=ANY_OF[name], max_examples=2)


def in_library(xp, name):
    """One of the methods, with the arrays of a library."""

    def reduction(system, order):
        return METHODS[name].function(on(xp, system), order=order)

    return reduction


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUP_OF)
def test_methods_pass_many(name, xp):
    check_reduction(in_library(xp, name), checks=GROUP_OF[name], max_examples=2000)


@pytest.mark.slow
@pytest.mark.parametrize("name", ANY_OF)
def test_methods_without_a_group_pass_many(name, xp):
    check_reduction(in_library(xp, name), checks=ANY_OF[name], max_examples=2000)


def test_arrays_of_every_library_pass(xp):
    check_reduction(in_library(xp, "balanced_truncation"), checks="any", max_examples=2)


def test_layers_pass():
    layers = diagonal_systems(readout="real", max_states=3, min_states=2)
    checks = ["reduced_stability", "claims", "hankel_lower_bound", "repeatable"]

    def halved(system, order):
        return hc.balanced_truncation(system, order=(order + 1) // 2)

    check_reduction(halved, checks=checks, systems=layers, max_examples=4)


def test_textbook_passes():
    check_reduction(Textbook(), max_examples=2)


def claiming(change):
    """Balanced truncation whose result is changed."""

    def reduction(system, order):
        return change(hc.balanced_truncation(system, order=order))

    return reduction


def halved_bound(result):
    return replace(result, bound=ErrorBound(result.error_bound / 2))


def late_tail(result):
    values = np.asarray(result.characteristic_values)
    tail = 2 * float(values[max(result.order - 1, 0) :].sum())
    return replace(result, bound=ErrorBound(np.asarray(tail)))


def cut_values(result):
    few = result.characteristic_values[: result.order]
    return replace(result, characteristic_values=few)


def rising_values(result):
    return replace(result, characteristic_values=result.characteristic_values[::-1])


def wrong_left(result):
    return replace(result, left_projection=2 * result.left_projection)


def first_states(system, order):
    A, B, C = system.A[:order, :order], system.B[:order], system.C[:, :order]
    return A, B, C, system.D


def writes(system, order):
    done = Textbook()(system, order)
    system.A[...] = 0
    return done


def noisy(system, order):
    A, B, C, D = Textbook()(system, order)
    return A, B * np.random.default_rng().uniform(0.5, 1.5), C, D


def unstable(system, order):
    A, B, C, D = Textbook()(system, order)
    return A + 9 * np.eye(order), B, C, D


def pole_counting(system, order):
    """Cut by P alone: the principal components of the states."""
    P = hc.lti.controllability_gramian(system)
    T = np.linalg.eigh(P)[1][:, ::-1][:, :order]
    Th = T.conj().T
    return Th @ system.A @ T, Th @ system.B, system.C @ T, system.D


def always(system, order):
    """Take the first states of a system that cannot be balanced."""
    try:
        return Textbook()(system, order)
    except hc.UnstableSystemError:
        return first_states(system, order)


DEFECTS = [
    ("reduced_form", Textbook("order + 1"), "states, asked for"),
    ("reduced_order", Textbook("order - 1"), "states, asked for"),
    ("reduced_stability", unstable, "stability margin"),
    ("full_order", Textbook("power"), "the responses differ"),
    ("full_order", Textbook("transpose"), "the responses differ"),
    ("full_order", Textbook("single"), "the responses differ"),
    ("full_order", Textbook("T^T"), "the responses differ"),
    ("truncation_bound", Textbook("trailing"), "above twice"),
    ("truncation_bound", Textbook("B and C of others"), "above twice"),
    ("feedthrough", Textbook("no feedthrough"), "D: found"),
    ("reduced_values", first_states, "Hankel singular values of the model"),
    ("static_gain", hc.balanced_truncation, "the static gain"),
    ("hankel_norm_error", hc.balanced_truncation, "Hankel norm of the error"),
    ("duality", pole_counting, "the responses differ"),
    ("similarity", first_states, "the responses differ"),
    ("scaling", Textbook("jitter"), "the responses differ"),
    ("claims", claiming(halved_bound), "above its bound"),
    ("claims", claiming(rising_values), "descending"),
    ("claims", claiming(cut_values), "Hankel singular values of a system with"),
    ("claimed_tail", claiming(late_tail), "twice the discarded values"),
    ("projections", claiming(wrong_left), "W"),
    ("inputs_untouched", writes, "A was changed"),
    ("repeatable", noisy, "the responses differ|not deterministic"),
    ("beyond_rank", Textbook("no rank"), "not finite"),
    ("unstable_systems", always, "unstable poles|the responses differ"),
]


@pytest.mark.parametrize(("name", "function", "message"), DEFECTS)
def test_defects_are_caught(name, function, message, quick_shrinking):
    with pytest.raises(InvariantViolationError, match=message) as caught:
        check_reduction(function, checks=name, max_examples=40)
    text = str(caught.value)
    assert f"fails the check {name!r}" in text
    # What is not finite has a cause of its own, whatever check finds it.
    causes = {"not finite": "a division by a singular value that is zero"}
    cause = causes.get(message, REDUCTION_CHECKS[name].usual_cause)
    assert f"usual cause: {cause}" in text
    assert "hc.StateSpace(" in text


def test_every_check_has_a_defect():
    # No model breaks the lower bound, which is a theorem: see the tests of invariants.
    assert {name for name, _, _ in DEFECTS} == set(REDUCTION_CHECKS) - {
        "hankel_lower_bound"
    }


def test_groups_name_checks():
    for names in REDUCTION_GROUPS.values():
        assert set(names) <= set(REDUCTION_CHECKS)
        assert len(set(names)) == len(names)


def test_errors_of_the_function_are_violations(quick_shrinking):
    def broken(system, order):
        return system.nothing

    with pytest.raises(InvariantViolationError, match="raised Attrib") as caught:
        check_reduction(broken, max_examples=5)
    assert isinstance(caught.value.__cause__, AttributeError)


@pytest.mark.parametrize(
    "name",
    ["truncation_bound", "hankel_lower_bound", "reduced_values", "hankel_norm_error"],
)
def test_unstable_models_are_violations_of_every_bound(name, quick_shrinking):
    with pytest.raises(InvariantViolationError, match="stability margin"):
        check_reduction(unstable, checks=name, max_examples=5)


def test_matrices_that_do_not_fit_are_a_violation(quick_shrinking):
    def misfit(system, order):
        return system.A, system.B[:0], system.C, system.D

    with pytest.raises(InvariantViolationError, match="returned is no model: State"):
        check_reduction(misfit, max_examples=5)


def test_what_is_no_model_is_a_violation(quick_shrinking):
    with pytest.raises(InvariantViolationError, match="got a int, need a Reduction"):
        check_reduction(lambda system, order: 3, max_examples=5)


def test_failures_are_small_and_the_same_every_time(monkeypatch):
    messages = set()
    monkeypatch.setattr(check, "_MOST_ATTEMPTS", 120)
    for _ in range(2):
        with pytest.raises(InvariantViolationError) as caught:
            check_reduction(Textbook("transpose"), checks="full_order")
        messages.add(str(caught.value))
    (message,) = messages
    source = message[message.index("hc.StateSpace") :]
    source = source[: source.index("\n)") + 2]
    system = eval(source, {"hc": hc, "np": np})
    assert system.n_states <= 2
    assert np.iscomplexobj(system.A)


def test_seeds_draw_other_systems():
    drawn = []

    def seen(system, order):
        drawn.append(repr(system.A))
        return Textbook()(system, order)

    for seed in (1, 1, 2):
        drawn.append("|")
        check_reduction(seen, checks="reduced_form", max_examples=5, seed=seed)
    first, second, other = " ".join(drawn).split("|")[1:]
    assert first == second != other


def test_unknown_checks_are_refused():
    with pytest.raises(ValueError, match="got check 'bound', need one of any"):
        check_reduction(Textbook(), checks=["bound"])


def test_other_systems_are_used():
    def reduction(system, order):
        assert system.n_states == 2
        return hc.balanced_truncation(system, order=order)

    check_reduction(
        reduction,
        checks=["reduced_form", "full_order", "truncation_bound"],
        systems=stable_systems(min_states=2, max_states=2),
        max_examples=5,
    )
