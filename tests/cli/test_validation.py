"""The command that asks other toolboxes: what it prints, writes and returns."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from hankelcut import DiagonalStateSpace, SparseStateSpace, StateSpace, save
from hankelcut.cli import validation as command
from hankelcut.validation import CrossCheck, cross_check
from hankelcut.validation.peers import SlycotPeer

pytest.importorskip("control", reason="python-control is not installed")
pytest.importorskip("slycot", reason="Slycot is not installed")

pytestmark = pytest.mark.usefixtures("plant")


@pytest.fixture
def wrong_norm(monkeypatch):
    """Make the H2 norm of Slycot 1% too large."""
    right = SlycotPeer.answer

    def answer(self, quantity, problem):
        value = right(self, quantity, problem)
        return 1.01 * value if quantity == "H2 norm" else value

    monkeypatch.setattr(SlycotPeer, "answer", answer)


def test_a_file_is_validated(call, plant):
    peers = ("--peer", "slycot", "--peer", "control")
    code, out, err = call("validate", "plant.mat", *peers, "--order", "3")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "plant.mat: 8 states, 1 input, 2 outputs, continuous time"
    table = cross_check(plant, peers=["slycot", "control"], order=3)
    for row, line in zip(table.rows, lines[2:], strict=False):
        assert line.startswith(row.quantity)
        assert row.peer in line
        assert f"{row.ours:.6g}" in line
        assert line.endswith(row.verdict)
    assert "not available: poles (Slycot): Slycot has no poles of its own" in lines


def test_disagreement_is_exit_code_1(call, wrong_norm):
    code, out, _ = call("validate", "plant.mat", "--peer", "slycot")
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.startswith("H2 norm")]
    assert line.endswith("differs")
    code, _, _ = call("validate", "plant.mat", "--peer", "slycot", "--rtol", "0.1")
    assert code == 0


def test_numbers_are_written_before_the_exit(call, wrong_norm, tmp_path):
    options = ("--peer", "slycot", "--json", "n.json")
    code, out, _ = call("validate", "plant.mat", *options)
    assert code == 1
    assert out.splitlines()[-1] == "numbers: n.json"
    numbers = json.loads((tmp_path / "n.json").read_text())
    assert numbers["rtol"] == 1e-6
    (check,) = numbers["systems"]
    assert (check["system"], check["agrees"]) == ("plant.mat", False)
    (norm,) = [row for row in check["rows"] if row["quantity"] == "H2 norm"]
    assert norm["verdict"] == "differs"
    assert norm["theirs"] == pytest.approx(1.01 * norm["ours"])


def test_peers_that_are_missing_are_no_disagreement(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "slycot", None)
    code, out, _ = call("validate", "plant.mat", "--peer", "slycot")
    assert code == 0
    assert "pip install 'hankelcut[validation]'" in out.splitlines()[-2]


def test_the_collection_is_validated_without_a_file(call, monkeypatch):
    seen = []

    def fake(system, **options):
        seen.append(system)
        return CrossCheck((), 2, options["rtol"])

    monkeypatch.setattr("hankelcut.validation.cross_check", fake)
    code, out, _ = call("validate")
    assert code == 0
    assert len(seen) >= 2
    assert out.count(" time") >= len(seen)
    for system in seen:
        assert isinstance(system, StateSpace | DiagonalStateSpace)
        assert system.n_states <= 100


def test_known_faults_are_explained_and_pass(call, plant, tmp_path):
    save(replace(plant, D=np.ones((2, 1))), tmp_path / "direct.mat")
    pytest.importorskip("pymor", reason="pyMOR is not installed")
    code, out, _ = call("validate", "direct.mat", "--peer", "pymor")
    assert code == 0
    assert "peer is known to be wrong: H2 norm (pyMOR): h2_norm of pyMOR" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--peer", "matlab"), "got peer 'matlab'"),
        (("--rtol", "0"), "got rtol=0.0"),
        (("--order", "9"), "got order=9, need 0 to 8"),
    ],
)
def test_wrong_options_are_usage_errors(call, options, message):
    code, out, err = call("validate", "plant.mat", *options)
    assert (code, out) == (2, "")
    assert message in err


def test_large_sparse_systems_are_refused(call, tmp_path):
    matrix = -scipy.sparse.eye_array(2100, format="csc")
    ones = np.ones((2100, 1))
    save(SparseStateSpace(matrix, ones, ones.T), tmp_path / "sparse.mat")
    code, out, err = call("validate", "sparse.mat")
    assert (code, out) == (2, "")
    assert "validate: got a sparse system of 2100 states" in err


def test_the_peers_offered_are_those_there_are():
    from hankelcut.validation.peers import PEERS

    assert tuple(PEERS) == command._PEERS
