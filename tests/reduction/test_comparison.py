import numpy as np
import pytest
import scipy.sparse

from hankelcut import SparseStateSpace, compare
from hankelcut.lti import Discrete, StateSpace
from hankelcut.reduction import METHODS
from hankelcut.validation import random_stable_system


def test_rows_are_those_of_the_methods(rng):
    system = random_stable_system(rng, 6, 2, 3)
    seen = []
    table = compare(
        system,
        orders=[2, 4],
        methods=["balanced_truncation"],
        progress=lambda *call: seen.append(call),
    )
    assert seen == [("balanced_truncation", 2), ("balanced_truncation", 4)]
    for row, order in zip(table.rows, (2, 4), strict=True):
        own = METHODS["balanced_truncation"].function(system, order=order)
        np.testing.assert_array_equal(row.result.system.A, own.system.A)
        assert row.refusal is None
        assert row.seconds > 0
        assert bool(row.certificate.bound_holds)
    shown = str(table).splitlines()
    assert len(shown) == 3
    assert f"{float(table.rows[0].result.error_bound):.3e}" in shown[1]
    record = table.records()[1]
    assert record["reached"] == 4
    assert record["hinf_error"] <= record["hinf_error_upper"] * (1 + 1e-12)
    assert record["hinf_error"] <= record["error_bound"]


def test_refusals_are_rows(rng):
    unstable = StateSpace(np.diag([1.0, 2.0, -1.0]), np.ones((3, 1)), np.ones((1, 3)))
    (row,) = compare(unstable, orders=[1], methods=["balanced_truncation"]).rows
    assert row.result is None
    assert "need at least 2" in row.refusal
    text = str(compare(unstable, orders=[1], methods=["balanced_truncation"]))
    assert "need at least 2" in text


def test_sparse_systems_go_to_the_method_for_them():
    A = scipy.sparse.diags_array([1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(40, 40))
    ends = np.eye(40)[:, :1]
    table = compare(SparseStateSpace(A, ends, ends.T), orders=[3], certify=False)
    assert [row.method for row in table.rows] == ["low_rank_balanced_truncation"]
    assert table.rows[0].certificate is None
    assert table.records()[0]["hinf_error"] is None


def test_all_methods_that_need_nothing_are_compared(rng):
    system = random_stable_system(rng, 5, 2, 2, Discrete(0.1))
    table = compare(system, orders=[3], certify=False)
    names = {name for name, method in METHODS.items() if not method.needs}
    assert {row.method for row in table.rows} == names - {
        "low_rank_balanced_truncation"
    }


def test_methods_are_named_after_their_functions():
    assert all(method.function.__name__ == name for name, method in METHODS.items())


def test_unknown_methods_and_missing_arguments_are_errors(rng):
    system = random_stable_system(rng, 5, 2, 2)
    with pytest.raises(ValueError, match=r"got method 'hankel', need one of balanced_"):
        compare(system, orders=[2], methods=["hankel"])
    with pytest.raises(ValueError, match=r"got method 'bt', need one of"):
        compare(system, orders=[2], options={"bt": {}})
