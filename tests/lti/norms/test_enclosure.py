from fractions import Fraction

import numpy as np
import pytest

from hankelcut.lti.norms._enclosure import Enclosure, stacked


def exact(matrix):
    return np.vectorize(Fraction, otypes=[object])(matrix)


def excess(enclosure, truth):
    """By how much the exact matrix leaves the enclosure at most; 0 if it does not."""
    middle = exact(enclosure.high) + exact(enclosure.low)
    distance = abs(middle - truth) - exact(enclosure.radius)
    return max(float(value) for value in distance.ravel())


def graded(rng, shape):
    """Entries of all sizes."""
    return rng.standard_normal(shape) * 10.0 ** rng.uniform(-12, 3, shape)


@pytest.mark.parametrize("sizes", [(3, 1, 2), (4, 7, 5), (3, 40, 2)])
def test_product_holds_the_exact_one(sizes, rng):
    p, n, m = sizes
    left, right = graded(rng, (p, n)), graded(rng, (n, m))
    product = Enclosure.exactly(left) @ Enclosure.exactly(right)
    assert excess(product, exact(left).dot(exact(right))) <= 0
    size = np.outer(abs(left).max(1), abs(right).max(0))
    assert np.all(product.radius <= 1e-22 * n * size)


def test_cancellation_keeps_its_digits(rng):
    # A (A^-1 A rounded) - A: a double product has none of its digits right.
    A = rng.standard_normal((12, 12))
    rest = np.linalg.solve(A, A) + 1e-14 * rng.standard_normal((12, 12))
    difference = Enclosure.exactly(A) @ Enclosure.exactly(rest) + -Enclosure.exactly(A)
    truth = exact(A).dot(exact(rest)) - exact(A)
    assert excess(difference, truth) <= 0
    error = abs(exact(difference.high) - truth).astype(float)
    assert np.all(error <= 1e-15 * np.linalg.norm(difference.high))
    assert np.linalg.norm(difference.high) < 1e-11


def test_chain_of_operations_holds_the_exact_result(rng):
    A, B, C = (graded(rng, (5, 5)) for _ in range(3))
    X, Y, Z = (Enclosure.exactly(matrix) for matrix in (A, B, C))
    chain = (X @ Y @ Z + -(Z @ X)).transposed @ (Y + Z)
    A, B, C = exact(A), exact(B), exact(C)
    truth = (A.dot(B).dot(C) - C.dot(A)).T.dot(B + C)
    assert excess(chain, truth) <= 0
    assert np.all(chain.radius <= 1e-18 * np.max(abs(chain.high)))


def test_blocks_are_those_of_the_matrix(rng):
    A, B = rng.standard_normal((2, 3)), rng.standard_normal((2, 1))
    first, second = (
        Enclosure.exactly(A),
        Enclosure.exactly(B) @ Enclosure.exactly(np.array([[1.0 / 3.0]])),
    )
    whole = stacked([[first, second], [-first, second]])
    assert np.array_equal(whole.high[:2, :3], A)
    assert np.array_equal(whole.high[2:, :3], -A)
    assert np.array_equal(whole.low[:2, 3:], second.low)
    assert np.array_equal(whole.radius[2:, 3:], second.radius)


@pytest.mark.parametrize("shapes", [((2, 0), (0, 3)), ((0, 2), (2, 3))])
def test_empty_products(shapes):
    first, second = (Enclosure.exactly(np.zeros(shape)) for shape in shapes)
    product = first @ second
    assert product.high.shape == (shapes[0][0], 3)
    assert not np.any(product.high)


def test_operands_are_not_modified(rng):
    A = rng.standard_normal((4, 4))
    A.flags.writeable = False
    enclosure = Enclosure.exactly(A)
    assert np.all((enclosure @ enclosure + enclosure).radius >= 0)
