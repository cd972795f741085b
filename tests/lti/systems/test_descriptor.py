import numpy as np
import pytest
import scipy.linalg

from hankelcut import InvalidSystemError, NumericalWarning
from hankelcut.lti import Discrete, SignalNames, StateSpace
from hankelcut.validation import random_stable_system
from tests.helpers import BATCHES, DTYPES, TIMES, fields_of, on


def descriptor_matrix(rng, n, dtype, batch=()):
    """E with singular values from 0.5 to 2."""
    shape = (*batch, n, n)
    imag = 1j if np.dtype(dtype).kind == "c" else 0
    parts = (rng.standard_normal(shape) + imag * rng.standard_normal(shape),) * 2
    U, V = (np.linalg.qr(part)[0] for part in parts)
    return ((U * np.linspace(0.5, 2.0, n)) @ V).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("time", TIMES)
def test_standard_form_solves_the_descriptor_equations(xp, time, dtype, rng):
    for batch in BATCHES:
        system = random_stable_system(rng, 4, 2, 3, time, dtype=dtype, batch=batch)
        E = descriptor_matrix(rng, 4, dtype, batch)
        A, B, C, D = fields_of(on(xp, system))
        ours = StateSpace.from_descriptor(
            xp.asarray(E, dtype=A.dtype), A, B, C, D, time
        )
        assert (ours.time, ours.batch_shape, ours.A.dtype) == (time, batch, A.dtype)
        tolerance = 100 * np.finfo(dtype).eps
        for found, right in ((ours.A, system.A), (ours.B, system.B)):
            residual = E @ xp.to_numpy(found) - right
            np.testing.assert_allclose(residual, 0 * residual, atol=tolerance)
        np.testing.assert_array_equal(xp.to_numpy(ours.C), system.C)
        np.testing.assert_array_equal(xp.to_numpy(ours.D), system.D)


@pytest.mark.parametrize("time", TIMES)
def test_poles_are_the_generalised_eigenvalues(time, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    E = descriptor_matrix(rng, 5, float)
    ours = StateSpace.from_descriptor(E, *fields_of(system), time)
    expected = scipy.linalg.eigvals(system.A, E)
    np.testing.assert_allclose(
        np.sort_complex(np.linalg.eigvals(ours.A)),
        np.sort_complex(expected),
        rtol=1e-11,
    )


def test_one_descriptor_matrix_serves_a_batch_and_the_reverse(rng):
    system = random_stable_system(rng, 3, 2, 4, batch=(5,))
    E = descriptor_matrix(rng, 3, float)
    many = StateSpace.from_descriptor(E, *fields_of(system))
    np.testing.assert_allclose(E @ many.A, system.A, atol=1e-13)
    stack = descriptor_matrix(rng, 3, float, (5,))
    one = StateSpace.from_descriptor(stack, *fields_of(system[0]))
    assert one.batch_shape == (5,)
    np.testing.assert_allclose(
        stack @ one.B, np.broadcast_to(system.B[0], (5, 3, 2)), atol=1e-13
    )


def test_complex_descriptor_matrix_makes_the_system_complex():
    system = StateSpace.from_descriptor([[1j]], [[-2.0]], [[1.0]], [[1.0]])
    np.testing.assert_allclose(system.A, [[2j]], rtol=1e-15)
    assert system.C.dtype == np.complex128


def test_names_and_time_are_kept():
    names = SignalNames(("u",), ("y",), ("x",), "plant")
    one = [[1.0]]
    system = StateSpace.from_descriptor(one, one, one, one, None, Discrete(0.3), names)
    assert (system.names, system.time) == (names, Discrete(0.3))


@pytest.mark.parametrize(("n", "m"), [(0, 2), (3, 0), (0, 0)])
def test_empty_systems_have_a_standard_form(n, m):
    system = StateSpace.from_descriptor(
        2 * np.eye(n), -np.eye(n), np.ones((n, m)), np.ones((4, n))
    )
    assert (system.n_states, system.n_inputs, system.n_outputs) == (n, m, 4)
    np.testing.assert_array_equal(system.A, -0.5 * np.eye(n))


def test_bad_scaling_is_not_taken_for_singularity(rng):
    # Rows are equations and columns are states in other units: 10^12 of them.
    rows, columns = 10.0 ** np.array([-12, 0, 9]), 10.0 ** np.array([8, -12, 0])
    E = descriptor_matrix(rng, 3, float)
    A = rng.standard_normal((3, 3))
    scaled = StateSpace.from_descriptor(
        rows[:, None] * E * columns, rows[:, None] * A, np.ones((3, 1)), np.ones((1, 3))
    )
    expected = np.linalg.solve(E, A) / columns[:, None]
    np.testing.assert_allclose(scaled.A, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "E",
    [
        np.zeros((3, 3)),
        np.diag([1.0, 1.0, 0.0]),
        np.ones((3, 3)),
        # The rank of [1 2 3; 4 5 6; 7 8 9] is 2, which rounding hides.
        np.arange(1.0, 10.0).reshape(3, 3),
    ],
    ids=["zero", "zero state", "equal rows", "rounded"],
)
def test_singular_descriptor_matrix_is_refused(xp, E):
    E, A = xp.asarray(E), xp.asarray(np.eye(3))
    message = "got E with a reciprocal .* need a nonsingular one.* eliminate them first"
    with pytest.raises(InvalidSystemError, match=message):
        StateSpace.from_descriptor(E, A, A[:, :2], A[:1, :])


def test_singular_item_of_a_batch_is_named():
    E = np.stack([np.eye(3), np.eye(3), np.diag([1.0, 0.0, 1.0])])
    with pytest.raises(InvalidSystemError, match="got E of batch item 2"):
        StateSpace.from_descriptor(E, np.eye(3), np.ones((3, 2)), np.ones((1, 3)))


def test_ill_conditioned_descriptor_matrix_warns():
    E = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-10]])
    with pytest.warns(NumericalWarning, match=r"condition number 4e\+10"):
        StateSpace.from_descriptor(E, np.eye(2), np.ones((2, 1)), np.ones((1, 2)))


@pytest.mark.parametrize(
    ("E", "message"),
    [
        (np.ones((2, 3)), r"got E of shape \(2, 3\), need \(..., 3, 3\)"),
        (np.eye(2), r"got E of shape \(2, 2\)"),
        (np.ones(3), r"got E of shape \(3,\)"),
        (np.diag([1.0, np.nan, 1.0]), "E of shape .* NaN or infinite"),
    ],
)
def test_descriptor_matrix_that_does_not_fit_is_refused(E, message):
    with pytest.raises(InvalidSystemError, match=message):
        StateSpace.from_descriptor(E, np.eye(3), np.ones((3, 2)), np.ones((1, 3)))


def test_gradients_flow_through_the_solve():
    torch = pytest.importorskip("torch")
    E = torch.tensor([[2.0]], dtype=torch.float64, requires_grad=True)
    one = torch.ones((1, 1), dtype=torch.float64)
    StateSpace.from_descriptor(E, one, one, one).A.sum().backward()
    assert float(E.grad) == -0.25
