from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    controllability_gramian,
    hankel_singular_values,
    impulse_response,
    observability_gramian,
    real_form,
    to_dense,
)
from hankelcut.validation import (
    random_diagonal_system,
    random_lru_system,
    random_stable_system,
)
from tests.exact import exact_hankel_singular_values
from tests.helpers import (
    BATCHES,
    DTYPES,
    READOUTS,
    TIMES,
    dico,
    fortran,
    on,
    scalar_system,
    slycot_or_skip,
    to_precision,
    unchecked_types,
)

METHODS = ["structured", "closed_form"]


def graded(rng, n, m, p, time, readout="complex", spread=0.2):
    """Poles close together: the values fall by orders of magnitude."""
    exponents = -rng.uniform(0.3, 0.3 + spread, n) + 1j * rng.uniform(
        0.4, 0.4 + spread, n
    )
    B = rng.standard_normal((n, m)) + 1j * rng.standard_normal((n, m))
    C = rng.standard_normal((p, n)) + 1j * rng.standard_normal((p, n))
    # Weak second channels, for small values with several inputs and outputs too.
    B = B * 1e-8 ** np.arange(m)
    C = C * 1e-7 ** np.arange(p)[:, None]
    return DiagonalStateSpace(exponents, B, C, None, time, readout)


def similar(system, rng, condition=30.0):
    """The same map in other coordinates."""
    n = system.n_states
    U, _ = np.linalg.qr(rng.standard_normal((n, n)))
    T = U * np.geomspace(1, condition, n)
    A = np.linalg.solve(T, system.A @ T)
    B = np.linalg.solve(T, system.B)
    return StateSpace(A, B, system.C @ T, system.D, system.time)


# Accuracy of every single value


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("m", "p"), [(1, 1), (2, 3)])
@pytest.mark.parametrize(("readout", "n"), [("complex", 8), ("real", 6)])
@pytest.mark.parametrize("single", [False, True])
def test_every_value_keeps_its_digits(time, m, p, readout, n, single, rng):
    spread = 0.2 if readout == "complex" else 0.05
    system = to_precision(graded(rng, n, m, p, time, readout, spread), single)
    exact = exact_hankel_singular_values(system)
    values = hankel_singular_values(system)
    assert exact[-1] <= 1e-14 * exact[0]
    np.testing.assert_allclose(values, exact, rtol=1e-4 if single else 1e-12)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_dense_values_are_right_up_to_rounding_of_the_largest(time, dtype, rng):
    system = random_stable_system(rng, 4, 2, 3, time, dtype=dtype)
    exact = exact_hankel_singular_values(system)
    np.testing.assert_allclose(
        hankel_singular_values(system), exact, atol=1e-13 * exact[0], rtol=0
    )


@pytest.mark.parametrize("n_inputs", [1, 2])
def test_values_near_the_negative_axis_keep_their_digits(n_inputs, rng):
    # Sums of two phases lie next to 2 pi, of unwrapped ones next to 4 pi.
    B = rng.standard_normal((2, n_inputs)) + 1j * rng.standard_normal((2, n_inputs))
    C = rng.standard_normal((3, 2)) + 1j * rng.standard_normal((3, 2))
    for phase in (np.pi, 2 * np.pi, 4 * np.pi):
        exponents = np.array([-1e-4, -1e-3]) + 1j * (phase - np.array([1e-5, 1e-3]))
        system = DiagonalStateSpace(exponents, B, C, readout="real")
        exact = exact_hankel_singular_values(system)
        np.testing.assert_allclose(hankel_singular_values(system), exact, rtol=1e-11)


