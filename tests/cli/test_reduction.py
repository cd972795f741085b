"""The command that reduces: what it prints and writes, and what it refuses."""

import json
import re
import warnings

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from hankelcut import (
    NumericalWarning,
    StateSpace,
    UnstableSystemError,
    balanced_truncation,
    frequency_response,
    hinf_norm,
    load,
    save,
)
from hankelcut.cli import reduction as command
from hankelcut.reduction import comparison

pytestmark = pytest.mark.usefixtures("plant")


def fact(out, name):
    """The value of a fact, its lines joined; the next name ends it."""
    text = out[out.index(f"\n{name} ") :] if not out.startswith(name) else f"\n{out}"
    lines = text.splitlines()[1:]
    first = re.split(r"\s{2,}", lines[0], maxsplit=1)[1].strip()
    rest = []
    for line in lines[1:]:
        if not line.startswith(" " * 4):
            break
        rest.append(line.strip())
    return " ".join([first, *rest])


def test_a_file_is_reduced_and_certified(call, plant):
    code, out, err = call("reduce", "plant.mat", "--order", "3")
    assert (code, err) == (0, "")
    result = balanced_truncation(plant, order=3)
    certificate = result.certify()
    assert fact(out, "system") == "8 states, 1 input, 2 outputs, continuous time"
    assert fact(out, "order") == "3 of 8: asked for"
    bound = f"{float(result.error_bound):.4g} on the H-infinity norm of G - G_r; "
    assert fact(out, "error bound").startswith(bound)
    error = certificate.hinf_error
    measured = f"{float(error.lower):.4g} to {float(error.upper):.4g}, at "
    assert fact(out, "H-infinity error").startswith(measured)
    assert fact(out, "H2 error") == f"{float(certificate.h2_error):.4g}"
    assert "Hankel singular values around the cut:" in out
    row = next(line for line in out.splitlines() if line.startswith("4 "))
    values = result.hankel_singular_values
    tail = f"{2 * np.sum(values[4:]):.4g}"
    assert row.split() == ["4", f"{values[3]:.4g}", tail, "discarded"]


def test_without_a_target_the_error_is_a_thousandth(call, plant):
    code, out, _ = call("reduce", "plant.mat")
    assert code == 0
    expected = balanced_truncation(plant, error_tol=1e-3, relative=True)
    assert out.startswith("no target was given: relative error 0.001")
    norm = 1e-3 * float(hinf_norm(plant, rtol=1e-3).lower)
    reason = f"the smallest whose error bound is at most 0.001 of the norm, {norm:.4g}"
    assert fact(out, "order") == f"{expected.order} of 8: {reason}"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--error-tol 0.5", "the smallest whose error bound is at most 0.5"),
        ("--energy-tol 0.1", "the smallest that discards at most 0.1 of the sum"),
        ("--error-tol 1e-9 --max-order 2", "the largest that --max-order allows"),
        ("--order 5 --max-order 2", "5 was asked for"),
    ],
)
def test_the_reason_for_the_order_is_said(call, options, reason):
    code, out, _ = call("reduce", "plant.mat", *options.split(), "--no-certify")
    assert code == 0
    assert reason in fact(out, "order")
    assert "H2 error" not in out


def test_every_file_is_written(call, plant, tmp_path):
    code, out, _ = call(
        "reduce",
        "plant.mat",
        *("--order", "3", "--output", "deep/small.npz", "--report", "r.html"),
        *("--plot", "p.png", "--json", "n.json"),
    )
    assert code == 0
    assert out.splitlines()[-4:] == [
        "model: deep/small.npz",
        "report: r.html",
        "picture: p.png",
        "numbers: n.json",
    ]
    small = load(tmp_path / "deep/small.npz")
    w = np.array([0.1, 1.0])
    expected = balanced_truncation(plant, order=3).system
    np.testing.assert_allclose(
        frequency_response(small, w), frequency_response(expected, w), rtol=1e-9
    )
    assert "Reduction of plant.mat" in (tmp_path / "r.html").read_text("utf8")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    numbers = json.loads((tmp_path / "n.json").read_text())
    assert numbers["file"] == "plant.mat"
    assert numbers["order"] == 3
    assert numbers["certificate"]["bound_holds"] is True


def test_options_reach_the_method(call, monkeypatch, tmp_path):
    save(StateSpace([[-2.0]], [[1.0]], [[1.0]]), tmp_path / "weight.json")
    seen = {}

    def method(
        system: StateSpace,
        *,
        band: tuple[float, float],
        horizon: float | int | None = None,
        gamma: float = 1.0,
        input_weight: StateSpace | None = None,
        modified: bool = False,
        order: int | None = None,
    ):
        seen.update(
            band=band,
            horizon=horizon,
            gamma=gamma,
            weight=input_weight,
            modified=modified,
        )
        return balanced_truncation(system, order=order)

    entry = comparison.Method(method, "a method", ("band",))
    monkeypatch.setitem(command.METHODS, "a_method", entry)
    options = "--band 0 10 --horizon 3 --gamma 2 --input-weight weight.json"
    arguments = [*options.split(), "--option", "modified=true", "--order", "2"]
    code, _, err = call("reduce", "plant.mat", "--method", "a-method", *arguments)
    assert (code, err) == (0, "")
    weight = seen.pop("weight")
    assert seen == {"band": (0.0, 10.0), "horizon": 3, "gamma": 2.0, "modified": True}
    assert weight.n_states == 1
    code, _, err = call("reduce", "plant.mat", "--method", "a_method", "--order", "2")
    assert code == 2
    assert "a_method needs --band" in err


