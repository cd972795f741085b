"""Other toolboxes: what agrees, what differs, and who is known to be wrong."""

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

import hankelcut as hc
from hankelcut.validation import (
    cross_check,
    random_diagonal_system,
    random_stable_system,
)
from hankelcut.validation import peers as peer_package
from hankelcut.validation.peers import (
    PEERS,
    ControlPeer,
    Peer,
    Problem,
    PymorPeer,
    Quantity,
)
from hankelcut.validation.peers._own_answers import own_answer
from tests.helpers import TIMES, on, unchecked_types

check_module = importlib.import_module("hankelcut.validation.cross_check")

pytest.importorskip("control", reason="python-control is not installed")
pytest.importorskip("slycot", reason="Slycot is not installed")
pytest.importorskip("pymor", reason="pyMOR is not installed")

NO_POLES = "Slycot has no poles of its own"


def rows_of(table, verdict):
    """(quantity, peer, reason) of the rows with a verdict."""
    return [
        (row.quantity, row.peer, row.reason)
        for row in table.rows
        if row.verdict == verdict
    ]


def strictly_proper(system):
    return replace(system, D=0 * system.D)


@pytest.mark.parametrize("time", TIMES)
def test_toolboxes_agree_on_real_systems(time, rng):
    system = strictly_proper(random_stable_system(rng, 7, 2, 3, time))
    table = cross_check(system, order=4)
    assert table.agrees
    assert (table.order, table.rtol) == (4, 1e-6)
    assert len(table.rows) == len(get_args(Quantity)) * len(PEERS)
    missing = rows_of(table, "not available")
    wrong = rows_of(table, "peer is known to be wrong")
    assert missing[0] == ("poles", "Slycot", NO_POLES)
    if isinstance(time, hc.Continuous):
        assert len(missing) == 1
        assert wrong == []
    else:
        assert len(missing) == 2
        assert "not implemented in discrete time" in missing[1][2]
        assert wrong[0][:2] == ("balanced truncation", "python-control")
        assert len(wrong) == 1
    for row in table.rows:
        assert row.verdict != "agrees" or row.difference < 1e-7


def test_values_are_those_of_definitions(rng):
    system = strictly_proper(random_stable_system(rng, 5, 2, 3))
    table = cross_check(system, peers=["control"], order=2)
    shown = {row.quantity: row.ours for row in table.rows}
    A = system.A
    assert shown["poles"] == pytest.approx(np.linalg.norm(np.linalg.eigvals(A)))
    X = scipy.linalg.solve_continuous_lyapunov(A, -np.eye(5))
    assert shown["Lyapunov solution"] == pytest.approx(np.linalg.norm(X))
    P = scipy.linalg.solve_continuous_lyapunov(A, -system.B @ system.B.T)
    Q = scipy.linalg.solve_continuous_lyapunov(A.T, -system.C.T @ system.C)
    assert shown["Gramians"] == pytest.approx(np.linalg.norm([P, Q]))
    squares = np.trace(P @ Q)
    assert shown["Hankel singular values"] ** 2 == pytest.approx(squares)
    energy = np.trace(system.C @ P @ system.C.T)
    assert shown["H2 norm"] ** 2 == pytest.approx(energy)
    assert shown["H-infinity norm"] == pytest.approx(float(hc.hinf_norm(system).upper))


@pytest.mark.parametrize("time", TIMES)
def test_complex_systems_are_known_to_be_wrong_elsewhere(time, rng):
    system = random_stable_system(rng, 5, 2, 3, time, dtype=np.complex128)
    table = cross_check(system, order=2)
    assert table.agrees
    wrong = {row[:2] for row in rows_of(table, "peer is known to be wrong")}
    # Theirs is the Gramian of the real parts: 1.5 instead of rounding in the equation.
    assert ("Gramians", "pyMOR") in wrong
    assert ("poles", "python-control") in wrong
    right = {(row.quantity, row.peer) for row in table.rows if row.verdict == "agrees"}
    assert right == {
        ("poles", "pyMOR"),
        ("frequency response", "pyMOR"),
        ("Lyapunov solution", "python-control"),
    }


def test_known_faults_of_continuous_real_systems(rng):
    system = random_stable_system(rng, 5, 2, 3)
    table = cross_check(system, peers=["pymor"])
    ((quantity, _, reason),) = rows_of(table, "peer is known to be wrong")
    assert quantity == "H2 norm"
    assert "leaves out D" in reason
    poles = -np.logspace(-2, 4, 40)
    spread = hc.StateSpace(np.diag(poles), np.ones((40, 1)), np.ones((1, 40)))
    table = cross_check(spread, peers=["control", "slycot"])
    assert table.agrees
    ((quantity, peer, reason),) = rows_of(table, "peer is known to be wrong")
    assert (quantity, peer) == ("Hankel singular values", "python-control")
    assert "roots of full Gramians" in reason


