"""Other toolboxes under the checks: known defects are reported, what is right passes.

Versions: python-control 0.10.2, Slycot 0.7.1, pyMOR 2026.1.1. Nothing here knows the
defects but the expected messages: the checks are the ones that everybody runs.
"""

import numpy as np
import pytest
import scipy.linalg

import hankelcut as hc
from hankelcut.lti import from_control, undiscretize
from hankelcut.validation import (
    InvariantViolationError,
    check_hankel_singular_values,
    check_lyapunov_solver,
    check_norm,
    check_reduction,
    stable_systems,
)
from tests.helpers import dico, fortran

pytest.importorskip("control", reason="python-control is not installed")
pytest.importorskip("slycot", reason="Slycot is not installed")
pytest.importorskip("pymor", reason="pyMOR is not installed")

import control
import slycot
from pymor.core.logger import set_log_levels
from pymor.models.iosys import LTIModel
from pymor.reductors.bt import BTReductor

CONTINUOUS = hc.Continuous()
REAL = {"real": True, "min_states": 2}


@pytest.fixture(autouse=True)
def _quiet():
    set_log_levels({"pymor": "ERROR", "slycot": "ERROR"})


def control_plant(system):
    """The system for python-control, which drops imaginary parts with a warning."""
    dt = getattr(system.time, "dt", 0)
    return control.ss(system.A, system.B, system.C, system.D, dt)


def control_balred(system, order):
    return from_control(control.balred(control_plant(system), order))


def control_values(system):
    """python-control has them for continuous systems only."""
    if isinstance(system.time, hc.Discrete):
        system = undiscretize(system, method="bilinear")
    return control.hankel_singular_values(control_plant(system))


def pymor_model(system):
    dt = getattr(system.time, "dt", 0)
    matrices = system.A, system.B, system.C
    return LTIModel.from_matrices(*matrices, D=system.D, sampling_time=dt)


def pymor_values(system):
    return pymor_model(system).hsv()


def from_pymor(model, time):
    A, B, C, D, E = model.to_matrices()
    if E is not None:
        A, B = np.linalg.solve(E, A), np.linalg.solve(E, B)
    return hc.StateSpace(A, B, C, D, time)


def pymor_order(system, order):
    """Full orders are refused by an assertion; nothing is to be done there."""
    if order == system.n_states:
        return system
    reductor = BTReductor(pymor_model(system))
    return from_pymor(reductor.reduce(order), system.time)


def pymor_tolerance(system, order):
    """Reduce to a tolerance that the order meets, and no smaller order."""
    reductor = BTReductor(pymor_model(system))
    bounds = np.append(reductor.error_bounds(), 0.0)
    tolerance = 1.01 * bounds[order - 1] or 1e-20
    return from_pymor(reductor.reduce(tol=tolerance), system.time)


def slycot_generalized(A, B):
    n = len(A)
    matrices = fortran(A, np.eye(n), np.eye(n), np.eye(n), B)
    return slycot.sg03bd(n, B.shape[1], *matrices, "C", trans="T")[0]


DEFECTS = {
    "python-control: balred makes continuous systems of discrete ones": (
        lambda: check_reduction(
            control_balred, systems=stable_systems(time=hc.Discrete(), **REAL)
        ),
        r"went from \(Discrete\(dt=1\.0\), \d, \d\) to \(Continuous\(\)",
    ),
    "python-control: NaN among the Hankel singular values": (
        # One example in a hundred has a product with a negative eigenvalue.
        lambda: check_hankel_singular_values(
            control_values, checks=["form"], max_examples=1000
        ),
        r"the values \[.*nan",
    ),
    "python-control: roots of eigenvalues of P Q": (
        lambda: check_hankel_singular_values(control_values, checks=["accuracy"]),
        "small values keep their digits",
    ),
    "pyMOR: a tolerance below all bounds gives order 1": (
        lambda: check_reduction(
            pymor_tolerance,
            checks=["reduced_order"],
            systems=stable_systems(condition=2.0, **REAL),
        ),
        r"the model has 1 states, asked for [2-9]",
    ),
    "pyMOR: unstable systems are reduced as if they were stable": (
        lambda: check_reduction(pymor_order, checks="unstable_systems"),
        r"unstable poles became \d, without an error|the responses differ",
    ),
    "pyMOR: roots of full Gramians": (
        lambda: check_hankel_singular_values(pymor_values, checks=["accuracy"]),
        "small values keep their digits",
    ),
    "python-control: imaginary parts are dropped": (
        lambda: check_reduction(
            control_balred,
            checks=["full_order"],
            systems=stable_systems(real=False, time=CONTINUOUS, min_states=2),
        ),
        "the responses differ",
    ),
    "python-control: balred returns a larger order than asked for": (
        lambda: check_reduction(
            control_balred,
            checks=["unstable_systems"],
            systems=stable_systems(time=CONTINUOUS, real=True),
        ),
        "the model has 2 states, asked for 1",
    ),
    "Slycot: sg03bd refuses its own default": (
        lambda: check_lyapunov_solver(
            slycot_generalized, time=CONTINUOUS, factored=True, checks=["residual"]
        ),
        "SlycotParameterError.*ldwork",
    ),
    "pyMOR: the H2 norm leaves out D": (
        lambda: check_norm(
            lambda system: pymor_model(system).h2_norm(), norm="h2", checks=["infinite"]
        ),
        r"expected \[inf, inf\]",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_known_defects_are_reported(defect, quick_shrinking):
    run, message = DEFECTS[defect]
    with pytest.raises(InvariantViolationError, match=f"(?s){message}"):
        run()


def negated(A, Q):
    """SciPy's equation has the other sign."""
    return scipy.linalg.solve_continuous_lyapunov(A, -Q)


def test_right_solvers_of_others_pass():
    check_lyapunov_solver(negated, time=CONTINUOUS, max_examples=10)
    stein = scipy.linalg.solve_discrete_lyapunov
    check_lyapunov_solver(stein, time=hc.Discrete(), max_examples=10)


def slycot_balanced(system, order):
    sizes = system.n_states, system.n_inputs, system.n_outputs
    matrices = fortran(system.A, system.B, system.C)
    r, A, B, C, _ = slycot.ab09ad(dico(system), "B", "N", *sizes, *matrices, nr=order)
    return A[:r, :r], B[:r], C[:, :r], system.D


def test_right_reductions_of_others_pass():
    checks = ("full_order", "truncation_bound", "duality", "beyond_rank")
    systems = stable_systems(**REAL)
    check_reduction(slycot_balanced, checks=checks, systems=systems, max_examples=5)
