import numpy as np
import pytest

from hankelcut.lti.systems._complex_functions import expm1, log1p, principal

mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")

SMALL = [1e-12 + 1e-9j, -1e-13 + 3e-7j, 1e-8 - 1e-16j, -3e-16 + 0j, 1e-30j]
LARGE = [0.5 + 0j, -0.4 + 0.3j, -0.999 + 1e-4j, 2 - 5j, -3 + 1e-3j, 1e6 + 1e7j]
TURNS = [-1e-12 + 2j * np.pi, -1e-5 + 6.28j, 1e-3 - 12.5j]
HALF_TURNS = [-0.1 + 1j * np.pi, -1e-9 - 3j * np.pi, 0.2 + 3.14j]


def exact(function, values):
    with mpmath.workdps(50):
        return np.array([complex(function(mpmath.mpmathify(z))) for z in values])


def test_expm1_keeps_its_digits(xp):
    values = SMALL + LARGE[:5] + TURNS + HALF_TURNS
    ours = xp.to_numpy(expm1(xp.asarray(np.array(values))))
    theirs = exact(lambda z: mpmath.expm1(z), values)
    for part in (np.real, np.imag):
        np.testing.assert_allclose(part(ours), part(theirs), rtol=2e-15, atol=1e-300)


def test_log1p_keeps_its_digits(xp):
    values = SMALL + LARGE
    ours = xp.to_numpy(log1p(xp.asarray(np.array(values))))
    theirs = exact(lambda z: mpmath.log(1 + z), values)
    for part in (np.real, np.imag):
        np.testing.assert_allclose(part(ours), part(theirs), rtol=1e-14, atol=1e-300)


def test_principal_value_is_the_same_exponential(xp, rng):
    values = rng.uniform(-2, 0, 50) + 1j * rng.uniform(-60, 60, 50)
    ours = xp.to_numpy(principal(xp.asarray(values)))
    assert abs(ours.imag).max() <= np.pi * (1 + 1e-15)
    np.testing.assert_allclose(np.exp(ours), np.exp(values), rtol=1e-13)


def test_whole_turns_vanish(xp):
    turns = xp.asarray(np.array([2j * np.pi, -4j * np.pi, 0j]))
    np.testing.assert_array_equal(xp.to_numpy(principal(turns)), 0)


@pytest.mark.parametrize("function", [expm1, log1p, principal])
def test_dtype_is_kept(xp, function):
    for name in ("complex64", "complex128"):
        dtype = getattr(xp, name)
        assert function(xp.asarray(np.array([0.1j]), dtype=dtype)).dtype == dtype
