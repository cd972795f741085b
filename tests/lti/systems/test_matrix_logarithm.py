import numpy as np
import pytest
import scipy.linalg

from hankelcut import IllConditionedError
from hankelcut.lti.systems._matrix_logarithm import matrix_logarithm
from tests.helpers import BATCHES, DTYPES


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponential_is_the_matrix(xp, dtype, rng):
    for batch in BATCHES:
        steps = 0.3 * rng.standard_normal((*batch, 4, 4))
        if np.dtype(dtype).kind == "c":
            steps = steps + 0.3j * rng.standard_normal((*batch, 4, 4))
        matrix = scipy.linalg.expm(steps) if steps.size else steps
        given = xp.asarray(matrix.astype(dtype), dtype=getattr(xp, dtype.__name__))
        result = matrix_logarithm(given)
        assert result.dtype == given.dtype
        atol = 100 * np.finfo(dtype).eps
        np.testing.assert_allclose(xp.to_numpy(result), steps, rtol=0, atol=atol)


def test_matrix_without_rows_is_its_own_logarithm(xp):
    for shape in ((0, 0), (2, 0, 0)):
        assert matrix_logarithm(xp.asarray(np.zeros(shape))).shape == shape


def test_lost_accuracy_is_refused():
    # Its eigenvalues, the fifth roots of 1e-60, are zero to rounding.
    nearly_nilpotent = np.diag(np.ones(4), 1)
    nearly_nilpotent[4, 0] = 1e-60
    with pytest.raises(IllConditionedError, match="exponential of the logarithm"):
        matrix_logarithm(np.stack([np.eye(5), nearly_nilpotent]))
