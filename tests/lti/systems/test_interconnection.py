from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SignalNames,
    StateSpace,
    append,
    error_system,
    feedback,
    frequency_response,
    hankel_singular_values,
    parallel,
    series,
    simulate,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    BATCHES,
    DTYPES,
    READOUTS,
    TIMES,
    fields_of,
    on,
    unchecked_types,
)

FREQUENCIES = np.linspace(-3.0, 3.0, 7)


def test_difference_of_responses(xp, rng):
    for time in TIMES:
        for batch in BATCHES:
            pairs = [
                (
                    random_stable_system(rng, 5, 2, 3, time, batch=batch),
                    random_stable_system(rng, 2, 2, 3, time, batch=batch),
                ),
                (
                    random_diagonal_system(rng, 5, 2, 3, time, batch=batch),
                    random_diagonal_system(rng, 2, 2, 3, time, batch=batch),
                ),
                (
                    random_stable_system(rng, 5, 2, 3, time, batch=batch),
                    random_diagonal_system(rng, 2, 2, 3, time, "real", batch=batch),
                ),
                (
                    random_diagonal_system(
                        rng, 5, 2, 3, time, "twice_real", batch=batch
                    ),
                    random_diagonal_system(rng, 2, 2, 3, time, "real", batch=batch),
                ),
                (
                    random_stable_system(rng, 5, 2, 3, time, batch=batch),
                    random_diagonal_system(rng, 2, 2, 3, time, batch=batch),
                ),
            ]
            for first, second in pairs:
                error = error_system(on(xp, first), on(xp, second))
                assert (error.time, error.batch_shape) == (time, batch)
                w = xp.asarray(FREQUENCIES)
                ours = xp.to_numpy(frequency_response(error, w))
                theirs = frequency_response(first, FREQUENCIES) - frequency_response(
                    second, FREQUENCIES
                )
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("readout", READOUTS)
def test_diagonal_systems_stay_diagonal(readout, rng):
    first = random_diagonal_system(rng, 5, 2, 3, Discrete(), readout)
    second = random_diagonal_system(rng, 3, 2, 3, Discrete(), readout)
    error = error_system(first, second)
    assert isinstance(error, DiagonalStateSpace)
    assert (error.n_states, error.readout) == (8, readout)


def test_mixed_kinds_become_dense(rng):
    first = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    second = random_stable_system(rng, 3, 2, 3, Discrete())
    error = error_system(first, second)
    assert isinstance(error, StateSpace)
    assert error.n_states == 13


@pytest.mark.parametrize("time", TIMES)
def test_weyl_bound_of_the_values(time, rng):
    system = random_diagonal_system(rng, 6, 2, 3, time)
    for size in (1e-6, 1e-2, 1.0):
        other = replace(
            system,
            B=system.B + size * rng.standard_normal((6, 2)),
            C=system.C + size * rng.standard_normal((3, 6)),
        )
        first, second = (hankel_singular_values(s) for s in (system, other))
        error = hankel_singular_values(error_system(system, other))
        assert abs(first - second).max() <= error[0] * (1 + 1e-9)
        assert np.linalg.norm(first - second) <= np.linalg.norm(error) * (1 + 1e-9)


@pytest.mark.parametrize(
    "other",
    [
        random_stable_system(np.random.default_rng(0), 3, 2, 4, Discrete(0.2)),
        random_stable_system(np.random.default_rng(0), 3, 2, 4, Continuous()),
        random_stable_system(np.random.default_rng(0), 3, 3, 4, Discrete(0.1)),
        random_stable_system(np.random.default_rng(0), 3, 2, 3, Discrete(0.1)),
        random_stable_system(
            np.random.default_rng(0), 3, 2, 4, Discrete(0.1), batch=(2,)
        ),
    ],
    ids=["period", "domain", "inputs", "outputs", "batch"],
)
def test_systems_that_do_not_fit_are_refused(other, rng):
    system = random_stable_system(rng, 5, 2, 4, Discrete(0.1))
    with pytest.raises(InvalidSystemError, match="need equal ones"):
        error_system(system, other)


