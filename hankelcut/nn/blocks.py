"""Residual blocks around the linear recurrent unit, and a classifier of them."""

from jaxtyping import Float, Inexact
from torch import Tensor, nn
from torch.nn import functional

from hankelcut.nn.lru import LRU

__all__ = ["LRUBlock", "SequenceClassifier"]


class LRUBlock(nn.Module):
    """Batch norm, LRU, GELU, gated linear unit, with dropout and a residual path.

    Parameters
    ----------
    d_model : int
        Number of channels, in and out.
    d_state : int
        Number of complex states of the recurrent unit.
    r_min, r_max, max_phase : float
        Where the initial poles lie; see `LRU`.
    dropout : float
        Probability, in [0, 1), with which an activation is dropped after the GELU and
        after the gate while training.

    Raises
    ------
    ValueError
        If a size or a range is not one of those above.

    References
    ----------
    Orvieto et al., Resurrecting recurrent neural networks for long sequences, 2023,
    figure 1, with the normalisation of Smith et al., S5, 2023: over batch and length.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int,
        *,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 6.28,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            msg = f"got dropout={dropout}, need 0 <= dropout < 1"
            raise ValueError(msg)
        self.lru = LRU(d_model, d_state, r_min, r_max, max_phase)
        self.norm = nn.BatchNorm1d(d_model)
        self.gate = nn.Linear(d_model, 2 * d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, inputs: Inexact[Tensor, "..."]
    ) -> Float[Tensor, "batch length m"]:
        """Apply the block to whole sequences.

        Parameters
        ----------
        inputs : (batch, length, d_model) tensor
            The sequences.

        Returns
        -------
        (batch, length, d_model) tensor
            The outputs, of the shape of the inputs.

        Raises
        ------
        ValueError
            If the inputs have another shape.
        """
        _check_sequences(inputs, "d_model", self.gate.in_features)
        normalised = self.norm(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
        hidden = self.dropout(functional.gelu(self.lru(normalised)))
        update: Tensor = self.dropout(functional.glu(self.gate(hidden), dim=-1))
        return inputs + update


class SequenceClassifier(nn.Module):
    """Linear encoder, blocks, mean over time, linear head.

    Parameters
    ----------
    d_input : int
        Number of channels of the sequences.
    n_classes : int
        Number of classes.
    d_model : int
        Number of channels inside.
    d_state : int
        Number of complex states of each block at the beginning.
    n_blocks : int
        Number of blocks.
    dropout, r_min, r_max, max_phase : float
        As in `LRUBlock`.

    Raises
    ------
    ValueError
        If a size or a range is not one that the layers take.
    """

    def __init__(
        self,
        d_input: int,
        n_classes: int,
        *,
        d_model: int,
        d_state: int,
        n_blocks: int = 1,
        dropout: float = 0.0,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 6.28,
    ) -> None:
        super().__init__()
        if min(d_input, n_classes, n_blocks) < 1:
            msg = (
                f"got d_input={d_input}, n_classes={n_classes}, n_blocks={n_blocks}, "
                "need all at least 1"
            )
            raise ValueError(msg)
        self.encoder = nn.Linear(d_input, d_model)
        self.blocks = nn.ModuleList(
            LRUBlock(
                d_model,
                d_state,
                r_min=r_min,
                r_max=r_max,
                max_phase=max_phase,
                dropout=dropout,
            )
            for _ in range(n_blocks)
        )
        self.head = nn.Linear(d_model, n_classes)

    def forward(
        self, inputs: Inexact[Tensor, "..."]
    ) -> Float[Tensor, "batch n_classes"]:
        """Score the classes of whole sequences.

        Parameters
        ----------
        inputs : (batch, length, d_input) tensor
            The sequences, of length 1 or more.

        Returns
        -------
        (batch, n_classes) tensor
            Logits.

        Raises
        ------
        ValueError
            If the inputs have another shape.
        """
        _check_sequences(inputs, "d_input", self.encoder.in_features)
        if inputs.shape[1] == 0:
            msg = "got sequences of length 0, need at least one step to average over"
            raise ValueError(msg)
        hidden = self.encoder(inputs)
        for block in self.blocks:
            hidden = block(hidden)
        logits: Tensor = self.head(hidden.mean(dim=1))
        return logits


def _check_sequences(inputs: Tensor, name: str, n_channels: int) -> None:
    """Raise ValueError unless the inputs are (batch, length, n_channels)."""
    if inputs.ndim != 3 or inputs.shape[-1] != n_channels:
        msg = (
            f"got inputs of shape {tuple(inputs.shape)}, need (batch, length, {name}) "
            f"with {name}={n_channels}"
        )
        raise ValueError(msg)
