"""The SLICOT benchmark files, against the numbers they ship and published ones."""

import numpy as np
import pytest
import scipy.io
import scipy.linalg

from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    StateSpace,
    diagonalize,
    error_system,
    frequency_response,
    h2_norm,
    hankel_singular_values,
    hinf_norm,
    load,
)
from hankelcut.reduction import balanced_truncation


@pytest.fixture(scope="session")
def benchmark(data_folder):
    """The system of a file, and the Hankel singular values that it ships."""

    def read(name):
        path = data_folder / "slicot" / f"{name}.mat"
        if not path.is_file():
            pytest.skip(f"no {path}")
        return load(path), scipy.io.loadmat(path).get("hsv")

    return read


def test_build_has_the_values_it_ships(benchmark):
    system, shipped = benchmark("build")
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values, shipped.ravel(), rtol=1e-9)


def test_heat_has_the_values_it_ships(benchmark):
    system, shipped = benchmark("heat-cont")
    values, shipped = hankel_singular_values(system), shipped.ravel()
    np.testing.assert_allclose(values[:10], shipped[:10], rtol=1e-8)
    visible = shipped > 1.5e-13 * shipped[0]
    np.testing.assert_allclose(values[visible], shipped[visible], rtol=1e-5)


def test_cd_player_has_its_leading_values(benchmark):
    # AB09AD, 7 digits.
    expected = [
        1.171502e6,
        1.148304e6,
        1738.605,
        1601.627,
        406.9641,
        329.3257,
        148.2276,
        122.0440,
        14.31834,
        12.93976,
        8.701640,
        7.613946,
    ]
    system, _ = benchmark("CDplayer")
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values[:12], expected, rtol=5e-7)


@pytest.mark.parametrize(
    ("name", "hinf", "frequency", "h2"),
    [
        # AB13DD with tolerance 1e-10 and AB13BD; H-infinity to 6 digits as in Aliyev
        # et al., SIAM J. Matrix Anal. Appl. 38 (2017).
        ("build", 5.27633376e-3, 5.206076, 4.530061e-3),
        ("heat-cont", 5.61042218e-2, 0.0, 1.126304e-2),
        ("CDplayer", 2.31982097e6, 22.56819, 1.102129e6),
    ],
)
def test_norms_are_the_published_ones(benchmark, name, hinf, frequency, h2):
    system, _ = benchmark(name)
    bracket = hinf_norm(system)
    assert bracket.certified
    assert float(bracket.lower) == pytest.approx(hinf, rel=2e-9)
    assert hinf * (1 - 2e-9) <= float(bracket.upper) <= 1.000001 * float(bracket.lower)
    assert float(bracket.frequency) == pytest.approx(frequency, rel=1e-6, abs=1e-6)
    assert float(h2_norm(system)) == pytest.approx(h2, rel=1e-6)
    other = hinf_norm(diagonalize(system), rtol=1e-3)
    assert float(other.lower) <= hinf * (1 + 1e-6)
    assert hinf <= float(other.upper) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("name", "order", "relative_bound", "relative_error"),
    [
        ("build", 10, 8.943e-1, 1.1419e-1),
        ("build", 31, 4.193e-3, 9.6550e-4),
        ("CDplayer", 20, 2.044e-6, 3.2895e-7),
        ("heat-cont", 5, 7.990e-5, 6.5860e-5),
        ("heat-cont", 10, 1.197e-8, 8.7630e-9),
    ],
)
def test_reduction_errors_are_those_of_slicot(
    benchmark, name, order, relative_bound, relative_error
):
    system, _ = benchmark(name)
    result = balanced_truncation(system, order=order)
    norm = float(hinf_norm(system).lower)
    certificate = result.certify()
    assert certificate.upper_end == "certified"
    error = float(certificate.hinf_error.lower) / norm
    assert error == pytest.approx(relative_error, rel=2e-3)
    assert float(result.error_bound) / norm == pytest.approx(relative_bound, rel=2e-3)
    assert bool(certificate.bound_holds)


def gains_by_definition(system, frequencies):
    """Norms of C (iw I - A)^-1 B + D, by one linear solve each."""
    identity = np.eye(system.n_states)
    return np.array(
        [
            np.linalg.norm(
                system.C @ np.linalg.solve(1j * w * identity - system.A, system.B)
                + system.D,
                2,
            )
            for w in frequencies
        ]
    )


