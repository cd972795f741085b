import numpy as np
import pytest

from hankelcut.lti.equations._schur_blocks import continuous_block, discrete_block
from hankelcut.lti.equations._schur_completion import Completion
from tests.lti.equations.oracles import adjoint

BLOCKS = {
    "real": np.array([[-0.4]]),
    "complex": np.array([[-0.4 + 0.3j]]),
    "pair": np.array([[-0.3, 0.8], [-0.2, -0.3]]),
    "turned pair": np.array([[-0.3, -0.01], [4.0, -0.3]]),
    "nearly real pair": np.array([[-0.3, 1e-9], [-0.4, -0.3]]),
}


def rows(rng, T, m):
    B = rng.standard_normal((len(T), m))
    return B + 1j * rng.standard_normal(B.shape) if np.iscomplexobj(T) else B


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("m", [1, 2, 3, 7])
@pytest.mark.parametrize("block_of", [continuous_block, discrete_block])
def test_blocks_satisfy_their_definition(name, m, block_of, rng):
    T = BLOCKS[name]
    B = rows(rng, T, m)
    R, M, b = block_of(T, B)
    size = np.linalg.norm(R)
    np.testing.assert_allclose(R @ b, B, atol=1e-14 * size * np.linalg.norm(b))
    np.testing.assert_allclose(R @ M, T @ R, atol=1e-14 * size)
    k = len(T)
    if block_of is continuous_block:
        zero = M + adjoint(M) + b @ adjoint(b)
    else:
        zero = M @ adjoint(M) + b @ adjoint(b) - np.eye(k)
    np.testing.assert_allclose(zero, np.zeros((k, k)), atol=1e-14)


@pytest.mark.parametrize("block_of", [continuous_block, discrete_block])
@pytest.mark.parametrize("m", [0, 1, 4])
def test_silent_rows_have_no_block(block_of, m):
    for T in BLOCKS.values():
        assert block_of(T, np.zeros((len(T), m), T.dtype)) is None


@pytest.mark.parametrize("scale", [1e-306, 1e-150, 1e150, 1e300])
@pytest.mark.parametrize("m", [2, 5])
@pytest.mark.parametrize("name", ["real", "pair"])
@pytest.mark.parametrize("block_of", [continuous_block, discrete_block])
def test_rows_of_any_size(scale, m, name, block_of, rng):
    T = BLOCKS[name]
    B = rows(rng, T, m)
    expected, found = block_of(T, B), block_of(T, scale * B)
    np.testing.assert_allclose(found.R / scale, expected.R, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(found.b, expected.b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block_of", [continuous_block, discrete_block])
def test_rows_without_normal_numbers_are_silent(dtype, block_of):
    below = np.finfo(dtype).tiny / 4
    for name in ("real", "pair"):
        T = BLOCKS[name].astype(dtype)
        assert block_of(T, np.full((len(T), 1), below, dtype)) is None


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("m", [1, 3])
def test_completions_are_unitary(name, m, rng):
    T = BLOCKS[name]
    block = discrete_block(T, rows(rng, T, m))
    completion = Completion.of_block(block)
    k = len(T)
    whole = np.vstack([completion.S, np.eye(m) - completion.W @ adjoint(completion.Z)])
    stacked = np.hstack([adjoint(np.hstack([block.M, block.b])), whole])
    np.testing.assert_allclose(adjoint(stacked) @ stacked, np.eye(k + m), atol=1e-14)
