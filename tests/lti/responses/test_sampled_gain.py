from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import frequency_response
from hankelcut.lti.responses.sampled_gain import sampled_gain
from hankelcut.validation import random_diagonal_system
from tests.helpers import BATCHES, READOUTS, TIMES, on

FREQUENCIES = np.linspace(-3.0, 3.0, 11)


def true_gains(system):
    response = frequency_response(replace(system, D=None), FREQUENCIES)
    return np.linalg.svd(response, compute_uv=False)[..., 0]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_estimate_is_never_above_and_close(time, readout, rng):
    for _ in range(5):
        system = random_diagonal_system(rng, 6, 3, 4, time, readout)
        gains, exact = sampled_gain(system, FREQUENCIES), true_gains(system)
        assert (gains <= exact * (1 + 1e-12)).all()
        assert (gains >= 0.8 * exact).all()


def test_estimate_converges(rng):
    system = random_diagonal_system(rng, 6, 3, 4)
    exact = true_gains(system)
    gains = sampled_gain(system, FREQUENCIES, n_iterations=300)
    np.testing.assert_allclose(gains, exact, rtol=1e-6)


@pytest.mark.parametrize("channels", [(1, 2), (3, 1), (1, 1)])
@pytest.mark.parametrize("readout", READOUTS)
def test_single_channel_is_exact(channels, readout, rng):
    system = random_diagonal_system(rng, 5, *channels, TIMES[0], readout, batch=(2,))
    np.testing.assert_allclose(
        sampled_gain(system, FREQUENCIES, n_iterations=1),
        true_gains(system),
        rtol=1e-12,
    )


def test_batch_equals_loop(xp, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, TIMES[0], "real", batch=batch)
        gains = xp.to_numpy(sampled_gain(on(xp, full), xp.asarray(FREQUENCIES)))
        assert gains.shape == (*batch, 11)
        for i in np.ndindex(*batch):
            np.testing.assert_allclose(
                gains[i], sampled_gain(full[i], FREQUENCIES), rtol=1e-12
            )


def test_silent_system_has_no_gain():
    system = random_diagonal_system(np.random.default_rng(0), 3, 2, 4)
    silent = replace(system, B=0 * system.B)
    assert not sampled_gain(silent, FREQUENCIES).any()
