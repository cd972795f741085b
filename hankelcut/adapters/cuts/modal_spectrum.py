"""What it costs to leave out single states of a layer, by their scores."""

import numpy as np

from hankelcut import _array
from hankelcut._typing import Float
from hankelcut.adapters.policies import LayerSpectrum
from hankelcut.lti import DiagonalStateSpace
from hankelcut.lti.norms.modal_norms import modal_norms
from hankelcut.reduction import StateScore, modal_scores

__all__ = ["modal_spectrum"]


def modal_spectrum(
    system: DiagonalStateSpace, score: StateScore, gain: float
) -> LayerSpectrum:
    """Return what a policy decides from where states are ranked one by one.

    Parameters
    ----------
    system : DiagonalStateSpace
        The layer's system; channels of a bank are a batch axis.
    score : {"hinf", "energy"}
        What ranks the states.
    gain : float
        The error of the layer is at most this many times that of the system.

    Returns
    -------
    LayerSpectrum
        Its error bounds are the sums of the H-infinity norms of what is left out
        (triangle inequality), its shares those of the gains, whose squares are the
        scores; of a bank, the largest of a channel.
    """
    scores = _array.to_numpy(modal_scores(system, score))
    ranking = np.argsort(-scores, axis=-1)
    norms = _array.to_numpy(modal_norms(system))
    bounds, shares = (
        _tails(np.take_along_axis(values, ranking, axis=-1))
        for values in (gain * norms, np.sqrt(scores))
    )
    shares = shares / np.where(shares[..., :1] > 0, shares[..., :1], 1.0)
    return LayerSpectrum(_largest(bounds), _largest(shares))


def _tails(values: Float[np.ndarray, "*batch n"]) -> Float[np.ndarray, "*batch m"]:
    """Return sums of values[k:] for k = 0, ..., n."""
    sums = np.cumsum(values[..., ::-1], axis=-1)[..., ::-1]
    return np.concatenate([sums, np.zeros_like(values[..., :1])], axis=-1)


def _largest(values: Float[np.ndarray, "*batch m"]) -> tuple[float, ...]:
    """Return the largest value of a channel for each number of states."""
    return tuple(np.max(values.reshape(-1, values.shape[-1]), axis=0).tolist())