@pytest.mark.parametrize("angle", [1e-2, 1e-5, 1e-9])
def test_nearly_real_pole_keeps_both_values(angle):
    # Input and output in quadrature: the two conjugate states nearly cancel.
    system = DiagonalStateSpace([-0.1 + 1j * angle], [[1j]], [[1.0]], readout="real")
    exact = exact_hankel_singular_values(system)
    assert exact[0] <= 100 * angle
    np.testing.assert_allclose(hankel_singular_values(system), exact, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_lru_values_keep_their_digits(seed):
    system = random_lru_system(np.random.default_rng(seed), 14, 3, 2)
    exact = exact_hankel_singular_values(system)
    np.testing.assert_allclose(hankel_singular_values(system), exact, rtol=1e-11)


# Closed forms


@pytest.mark.parametrize("nu", [1e-12, 1e-6, 1e-2, 1.0, 10.0])
@pytest.mark.parametrize("method", METHODS)
def test_first_order_discrete(xp, nu, method):
    b, c = np.array([[3.0, 4.0j]]), np.array([[1.0], [2.0], [2.0j]])
    arrays = (xp.asarray(x) for x in ([-nu + 2j], b, c))
    system = DiagonalStateSpace(*arrays)
    value = float(hankel_singular_values(system, gramians=method)[0])
    assert value == pytest.approx(5 * 3 / -np.expm1(-2 * nu), rel=1e-13)


@pytest.mark.parametrize("decay", [1e-12, 1.0, 1e8])
@pytest.mark.parametrize("method", METHODS)
def test_first_order_continuous(decay, method):
    system = scalar_system(-decay + 2j, [3.0, 4.0j], [1.0, 2.0, 2.0j], Continuous())
    value = float(hankel_singular_values(system, gramians=method)[0])
    assert value == pytest.approx(5 * 3 / (2 * decay), rel=1e-13)


def test_cluster_next_to_the_unit_circle():
    # Eight orthogonal modes with abs(pole) = 1 - 1e-12.
    system = DiagonalStateSpace(
        np.full(8, -1e-12) + 1j * np.linspace(0, 2, 8), np.eye(8), np.eye(8)
    )
    np.testing.assert_allclose(
        hankel_singular_values(system), np.full(8, 1 / -np.expm1(-2e-12)), rtol=1e-12
    )


def test_all_pass_has_equal_values():
    poles, gain = np.array([0.5, -0.3 + 0.4j, -0.3 - 0.4j, 0.8j]), 2.5
    values = hankel_singular_values(all_pass(poles, gain))
    np.testing.assert_allclose(values, np.full(4, gain), rtol=1e-12)


def all_pass(poles, gain):
    """Gain times the product of (1 - conj(p) z) / (z - p), by partial fractions."""
    residues = []
    for k, pole in enumerate(poles):
        others = np.delete(poles, k)
        residue = (1 - np.conj(pole) * pole) * np.prod(
            (1 - np.conj(others) * pole) / (pole - others)
        )
        residues.append(gain * residue)
    D = gain * np.prod(-np.conj(poles))
    return DiagonalStateSpace.from_poles(
        poles, np.ones((len(poles), 1)), np.array([residues]), np.array([[D]])
    )


def test_sum_of_squares_is_the_trace_of_the_hankel_operator(rng):
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), margin=0.3)
    values = hankel_singular_values(system)
    samples = impulse_response(system, n_samples=400)[1:]
    weights = np.arange(1, 400)[:, None, None]
    energy = np.sum(weights * abs(samples) ** 2)
    assert np.sum(values**2) == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
@pytest.mark.parametrize("time", TIMES)
def test_product_of_squares_is_the_product_of_determinants(kind, time, rng):
    system = kind(rng, 4, 2, 3, time)
    P, Q = controllability_gramian(system), observability_gramian(system)
    expected = np.linalg.det(P).real * np.linalg.det(Q).real
    product = np.prod(hankel_singular_values(system) ** 2)
    assert product == pytest.approx(expected, rel=1e-6)


def test_values_are_those_of_the_hankel_matrix(rng):
    """The operator itself: a big block Hankel matrix of Markov parameters."""
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(), margin=0.35)
    samples = impulse_response(system, n_samples=161)[1:]
    blocks = [[samples[i + j] for j in range(80)] for i in range(80)]
    expected = np.linalg.svd(np.block(blocks), compute_uv=False)[:4]
    np.testing.assert_allclose(hankel_singular_values(system), expected, rtol=1e-11)


def test_known_values_of_a_published_example():
    # Transfer function of MathWorks' balreal page; values of AB09AD, 6 digits.
    A = np.array([[-14.6, -74.96, -153.7, -99.65], *np.eye(3, 4)])
    system = StateSpace(A, np.eye(4, 1), np.array([[1.0, 11.0, 36.0, 26.0]]))
    expected = [0.1393850, 0.00954817, 6.27122e-4, 7.32447e-6]
    np.testing.assert_allclose(hankel_singular_values(system), expected, rtol=2e-6)


