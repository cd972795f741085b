"""Small examples with printed numbers, from SLICOT's and MathWorks' documentation.

SLICOT: the example programs of SLICOT-Reference (BSD-3-Clause), to the digits printed.
"""

import numpy as np
import pytest

from hankelcut.lti import (
    Continuous,
    LyapunovEquation,
    StateSpace,
    continuous_lyapunov_factor,
    frequency_response,
    h2_norm,
    hankel_norm,
    hankel_singular_values,
    hinf_norm,
)
from hankelcut.reduction import balanced_truncation
from tests.helpers import fortran, slycot_or_skip

# Half a unit of the last of four printed decimals.
PRINTED = 0.5e-4


def two_area_power_system():
    """Two equal areas and their tie line: the 7 states of AB09AD, AB09CD, AB13AD."""
    area = np.array([[-0.04165, 0.0, 4.92], [-5.21, -12.5, 0.0], [0.0, 3.33, -3.33]])
    A, B = np.zeros((7, 7)), np.zeros((7, 2))
    A[:3, :3] = A[4:, 4:] = area
    A[0, 3], A[4, 3] = -4.92, 4.92
    A[3, 0], A[3, 4] = 0.545, -0.545
    B[1, 0] = B[5, 1] = 12.5
    return StateSpace(A, B, np.eye(7)[[0, 3, 4]])


def test_power_system_has_the_values_that_slicot_prints():
    system = two_area_power_system()
    printed = [2.5139, 2.0846, 1.9178, 0.7666, 0.5473, 0.0253, 0.0246]
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values, printed, rtol=0, atol=PRINTED)
    assert float(hankel_norm(system)) == pytest.approx(2.51388, abs=0.5e-5)


def test_reduced_power_system_is_the_one_that_slicot_prints():
    # AB09AD with order 5.
    A = np.zeros((5, 5))
    A[np.ix_([0, 1, 4], [0, 1, 4])] = [
        [1.3451, 5.0399, 4.5315],
        [-4.0214, -3.6604, -0.9056],
        [1.2402, 1.6416, -0.0586],
    ]
    A[2:4, 2:4] = [[0.5124, 1.7910], [-4.2167, -2.9900]]
    first = np.array([-0.3857, -3.1753, -0.7447, -3.6872, 1.8197])
    B = np.stack([first, first * [-1, -1, 1, 1, -1]], axis=1)
    upper = np.array([-0.6704, 0.1828, -0.6582, 0.2222, -0.0104])
    middle = np.array([0.1089, 0.4867, 0.0, 0.0, 0.8651])
    C = np.stack([upper, middle, upper * [-1, -1, 1, 1, -1]])
    printed = StateSpace(A, B, C)
    result = balanced_truncation(two_area_power_system(), order=5)
    points = np.array([0.0, 0.3, 1.0, 2.0, 5.0, 30.0])
    np.testing.assert_allclose(
        frequency_response(result.system, points),
        frequency_response(printed, points),
        atol=2e-3,
    )
    certificate = result.certify()
    assert float(certificate.hinf_error.lower) == pytest.approx(0.050532, abs=1e-6)
    assert float(certificate.hinf_error.upper) == pytest.approx(0.050532, abs=1e-3)
    assert float(result.error_bound) == pytest.approx(0.099697, abs=1e-6)


def test_norms_of_the_power_system_are_those_of_slycot():
    slycot = slycot_or_skip()
    system = two_area_power_system()
    arrays = fortran(system.A, system.B, system.C, system.D)
    h2 = slycot.ab13bd("C", "H", 7, 2, 3, *arrays)
    assert float(h2_norm(system)) == pytest.approx(h2, rel=1e-12)
    A, B, C, D = fortran(system.A, system.B, system.C, system.D)
    peak, _ = slycot.ab13dd("C", "I", "N", "D", 7, 2, 3, A, np.eye(7), B, C, D)
    assert float(hinf_norm(system).lower) == pytest.approx(peak, rel=1e-9)


def test_transfer_function_of_balreal_has_its_published_values():
    # (s^3 + 11 s^2 + 36 s + 26) / (s^4 + 14.6 s^3 + 74.96 s^2 + 153.7 s + 99.65):
    # g = [0.1394 0.0095 0.0006 0.0000] in MathWorks' balreal page.
    A = np.array([[-14.6, -74.96, -153.7, -99.65], *np.eye(3, 4)])
    system = StateSpace(A, np.eye(4, 1), np.array([[1.0, 11.0, 36.0, 26.0]]))
    expected = [0.1393850, 0.00954817, 6.27122e-4, 7.32447e-6]
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    np.testing.assert_allclose(
        values, [0.1394, 0.0095, 0.0006, 0.0], rtol=0, atol=PRINTED
    )


def test_cholesky_factor_that_slicot_prints():
    # SB03OD: A^T X + X A + B^T B = 0, with integers for a solution.
    A = [[-1, 37, -12, -12], [-1, -10, 0, 4], [2, -4, 7, -6], [2, 2, 7, -9]]
    A, B = np.array(A, dtype=float), np.ones((5, 4))
    B[0] = [1.0, 2.5, 1.0, 3.5]
    B[1] = [0.0, 1.0, 0.0, 1.0]
    B[2] = [-1.0, -2.5, -1.0, -1.5]
    B[3] = [1.0, 2.5, 4.0, -5.5]
    B[4] = [-1.0, -2.5, -4.0, 3.5]
    L = continuous_lyapunov_factor(A.T, B.T)
    printed = [[1, 0, 0, 0], [3, 1, 0, 0], [2, -1, 1, 0], [-1, 1, -2, 1]]
    lower = np.array(printed, dtype=float)
    np.testing.assert_allclose(L @ L.T, lower @ lower.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.cholesky(L @ L.T), lower, rtol=0, atol=1e-12)


def test_generalized_cholesky_factor_that_slicot_prints():
    # SG03BD: A^T X E + E^T X A + B^T B = 0 and X = U^T U.
    A = np.array([[-1.0, 3.0, -4.0], [0.0, 5.0, -2.0], [-4.0, 4.0, 1.0]])
    E = np.array([[2.0, 1.0, 3.0], [2.0, 0.0, 1.0], [4.0, 5.0, 1.0]])
    B = np.array([[2.0, -1.0, 7.0]])
    L = LyapunovEquation(A, Continuous(), E=E).dual_factor(B)
    U = [[1.6003, -0.4418, -0.1523], [0.0, 0.6795, -0.2499], [0.0, 0.0, 0.2041]]
    factor = np.linalg.cholesky(L @ L.T).T
    np.testing.assert_allclose(factor, U, rtol=0, atol=PRINTED)
