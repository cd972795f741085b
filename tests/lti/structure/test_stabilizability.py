import numpy as np
import pytest

from hankelcut import UnstableSystemError
from hankelcut.lti import Continuous, Discrete, StateSpace
from hankelcut.lti.structure.stabilizability import require_stabilizable_and_detectable

CALLER = "test"
UNSTABLE = {Continuous(): 0.5, Discrete(0.1): -1.5}


def similar(rng, system):
    """The same system in other, badly scaled coordinates."""
    n = system.n_states
    T = np.linalg.qr(rng.standard_normal((n, n)))[0] * np.geomspace(1, 1e6, n)[:, None]
    inverse = np.linalg.inv(T)
    return StateSpace(
        T @ system.A @ inverse, T @ system.B, system.C @ inverse, time=system.time
    )


def systems(time, dtype, hidden):
    """A stable pole, and an unstable one without input or without output."""
    unstable = UNSTABLE[time] * (np.exp(0.3j) if dtype == np.complex128 else 1)
    A = np.diag([-0.25, 0.1, unstable]).astype(dtype)
    A[0, 1] = 0.2
    B, C = np.ones((3, 2), dtype=dtype), np.ones((1, 3), dtype=dtype)
    if hidden == "input":
        B[2] = 0
    elif hidden == "output":
        C[:, 2] = 0
    return StateSpace(
        A - (0.2 if time == Continuous() else 0) * np.eye(3), B, C, time=time
    )


@pytest.mark.parametrize("time", UNSTABLE)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize(
    ("hidden", "said"),
    [("input", "is not controllable"), ("output", "is not observable")],
)
def test_hidden_unstable_poles_are_named(rng, time, dtype, hidden, said):
    system = similar(rng, systems(time, dtype, hidden))
    poles = np.linalg.eigvals(system.A)
    distance = poles.real if time == Continuous() else np.abs(poles)
    pole = complex(poles[np.argmax(distance)])
    with pytest.raises(UnstableSystemError, match=said) as caught:
        require_stabilizable_and_detectable(CALLER, system)
    assert f"the unstable pole {pole:.6g} is" in str(caught.value)


@pytest.mark.parametrize("time", UNSTABLE)
def test_visible_unstable_poles_pass(rng, time):
    system = systems(time, np.float64, None)
    require_stabilizable_and_detectable(CALLER, similar(rng, system))


def test_hidden_stable_poles_pass():
    system = StateSpace(np.diag([-1.0, 1.0]), [[0.0], [1.0]], [[0.0, 1.0]])
    require_stabilizable_and_detectable(CALLER, system)


def test_equal_poles_need_as_many_inputs():
    # Each eigenvector of the double pole has an input; one combination has none.
    A, C = np.eye(2), np.eye(2)
    with pytest.raises(UnstableSystemError, match="is not controllable"):
        require_stabilizable_and_detectable(CALLER, StateSpace(A, [[1.0], [2.0]], C))
    require_stabilizable_and_detectable(CALLER, StateSpace(A, np.eye(2), C))


def test_chain_of_integrators_is_judged_by_its_ends():
    A = np.diag(np.ones(3), 1)
    first, last = np.eye(4)[:, :1], np.eye(4)[:, 3:]
    require_stabilizable_and_detectable(CALLER, StateSpace(A, last, first.T))
    with pytest.raises(UnstableSystemError, match="is not controllable"):
        require_stabilizable_and_detectable(CALLER, StateSpace(A, first, first.T))
    with pytest.raises(UnstableSystemError, match="is not observable"):
        require_stabilizable_and_detectable(CALLER, StateSpace(A, last, last.T))


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_units_of_signals_do_not_matter(rng, scale):
    system = systems(Continuous(), np.float64, None)
    scaled = StateSpace(system.A, scale * system.B, system.C / scale)
    require_stabilizable_and_detectable(CALLER, scaled)
    hidden = systems(Continuous(), np.float64, "input")
    scaled = StateSpace(hidden.A, scale * hidden.B, hidden.C / scale)
    with pytest.raises(UnstableSystemError, match="is not controllable"):
        require_stabilizable_and_detectable(CALLER, similar(rng, scaled))


def test_systems_without_states_pass():
    nothing = StateSpace(np.zeros((0, 0)), np.zeros((0, 2)), np.zeros((1, 0)))
    require_stabilizable_and_detectable(CALLER, nothing)
