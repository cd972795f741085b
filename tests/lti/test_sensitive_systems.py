"""Lightly damped and strongly non-normal systems, against Slycot and 60 digits."""

import numpy as np
import pytest

from hankelcut.lti import (
    Discrete,
    StateSpace,
    frequency_response,
    h2_norm,
    hankel_singular_values,
)
from hankelcut.reduction import balanced_truncation
from tests.exact import exact_hankel_singular_values
from tests.helpers import dico, fortran, slycot_or_skip


def flexible_structure(n_modes, damping, rng):
    """Position over force of a structure with modes over three decades."""
    frequencies = np.logspace(-1, 2, n_modes)
    A = np.zeros((2 * n_modes, 2 * n_modes))
    for k, w in enumerate(frequencies):
        A[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[0, w], [-w, -2 * damping * w]]
    B, C = np.zeros((2 * n_modes, 1)), np.zeros((1, 2 * n_modes))
    B[1::2, 0] = rng.uniform(0.5, 1.5, n_modes)
    C[0, ::2] = rng.uniform(0.5, 1.5, n_modes) / frequencies
    return StateSpace(A, B, C)


def resonators(n_modes, damping, rng):
    """Discrete poles of moduli 1 - damping in a full real matrix."""
    A = np.zeros((2 * n_modes, 2 * n_modes))
    for k, angle in enumerate(np.linspace(0.1, 3.0, n_modes)):
        cosine, sine = (1 - damping) * np.array([np.cos(angle), np.sin(angle)])
        A[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[cosine, sine], [-sine, cosine]]
    U, _ = np.linalg.qr(rng.standard_normal(A.shape))
    B, C = rng.standard_normal((2 * n_modes, 2)), rng.standard_normal((3, 2 * n_modes))
    return StateSpace(U.T @ A @ U, B, C, time=Discrete())


def growing_chain(coupling, rng):
    """States that drive each other in turn, in a full matrix."""
    U, _ = np.linalg.qr(rng.standard_normal((8, 8)))
    A = U.T @ (coupling * np.eye(8, k=1) - np.diag(np.linspace(1, 2, 8))) @ U
    B, C = rng.standard_normal((8, 2)), rng.standard_normal((3, 8))
    return StateSpace(A, B, C)


def values_of_slycot(system):
    slycot = slycot_or_skip()
    n, m, p = system.n_states, system.n_inputs, system.n_outputs
    arrays = fortran(system.A, system.B, system.C)
    *_, values = slycot.ab09ad(dico(system), "B", "N", n, m, p, *arrays)
    return values


def h2_norm_of_slycot(system):
    slycot = slycot_or_skip()
    n, m, p = system.n_states, system.n_inputs, system.n_outputs
    arrays = fortran(system.A, system.B, system.C, system.D)
    return slycot.ab13bd(dico(system), "H", n, m, p, *arrays)


@pytest.mark.parametrize("damping", [1e-4, 1e-5, 1e-6])
def test_lightly_damped_modes_lose_their_damping_in_digits_only(damping, rng):
    for system in (
        flexible_structure(5, damping, rng),
        resonators(4, damping, rng),
    ):
        exact = exact_hankel_singular_values(system)
        # Rounding moves a pole by eps of its modulus: by eps / damping of its distance.
        values = hankel_singular_values(system)
        np.testing.assert_allclose(values, exact, rtol=10 * 2.2e-16 / damping)


@pytest.mark.parametrize("damping", [1e-4, 1e-5, 1e-6])
def test_large_flexible_structure_is_reduced_as_by_slycot(damping, rng):
    slycot = slycot_or_skip()
    system = flexible_structure(40, damping, rng)
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values, values_of_slycot(system), rtol=1e-11)
    assert float(h2_norm(system)) == pytest.approx(h2_norm_of_slycot(system), rel=1e-12)
    arrays = fortran(system.A, system.B, system.C)
    _, A, B, C, _ = slycot.ab09ad("C", "B", "N", 80, 1, 1, *arrays, nr=20)
    points = np.logspace(-2, 3, 100)
    ours = balanced_truncation(system, order=20)
    difference = frequency_response(ours.system, points) - frequency_response(
        StateSpace(A, B, C), points
    )
    assert abs(difference).max() <= 1e-11 * values[0]


@pytest.mark.parametrize("damping", [1e-4, 1e-6])
def test_slow_resonators_have_the_norm_of_slycot(damping, rng):
    system = resonators(15, damping, rng)
    rtol = 1e3 * 2.2e-16 / damping
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values, values_of_slycot(system), rtol=rtol)
    assert float(h2_norm(system)) == pytest.approx(h2_norm_of_slycot(system), rel=rtol)


@pytest.mark.parametrize("coupling", [1.0, 3.0, 6.0])
def test_non_normal_systems_are_as_good_as_slycot(coupling, rng):
    for _ in range(3):
        system = growing_chain(coupling, rng)
        exact = exact_hankel_singular_values(system)
        ours, theirs = (
            abs(values - exact).max() / exact[0]
            for values in (hankel_singular_values(system), values_of_slycot(system))
        )
        assert ours <= max(10 * theirs, 1e-14)
        h2 = h2_norm_of_slycot(system)
        assert float(h2_norm(system)) == pytest.approx(h2, rel=1e-11)
