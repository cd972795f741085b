import numpy as np
import pytest

from hankelcut.lti import StateSpace, h2_norm, hankel_singular_values
from hankelcut.validation import (
    InvariantViolationError,
    check_gradient,
    check_gradient_euler,
    check_gradient_similarity,
    random_stable_system,
)


def nuclear(system):
    return float(np.sum(np.asarray(hankel_singular_values(system))))


def by_differences(function, array):
    """Gradient of a real function of an array, entry by entry."""
    gradient = np.zeros_like(array)
    units = [1, 1j] if np.iscomplexobj(array) else [1]
    for index in np.ndindex(array.shape):
        for unit in units:
            step = np.zeros_like(array)
            step[index] = 1e-5 * unit
            slope = (function(array + step) - function(array - step)) / 2e-5
            gradient[index] += slope * unit
    return gradient


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_right_gradients_pass(dtype, rng):
    weights = rng.standard_normal((3, 4)) * (1 + 1j * (np.dtype(dtype).kind == "c"))
    point, way = (rng.standard_normal((3, 4)).astype(dtype) for _ in range(2))

    def function(x):
        return float(np.sum(np.abs(x) ** 4) + np.sum((weights.conj() * x).real))

    def gradient(x):
        linear = weights if np.iscomplexobj(x) else weights.real
        return 4 * x * np.abs(x) ** 2 + linear

    check_gradient(function, gradient, point, way)
    for wrong in (lambda x: gradient(x) * 1.0001, lambda x: gradient(x)[:1]):
        with pytest.raises(InvariantViolationError, match="check_gradient"):
            check_gradient(function, wrong, point, way)


def test_conjugated_gradients_are_caught(rng):
    point, way = (rng.standard_normal(3) + 1j * rng.standard_normal(3) for _ in "pw")

    def function(x):
        return float(np.sum((x**2).real))

    check_gradient(function, lambda x: 2 * x.conj(), point, way)
    with pytest.raises(InvariantViolationError, match="the derivative"):
        check_gradient(function, lambda x: 2 * x, point, way)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_sums_of_hankel_singular_values_are_homogeneous_and_invariant(dtype, rng):
    system = random_stable_system(rng, 3, 2, 4, dtype=dtype)
    A, B, C = system.A, system.B, system.C
    gA = by_differences(lambda x: nuclear(StateSpace(x, B, C)), A)
    gB = by_differences(lambda x: nuclear(StateSpace(A, x, C)), B)
    gC = by_differences(lambda x: nuclear(StateSpace(A, B, x)), C)
    check_gradient_euler(nuclear(system), B, gB, rtol=1e-7)
    check_gradient_euler(nuclear(system), C, gC, rtol=1e-7)
    check_gradient_similarity(system, (gA, gB, gC), rtol=1e-7)
    with pytest.raises(InvariantViolationError, match="Re <g, x>"):
        check_gradient_euler(nuclear(system), B, 1.01 * gB)
    with pytest.raises(InvariantViolationError, match="changes of basis"):
        check_gradient_similarity(system, (gA, 2 * gB, gC))


def test_degrees_count(rng):
    system = random_stable_system(rng, 3, 2, 4)

    def energy(B):
        return float(h2_norm(StateSpace(system.A, B, system.C))) ** 2

    gradient = by_differences(energy, system.B)
    check_gradient_euler(energy(system.B), system.B, gradient, degree=2, rtol=1e-7)
