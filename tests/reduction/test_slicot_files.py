"""The SLICOT benchmark files, against the numbers they ship and published ones."""

import numpy as np
import pytest
import scipy.io

from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    StateSpace,
    diagonalize,
    h2_norm,
    hankel_singular_values,
    hinf_bracket,
    peak_gain,
)
from hankelcut.reduction import balanced_truncation


@pytest.fixture(scope="session")
def load(data_folder):
    def read(name):
        path = data_folder / "slicot" / f"{name}.mat"
        if not path.is_file():
            pytest.skip(f"no {path}")
        content = scipy.io.loadmat(path)
        dense = [
            x.toarray() if scipy.sparse.issparse(x) else np.asarray(x, dtype=float)
            for x in (content["A"], content["B"], content["C"])
        ]
        return StateSpace(*dense), content.get("hsv")

    return read


def test_build_has_the_values_it_ships(load):
    system, shipped = load("build")
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values[:46], shipped.ravel()[:46], rtol=1e-9)
    np.testing.assert_allclose(values[46:], shipped.ravel()[46:], rtol=1e-5)


def test_heat_has_the_values_it_ships(load):
    system, shipped = load("heat-cont")
    values, shipped = hankel_singular_values(system), shipped.ravel()
    np.testing.assert_allclose(values[:10], shipped[:10], rtol=1e-8)
    visible = shipped > 1.5e-13 * shipped[0]
    np.testing.assert_allclose(values[visible], shipped[visible], rtol=1e-4)


def test_cd_player_has_its_leading_values(load):
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
    system, _ = load("CDplayer")
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values[:12], expected, rtol=5e-7)


@pytest.mark.parametrize(
    ("name", "hinf", "frequency", "h2"),
    [
        # AB13DD with tolerance 1e-10 and AB13BD; H-infinity to 6 digits as in Aliyev
        # et al., SIAM J. Matrix Anal. Appl. 38 (2017).
        ("build", 5.27633376e-3, 5.206076, 4.530061e-3),
        pytest.param(
            "heat-cont", 5.61042218e-2, 0.0, 1.126304e-2, marks=pytest.mark.slow
        ),
        ("CDplayer", 2.31982097e6, 22.56819, 1.102129e6),
    ],
)
def test_norms_are_the_published_ones(load, name, hinf, frequency, h2):
    system, _ = load(name)
    gain, where = peak_gain(system)
    assert float(gain) == pytest.approx(hinf, rel=1e-6)
    assert abs(float(where)) == pytest.approx(frequency, rel=1e-4, abs=1e-6)
    assert float(h2_norm(system)) == pytest.approx(h2, rel=1e-6)
    bracket = hinf_bracket(diagonalize(system), rtol=1e-3)
    assert float(bracket.lower) <= hinf * (1 + 1e-6)
    assert hinf <= float(bracket.upper) * (1 + 1e-6)
    assert float(bracket.upper) <= 1.0011 * float(bracket.lower)


@pytest.mark.parametrize(
    ("name", "order", "relative_bound", "relative_error"),
    [
        ("build", 10, 8.943e-1, 1.1419e-1),
        ("build", 31, 4.193e-3, 9.6550e-4),
        ("CDplayer", 20, 2.044e-6, 3.2895e-7),
        pytest.param("heat-cont", 5, 7.990e-5, 6.5860e-5, marks=pytest.mark.slow),
        pytest.param("heat-cont", 10, 1.197e-8, 8.7630e-9, marks=pytest.mark.slow),
    ],
)
def test_reduction_errors_are_those_of_slicot(
    load, name, order, relative_bound, relative_error
):
    system, _ = load(name)
    result = balanced_truncation(system, order=order)
    norm = float(peak_gain(system)[0])
    certificate = result.certify()
    error = float(certificate.hinf_error.lower) / norm
    assert error == pytest.approx(relative_error, rel=2e-3)
    assert float(result.error_bound) / norm == pytest.approx(relative_bound, rel=2e-3)
    assert bool(certificate.bound_holds)


def test_tight_bound_of_the_formula_model():
    # "fom": three resonant pairs and 1000 real poles, symmetric, so that the bound is
    # attained: 0.100714866 at order 10.
    blocks = [np.array([[-1.0, w], [-w, -1.0]]) for w in (100.0, 200.0, 400.0)]
    real = -np.arange(1.0, 1001.0)
    poles = np.concatenate([*(np.linalg.eigvals(block) for block in blocks), real])
    # Modal residues of b = c^T = (10 x 6, 1 x 1000): 10^2 for each state of a pair.
    gains = np.concatenate([np.full(6, 10.0), np.ones(1000)])
    system = DiagonalStateSpace(
        poles, gains[:, None], gains[None, :], time=Continuous()
    )
    result = balanced_truncation(system, order=10)
    assert float(result.error_bound) == pytest.approx(0.100714866, rel=2e-5)
    expected = [
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
    np.testing.assert_allclose(result.hankel_singular_values[:10], expected, rtol=1e-8)
    error = float(result.certify().hinf_error.lower)
    assert error == pytest.approx(float(result.error_bound), rel=2e-5)
