"""Residual blocks around state-space layers."""

import torch
from jaxtyping import Bool, Float, Inexact
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ResidualBlock", "check_sequences"]


class ResidualBlock(nn.Module):
    """Batch norm, layer, GELU, gated linear unit, with dropout and a residual path.

    Parameters
    ----------
    layer : torch.nn.Module
        Maps sequences of shape (batch, length, d_model) to such.
    d_model : int
        Number of channels, in and out.
    dropout : float
        Probability, in [0, 1), with which an activation is dropped after the GELU and
        after the gate while training.

    Raises
    ------
    ValueError
        If the probability is out of its range.

    References
    ----------
    Orvieto et al., Resurrecting recurrent neural networks for long sequences, 2023,
    figure 1, with the normalisation of Smith et al., S5, 2023: over batch and length.
    """

    def __init__(self, layer: nn.Module, d_model: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            msg = f"got dropout={dropout}, need 0 <= dropout < 1"
            raise ValueError(msg)
        self.layer = layer
        self.norm = nn.BatchNorm1d(d_model)
        self.gate = nn.Linear(d_model, 2 * d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        inputs: Inexact[Tensor, "..."],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch length m"]:
        """Apply the block to whole sequences.

        Parameters
        ----------
        inputs : (batch, length, d_model) tensor
            The sequences.
        mask : (batch, length) tensor of bool, optional
            Where the sequences are; all else is padding behind their ends, which
            changes neither the statistics of the norm nor any output inside.

        Returns
        -------
        (batch, length, d_model) tensor
            The outputs, of the shape of the inputs; they mean nothing in the padding.

        Raises
        ------
        ValueError
            If the inputs or the mask have another shape.
        """
        check_sequences(inputs, "d_model", self.gate.in_features)
        hidden = self.layer(self._normalised(inputs, mask))
        hidden = self.dropout(functional.gelu(hidden))
        update: Tensor = self.dropout(functional.glu(self.gate(hidden), dim=-1))
        return inputs + update

    def _normalised(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        """Normalise, with statistics over the sequences and not over their padding."""
        if mask is None:
            flat: Tensor = self.norm(inputs.flatten(0, 1))
            return flat.view(inputs.shape)
        if mask.shape != inputs.shape[:2]:
            found, need = tuple(mask.shape), tuple(inputs.shape[:2])
            msg = f"got a mask of shape {found}, need {need}, one entry for each step"
            raise ValueError(msg)
        normalised = torch.zeros_like(inputs)
        normalised[mask] = self.norm(inputs[mask])
        return normalised


def check_sequences(inputs: Tensor, name: str, n_channels: int) -> None:
    """Raise ValueError unless the inputs are (batch, length, n_channels)."""
    if inputs.ndim != 3 or inputs.shape[-1] != n_channels:
        msg = (
            f"got inputs of shape {tuple(inputs.shape)}, need (batch, length, {name}) "
            f"with {name}={n_channels}"
        )
        raise ValueError(msg)
