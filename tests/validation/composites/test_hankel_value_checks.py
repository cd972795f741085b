import numpy as np
import pytest

import hankelcut as hc
from hankelcut.lti import (
    controllability_gramian,
    hankel_singular_values,
    observability_gramian,
)
from hankelcut.validation import (
    HANKEL_VALUE_CHECKS,
    InvariantViolationError,
    check_hankel_singular_values,
)
from tests.helpers import on


@pytest.mark.parametrize("examples", [5, pytest.param(2000, marks=pytest.mark.slow)])
def test_values_pass(examples, xp):
    check_hankel_singular_values(
        lambda system: hankel_singular_values(on(xp, system)), max_examples=examples
    )


def by_eigenvalues(system):
    P, Q = controllability_gramian(system), observability_gramian(system)
    squares = np.linalg.eigvals(P @ Q).real
    return np.sort(np.sqrt(np.maximum(squares, 0)))[::-1]


def plain_transpose(system):
    Q = observability_gramian(system)
    P = controllability_gramian(system).T
    squares = np.linalg.eigvals(P @ Q).real
    return np.sort(np.sqrt(np.maximum(squares, 0)))[::-1]


def of_one_gramian(system):
    P = controllability_gramian(system)
    return np.linalg.svd(P, compute_uv=False)


def first_input(system):
    narrow = hc.StateSpace(
        system.A, system.B[:, :1], system.C, system.D[:, :1], system.time
    )
    return hankel_singular_values(narrow)


def distinct(system):
    values = hankel_singular_values(system)
    kept = np.unique(np.round(values, 9))[::-1]
    return np.append(kept, np.zeros(values.size - kept.size))


def per_channel(system):
    return hankel_singular_values(system) / np.sqrt(system.n_inputs)


def full_rank_only(system):
    values = hankel_singular_values(system)
    return values * (1 + (values.size > 0 and values[-1] < 1e-9 * values[0]))


def other_stein(system):
    values = hankel_singular_values(system)
    return values if isinstance(system.time, hc.Continuous) else values * 1.01


def lost_adjoint(system):
    if not np.iscomplexobj(system.A):
        return hankel_singular_values(system)
    turned = hc.StateSpace(system.A.conj(), system.B, system.C, system.D, system.time)
    return hankel_singular_values(turned)


def of_fresh_samples(system):
    """Without the first sample, which a delay would have kept."""
    first = np.linalg.norm(system.C @ system.B)
    return hankel_singular_values(system) / (1 + first)


def all_equal(system):
    values = hankel_singular_values(system)
    return np.full_like(values, values.max(initial=0.0))


def real_part(system):
    parts = [np.real(getattr(system, name)) for name in "ABCD"]
    return hankel_singular_values(hc.StateSpace(*parts, system.time))


def one_sided(system):
    turning = np.sum(np.linalg.eigvals(system.A).imag)
    return hankel_singular_values(system) * (2 if turning > 0.1 else 1)


DEFECTS = [
    ("form", lambda s: hankel_singular_values(s)[::-1], "do not descend"),
    ("form", lambda s: hankel_singular_values(s)[:1], "values of shape"),
    ("form", lambda s: hankel_singular_values(s) * np.nan, "not all real"),
    ("first_order", lambda s: 2 * hankel_singular_values(s), "the value"),
    ("energy", lost_adjoint, "sum of the squares"),
    ("energy", plain_transpose, "sum of the squares"),
    ("accuracy", by_eigenvalues, "allowed relative error"),
    ("similarity", of_one_gramian, "squares after"),
    ("duality", first_input, "squares after"),
    ("unitary", first_input, "squares after"),
    ("conjugation", one_sided, "squares after"),
    ("frequency_shift", real_part, "squares after"),
    ("scaling", lambda s: hankel_singular_values(s) + 1e-9, "squares after"),
    ("padding", full_rank_only, "squares after"),
    ("direct_sum", distinct, "side by side"),
    ("monotonicity", per_channel, "a square grows"),
    ("monotonicity", of_fresh_samples, r"without the first \w+ a square grows"),
    ("perturbation", lambda s: hankel_singular_values(s) ** 2, "a value moves"),
    ("perturbation", all_equal, "value"),
    ("bilinear", other_stein, "after the map"),
]


@pytest.mark.parametrize(("name", "function", "message"), DEFECTS)
def test_defects_are_caught(name, function, message, quick_shrinking):
    with pytest.raises(InvariantViolationError, match=message) as caught:
        check_hankel_singular_values(function, checks=[name])
    text = str(caught.value)
    assert HANKEL_VALUE_CHECKS[name].usual_cause in text
    assert "hc.StateSpace(" in text


def test_every_check_has_a_defect():
    assert {name for name, _, _ in DEFECTS} == set(HANKEL_VALUE_CHECKS)
