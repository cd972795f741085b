r"""What a selective layer computes from one batch of inputs, and its recurrence.

Channel k of group g has the state :math:`h_t = e^{\Delta_t a} \odot h_{t-1} + \Delta_t
x_t B_t` and the output :math:`y_t = C_t^T h_t`; all channels of a group share B and C
(Gu and Dao 2023; Dao and Gu 2024). The states of one time are held, never those of all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

__all__ = [
    "SelectiveSignals",
    "StateVector",
    "backward_states",
    "forward_states",
    "scan_outputs",
]

StateVector: TypeAlias = Literal["B", "C"]
"""What a selective layer computes from its inputs for each state."""


@dataclass(frozen=True, eq=False)
class SelectiveSignals:
    """The signals of a selective layer for one batch of inputs.

    Parameters
    ----------
    steps : (batch, length, G, K) tensor
        Step sizes dt of the K channels of each of G groups.
    rates : (G, K, N) or (G, K, 1) tensor
        Rates a < 0, dimensionless with `steps`; the last axis is 1 where all states of
        a channel decay alike.
    inputs : (batch, length, G, K) tensor
        Inputs x of the recurrence.
    B, C : (batch, length, G, N) tensors
        Input and output vectors of each group.
    readout : callable
        Takes y of shape (batch, length, G, K) to the output of the layer; whatever lies
        behind the recurrence: skip connection, gate, norm and output projection.
    """

    steps: Tensor
    rates: Tensor
    inputs: Tensor
    B: Tensor
    C: Tensor
    readout: Callable[[Tensor], Tensor]

    @property
    def length(self) -> int:
        """Number of time steps."""
        return int(self.B.shape[1])

    @property
    def n_samples(self) -> int:
        """Number of sequences times their length."""
        return int(self.B.shape[0] * self.B.shape[1])

    @property
    def n_states(self) -> int:
        """Number of states of each channel."""
        return int(self.B.shape[3])

    def decays(self, t: int) -> Tensor:
        """Return exp(dt a) at a time, (batch, G, K, N or 1)."""
        return torch.exp(self.steps[:, t, ..., None] * self.rates)


def forward_states(signals: SelectiveSignals) -> Iterator[tuple[int, Tensor]]:
    """Run the recurrence from the zero state.

    Parameters
    ----------
    signals : SelectiveSignals
        What drives it.

    Yields
    ------
    tuple of int and (batch, G, K, N) tensor
        Time and state; the tensor is that of the next step afterwards.
    """
    driven = signals.steps * signals.inputs
    state = signals.B.new_zeros((*driven[:, 0].shape, signals.n_states))
    for t in range(signals.length):
        state *= signals.decays(t)
        state += driven[:, t, ..., None] * signals.B[:, t, :, None]
        yield t, state


def backward_states(
    signals: SelectiveSignals, cotangents: Tensor
) -> Iterator[tuple[int, Tensor]]:
    """Run the adjoint recurrence from the end of the sequence.

    Parameters
    ----------
    signals : SelectiveSignals
        The layer.
    cotangents : (batch, length, G, K) tensor
        Of y.

    Yields
    ------
    tuple of int and (batch, G, K, N) tensor
        Time and the cotangent of the state at that time, through all later outputs; the
        tensor is that of the step before afterwards.
    """
    adjoint = signals.C.new_zeros((*cotangents[:, 0].shape, signals.n_states))
    for t in reversed(range(signals.length)):
        adjoint += cotangents[:, t, ..., None] * signals.C[:, t, :, None]
        yield t, adjoint
        adjoint *= signals.decays(t)


def scan_outputs(signals: SelectiveSignals) -> Tensor:
    """Return the outputs y of the recurrence, (batch, length, G, K).

    Parameters
    ----------
    signals : SelectiveSignals
        What drives it.
    """
    outputs = torch.empty_like(signals.inputs)
    for t, state in forward_states(signals):
        outputs[:, t] = (state @ signals.C[:, t, ..., None])[..., 0]
    return outputs
