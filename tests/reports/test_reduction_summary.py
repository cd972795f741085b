"""What is said of a reduction is what was computed."""

import dataclasses
import json

import numpy as np
import pytest

from hankelcut import InvalidSystemError, balanced_truncation, hinf_norm
from hankelcut.lti import Continuous, StateSpace
from hankelcut.reduction.result import ErrorBound
from hankelcut.reports import ReductionSummary


@pytest.fixture
def summary(plant):
    result = balanced_truncation(plant, order=2)
    return ReductionSummary(
        result, result.certify(), hinf_norm(plant), "asked for", 0.125
    )


def test_facts_hold_the_numbers(summary, plant):
    facts = dict(summary.facts())
    result, certificate = summary.result, summary.certificate
    assert facts["system"].startswith("6 states, 2 inputs, 3 outputs, ")
    assert facts["order"] == "2 of 6: asked for"
    assert facts["error bound"].startswith(f"{float(result.error_bound):.4g} on the H")
    error = certificate.hinf_error
    assert (
        f"{float(error.lower):.4g} to {float(error.upper):.4g}"
        in (facts["H-infinity error"])
    )
    assert facts["H2 error"] == f"{float(certificate.h2_error):.4g}"
    assert facts["bound holds"] == "yes"
    assert facts["time"] == "0.125 s"
    unit = "rad/s" if isinstance(plant.time, Continuous) else "(1 - largest |pole|)"
    assert facts["stability margin"].endswith(unit)


def test_frequencies_are_in_radians_per_second(summary, plant):
    dt = 1.0 if isinstance(plant.time, Continuous) else plant.time.dt
    expected = float(summary.certificate.hinf_error.frequency) / dt
    document = summary.to_dict()["certificate"]
    assert document["hinf_error"]["frequency"] == pytest.approx(expected)
    assert f"at {expected:.4g} rad/s" in dict(summary.facts())["H-infinity error"]


def test_values_come_with_the_bound_of_every_order(summary):
    values = summary.result.hankel_singular_values
    rows = summary.values()
    assert [row.number for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.kept for row in rows] == [True, True, False, False, False, False]
    assert [row.value for row in rows] == pytest.approx(values.tolist())
    tails = [2 * np.sum(values[k:]) for k in range(1, 7)]
    assert [row.bound for row in rows] == pytest.approx(tails)
    assert [row.number for row in summary.values(around=1)] == [2, 3]


def test_relative_error_is_that_of_the_norm(summary):
    upper = float(summary.certificate.hinf_error.upper)
    expected = upper / float(summary.norm.lower)
    assert summary.relative_error == pytest.approx(expected)
    assert ReductionSummary(summary.result).relative_error is None


def test_the_document_is_json_and_complete(summary):
    document = json.loads(json.dumps(summary.to_dict()))
    assert document["order"] == 2
    assert document["bound"]["value"] == float(summary.result.error_bound)
    assert document["certificate"]["bound_holds"] is True
    assert len(document["values"]) == 6
    assert document["seconds"] == 0.125
    bare = ReductionSummary(summary.result).to_dict()
    assert bare["certificate"] is None
    assert bare["norm"] is None


def test_a_missing_bound_says_why(summary):
    bound = ErrorBound(None, condition="it is a heuristic")
    result = dataclasses.replace(summary.result, bound=bound)
    facts = dict(ReductionSummary(result, result.certify()).facts())
    assert facts["error bound"] == "none: it is a heuristic"
    assert "bound holds" not in facts
    assert ReductionSummary(result).plain_bound is None


def test_a_bound_on_another_error_is_measured_beside_it(summary):
    error = StateSpace([[-1.0]], [[1.0]], [[2.0]])
    bound = ErrorBound(np.asarray(2.5), "weighted error", "G stable", error)
    result = dataclasses.replace(summary.result, bound=bound)
    shown = ReductionSummary(result, result.certify())
    assert dict(shown.facts())["bounded error"].startswith("2 to 2")
    assert shown.plain_bound is None


def test_an_infinite_h2_error_says_why():
    plant = StateSpace([[-1.0]], [[1.0]], [[1.0]], [[1.0]])
    result = balanced_truncation(plant, order=0)
    reduced = dataclasses.replace(result.system, D=0 * result.system.D)
    result = dataclasses.replace(result, system=reduced)
    facts = dict(ReductionSummary(result, result.certify()).facts())
    assert facts["H2 error"] == "infinite: the feedthroughs differ"


def test_stacks_are_refused():
    stack = StateSpace(-np.ones((2, 1, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1)))
    with pytest.raises(InvalidSystemError, match=r"a stack of shape \(2,\), need"):
        ReductionSummary(balanced_truncation(stack, order=1))