@pytest.mark.parametrize(("name", "order"), [("build", 10), ("CDplayer", 20)])
def test_certified_errors_hold_the_sampled_ones(benchmark, name, order):
    system, _ = benchmark(name)
    result = balanced_truncation(system, order=order)
    bracket = result.certify(rtol=0.01).hinf_error
    error = error_system(system, result.system)
    peak = float(bracket.frequency)
    # Where every pole resonates, and a few points around the peak.
    resonances = np.unique(np.abs(np.linalg.eigvals(error.A).imag))
    around = peak * np.linspace(0.99, 1.01, 21)
    largest = np.max(gains_by_definition(error, np.append(resonances, around)))
    (at_peak,) = gains_by_definition(error, [peak])
    assert largest <= float(bracket.upper)
    assert at_peak == pytest.approx(float(bracket.lower), rel=1e-4)
    assert float(bracket.lower) <= at_peak * (1 + 1e-7)


def formula_model():
    """The model "fom": three resonant pairs and 1000 real poles, symmetric."""
    pairs = [-1.0 + sign * 1j * w for w in (100.0, 200.0, 400.0) for sign in (1, -1)]
    poles = np.concatenate([pairs, -np.arange(1.0, 1001.0)])
    # Modal residues of b = c^T = (10 x 6, 1 x 1000): 10^2 for each state of a pair.
    gains = np.concatenate([np.full(6, 10.0), np.ones(1000)])
    return DiagonalStateSpace(poles, gains[:, None], gains[None, :], time=Continuous())


def test_norm_of_the_formula_model():
    bracket = hinf_norm(formula_model())
    assert float(bracket.lower) == pytest.approx(102.336, abs=5e-4)
    assert float(bracket.upper) <= 1.0000011 * float(bracket.lower)
    assert abs(float(bracket.frequency)) == pytest.approx(100.011, abs=1e-3)


def dense_formula_model():
    """The same model as it is published, with 2 x 2 blocks."""
    pairs = [[[-1.0, w], [-w, -1.0]] for w in (100.0, 200.0, 400.0)]
    A = scipy.linalg.block_diag(*pairs, -np.diag(np.arange(1.0, 1001.0)))
    gains = np.concatenate([np.full(6, 10.0), np.ones(1000)])
    return StateSpace(A, gains[:, None], gains[None, :])


@pytest.mark.slow
def test_norm_of_the_dense_formula_model():
    bracket = hinf_norm(dense_formula_model())
    other = hinf_norm(formula_model())
    assert bracket.certified
    assert float(bracket.lower) == pytest.approx(float(other.lower), rel=1e-6)
    assert float(other.lower) <= float(bracket.upper) <= 1.000001 * float(bracket.lower)
    assert float(bracket.frequency) == pytest.approx(100.011, abs=1e-3)


FORMULA_MODEL_VALUES = [
    50.0509559,
    49.9951364,
    49.9924285,
    49.9702636,
    49.9679726,
    49.9477337,
    2.18880020,
    0.956800474,
    0.340305930,
    0.111374245,
]


def test_tight_bound_of_the_formula_model():
    # The bound is attained: 0.100714866 at order 10.
    system = formula_model()
    result = balanced_truncation(system, order=10)
    assert float(result.error_bound) == pytest.approx(0.100714866, rel=2e-5)
    values = result.hankel_singular_values[:10]
    np.testing.assert_allclose(values, FORMULA_MODEL_VALUES, rtol=1e-8)
    error = float(result.certify().hinf_error.lower)
    assert error == pytest.approx(float(result.error_bound), rel=2e-5)


@pytest.mark.slow
def test_tight_bound_of_the_dense_formula_model():
    system = dense_formula_model()
    result = balanced_truncation(system, order=10)
    # With what rounding may have hidden in each of 996 discarded values.
    assert float(result.error_bound) == pytest.approx(0.100714866, rel=2e-6)
    values = result.hankel_singular_values[:10]
    np.testing.assert_allclose(values, FORMULA_MODEL_VALUES, rtol=5e-9)
    at_zero = frequency_response(error_system(system, result.system), np.zeros(1))
    assert abs(at_zero[0, 0, 0]) == pytest.approx(0.100714866, rel=1e-7)
