r"""Gramians of selective layers from data, and what a state is worth by them.

Two choices. From the states of data: :math:`P = E[\sum_k h_{t,k} h_{t,k}^T]` and
:math:`Q = E[\sum_k v_{t,k} v_{t,k}^T]` over batches and times, with the states of the
channels k of a group and the gradients v with respect to them of what comes after
(empirical Gramians: Lall, Marsden and Glavaski, IJRNC 12, 2002). And of the mean layer:
the Gramians of the time-invariant system whose B B^T, C^T C and squared decays are the
means over the data, as if these were independent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from hankelcut.adapters.selective.signals import (
    SelectiveSignals,
    StateVector,
    backward_states,
    forward_states,
)

__all__ = [
    "DataGramians",
    "EmpiricalGramians",
    "GramianAccumulator",
    "GramianChoice",
    "MeanFieldGramians",
]

GramianChoice: TypeAlias = Literal["data", "mean_field"]
"""From the states that data drive through the layer, or of the mean layer."""


@dataclass(frozen=True, eq=False)
class EmpiricalGramians:
    """Gramians of one selective layer, group by group.

    Parameters
    ----------
    controllability, observability : (G, n, n) float64 tensors
        P and Q, summed over the channels of each group.
    energies : mapping of {"B", "C"} to (G, n) float64 tensor
        Mean squares of the entries of B and C.
    samples : int
        Sequences times their lengths that they are means of.
    """

    controllability: Tensor
    observability: Tensor
    energies: Mapping[StateVector, Tensor]
    samples: int

    @property
    def n_states(self) -> int:
        """Number of states of each channel."""
        return int(self.controllability.shape[-1])

    @property
    def scores(self) -> Tensor:
        """Return sqrt(P_ii Q_ii), (G, n): that of a state in the coordinates it has.

        A state that no input reaches, or that reaches no output, has the score 0.
        Scaling a state, as B and C may share a factor in many ways, does not change it.
        """
        P, Q = (
            gramian.diagonal(dim1=-2, dim2=-1).clamp(min=0)
            for gramian in (self.controllability, self.observability)
        )
        return P.sqrt() * Q.sqrt()

    def subspaces(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return Hankel singular values of each group with the balanced subspaces.

        Returns
        -------
        values : (G, n) tensor
            Square roots of the eigenvalues of P Q, descending.
        W, T : (G, n, n) tensors
            The first r columns project to r states: h_r = W^T h, h = T h_r; those of
            values that are rounding are 0.

        Notes
        -----
        **Method.** Square roots of P and Q by their eigenvectors, then singular values
        of their product (Tombs and Postlethwaite, IJC 46, 1987). As P and Q are formed,
        values below 1e-8 of the largest are rounding.
        """
        F, G = (
            _root(gramian) for gramian in (self.controllability, self.observability)
        )
        U, values, Vh = torch.linalg.svd(G.mT @ F)
        floor = torch.finfo(values.dtype).eps ** 0.5 * values[..., :1]
        scale = torch.where(values > floor, values.clamp(min=1e-300).rsqrt(), 0.0)
        return values, (G @ U) * scale[:, None], (F @ Vh.mT) * scale[:, None]


class GramianAccumulator(Protocol):
    """Gathers what Gramians are made of, one batch after the other."""

    def add(self, signals: SelectiveSignals, cotangents: Tensor | None) -> None:
        """Take the signals of one batch, and the cotangents of y where there are any.

        Parameters
        ----------
        signals : SelectiveSignals
            What drives the recurrence.
        cotangents : (batch, length, G, K) tensor, optional
            Of the outputs of the recurrence.
        """
        ...

    def gramians(self) -> EmpiricalGramians | None:
        """Return the Gramians so far; None without data."""
        ...


