import numpy as np
import pytest
from hypothesis import given, settings

from hankelcut.lti import (
    Continuous,
    Discrete,
    StateSpace,
    hankel_singular_values,
    stability_margin,
)
from hankelcut.validation import stable_systems
from tests.helpers import BATCHES, DTYPES, TIMES, fields_of, strategies_may_draw
from tests.validation.strategies.drawing import drawn, exists, minimal

pytestmark = strategies_may_draw


@given(stable_systems(min_states=0, max_states=4, max_inputs=2, max_outputs=3))
def test_systems_are_stable_and_of_their_sizes(system):
    assert isinstance(system, StateSpace)
    assert 0 <= system.n_states <= 4
    assert 1 <= system.n_inputs <= 2
    assert 1 <= system.n_outputs <= 3
    assert float(stability_margin(system)) >= 0.0999
    assert system.batch_shape == ()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("real", [True, False])
def test_choices_are_kept(time, real):
    for system in drawn(stable_systems(time=time, real=real, max_states=3), 10):
        assert system.time == time
        assert np.isrealobj(system.A) == real


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES)
def test_stacks_have_their_shape_and_dtype(dtype, batch):
    strategy = stable_systems(dtype=dtype, batch=batch, max_states=4, condition=10.0)
    systems = drawn(strategy, 20)
    assert systems
    for system in systems:
        assert system.batch_shape == batch
        assert {array.dtype for array in fields_of(system)} == {np.dtype(dtype)}
        assert (np.asarray(stability_margin(system)) >= 0.05).all()
    if np.prod(batch) > 1:
        first, second = np.ndindex(batch).__next__(), tuple(k - 1 for k in batch)
        assert any(np.any(s.A[first] != s.A[second]) for s in systems)


@pytest.mark.parametrize("margin", [1e-8, 1e-3, 0.25, 0.9])
@pytest.mark.parametrize("time", TIMES)
def test_margin_is_kept_and_nearly_reached(margin, time):
    strategy = stable_systems(margin=margin, time=time, max_states=3)
    # Computed poles of nearly equal size are off by a root of the precision.
    least = margin * (1 - 1e-3) - 1e-9
    for system in drawn(strategy, 30):
        assert float(stability_margin(system)) >= least
    assert exists(strategy, lambda s: float(stability_margin(s)) <= 10 * margin)


@pytest.mark.parametrize("condition", [1.0, 10.0, 1e4])
def test_condition_of_the_similarity_is_bounded(condition):
    """Without couplings, the eigenvectors are the similarity's and orthogonal ones."""

    @settings(max_examples=50)
    @given(stable_systems(condition=condition, min_states=2, max_states=4, real=True))
    def check(system):
        values, vectors = np.linalg.eig(system.A)
        gaps = abs(values[:, None] - values) + np.eye(len(values))
        if gaps.min() > 0.1:
            # Couplings of 0.3 over gaps of 0.1 make factors of up to 4 per state.
            bound = condition * 16.0**system.n_states * len(values)
            assert np.linalg.cond(vectors) <= bound

    check()
    systems = drawn(stable_systems(condition=condition, min_states=3), 20)
    full = any(np.tril(system.A, -2).any() for system in systems)
    assert full == (condition > 1)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("condition", [1.0, 10.0])
def test_silent_states_are_uncontrollable_or_unobservable(real, condition):
    strategy = stable_systems(
        silent=2, min_states=2, max_states=4, real=real, condition=condition
    )
    for system in drawn(strategy, 40):
        A, B, C, n = system.A, system.B, system.C, system.n_states
        powers = [np.linalg.matrix_power(A, k) for k in range(n)]
        reached = np.linalg.matrix_rank(np.hstack([M @ B for M in powers]), tol=1e-8)
        seen = np.linalg.matrix_rank(np.vstack([C @ M for M in powers]), tol=1e-8)
        assert min(reached, seen) <= n - 2