def pairs(rng, sizes, time, batch):
    """Two systems of every combination of kinds; sizes are (m, p) of each."""
    first, second = sizes
    dense = [
        random_stable_system(rng, n, *s, time, batch=batch)
        for n, s in ((5, first), (2, second))
    ]
    diagonal = [
        random_diagonal_system(rng, n, *s, time, "real", batch=batch)
        for n, s in ((4, first), (3, second))
    ]
    other = random_diagonal_system(rng, 2, *second, time, batch=batch)
    return [
        (dense[0], dense[1]),
        (dense[0], diagonal[1]),
        (diagonal[0], dense[1]),
        (diagonal[0], diagonal[1]),
        (diagonal[0], other),
    ]


def response(xp, system):
    if xp is None:
        return frequency_response(system, FREQUENCIES)
    return xp.to_numpy(frequency_response(system, xp.asarray(FREQUENCIES)))


def assert_close(ours, theirs):
    size = abs(theirs).max(initial=1.0)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11 * size)


@pytest.mark.parametrize("time", TIMES)
def test_response_of_a_series_is_the_product(xp, time, rng):
    for batch in BATCHES:
        for first, second in pairs(rng, ((2, 4), (4, 3)), time, batch):
            whole = series(on(xp, first), on(xp, second))
            assert isinstance(whole, StateSpace)
            assert (whole.time, whole.batch_shape) == (time, batch)
            assert (whole.n_inputs, whole.n_outputs) == (2, 3)
            theirs = response(None, second) @ response(None, first)
            assert_close(response(xp, whole), theirs)


@pytest.mark.parametrize("time", TIMES)
def test_response_of_a_parallel_is_the_sum(xp, time, rng):
    for batch in BATCHES:
        for first, second in pairs(rng, ((2, 3), (2, 3)), time, batch):
            whole = parallel(on(xp, first), on(xp, second))
            assert (whole.time, whole.batch_shape) == (time, batch)
            theirs = response(None, first) + response(None, second)
            assert_close(response(xp, whole), theirs)


@pytest.mark.parametrize("time", TIMES)
def test_appended_systems_do_not_see_each_other(xp, time, rng):
    for batch in BATCHES:
        for first, second in pairs(rng, ((2, 3), (1, 4)), time, batch):
            whole = append(on(xp, first), on(xp, second))
            assert (whole.n_inputs, whole.n_outputs) == (3, 7)
            ours = response(xp, whole)
            assert_close(ours[..., :3, :2], response(None, first))
            assert_close(ours[..., 3:, 2:], response(None, second))
            np.testing.assert_array_equal(ours[..., :3, 2:], 0)
            np.testing.assert_array_equal(ours[..., 3:, :2], 0)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_response_of_a_loop(xp, time, sign, rng):
    for batch in BATCHES:
        for forward, backward in pairs(rng, ((2, 3), (3, 2)), time, batch):
            whole = feedback(on(xp, forward), on(xp, backward), sign)
            assert (whole.time, whole.batch_shape) == (time, batch)
            G, H = response(None, forward), response(None, backward)
            theirs = np.linalg.solve(np.eye(3) - sign * G @ H, G)
            assert_close(response(xp, whole), theirs)


@pytest.mark.parametrize("dtype", DTYPES)
def test_unit_feedback_and_dtypes(xp, dtype, rng):
    full = random_stable_system(rng, 4, 2, 2, Discrete(0.1), dtype=dtype, batch=(2,))
    system = on(xp, full)
    for whole in (
        feedback(system),
        series(system, system),
        parallel(system, system),
        append(system, system),
    ):
        assert all(x.dtype == getattr(xp, dtype.__name__) for x in fields_of(whole))
        assert whole.batch_shape == (2,)
    G = response(None, full).astype(complex)
    ours = response(None, feedback(full))
    theirs = np.linalg.solve(np.eye(2) + G, G)
    atol = 1e3 * np.finfo(dtype).eps * abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


def test_loop_simulates_as_one_sample_after_the_other(rng):
    forward = random_stable_system(rng, 3, 1, 1, Discrete(), margin=0.5)
    forward = replace(forward, D=0 * forward.D, B=0.2 * forward.B)
    inputs = rng.standard_normal((15, 1))
    ours = simulate(feedback(forward), inputs)
    state, outputs = np.zeros(3), []
    for u in inputs:
        outputs.append(forward.C @ state)
        state = forward.A @ state + forward.B @ (u - outputs[-1])
    np.testing.assert_allclose(ours, outputs, atol=1e-12)