@pytest.mark.parametrize("time", TIMES)
def test_values_are_those_of_slycot(time, rng):
    slycot = slycot_or_skip()
    system = random_stable_system(rng, 9, 2, 3, time)
    *_, expected = slycot.ab09ad(
        dico(system), "B", "N", 9, 2, 3, *fortran(system.A, system.B, system.C)
    )
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values, expected, atol=1e-12 * values[0], rtol=0)


# Invariances


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_diagonal_values_are_those_of_the_dense_twin(time, readout, rng):
    system = random_diagonal_system(rng, 5, 2, 3, time, readout)
    values = hankel_singular_values(system)
    dense = hankel_singular_values(to_dense(system))
    assert values.shape == ((5,) if readout == "complex" else (10,))
    np.testing.assert_allclose(values, dense, atol=1e-13 * values[0], rtol=0)


@pytest.mark.parametrize("time", TIMES)
def test_invariant_under_similarity(time, rng):
    system = random_stable_system(rng, 6, 2, 3, time)
    values = hankel_singular_values(system)
    np.testing.assert_allclose(
        hankel_singular_values(similar(system, rng)),
        values,
        atol=1e-11 * values[0],
        rtol=0,
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_dual_and_conjugate_have_the_same_values(time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    values = hankel_singular_values(system)
    dual = StateSpace(
        *(x.conj().T for x in (system.A, system.C, system.B, system.D)), time
    )
    conjugate = StateSpace(
        *(x.conj() for x in (system.A, system.B, system.C, system.D)), time
    )
    for other in (dual, conjugate):
        np.testing.assert_allclose(
            hankel_singular_values(other), values, atol=1e-13 * values[0], rtol=1e-12
        )


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("a", "b"), [(-400, 400), (400, -300), (-950, 900), (3, -7)])
def test_powers_of_two_scale_exactly(kind, time, a, b, rng):
    system = kind(rng, 5, 2, 3, time)
    scaled = replace(system, B=2.0**a * system.B, C=2.0**b * system.C)
    np.testing.assert_allclose(
        hankel_singular_values(scaled),
        2.0 ** (a + b) * hankel_singular_values(system),
        rtol=4e-16,
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("reached", [1e-140, 1e-200, 1e-300])
def test_pairs_that_are_hardly_reached_keep_their_digits(time, reached):
    A = 0.3 * np.array([[-1.0, 0.0, 0.0], [0.0, -0.5, 1.0], [0.0, -1.0, -0.5]])

    def system(gain):
        return StateSpace(A, [[1.0], [gain], [gain]], np.ones((1, 3)), time=time)

    # To first order the values of the pair are proportional to its gain.
    small = 1e-14
    expected = exact_hankel_singular_values(system(small))[1:] * (reached / small)
    values = hankel_singular_values(system(reached))[1:]
    np.testing.assert_allclose(values / expected, 1.0, rtol=1e-12)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_tiny_gains_do_not_underflow(kind, rng):
    system = kind(rng, 5, 2, 3, Discrete())
    scaled = replace(system, B=1e-150 * system.B, C=1e-150 * system.C)
    np.testing.assert_allclose(
        hankel_singular_values(scaled) / 1e-300,
        hankel_singular_values(system),
        rtol=1e-10,
    )


@pytest.mark.parametrize("largest", [8, 20, 160, 200])
def test_scaling_of_states_is_irrelevant(largest, rng):
    system = random_diagonal_system(rng, 4, 2, 3)
    scales = 10.0 ** np.linspace(-largest, largest, 4)
    scaled = replace(system, B=system.B * scales[:, None], C=system.C / scales)
    values = hankel_singular_values(system)
    np.testing.assert_allclose(hankel_singular_values(scaled), values, rtol=1e-13)


def test_rotation_of_the_circle_is_irrelevant(rng):
    system = random_diagonal_system(rng, 6, 2, 3)
    turn = np.exp(0.77j)
    turned = replace(system, exponents=system.exponents + 0.77j, B=turn * system.B)
    values = hankel_singular_values(system)
    np.testing.assert_allclose(hankel_singular_values(turned), values, rtol=1e-12)


def test_unitary_inputs_and_outputs_are_irrelevant(rng):
    system = random_diagonal_system(rng, 6, 2, 3)
    U, _ = np.linalg.qr(rng.standard_normal((2, 2)) + 1j * rng.standard_normal((2, 2)))
    V, _ = np.linalg.qr(rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3)))
    values = hankel_singular_values(system)
    turned = replace(system, B=system.B @ U, C=V @ system.C)
    np.testing.assert_allclose(hankel_singular_values(turned), values, rtol=1e-12)


