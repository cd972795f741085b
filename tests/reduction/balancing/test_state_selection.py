"""Other choices of states: scores by their definition, blocks of a balanced system."""

import numpy as np
import pytest

from hankelcut import InvalidSystemError
from hankelcut.lti import (
    Discrete,
    StateSpace,
    balanced_realization,
    frequency_response,
    impulse_response,
    is_stable,
    real_form,
    to_dense,
)
from hankelcut.reduction import balance, modal_scores, selected_modes
from hankelcut.validation import random_diagonal_system
from tests.helpers import READOUTS, TIMES, on

EPS = float(np.finfo(float).eps)
POINTS = np.linspace(0.05, 3.0, 9)


def chosen(system, count, selection, seed=0):
    return selected_modes(
        balance(system),
        system,
        count,
        selection,
        seed=seed,
        storage_eps=EPS,
        caller="test",
    )


@pytest.mark.parametrize("readout", READOUTS)
def test_scores_are_gains_and_energies_of_single_states(readout, rng):
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), readout)
    peaks, energies = [], []
    for k in range(5):
        pole, b, c = system.poles[k], system.B[k], system.C[:, k]
        # The gain of a single complex mode is largest at the phase of its pole.
        response = np.outer(c, b) / (np.exp(1j * np.angle(pole)) - pole)
        peaks.append(np.linalg.norm(response, 2) ** 2)
        powers = pole ** np.arange(4000)
        energies.append((abs(powers) ** 2).sum() * np.linalg.norm(np.outer(c, b)) ** 2)
    for score, expected in (("hinf", peaks), ("energy", energies)):
        found = modal_scores(system, score)
        assert found / found[0] == pytest.approx(np.array(expected) / expected[0])


@pytest.mark.parametrize("score", ["hinf", "energy"])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("time", TIMES)
def test_single_states_stay_as_they_are(score, readout, time, rng, xp):
    system = on(xp, random_diagonal_system(rng, 7, 2, 3, time, readout))
    modes = chosen(system, 4, score)
    scores = xp.to_numpy(modal_scores(system, score))
    kept = np.argsort(-scores)[:4]
    for name, axis in (("exponents", 0), ("B", 0), ("C", 1)):
        whole = xp.to_numpy(getattr(system, name))
        found = xp.to_numpy(getattr(modes.system, name))
        np.testing.assert_array_equal(found, whole.take(kept, axis=axis))
    # In the states of the readout, T takes a state to where it came from.
    columns = np.eye(7)[:, kept]
    if readout != "complex":
        columns = np.concatenate([columns, -1j * columns])
    np.testing.assert_array_equal(xp.to_numpy(modes.left), columns)
    np.testing.assert_array_equal(xp.to_numpy(modes.right), columns)


def test_single_states_of_a_bank_are_chosen_channel_by_channel(rng):
    bank = random_diagonal_system(rng, 6, 1, 1, Discrete(), "real", batch=(3,))
    together = chosen(bank, 2, "energy")
    for k in range(3):
        alone = chosen(bank[k], 2, "energy")
        np.testing.assert_array_equal(
            together.system.exponents[k], alone.system.exponents
        )
        np.testing.assert_array_equal(together.left[k], alone.left)
    with pytest.raises(InvalidSystemError, match="for a bank of channels, need one"):
        chosen(bank, 2, "smallest")


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_the_smallest_states_are_a_block_of_the_balanced_realization(
    time, readout, rng
):
    system = random_diagonal_system(rng, 6, 2, 3, time, readout)
    modes = chosen(system, 2, "smallest")
    assert is_stable(modes.system)
    assert modes.system.n_states <= 2
    dense = to_dense(system) if readout == "complex" else real_form(system)
    balanced = balanced_realization(dense).system
    last = slice(balanced.n_states - modes.balanced_order, None)
    block = StateSpace(
        balanced.A[last, last], balanced.B[last], balanced.C[:, last], balanced.D, time
    )
    own = frequency_response(modes.system, POINTS)
    np.testing.assert_allclose(own, frequency_response(block, POINTS), atol=1e-8)


@pytest.mark.parametrize("selection", ["smallest", "random"])
@pytest.mark.parametrize("readout", ["complex", "real"])
def test_choices_among_balanced_states_are_stable_and_small(selection, readout, rng):
    for seed in range(5):
        system = random_diagonal_system(rng, 12, 2, 3, Discrete(), readout)
        modes = chosen(system, 5, selection, seed)
        assert is_stable(modes.system)
        assert 3 <= modes.system.n_states <= 5
        # The stored states are the projection of the system that they come from.
        T, W = modes.right, modes.left
        B = W.conj().T @ (
            system.B
            if readout == "complex"
            else np.concatenate([system.B.real, system.B.imag])
        )
        np.testing.assert_allclose(modes.system.B, B, atol=1e-10)
        assert T.shape == W.shape


def test_the_seed_decides_random_states(rng):
    system = random_diagonal_system(rng, 12, 2, 3, Discrete(), "real")
    first, again, other = (
        impulse_response(chosen(system, 4, "random", seed).system, n_samples=6)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert abs(first - other).max() > 1e-3
