import inspect
import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from hankelcut import (
    HankelcutError,
    IllConditionedError,
    InvalidSystemError,
    NumericalWarning,
    SparseStateSpace,
    _array,
)
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SignalNames,
    StateSpace,
    frequency_response,
    is_stable,
)
from hankelcut.reduction import METHODS, ReductionResult
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES, on, to_precision, unchecked_types
from tests.reduction.test_every_bound import DENSE, OPTIONS, PREPARED

TARGETS = ("order", "error_tol", "relative", "energy_tol", "max_order")
NAMES = SignalNames(inputs=("force", "torque"), outputs=("x", "y"), system="arm")
# They refuse unstable systems; others keep the poles, or reduce them as they are.
REFUSE = ["bounded_real_truncation", "positive_real_truncation"]


def reduced(name, system, **target):
    options = OPTIONS[name](system) if name in OPTIONS else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumericalWarning)
        return METHODS[name].function(system, **options, **target)


def prepared(name, system):
    return PREPARED[name](system) if name in PREPARED else system


def plain(name, rng, time=TIMES[1], *, dtype=np.float64):
    """A system of five states with what a method presupposes."""
    return prepared(name, random_stable_system(rng, 5, 2, 2, time, dtype=dtype))


def static(name, time, n, m, p):
    """A system that does nothing but pass its inputs on, with n silent states."""
    A = (-np.eye(n) if isinstance(time, Continuous) else 0.5 * np.eye(n)) * 1.0
    D = np.eye(p, m) * (0.5 if name == "bounded_real_truncation" else 1.0)
    return StateSpace(A, np.zeros((n, m)), np.zeros((p, n)), D, time)


def test_dense_methods_are_all_but_the_sparse_one():
    assert set(METHODS) - set(DENSE) == {"low_rank_balanced_truncation"}


@pytest.mark.parametrize("name", METHODS)
def test_signatures_share_the_targets(name):
    parameters = inspect.signature(METHODS[name].function).parameters
    first, *others = parameters.values()
    assert first.name == "system"
    assert all(one.kind is inspect.Parameter.KEYWORD_ONLY for one in others)
    for target in TARGETS:
        assert parameters[target].default is (False if target == "relative" else None)
    assert METHODS[name].needs == tuple(
        need for need in METHODS[name].needs if need in parameters
    )


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("time", TIMES)
def test_model_has_the_order_the_time_and_the_names_of_the_system(name, time, rng):
    system = replace(plain(name, rng, time), names=NAMES)
    before = {k: getattr(system, k).copy() for k in "ABCD"}
    result = reduced(name, system, order=3)
    assert isinstance(result, ReductionResult)
    assert result.order == result.system.n_states
    # Modes come in pairs.
    assert 3 - result.order <= (name == "modal_truncation")
    assert result.system.time == time
    assert result.system.names == NAMES
    assert result.full is system
    assert len(result.characteristic_values) == 5
    assert np.all(np.diff(result.characteristic_values) <= 0)
    assert (result.error_bound is None) == (result.bound.value is None)
    assert result.bound.quantity
    assert result.bound.condition
    for key, matrix in before.items():
        np.testing.assert_array_equal(getattr(system, key), matrix)


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_whole_order_keeps_the_response(name, time, dtype, rng):
    system = plain(name, rng, time, dtype=dtype)
    result = reduced(name, system, order=5)
    assert result.order == 5
    points = np.linspace(-3.0, 3.0, 13)
    full, model = (frequency_response(s, points) for s in (system, result.system))
    np.testing.assert_allclose(model, full, atol=1e-8 * np.abs(full).max())
    assert result.system.A.dtype == dtype


@pytest.mark.parametrize("name", DENSE)
def test_single_precision_is_certified_in_its_own_arrays(xp, name, rng):
    system = on(xp, to_precision(plain(name, rng), single=True))
    result = reduced(name, system, order=2)
    certificate = result.certify()
    measured = [certificate.hinf_error.upper, certificate.h2_error]
    for array in (result.system.A, result.characteristic_values, *measured):
        assert _array.namespace(array) is _array.namespace(system.A)
        assert array.dtype == system.A.dtype
    if certificate.bound_holds is not None:
        assert bool(certificate.bound_holds)


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 2), (3, 2, 2), (3, 0, 0), (0, 0, 0)])
def test_silent_states_are_all_dropped(name, time, n, m, p, rng):
    system = static(name, time, n, m, p)
    result = reduced(name, system, order=0)
    assert result.order == 0
    np.testing.assert_array_equal(result.system.D, system.D)
    error = result.certify().hinf_error
    assert float(error.upper) <= 1e-12
    if n > 0:
        assert reduced(name, system, order=n).order <= n