class DataGramians:
    """Second moments of states and of the gradients with respect to them.

    One state of a batch is held at a time, never those of a whole sequence.
    """

    def __init__(self) -> None:
        self._sums: list[Tensor] = []
        self._samples = 0

    def add(self, signals: SelectiveSignals, cotangents: Tensor | None) -> None:
        """Take one batch; cotangents are needed.

        Parameters
        ----------
        signals : SelectiveSignals
            What drives the recurrence.
        cotangents : (batch, length, G, K) tensor
            Of the outputs of the recurrence.
        """
        assert cotangents is not None  # noqa: S101 - `calibrate` has made them
        states = (_outer(h) for _, h in forward_states(signals))
        gradients = (_outer(v) for _, v in backward_states(signals, cotangents))
        sums = [
            sum(states, start=torch.zeros(())),
            sum(gradients, start=torch.zeros(())),
            _energy(signals.B),
            _energy(signals.C),
        ]
        self._sums = _added(self._sums, sums)
        self._samples += signals.n_samples

    def gramians(self) -> EmpiricalGramians | None:
        """Return the means."""
        if not self._samples:
            return None
        P, Q, B, C = (total / self._samples for total in self._sums)
        return EmpiricalGramians(P, Q, {"B": B, "C": C}, self._samples)


class MeanFieldGramians:
    """Means of B B^T, C^T C, squared steps and squared decays.

    For channels whose states decay alike P and Q are whole matrices; else the states of
    a channel have rates of their own, and only the diagonals are computed.
    """

    def __init__(self) -> None:
        self._sums: list[Tensor] = []
        self._samples = 0

    def add(self, signals: SelectiveSignals, cotangents: Tensor | None) -> None:
        """Take one batch; cotangents are not needed.

        Parameters
        ----------
        signals : SelectiveSignals
            What drives the recurrence.
        cotangents : None
            Not looked at.
        """
        steps = signals.steps.double()
        lost = sum(
            (
                -torch.expm1(2 * steps[:, t, ..., None] * signals.rates.double()).sum(0)
                for t in range(signals.length)
            ),
            start=torch.zeros(()),
        )
        sums = [
            _outer(signals.B.flatten(0, 1)[:, :, None]),
            _outer(signals.C.flatten(0, 1)[:, :, None]),
            steps.square().sum(dim=(0, 1)),
            torch.as_tensor(lost),
        ]
        self._sums = _added(self._sums, sums)
        self._samples += signals.n_samples

    def gramians(self) -> EmpiricalGramians | None:
        """Return the Gramians of the mean layer, driven by unit white noise."""
        if not self._samples:
            return None
        BB, CC, steps, lost = (total / self._samples for total in self._sums)
        per_state = (steps[..., None] / lost).sum(dim=1), (1 / lost).sum(dim=1)
        P, Q = (
            moment * factor[..., None]
            if factor.shape[-1] == 1
            else _scaled(moment, factor)
            for moment, factor in zip((BB, CC), per_state, strict=True)
        )
        B, C = (moment.diagonal(dim1=-2, dim2=-1) for moment in (BB, CC))
        return EmpiricalGramians(P, Q, {"B": B, "C": C}, self._samples)


def _root(gramian: Tensor) -> Tensor:
    """Return F with F F^T the Gramian."""
    values, vectors = torch.linalg.eigh((gramian + gramian.mT) / 2)
    root: Tensor = vectors * values.clamp(min=0).sqrt()[..., None, :]
    return root


def _added(before: list[Tensor], sums: list[Tensor]) -> list[Tensor]:
    """Return sums over all batches so far."""
    return [a + b for a, b in zip(before, sums, strict=True)] if before else sums


def _energy(vectors: Tensor) -> Tensor:
    """Sum of squares of (batch, length, G, n) vectors, (G, n)."""
    return vectors.double().square().sum(dim=(0, 1))


def _outer(states: Tensor) -> Tensor:
    """Sum of x x^T over the first and third axis of (batch, G, K, n) states."""
    by_group = states.double().transpose(0, 1).flatten(1, 2)
    return by_group.mT @ by_group


def _scaled(moment: Tensor, factor: Tensor) -> Tensor:
    """Diagonal matrices of the products of two diagonals."""
    return torch.diag_embed(moment.diagonal(dim1=-2, dim2=-1) * factor)