@pytest.mark.parametrize("copies", [2, 3])
def test_copies_repeat_every_value(copies):
    strategy = stable_systems(copies=copies, max_states=6)
    for system in drawn(strategy, 30):
        values = hankel_singular_values(system)
        assert len(values) % copies == 0
        groups = values.reshape(-1, copies)
        spread = groups.max(axis=1) - groups.min(axis=1)
        assert (spread <= 1e-9 * max(values[0], 1e-9)).all()
        assert system.n_inputs % copies == system.n_outputs % copies == 0


@pytest.mark.parametrize(
    "condition",
    [
        lambda s: s.time == Continuous(),
        lambda s: s.time == Discrete(),
        lambda s: np.iscomplexobj(s.A),
        lambda s: np.isrealobj(s.A) and abs(np.linalg.eigvals(s.A).imag).max() > 0,
        lambda s: len({s.n_states, s.n_inputs, s.n_outputs}) == 3,
        lambda s: s.n_states > 2 and np.triu(s.A, 2).any(),
    ],
    ids=["continuous", "discrete", "complex", "pairs", "sizes", "coupled"],
)
def test_every_corner_is_drawn(condition):
    assert exists(stable_systems(), condition)


def test_failures_shrink_to_the_simplest_system():
    smallest = minimal(stable_systems(), lambda s: abs(s.B).max() * abs(s.C).max() > 1)
    assert smallest.time == Discrete()
    assert smallest.A.tolist() == [[0.0]]
    assert smallest.n_inputs * smallest.n_outputs <= 2
    assert not smallest.D.any()
    # One of the two is as small as the other allows.
    assert 1 < abs(smallest.B).max() * abs(smallest.C).max() <= 1.02


def test_couplings_shrink_to_one_entry():
    smallest = minimal(
        stable_systems(time=Continuous(), real=False), lambda s: np.triu(s.A, 1).any()
    )
    assert smallest.n_states == 2
    assert np.diag(smallest.A).tolist() == [-0.1, -0.1]
    assert abs(smallest.A[0, 1]) == 0.01
    assert not any(M.any() for M in (smallest.B, smallest.C, smallest.D))


def test_stacks_shrink_to_one_entry():
    smallest = minimal(stable_systems(batch=(2,), real=True), lambda s: s.B[1].any())
    assert smallest.n_states == 1
    assert np.count_nonzero(smallest.B) == 1
    assert not any(M.any() for M in (smallest.A, smallest.C, smallest.D))


def test_equal_seeds_draw_equal_systems():
    strategy = stable_systems(condition=10.0, margin=1e-6)
    runs = [drawn(strategy, 20, number) for number in (7, 7, 8)]
    first, second, other = ([system.A.tolist() for system in run] for run in runs)
    assert first == second != other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_states": 4, "max_states": 3}, "got min_states=4, max_states=3, need 0"),
        ({"max_inputs": 0}, "got max_inputs=0, max_outputs=3, need both at least 1"),
        ({"copies": 4}, "got copies=4 with silent=0, need as many inputs"),
        ({"silent": 7}, "got copies=1 with silent=7, need as many inputs"),
        ({"silent": -1}, "got silent=-1, copies=1, batch=.*need silent >= 0"),
        ({"margin": 0.0}, "got margin=0, need 2.2e-14 <= margin <= 0.9"),
        ({"margin": 1.0}, "got margin=1, need"),
        ({"margin": 1e-6, "dtype": np.float32}, "got margin=1e-06, need 1.2e-05"),
        ({"condition": 0.5}, "got condition=0.5, need 1 <= condition <= 1e8"),
        ({"dtype": np.int64}, "got dtype=int64 with real=None, need float32"),
        ({"dtype": np.float64, "real": False}, "got dtype=float64 with real=False"),
    ],
)
def test_options_without_systems_are_refused(options, message):
    with pytest.raises(ValueError, match=f"stable_systems: {message}"):
        stable_systems(**options)