@pytest.mark.parametrize("name", sorted(set(DENSE) - set(PREPARED)))
@pytest.mark.parametrize(("m", "p"), [(0, 2), (2, 0)])
def test_system_without_inputs_or_outputs_becomes_static(name, m, p, rng):
    system = random_stable_system(rng, 4, m, p)
    result = reduced(name, system, order=2)
    assert result.order == 0
    assert result.system.D.shape == (p, m)


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("readout", ["complex", "real"])
def test_diagonal_systems_are_taken(name, readout, rng):
    poles = np.array([-1.0 + 2.0j, -3.0 + 0.5j])
    B, C = (np.array(rows, dtype=complex) for rows in ([[1], [0.2]], [[0.3, 0.1]]))
    complex_map = readout == "complex"
    D = np.array([[0.5]], dtype=complex if complex_map else float)
    if name == "positive_real_truncation":
        D = 10 * D
    system = DiagonalStateSpace.from_poles(
        poles, B / 4, C, D, time=Continuous(), readout=readout
    )
    if name == "frequency_weighted_truncation":
        weight = StateSpace([[-1.0]], [[1.0]], [[1.0]])
        result = METHODS[name].function(system, order=2, input_weight=weight)
    else:
        result = reduced(name, system, order=2)
    assert result.order == 2
    assert np.iscomplexobj(result.system.D) == complex_map


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({}, "need exactly one of order"),
        ({"order": 2, "error_tol": 0.1}, "need exactly one of order"),
        ({"order": -1}, "got order=-1, need a whole number >= 0"),
        ({"order": True}, "got order=True, need a whole number"),
        ({"order": 1.5}, "got order=1.5, need a whole number"),
        ({"order": 6}, "got order=6, need at most"),
        ({"error_tol": -1.0}, "got error_tol=-1.0, need a number >= 0"),
        ({"error_tol": float("nan")}, "got error_tol=nan"),
        ({"error_tol": "small"}, "got error_tol='small', need a real number"),
        ({"energy_tol": 1.0}, "got energy_tol=1.0, need a share"),
        ({"order": 2, "relative": True}, "got relative=True without error_tol"),
        ({"order": 2, "max_order": -1}, "got max_order=-1"),
    ],
)
def test_targets_out_of_range_are_refused(name, target, said, rng):
    system = plain(name, rng)
    with unchecked_types(), pytest.raises(ValueError, match=said):
        reduced(name, system, **target)


@pytest.mark.parametrize("name", sorted(set(DENSE) - {"balanced_truncation"}))
def test_systems_of_other_kinds_are_refused(name, rng):
    system = plain(name, rng)
    options = OPTIONS[name](system) if name in OPTIONS else {}
    function = METHODS[name].function
    stack = StateSpace(*(getattr(system, k)[None] for k in "ABCD"))
    sparse = SparseStateSpace(scipy.sparse.csc_array(system.A), system.B, system.C)
    need = "need a StateSpace or DiagonalStateSpace"
    with unchecked_types():
        for other, said in [(stack, "need one"), (sparse, need), (system.A, need)]:
            with pytest.raises(InvalidSystemError, match=f"{name}: got a .*{said}"):
                function(other, order=2, **options)


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_entries_that_are_no_numbers_are_refused(name, entry, rng):
    system = plain(name, rng)
    options = OPTIONS[name](system) if name in OPTIONS else {}
    A = system.A.copy()
    A[1, 2] = entry
    with pytest.raises(InvalidSystemError, match=f"{name}: A .*NaN or infinite"):
        METHODS[name].function(replace(system, A=A), order=2, **options)


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("time", TIMES)
def test_poles_on_the_boundary_are_kept_or_refused(name, time, rng):
    system = plain(name, rng, time)
    A = system.A.copy()
    A[0], A[:, 0] = 0.0, 0.0
    A[0, 0] = 0.0 if isinstance(time, Continuous) else -1.0
    edge = replace(system, A=A)
    if name in REFUSE:
        with pytest.raises(HankelcutError, match=f"{name}: .*lqg_balanced_truncation"):
            reduced(name, edge, order=3)
        return
    result = reduced(name, edge, order=3)
    assert result.order == 3
    if name not in ("lqg_balanced_truncation", "time_limited_truncation"):
        distances = np.abs(np.linalg.eigvals(result.system.A) - A[0, 0])
        assert np.min(distances) < 1e-9


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("pole", [-1.0 + 1e-6, 1.0 - 1e-6])
def test_bound_holds_next_to_both_ends_of_the_circle(name, pole, rng):
    A = np.diag([pole, 0.5, -0.2, 0.1])
    B, C = rng.standard_normal((4, 2)), rng.standard_normal((2, 4))
    system = prepared(name, StateSpace(A, B, C, np.eye(2), Discrete(0.1)))
    result = reduced(name, system, order=2)
    certificate = result.certify()
    if certificate.bound_holds is not None:
        assert bool(certificate.bound_holds)
    if name not in ("frequency_limited_truncation", "time_limited_truncation"):
        assert bool(is_stable(result.system))
        assert result.order == 2


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("size", [1e150, 1e-150])
def test_extreme_gains_are_reduced_or_refused_by_name(name, size, rng):
    system = random_stable_system(rng, 5, 2, 2)
    extreme = replace(
        system,
        B=size * system.B,
        C=size * system.C,
        D=size * (system.D + 9 * np.eye(2)),
    )
    refusal, result = None, None
    try:
        result = reduced(name, extreme, order=3)
    except (IllConditionedError, InvalidSystemError) as error:
        refusal = str(error)
    assert (refusal is None) != (result is None)
    assert name in refusal if result is None else np.all(np.isfinite(result.system.A))
