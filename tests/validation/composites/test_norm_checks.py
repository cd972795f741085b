import numpy as np
import pytest

import hankelcut as hc
from hankelcut.lti import frequency_response, h2_norm, hankel_norm, hinf_norm
from hankelcut.validation import NORM_CHECKS, InvariantViolationError, check_norm
from tests.helpers import on

NORMS = {"hinf": hinf_norm, "h2": h2_norm, "hankel": hankel_norm}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("examples", [3, pytest.param(2000, marks=pytest.mark.slow)])
def test_norms_pass(examples, norm, xp):
    def in_library(system):
        return NORMS[norm](on(xp, system))

    check_norm(in_library, norm=norm, max_examples=examples)


def value(norm, system):
    found = NORMS[norm](system)
    return float(found.lower if norm == "hinf" else found)


def on_a_grid(system):
    grid = np.linspace(0, 3, 20)
    return float(np.linalg.norm(frequency_response(system, grid), 2, (-2, -1)).max())


def with_feedthrough(system):
    return value("hankel", system) + np.linalg.norm(system.D)


def without_feedthrough(system):
    plain = hc.StateSpace(system.A, system.B, system.C, None, system.time)
    return value("hinf", plain)


def of_entries(system):
    return value("hinf", system) * np.sqrt(system.n_inputs * system.n_outputs)


def of_gramian(system):
    P = hc.lti.controllability_gramian(system)
    return float(np.trace(P).real) ** 0.5


def finite_only(system):
    D = None if isinstance(system.time, hc.Continuous) else system.D
    return value("h2", hc.StateSpace(system.A, system.B, system.C, D, system.time))


def first_column(system):
    narrow = hc.StateSpace(
        system.A, system.B[:, :1], system.C, system.D[:, :1], system.time
    )
    return value("hinf", narrow)


def by_controllability(system):
    P = hc.lti.controllability_gramian(system)
    return float(np.sqrt(np.linalg.norm(P, 2))) * np.linalg.norm(system.C, 2)


def minimal_only(system):
    P = hc.lti.controllability_gramian(system)
    return value("h2", system) * (1 + (np.linalg.matrix_rank(P) < system.n_states))


def of_positive_frequencies(system):
    grid = np.linspace(0, np.pi, 400)
    return float(np.linalg.norm(frequency_response(system, grid), 2, (-2, -1)).max())


def of_real_part(system):
    parts = [np.real(getattr(system, name)) for name in "ABCD"]
    return value("h2", hc.StateSpace(*parts, system.time))


DEFECTS = [
    ("first_order", "hankel", lambda s: 2 * value("hankel", s)),
    ("value", "hinf", on_a_grid),
    ("value", "h2", lambda s: value("h2", s) * (1 + 1e-4)),
    ("value", "hankel", with_feedthrough),
    ("infinite", "h2", finite_only),
    ("grid", "hinf", on_a_grid),
    ("chain", "hinf", without_feedthrough),
    ("similarity", "h2", of_gramian),
    ("duality", "hinf", first_column),
    ("duality", "hankel", by_controllability),
    ("conjugation", "hinf", of_positive_frequencies),
    ("frequency_shift", "h2", of_real_part),
    ("unitary", "hinf", first_column),
    ("scaling", "h2", lambda s: value("h2", s) + 1e-9),
    ("padding", "h2", minimal_only),
    ("direct_sum", "hinf", of_entries),
    ("triangle", "hankel", lambda s: value("hankel", s) ** 2),
    ("cascade", "hinf", lambda s: value("hankel", s) / 2),
]


@pytest.mark.parametrize(("name", "norm", "function"), DEFECTS)
def test_defects_are_caught(name, norm, function, quick_shrinking):
    with pytest.raises(InvariantViolationError, match=r"norm|squares") as caught:
        check_norm(function, norm=norm, checks=[name])
    text = str(caught.value)
    assert NORM_CHECKS[name].usual_cause in text
    assert "hc.StateSpace(" in text


def test_every_check_has_a_defect():
    assert {name for name, _, _ in DEFECTS} == set(NORM_CHECKS)


def test_infinite_norms_may_be_refused():
    def refusing(system):
        if isinstance(system.time, hc.Continuous) and system.D.any():
            msg = "the norm is infinite"
            raise ValueError(msg)
        return h2_norm(system)

    check_norm(refusing, norm="h2", checks=["infinite"], max_examples=5)


def test_brackets_on_the_wrong_side_are_caught(quick_shrinking):
    def above(system):
        found = hinf_norm(system)
        ends = 1.1 * found.lower, 1.2 * found.upper
        return hc.HinfBracket(*ends, found.frequency)

    with pytest.raises(InvariantViolationError, match="hinf norm is"):
        check_norm(above, norm="hinf", checks=["value"])


def test_accuracy_is_a_choice():
    check_norm(
        lambda s: value("h2", s) * (1 + 1e-4), norm="h2", rtol=1e-3, max_examples=5
    )