@pytest.mark.parametrize("time", TIMES)
def test_direct_sum_is_the_sorted_union(time, rng):
    first = random_diagonal_system(rng, 3, 2, 4, time)
    second = random_diagonal_system(rng, 2, 3, 1, time)
    B = np.block([[first.B, np.zeros((3, 3))], [np.zeros((2, 2)), second.B]])
    C = np.block([[first.C, np.zeros((4, 2))], [np.zeros((1, 3)), second.C]])
    exponents = np.concatenate([first.exponents, second.exponents])
    union = DiagonalStateSpace(exponents, B, C, None, time)
    parts = [hankel_singular_values(s) for s in (first, second)]
    np.testing.assert_allclose(
        hankel_singular_values(union), np.sort(np.concatenate(parts))[::-1], rtol=1e-12
    )


@pytest.mark.parametrize("time", TIMES)
def test_two_copies_double_the_multiplicity(time, rng):
    system = random_diagonal_system(rng, 3, 2, 4, time)
    zero_B, zero_C = np.zeros((3, 2)), np.zeros((4, 3))
    twice = DiagonalStateSpace(
        np.tile(system.exponents, 2),
        np.block([[system.B, zero_B], [zero_B, system.B]]),
        np.block([[system.C, zero_C], [zero_C, system.C]]),
        None,
        time,
    )
    values = hankel_singular_values(system)
    np.testing.assert_allclose(
        hankel_singular_values(twice), np.repeat(values, 2), rtol=1e-12
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("reachable", [True, False])
def test_silent_states_add_zeros_only(time, readout, reachable, rng):
    system = random_diagonal_system(rng, 4, 2, 3, time, readout)
    padded = with_silent_states(system, reachable=reachable, observable=not reachable)
    values, wide = hankel_singular_values(system), hankel_singular_values(padded)
    np.testing.assert_allclose(wide[: len(values)], values, rtol=1e-12)
    assert (wide[len(values) :] <= 1e-25 * values[0]).all()


def with_silent_states(system, *, reachable, observable):
    """The system with two more states that cannot be reached or observed."""
    exponents = np.append(system.exponents, [-0.3 + 1j, -0.2])
    B = np.concatenate([system.B, np.full((2, system.n_inputs), float(reachable))])
    columns = np.full((system.n_outputs, 2), float(observable))
    C = np.concatenate([system.C, columns], axis=1)
    return DiagonalStateSpace(exponents, B, C, system.D, system.time, system.readout)


@pytest.mark.parametrize("time", TIMES)
def test_channels_never_lower_a_value(time, rng):
    system = random_diagonal_system(rng, 6, 3, 4, time)
    values = hankel_singular_values(system)
    fewer_inputs = replace(system, B=system.B[:, :2], D=system.D[:, :2])
    fewer_outputs = replace(system, C=system.C[:2], D=system.D[:2])
    for smaller in (fewer_inputs, fewer_outputs):
        assert (hankel_singular_values(smaller) <= values * (1 + 1e-12)).all()


def test_delay_never_raises_a_value(rng):
    system = random_diagonal_system(rng, 6, 2, 3)
    later = replace(system, C=system.C * system.poles)
    values = hankel_singular_values(system)
    assert (hankel_singular_values(later) <= values * (1 + 1e-12)).all()


@pytest.mark.parametrize("readout", ["real", "twice_real"])
@pytest.mark.parametrize("seed", range(5))
def test_real_map_is_never_worse_than_the_complex_states(readout, seed):
    layer = random_lru_system(np.random.default_rng(seed), 12, 3, 2)
    layer = replace(layer, readout=readout)
    real_values = hankel_singular_values(layer)
    gain = 2 * layer.readout_gain
    states = replace(layer, readout="complex", C=gain * layer.C, D=None)
    complex_values = hankel_singular_values(states)
    assert (real_values[::2] <= complex_values * (1 + 1e-12)).all()
    for r in range(12):
        assert real_values[2 * r :].sum() <= complex_values[r:].sum() * (1 + 1e-12)


# Grids


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_batch_equals_loop(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 4, 2, 3, time, dtype=dtype, batch=batch)
        values = hankel_singular_values(on(xp, full))
        wanted = np.zeros(0, dtype=dtype).real.dtype.name
        assert values.dtype == getattr(xp, wanted)
        values = xp.to_numpy(values)
        assert values.shape == (*batch, 4)
        for index in np.ndindex(*batch):
            one = hankel_singular_values(full[index])
            tolerance = 100 * np.finfo(dtype).eps * one[0]
            np.testing.assert_allclose(values[index], one, atol=tolerance, rtol=0)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("readout", ["complex", "real"])
def test_diagonal_batch_equals_loop(xp, time, single, readout, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, time, readout, batch=batch)
        full = to_precision(full, single)
        values = hankel_singular_values(on(xp, full))
        assert values.dtype == (xp.float32 if single else xp.float64)
        values = xp.to_numpy(values)
        assert values.shape == (*batch, 4 if readout == "complex" else 8)
        rtol = 1e-5 if single else 1e-12
        for index in np.ndindex(*batch):
            one = hankel_singular_values(full[index])
            np.testing.assert_allclose(values[index], one, rtol=rtol)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("readout", READOUTS)
def test_closed_form_on_every_backend(xp, single, readout, rng):
    full = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout, batch=(2,))
    system = on(xp, to_precision(full, single))
    values = xp.to_numpy(hankel_singular_values(system, gramians="closed_form"))
    expected = hankel_singular_values(full)
    eps = np.finfo(values.dtype).eps
    worst = 300 * eps * expected[:, :1] ** 2
    assert (abs(values**2 - expected**2) <= worst).all()


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (4, 0, 3), (4, 2, 0), (0, 0, 0)])
def test_degenerate_shapes_have_zero_values(xp, kind, n, m, p):
    for batch in BATCHES:
        full = kind(np.random.default_rng(1), n, m, p, Discrete(), batch=batch)
        for method in METHODS:
            values = hankel_singular_values(on(xp, full), gramians=method)
            assert xp.to_numpy(values).shape == (*batch, n)
            assert not xp.to_numpy(values).any()


