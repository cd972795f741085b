import numpy as np
import pytest

from hankelcut.lti import DiagonalStateSpace, Discrete, hankel_singular_values
from hankelcut.lti.gramians._closed_form import closed_form_gramians
from hankelcut.validation import random_diagonal_system, random_lru_system
from tests.exact import mpmath
from tests.helpers import READOUTS, TIMES


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("nu", [1e-12, 1e-6, 1e-2, 3.0])
def test_entries_are_exact_to_rounding(time, nu):
    exponents = np.array([-nu + 0.5j, -2 * nu + 0.5000001j])
    B = np.array([[1.0 + 2.0j], [0.5]])
    P, _ = closed_form_gramians(
        DiagonalStateSpace(exponents, B, np.ones((1, 2)), None, time)
    )
    for i in range(2):
        for j in range(2):
            with mpmath.workdps(40):
                first, second = (mpmath.mpmathify(exponents[k]) for k in (i, j))
                total = first + mpmath.conj(second)
                below = -mpmath.expm1(total) if isinstance(time, Discrete) else -total
                exact = complex(mpmath.mpmathify(B[i, 0] * np.conj(B[j, 0])) / below)
            assert P[i, j] == pytest.approx(exact, rel=1e-14)


def test_single_precision_poles_in_log_form_keep_their_digits():
    # From a stored complex64 pole, 1 - abs(pole)^2 would be 5 % off.
    system = DiagonalStateSpace(
        np.array([-1e-6 + 1j], dtype=np.complex64),
        np.ones((1, 1), dtype=np.complex64),
        np.ones((1, 1), dtype=np.complex64),
    )
    P, _ = closed_form_gramians(system)
    assert float(P[0, 0].real) == pytest.approx(0.5e6, rel=2e-6)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_silent_and_repeated_states_have_factors(readout, n):
    # Singular Gramians: equal poles, no input, no output.
    for B, C in (
        (np.ones((n, 2)), np.ones((3, n))),
        (np.zeros((n, 2)), np.ones((3, n))),
        (np.ones((n, 2)), np.zeros((3, n))),
    ):
        system = DiagonalStateSpace(np.full(n, -0.3 + 1j), B, C, readout=readout)
        values = hankel_singular_values(system, gramians="closed_form")
        assert np.isfinite(values).all()


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("n_inputs", [0, 2])
def test_zero_inputs_give_zero_values(readout, n_inputs):
    system = DiagonalStateSpace(
        -np.ones(4) + 1j * np.arange(4),
        np.zeros((4, n_inputs)),
        np.ones((3, 4)),
        readout=readout,
    )
    assert not hankel_singular_values(system, gramians="closed_form").any()


@pytest.mark.parametrize("seed", range(3))
def test_layer_sized_system_agrees_with_structured_factors(seed):
    layer = random_lru_system(np.random.default_rng(seed), 64, 8, 6)
    fast = hankel_singular_values(layer, gramians="closed_form")
    exact = hankel_singular_values(layer)
    assert (abs(fast**2 - exact**2) <= 1e-12 * exact[0] ** 2).all()
    large = exact > 1e-4 * exact[0]
    assert large.sum() > 50
    np.testing.assert_allclose(fast[large], exact[large], rtol=1e-6)


@pytest.mark.parametrize("time", TIMES)
def test_scaling_of_states_is_irrelevant(time, rng):
    system = random_diagonal_system(rng, 4, 2, 3, time)
    scales = 10.0 ** np.array([-8, 8, 0, 5])
    scaled = DiagonalStateSpace(
        system.exponents, system.B * scales[:, None], system.C / scales, None, time
    )
    np.testing.assert_allclose(
        hankel_singular_values(scaled, gramians="closed_form"),
        hankel_singular_values(system),
        rtol=1e-9,
    )
