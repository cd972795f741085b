import numpy as np
import pytest

from hankelcut.lti.structure._staircase import controllable_states


def sizes(A, B):
    return {"size_A": np.linalg.norm(A), "size_B": np.linalg.norm(B)}


def hidden_pair(rng, n_controllable, n_other, n_inputs, is_complex):
    """A pair whose controllable states are hidden by an orthogonal similarity."""
    n = n_controllable + n_other
    A = rng.standard_normal((n, n))
    if is_complex:
        A = A + 1j * rng.standard_normal((n, n))
    A[n_controllable:, :n_controllable] = 0
    B = np.zeros((n, n_inputs), dtype=A.dtype)
    B[:n_controllable] = rng.standard_normal((n_controllable, n_inputs))
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return Q @ A @ Q.T, Q @ B, Q[:, :n_controllable]


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("n_inputs", [1, 3])
def test_hidden_subspace_is_found(is_complex, n_inputs, rng):
    A, B, space = hidden_pair(rng, 5, 3, n_inputs, is_complex)
    found = controllable_states(A, B, 1e-10, **sizes(A, B))
    Z = found.basis
    assert Z.shape == (8, 5)
    assert np.iscomplexobj(Z) == is_complex
    np.testing.assert_allclose(Z.conj().T @ Z, np.eye(5), atol=1e-14)
    np.testing.assert_allclose(Z @ (Z.conj().T @ space), space, atol=1e-12)
    assert found.neglected <= 1e-14 < 1e-10 < found.kept


def test_subspace_is_invariant_and_holds_the_inputs(rng):
    A, B, _ = hidden_pair(rng, 6, 4, 2, False)
    Z = controllable_states(A, B, 1e-10, **sizes(A, B)).basis
    outside = np.eye(10) - Z @ Z.T
    np.testing.assert_allclose(outside @ B, 0, atol=1e-13)
    np.testing.assert_allclose(outside @ A @ Z, 0, atol=1e-12)


def test_rounding_is_measured_by_the_given_sizes(rng):
    # What came out of larger matrices as rounding controls nothing.
    A, B = 1e-16 * rng.standard_normal((2, 2)), np.array([[1.0], [0.0]])
    assert controllable_states(A, B, 1e-10, size_A=1.0, size_B=1.0).basis.shape == (
        2,
        1,
    )
    assert (
        controllable_states(A, 1e-15 * B, 1e-10, size_A=1.0, size_B=1.0).basis.size == 0
    )


def test_inputs_are_not_modified(rng):
    A, B = rng.standard_normal((4, 4)), rng.standard_normal((4, 1))
    copies = A.copy(), B.copy()
    controllable_states(A, B, 1e-10, **sizes(A, B))
    np.testing.assert_array_equal(A, copies[0])
    np.testing.assert_array_equal(B, copies[1])