def test_faults_do_not_excuse_large_values(rng, monkeypatch):
    system = random_stable_system(rng, 5, 2, 3)
    right = ControlPeer.answer

    def off(self, quantity, problem):
        answer = right(self, quantity, problem)
        return 1.01 * answer if quantity == "Hankel singular values" else answer

    monkeypatch.setattr(ControlPeer, "answer", off)
    table = cross_check(system, peers=["control"])
    assert not table.agrees
    assert rows_of(table, "differs") == [
        ("Hankel singular values", "python-control", "")
    ]


def test_unstable_systems_have_what_needs_no_stability(rng):
    unstable = hc.StateSpace(
        np.diag([0.3, 0.7]),
        rng.standard_normal((2, 2)),
        rng.standard_normal((3, 2)),
    )
    system = hc.parallel(random_stable_system(rng, 5, 2, 3), unstable)
    table = cross_check(system)
    assert table.agrees
    compared = {row.quantity for row in table.rows if row.verdict == "agrees"}
    assert compared == {
        "poles",
        "frequency response",
        "Lyapunov solution",
        "balanced truncation",
    }
    for quantity, _, reason in rows_of(table, "not available"):
        assert quantity == "poles" or "pole 0.7" in reason
    ((_, peer, reason),) = rows_of(table, "peer is known to be wrong")
    assert peer == "pyMOR"
    assert "does not refuse unstable systems" in reason


def test_models_that_are_not_unique_are_not_compared():
    delay = hc.StateSpace(
        np.eye(3, k=-1), np.eye(3, 1), np.eye(1, 3, k=2), time=hc.Discrete()
    )
    table = cross_check(delay, peers=["slycot"], order=1)
    ((_, _, reason),) = rows_of(table, "not available")[1:]
    assert reason == "the values 1 and 2 are tied: there are many models"
    silent = replace(delay, B=0 * delay.B)
    (row,) = [r for r in cross_check(silent, peers=["slycot"], order=1).rows][-1:]
    assert row.verdict == "not available"
    assert row.reason == "the system has 0 states to rounding"


@pytest.mark.parametrize("kind", ["theirs", "ours", "shape"])
def test_residuals_decide_who_is_wrong(kind, rng, monkeypatch):
    def scaled(function, *, shape=False):
        def wrong(*arguments):
            answer = function(*arguments)
            if {"Gramians", "Lyapunov solution"}.isdisjoint(map(str, arguments[:2])):
                return answer
            return answer[..., :-1] if shape else 1.1 * answer

        return wrong

    if kind == "ours":
        monkeypatch.setattr(check_module, "own_answer", scaled(own_answer))
    else:
        wrong = scaled(PymorPeer.answer, shape=kind == "shape")
        monkeypatch.setattr(PymorPeer, "answer", wrong)
    system = strictly_proper(random_stable_system(rng, 5, 2, 3))
    table = cross_check(system, peers=["pymor"], order=2)
    assert table.agrees == (kind == "theirs")
    verdict = "peer is known to be wrong" if table.agrees else "differs"
    found = rows_of(table, verdict)
    assert [row[0] for row in found] == ["Lyapunov solution", "Gramians"]
    for _, _, reason in found:
        numbers = [float(word) for word in reason.split() if word[:1].isdigit()]
        if kind == "shape":
            assert numbers == []
        else:
            small, large = numbers if kind == "theirs" else reversed(numbers)
            assert small < 1e-14
            assert large > 1e-6


def test_extreme_systems_are_decided():
    # Entries up to 1e102 in the Gramians: Hammarling's factors keep their digits.
    A = 0.9 * np.eye(20) + 50.0 * np.eye(20, k=1)
    chain = hc.StateSpace(A, np.eye(20, 1, k=-19), np.eye(1, 20), time=hc.Discrete(1.0))
    table = cross_check(chain)
    assert table.agrees
    wrong = {row[:2] for row in rows_of(table, "peer is known to be wrong")}
    assert ("Lyapunov solution", "python-control") in wrong
    assert ("balanced truncation", "pyMOR") in wrong


