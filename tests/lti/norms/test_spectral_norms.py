import numpy as np
import pytest

from hankelcut import _array
from hankelcut.lti.norms._spectral_norms import spectral_norms

SHAPES = [(1, 1), (3, 1), (1, 4), (2, 2), (5, 2), (2, 3), (3, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_norms_are_the_largest_singular_values(shape, dtype, xp, rng):
    matrices = rng.standard_normal((4, 6, *shape)).astype(dtype)
    if dtype == np.complex128:
        matrices += 1j * rng.standard_normal(matrices.shape)
    # Of rank one, of equal singular values, and nothing.
    matrices[0, 0] = matrices[0, 0, :, :1] * matrices[0, 0, :1]
    matrices[0, 1] = np.eye(*shape)
    matrices[0, 2] = 0
    norms = _array.to_numpy(spectral_norms(xp.asarray(matrices)))
    expected = np.linalg.norm(matrices, 2, axis=(-2, -1))
    np.testing.assert_allclose(norms, expected, rtol=1e-14)
