"""Dense systems whose values span the range of double precision: none may get lost.

Next to the library's values stand those of the two usual routes, the roots of the
eigenvalues of P Q and the singular values of roots of the Gramians, both by SciPy.
"""

import functools

import numpy as np
import pytest
import scipy.linalg

from hankelcut.lti import Continuous, Discrete, StateSpace, hankel_singular_values
from hankelcut.reduction import balance
from tests.exact import exact_hankel_singular_values

N = 12
# Poles over this many decades: the closer, the smaller the last value.
CLOSE, WIDE = 1.0, 6.0


def kept(A, B, C, time):
    return StateSpace(A, B, C, time=time)


def lower_triangular(A, B, C, time):
    return StateSpace(A.T, C.T, B.T, time=time)


def shuffled(A, B, C, time):
    """States in another order: neither diagonal nor triangular by their places."""
    order = np.random.default_rng(5).permutation(N)
    return StateSpace(A[np.ix_(order, order)], B[order], C[:, order], time=time)


def scaled(A, B, C, time):
    """States in units that differ by up to 2^50."""
    t = 2.0 ** np.random.default_rng(6).integers(-25, 26, N)
    return StateSpace(t[:, None] * A / t, t[:, None] * B, C / t, time=time)


FORMS = [kept, lower_triangular, shuffled, scaled]


def graded_system(time, form, decades, *, coupling, dtype=float, channels=(1, 1)):
    """Poles over decades, couplings as large as the slower of two poles."""
    rng = np.random.default_rng(3)
    sizes = np.logspace(-decades / 2, decades / 2, N)
    poles = -sizes * np.exp(1j * rng.uniform(-0.2, 0.2, N))
    if not np.issubdtype(dtype, np.complexfloating):
        poles = -sizes
    if isinstance(time, Discrete):
        poles = (1 + poles) / (1 - poles)
        sizes = 1 - abs(poles)
    above = np.triu(rng.standard_normal((N, N)), 1)
    A = np.diag(poles) + coupling * above * np.minimum.outer(sizes, sizes)
    m, p = channels
    # Several channels are weaker one after the other, for small values with them too.
    B = rng.uniform(0.5, 1.5, (N, m)) * 1e-7 ** np.arange(m)
    C = rng.uniform(0.5, 1.5, (p, N)) * 1e-5 ** np.arange(p)[:, None]
    return form(A.astype(dtype), B.astype(dtype), C.astype(dtype), time)


@functools.cache
def exact_values(time, decades, coupling, dtype, channels):
    """Of all forms: their changes of coordinates are free of rounding."""
    system = graded_system(
        time, kept, decades, coupling=coupling, dtype=dtype, channels=channels
    )
    return exact_hankel_singular_values(system)


def gramians(system):
    A, B, C = system.A, system.B, system.C
    right, left = B @ B.conj().T, C.conj().T @ C
    if isinstance(system.time, Continuous):
        solve = scipy.linalg.solve_continuous_lyapunov
        return solve(A, -right), solve(A.conj().T, -left)
    solve = scipy.linalg.solve_discrete_lyapunov
    return solve(A, right, "direct"), solve(A.conj().T, left, "direct")


def roots_of_eigenvalues(system):
    P, Q = gramians(system)
    return np.sort(np.sqrt(abs(np.linalg.eigvals(P @ Q))))[::-1]


def values_of_gramian_roots(system):
    Lc, Lo = (_root(X) for X in gramians(system))
    return np.linalg.svd(Lo.conj().T @ Lc, compute_uv=False)


def _root(X):
    values, vectors = np.linalg.eigh((X + X.conj().T) / 2)
    return vectors * np.sqrt(np.maximum(values, 0))


def worst_error(values, exact):
    """Largest relative error of a value down to 1e-14 of the largest."""
    visible = exact > 1e-14 * exact[0]
    return abs(values[visible] / exact[visible] - 1).max()


# SciPy's solver finds its equations singular where states have very unequal units.
@pytest.mark.filterwarnings("ignore:An ill-conditioned matrix detected")
@pytest.mark.parametrize("time", [Continuous(), Discrete()])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("coupling", [0.0, 0.2])
@pytest.mark.parametrize(
    ("dtype", "channels"), [(float, (1, 1)), (complex, (1, 1)), (float, (2, 3))]
)
def test_every_value_keeps_its_digits(time, form, coupling, dtype, channels):
    system = graded_system(
        time, form, CLOSE, coupling=coupling, dtype=dtype, channels=channels
    )
    exact = exact_values(time, CLOSE, coupling, dtype, channels)
    assert exact[-1] <= 1e-10 * exact[0]
    ours = worst_error(hankel_singular_values(system), exact)
    assert ours <= 1e-8
    assert worst_error(balance(system).values, exact) <= 1e-8
    by_products = worst_error(roots_of_eigenvalues(system), exact)
    assert by_products >= max(1.0, 1e4 * ours)
    by_roots = worst_error(values_of_gramian_roots(system), exact)
    assert by_roots >= max(1e-7, 1e2 * ours)


@pytest.mark.parametrize("time", [Continuous(), Discrete()])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [float, complex])
def test_poles_over_six_decades_keep_all_values(time, form, dtype):
    system = graded_system(time, form, WIDE, coupling=0.3, dtype=dtype)
    exact = exact_values(time, WIDE, 0.3, dtype, (1, 1))
    assert worst_error(hankel_singular_values(system), exact) <= 1e-10


def test_forty_poles_over_six_decades_have_forty_values(rng):
    # python-control's hsvd has 6 NaN here; the smallest value is 1.4e-15 of the first.
    poles = -np.logspace(-2, 4, 40)
    system = StateSpace(np.diag(poles), np.ones((40, 1)), np.ones((1, 40)))
    exact = exact_hankel_singular_values(system)
    for order in (poles, poles[::-1], rng.permutation(poles)):
        moved = StateSpace(np.diag(order), system.B, system.C)
        for values in (hankel_singular_values(moved), balance(moved).values):
            assert values.shape == (40,)
            assert (values > 0).all()
            assert (np.diff(values) < 0).all()
            np.testing.assert_allclose(values, exact, rtol=1e-7)
    assert worst_error(roots_of_eigenvalues(system), exact) >= 10


@pytest.mark.parametrize("n_inputs", [1, 2])
def test_values_of_a_full_matrix_keep_their_digits(n_inputs, rng):
    A = rng.standard_normal((N, N))
    A -= (np.linalg.eigvals(A).real.max() + 1) * np.eye(N)
    B, C = rng.standard_normal((N, n_inputs)), rng.standard_normal((1, N))
    system = StateSpace(A, B, C)
    exact = exact_hankel_singular_values(system)
    assert worst_error(hankel_singular_values(system), exact) <= 1e-8
    t = 2.0 ** np.linspace(-27, 27, N).round()
    moved = StateSpace(t[:, None] * A / t, t[:, None] * B, C / t)
    assert worst_error(hankel_singular_values(moved), exact) <= 1e-8
