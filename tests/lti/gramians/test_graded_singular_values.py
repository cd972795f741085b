import numpy as np
import pytest

from hankelcut.lti.gramians._graded_singular_values import graded_singular_values
from tests.exact import exact_singular_values
from tests.helpers import BATCHES, DTYPES


def random_matrix(rng, p, q, dtype=float):
    M = rng.standard_normal((p, q))
    if np.issubdtype(dtype, np.complexfloating):
        M = M + 1j * rng.standard_normal((p, q))
    return M.astype(dtype)


def grades(rng, n, decades):
    """Sizes over many decades in random order."""
    return rng.permutation(np.logspace(0, -decades, n))


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize(("p", "q"), [(9, 9), (9, 6), (6, 9)])
@pytest.mark.parametrize(("rows", "columns"), [(14, 0), (0, 14), (7, 7)])
def test_every_value_of_a_graded_matrix_keeps_its_digits(
    dtype, p, q, rows, columns, rng
):
    for _ in range(3):
        M = grades(rng, p, rows)[:, None] * random_matrix(rng, p, q, dtype)
        M = M * grades(rng, q, columns)
        exact = exact_singular_values(M)[: min(p, q)]
        plain = np.linalg.svd(M, compute_uv=False)
        np.testing.assert_allclose(graded_singular_values(M), exact, rtol=1e-12)
        if p == q:
            assert abs(plain / exact - 1).max() > 1e-12


@pytest.mark.parametrize("side", ["rows", "columns"])
def test_every_value_of_a_matrix_with_a_step_keeps_its_digits(side, rng):
    # One third of the columns is 1e12 times larger: sorting alone would not help.
    n = 30
    M = rng.standard_normal((n, n)) * np.where(np.arange(n) % 3 == 0, 1, 1e-12)
    if side == "rows":
        M = M.T
    exact = exact_singular_values(M)
    values = graded_singular_values(M)
    np.testing.assert_allclose(values, exact, rtol=1e-10)
    vectors_too = np.linalg.svd(M)[1]
    assert abs(vectors_too / exact - 1).max() > 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_are_those_of_every_library(xp, dtype, rng):
    for batch in BATCHES:
        M = np.stack([random_matrix(rng, 4, 3, dtype) for _ in range(12)])
        M = M[: int(np.prod(batch))].reshape(*batch, 4, 3)
        values = graded_singular_values(xp.asarray(M))
        single = np.finfo(dtype).bits == 32
        assert values.dtype == (xp.float32 if single else xp.float64)
        expected = np.linalg.svd(M, compute_uv=False)
        rtol = 50 * np.finfo(dtype).eps
        np.testing.assert_allclose(xp.to_numpy(values), expected, rtol=rtol)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3), (0, 2, 3)])
def test_empty_matrices_have_no_values(shape):
    assert graded_singular_values(np.zeros(shape)).shape == (
        *shape[:-2],
        min(shape[-2:]),
    )


def test_rank_is_seen_as_zeros(rng):
    M = random_matrix(rng, 6, 2) @ random_matrix(rng, 2, 5)
    M[:, 3] = 0
    M[2] = 0
    values = graded_singular_values(M)
    assert (values[2:] <= 1e-15 * values[0]).all()
    assert not graded_singular_values(np.zeros((4, 3))).any()


def test_scale_does_not_matter(rng):
    M = random_matrix(rng, 5, 5) * grades(rng, 5, 10)
    for power in (-900, 60, 900):
        scaled = graded_singular_values(2.0**power * M) * 2.0**-power
        np.testing.assert_allclose(scaled, graded_singular_values(M), rtol=2e-15)


def test_gradients_of_singular_matrices_are_numbers():
    torch = pytest.importorskip("torch")
    M = torch.diag(torch.tensor([3.0, 2.0, 0.0], dtype=torch.float64))
    M.requires_grad_()
    graded_singular_values(M)[:2].sum().backward()
    np.testing.assert_allclose(M.grad.numpy(), np.diag([1.0, 1.0, 0.0]), atol=1e-15)