@pytest.mark.parametrize("n_inputs", [1, 4])
def test_copies_of_a_pole(n_inputs, rng):
    B = rng.standard_normal((4, n_inputs)) + 0j
    system = DiagonalStateSpace(
        np.full(4, -0.2 + 1j), B, rng.standard_normal((5, 4)) + 0j
    )
    values = hankel_singular_values(system)
    assert (values[:n_inputs] > 1e-3 * values[0]).all()
    assert (values[n_inputs:] <= 1e-25 * values[0]).all()


def test_silent_system_has_zero_values():
    exponents = -np.ones(4) + 1j * np.arange(4)
    B, C = np.ones((4, 2)), np.ones((3, 4))
    for system in (
        DiagonalStateSpace(exponents, 0 * B, C, readout="real"),
        DiagonalStateSpace(exponents, B, 0 * C),
        StateSpace(-np.eye(4), 0 * B, C),
    ):
        assert not hankel_singular_values(system).any()


def test_values_below_the_smallest_number_become_zero():
    system = DiagonalStateSpace(
        [-0.5, -0.7 + 1j], [[1.0, 0], [0, 1e-200]], [[1.0, 0], [0, 1e-200]]
    )
    values = hankel_singular_values(system)
    assert values[0] > 1
    assert values[1] == 0


def test_layouts_and_gradients_do_not_matter(rng):
    torch = pytest.importorskip("torch")
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    expected = hankel_singular_values(system)
    strided = replace(
        system, B=np.asfortranarray(system.B), C=np.repeat(system.C, 2, axis=1)[:, ::2]
    )
    np.testing.assert_array_equal(hankel_singular_values(strided), expected)
    arrays = [
        torch.tensor(x, requires_grad=True)
        for x in (system.exponents, system.B, system.C, system.D)
    ]
    values = hankel_singular_values(
        DiagonalStateSpace(*arrays, system.time, system.readout)
    )
    np.testing.assert_allclose(values.detach().numpy(), expected, rtol=1e-12)


def test_unknown_method_is_refused(rng):
    system = random_diagonal_system(rng, 3, 1, 2)
    with (
        unchecked_types(),
        pytest.raises(InvalidSystemError, match="need one of structured, closed_form"),
    ):
        hankel_singular_values(system, gramians="fast")


def test_real_form_has_the_values_of_the_layer(rng):
    layer = random_lru_system(rng, 10, 3, 2)
    values = hankel_singular_values(layer)
    dense = hankel_singular_values(real_form(layer))
    np.testing.assert_allclose(values, dense, atol=1e-12 * values[0], rtol=0)