def test_wrong_models_differ(rng, monkeypatch):
    right = PymorPeer.answer

    def wrong(self, quantity, problem):
        answer = right(self, quantity, problem)
        return replace(answer, C=-answer.C) if quantity in wrong_for else answer

    wrong_for = ("balanced truncation",)
    monkeypatch.setattr(PymorPeer, "answer", wrong)
    system = strictly_proper(random_stable_system(rng, 5, 2, 3, hc.Discrete()))
    table = cross_check(system, peers=["pymor"], order=2)
    (row,) = [row for row in table.rows if row.verdict == "differs"]
    assert row.quantity == "balanced truncation"
    assert row.difference > 0.1


def test_diagonal_systems_and_other_arrays(xp, rng):
    system = on(xp, random_diagonal_system(rng, 3, 2, 2, hc.Discrete(), "real"))
    table = cross_check(system, peers=["slycot"])
    assert table.agrees
    verdicts = [row.verdict for row in table.rows]
    assert verdicts.count("agrees") == len(verdicts) - 1


def test_peers_that_are_missing_name_the_extra(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "slycot", None)
    table = cross_check(random_stable_system(rng, 4, 1, 2), peers=["slycot"])
    assert table.agrees
    reason = "slycot is not installed; pip install 'hankelcut[validation]'"
    assert {row.verdict for row in table.rows} == {"not available"}
    assert {row.reason for row in table.rows} == {reason}


def test_import_needs_no_peer():
    code = (
        "import sys\n"
        "for name in ('control', 'hypothesis', 'pymor', 'pytest', 'slycot'):\n"
        "    sys.modules[name] = None\n"
        "import hankelcut as hc\n"
        "plant = hc.StateSpace([[-1.0]], [[1.0]], [[1.0]])\n"
        "table = hc.validation.cross_check(plant)\n"
        "assert all(row.verdict == 'not available' for row in table.rows)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_table_is_readable_and_records_are_json(rng):
    asked = []
    table = cross_check(
        random_stable_system(rng, 4, 1, 2, hc.Discrete()),
        peers=["control", "slycot"],
        progress=lambda quantity, peer: asked.append((quantity, peer)),
    )
    lines = str(table).splitlines()
    assert lines[0].split() == [
        "quantity",
        "peer",
        "ours",
        "theirs",
        "difference",
        "verdict",
    ]
    assert len(lines) == len(table.rows) + 1 == len(asked) + 1
    assert lines[1].startswith("poles")
    assert any("known to be wrong: balred" in line for line in lines)
    records = json.loads(json.dumps(table.records()))
    assert records[0]["verdict"] == "agrees"
    assert asked[0] == ("poles", "python-control")


def test_every_peer_keeps_the_protocol():
    for name, peer in PEERS.items():
        assert isinstance(peer, Peer)
        assert importlib.import_module(f"{peer_package.__name__}.{name}_peer")


def test_inputs_are_unmodified(rng):
    system = random_stable_system(rng, 4, 1, 2)
    before = [np.array(getattr(system, name)) for name in "ABCD"]
    cross_check(system)
    for name, old in zip("ABCD", before, strict=True):
        np.testing.assert_array_equal(getattr(system, name), old)


def test_wrong_arguments_are_named(rng):
    system = random_stable_system(rng, 3, 1, 2)
    with pytest.raises(ValueError, match=r"got peer 'matlab', need one of control, "):
        cross_check(system, peers=["matlab"])
    with pytest.raises(ValueError, match=r"got rtol=0\.0, need a positive number"):
        cross_check(system, rtol=0.0)
    stack = random_stable_system(rng, 3, 1, 2, batch=(2,))
    with pytest.raises(hc.InvalidSystemError, match=r"of shape \(2,\), need one"):
        cross_check(stack)
    with pytest.raises(hc.InvalidSystemError, match=r"cross_check: .*A"):
        cross_check(replace(system, A=np.nan * system.A))
    sparse = hc.SparseStateSpace(
        -scipy.sparse.eye_array(3, format="csc"), system.B, system.C
    )
    with unchecked_types(), pytest.raises(hc.InvalidSystemError, match="cross_check"):
        cross_check(sparse)
    with pytest.raises(ValueError, match=r"got order=5, need 0 to 3"):
        cross_check(system, order=5)


def test_problem_tells_time_and_kind(rng):
    system = random_stable_system(rng, 3, 1, 2, hc.Discrete(), dtype=np.complex128)
    problem = Problem(system, 1, np.array([0.0, np.pi]))
    assert problem.discrete
    assert problem.is_complex
    np.testing.assert_allclose(problem.points, [1.0, -1.0], atol=1e-15)