def test_a_bound_that_is_given_by_the_method_is_shown(call):
    code, out, _ = call(
        "reduce",
        *("plant.mat", "--order", "3", "--option", "projection=balancing_free"),
    )
    assert code == 0
    assert "bound holds" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--method magic", "--method magic: need one of balanced_truncation, "),
        ("--order 3 --energy-tol 0.1", "got --order and --energy-tol, need one of"),
        ("--order 3 --relative", "--relative says what --error-tol means"),
        ("--order 99", "got order=99, need at most the 8 states"),
        ("--energy-tol 2", "need a share in [0, 1)"),
        ("--order 3 --band 0 10", "balanced_truncation has no option band, but "),
        ("--order 3 --option nothing", "need NAME=VALUE"),
        ("--order 3 --option map=foo", "map=foo: need real, complex"),
        ("--order 3 --option storage_eps=small", "storage_eps=small: need float"),
        ("--order many", "--order"),
    ],
)
def test_wrong_options_are_usage_errors(call, tmp_path, options, message):
    code, out, err = call("reduce", "plant.mat", *options.split(), "--json", "n.json")
    assert (code, out) == (2, "")
    assert message in " ".join(err.replace("│", " ").split())
    assert [path.name for path in tmp_path.iterdir()] == ["plant.mat"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--output small.txt", "got the suffix '.txt', need one of .mat, .npz, .json"),
        ("--plot p.docx", "got the suffix '.docx', need one of"),
        ("--report plant.mat/r.html", "which cannot be written"),
        ("--json plant.mat/n.json", "which cannot be written"),
    ],
)
def test_files_that_cannot_be_written_are_refused_before_any_work(
    call, monkeypatch, options, message
):
    monkeypatch.setattr(command, "load_one", lambda path: pytest.fail("it was loaded"))
    code, out, err = call("reduce", "plant.mat", "--order", "3", *options.split())
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_errors_of_the_library_are_one_line(call, tmp_path):
    code, _, err = call("reduce", "nowhere.mat")
    assert code == 2
    assert err.startswith("error: nowhere.mat: got '")
    save(StateSpace([[1.0]], [[1.0]], [[1.0]]), tmp_path / "unstable.mat")
    code, _, err = call("reduce", "unstable.mat", "--order", "0")
    assert code == 2
    assert err.startswith("error: balanced_truncation: ")
    assert err.count("\n") == 1
    with pytest.raises(UnstableSystemError, match=r"balanced_truncation: "):
        balanced_truncation(load(tmp_path / "unstable.mat"), order=0)


def test_stacks_are_refused(call, tmp_path):
    stack = StateSpace(-np.ones((2, 1, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1)))
    save(stack, tmp_path / "stack.npz")
    code, _, err = call("reduce", "stack.npz")
    assert code == 2
    assert "got a stack of systems of shape (2,), need one" in err


def test_notes_are_printed_once_and_warnings_without_their_place(call, monkeypatch):
    def method(system: StateSpace, *, order: int | None = None):
        warnings.warn("something else", NumericalWarning, stacklevel=2)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            return balanced_truncation(system, order=order, max_order=2)

    entry = comparison.Method(method, "a method")
    monkeypatch.setitem(command.METHODS, "a_method", entry)
    code, out, err = call("reduce", "plant.mat", "--method", "a_method", "--order", "3")
    assert code == 0
    assert err == "warning: something else\n"
    assert out.count("max_order=2") == 1
    assert "note: the target needs order 3" in out


def test_sparse_files_are_reduced_by_low_rank_factors(call, tmp_path):
    rod = [1.0, -2.0, 1.0]
    A = scipy.sparse.diags_array(rod, offsets=[-1, 0, 1], shape=(2100, 2100))
    end = np.eye(2100)[:, :1]
    matrices = {"A": scipy.sparse.csc_matrix(A), "B": end, "C": end.T}
    scipy.io.savemat(tmp_path / "rod.mat", matrices)
    code, out, err = call("reduce", "rod.mat", "--order", "4", "--no-certify")
    assert (code, err) == (0, "")
    assert fact(out, "system").startswith("2100 states, 1 input, 1 output, sparse")
    assert fact(out, "method").startswith("low-rank")
    assert "note: error_bound is an estimate" in out


def test_work_is_shown_on_a_terminal(call, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    _, out, err = call("reduce", "plant.mat", "--order", "3")
    assert "writing files" in err
    assert "writing files" not in out
    assert "around the cut" in out