@pytest.mark.parametrize("combine", [series, parallel, append, feedback])
def test_batch_axes_broadcast(combine, rng):
    first = random_stable_system(rng, 3, 2, 2, batch=(3, 1))
    second = random_stable_system(rng, 2, 2, 2, batch=(4,))
    whole = combine(first, second)
    assert whole.batch_shape == (3, 4)
    assert_close(
        response(None, whole)[2, 1],
        response(None, combine(first[2, 0], second[1])),
    )


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("combine", [parallel, append])
def test_sums_of_diagonal_systems_stay_diagonal(combine, readout, rng):
    first = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout, batch=(2,))
    second = random_diagonal_system(rng, 3, 2, 3, Discrete(), readout)
    whole = combine(first, second)
    assert isinstance(whole, DiagonalStateSpace)
    assert (whole.n_states, whole.readout, whole.batch_shape) == (7, readout, (2,))


def test_real_and_complex_systems_mix(rng):
    real = random_stable_system(rng, 3, 2, 2)
    other = random_stable_system(rng, 2, 2, 2, dtype=np.complex128)
    whole = series(real, other)
    assert whole.A.dtype == np.complex128
    assert_close(response(None, whole), response(None, other) @ response(None, real))


def named(rng, m, p, prefix, **names):
    made = random_stable_system(rng, 2, m, p)
    inputs = tuple(f"{prefix}u{i}" for i in range(m))
    outputs = tuple(f"{prefix}y{i}" for i in range(p))
    given = {"inputs": inputs, "outputs": outputs, "system": prefix, **names}
    return StateSpace(*fields_of(made), names=SignalNames(**given))


def test_names_follow_the_signals(rng):
    first, second = named(rng, 2, 2, "a"), named(rng, 2, 2, "b")
    assert series(first, second).names == SignalNames(("au0", "au1"), ("by0", "by1"))
    assert feedback(first, second).names == SignalNames(("au0", "au1"), ("ay0", "ay1"))
    assert parallel(first, second).names == SignalNames(("au0", "au1"), ("ay0", "ay1"))
    both = append(first, named(rng, 1, 2, "b", outputs=None)).names
    assert both == SignalNames(("au0", "au1", "bu0"), ("ay0", "ay1", "", ""))
    bare = random_stable_system(rng, 2, 2, 2)
    assert parallel(bare, second).names == SignalNames(("bu0", "bu1"), ("by0", "by1"))
    assert append(bare, bare).names == SignalNames()


@pytest.mark.parametrize("combine", [series, parallel, append, feedback])
def test_time_domains_must_agree(combine, rng):
    system = random_stable_system(rng, 3, 2, 2, Discrete(0.1))
    for time in (Discrete(0.2), Continuous()):
        other = random_stable_system(rng, 2, 2, 2, time)
        with pytest.raises(InvalidSystemError, match="need one time domain"):
            combine(system, other)


def test_sizes_must_fit(rng):
    system = random_stable_system(rng, 3, 2, 4)
    with pytest.raises(InvalidSystemError, match=r"series: got 4 outputs .* 2 inputs"):
        series(system, system)
    with pytest.raises(InvalidSystemError, match=r"parallel: .*\(2, 4\) and \(4, 2\)"):
        parallel(system, random_stable_system(rng, 3, 4, 2))
    with pytest.raises(
        InvalidSystemError, match=r"feedback: got a backward system of 2"
    ):
        feedback(system, system)
    with pytest.raises(
        InvalidSystemError, match=r"got no backward system .* need 4 and"
    ):
        feedback(system)
    with unchecked_types(), pytest.raises(InvalidSystemError, match="need -1 or 1"):
        feedback(system, random_stable_system(rng, 3, 4, 2), 0)


def test_algebraic_loop_without_a_solution_is_refused(rng):
    made = random_stable_system(rng, 3, 2, 2, batch=(3,))
    D = np.stack([0 * np.eye(2), np.diag([-1.0, 5.0]), np.eye(2)])
    system = replace(made, D=D)
    with pytest.raises(InvalidSystemError, match=r"of batch item 1 .* I - sign D1 D2"):
        feedback(system)
    with pytest.raises(InvalidSystemError, match=r"of batch item 2 .* I - sign D1 D2"):
        feedback(system, sign=1)
    assert feedback(system[0]).n_states == 3


def test_degenerate_shapes(rng):
    for n, m in ((0, 2), (2, 0)):
        system = StateSpace(-np.eye(n), np.zeros((n, m)), np.zeros((m, n)))
        for combine in (series, parallel, append, feedback):
            whole = combine(system, system)
            assert whole.n_states == 2 * n
        assert feedback(system).n_states == n
