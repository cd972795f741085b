"""A classifier of sequences, of texts, and of pairs of them."""

from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from hankelcut.nn.blocks import ResidualBlock, check_sequences
from hankelcut.nn.layer_kinds import LayerKind, make_layer

__all__ = ["InputKind", "SequenceClassifier"]

InputKind: TypeAlias = Literal["channels", "tokens"]
"""What a step of a sequence is: numbers in channels, or one token of a vocabulary."""


class SequenceClassifier(nn.Module):
    """Encoder, blocks, mean over time, and a head.

    The encoder is a linear map of channels or an embedding of tokens. The head is a
    linear map; of several documents the means stand side by side and the head has two
    hidden layers, of d_model and of d_model / 2 units, with rectifiers.

    Parameters
    ----------
    d_input : int
        Number of channels of the sequences, or of tokens there are.
    n_classes : int
        Number of classes.
    d_model : int
        Number of channels inside.
    d_state : int
        Number of complex states of each block at the beginning.
    n_blocks : int
        Number of blocks.
    inputs : {"channels", "tokens"}
        What the sequences hold.
    n_documents : int
        Sequences to an example; one model reads them all, each for itself.
    layer : {"lru", "s5"}
        What each block has.
    dropout : float
        As in `ResidualBlock`.
    r_min, r_max, max_phase : float
        As in `make_layer`.

    Raises
    ------
    ValueError
        If a size, a range, the kind of input or the layer is not one that there is.

    References
    ----------
    The dual encoder for pairs of documents is that of Tay et al., Long Range Arena,
    2021, section 2.2.4, with the head of the code of Chahine et al., ICLR 2026.
    """

    def __init__(
        self,
        d_input: int,
        n_classes: int,
        *,
        d_model: int,
        d_state: int,
        n_blocks: int = 1,
        inputs: InputKind = "channels",
        n_documents: int = 1,
        layer: LayerKind = "lru",
        dropout: float = 0.0,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 6.28,
    ) -> None:
        super().__init__()
        if min(d_input, n_classes, n_blocks, n_documents) < 1:
            msg = (
                f"got d_input={d_input}, n_classes={n_classes}, n_blocks={n_blocks}, "
                f"n_documents={n_documents}, need all at least 1"
            )
            raise ValueError(msg)
        if inputs not in get_args(InputKind):
            msg = f"got inputs={inputs!r}, need one of {', '.join(get_args(InputKind))}"
            raise ValueError(msg)
        self.n_documents = n_documents
        self.encoder: nn.Linear | nn.Embedding = (
            nn.Embedding(d_input, d_model)
            if inputs == "tokens"
            else nn.Linear(d_input, d_model)
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(
                make_layer(
                    layer,
                    d_model,
                    d_state,
                    r_min=r_min,
                    r_max=r_max,
                    max_phase=max_phase,
                ),
                d_model,
                dropout=dropout,
            )
            for _ in range(n_blocks)
        )
        self.head: nn.Module = nn.Linear(d_model, n_classes)
        if n_documents > 1:
            self.head = _document_head(n_documents, d_model, n_classes)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.encoder.weight.device

    def forward(
        self,
        inputs: Shaped[Tensor, "..."],
        lengths: Int[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch n_classes"]:
        """Score the classes of whole sequences.

        Parameters
        ----------
        inputs : (batch, length, d_input) tensor, or (batch, length) tensor of int
            The sequences, of length 1 or more: channels, or tokens from 0 to
            d_input - 1. With several documents (batch, n_documents, ...).
        lengths : (batch,) or (batch, n_documents) tensor of int, optional
            Length of each sequence; what lies behind is padding and changes nothing.

        Returns
        -------
        (batch, n_classes) tensor
            Logits.

        Raises
        ------
        ValueError
            If the inputs or the lengths have another shape or are out of their range.
        """
        if self.n_documents > 1:
            self._check_documents(inputs, lengths)
            inputs = inputs.flatten(0, 1)
            lengths = None if lengths is None else lengths.flatten()
        self._check_inputs(inputs)
        mask = None if lengths is None else _mask(inputs, lengths)
        hidden = self.encoder(inputs)
        for block in self.blocks:
            hidden = block(hidden, mask)
        means = _mean(hidden, mask)
        if self.n_documents > 1:
            means = means.view(-1, self.n_documents * means.shape[-1])
        logits: Tensor = self.head(means)
        return logits

    def _check_documents(self, inputs: Tensor, lengths: Tensor | None) -> None:
        """Raise ValueError unless there are the right number of documents."""
        found = [inputs.shape] + ([] if lengths is None else [lengths.shape])
        if any(len(s) < 2 or s[1] != self.n_documents for s in found):
            shapes = " and ".join(str(tuple(shape)) for shape in found)
            msg = (
                f"got inputs (and lengths) of shape {shapes}, need "
                f"(batch, n_documents, ...) with n_documents={self.n_documents}"
            )
            raise ValueError(msg)

    def _check_inputs(self, inputs: Tensor) -> None:
        """Raise ValueError unless the inputs are sequences for the encoder."""
        if isinstance(self.encoder, nn.Linear):
            check_sequences(inputs, "d_input", self.encoder.in_features)
        elif inputs.ndim != 2 or inputs.is_floating_point() or inputs.is_complex():
            msg = (
                f"got inputs of shape {tuple(inputs.shape)} and {inputs.dtype}, need "
                "(batch, length) tokens, whole numbers"
            )
            raise ValueError(msg)
        if inputs.shape[1] == 0:
            msg = "got sequences of length 0, need at least one step to average over"
            raise ValueError(msg)


def _document_head(n_documents: int, d_model: int, n_classes: int) -> nn.Sequential:
    """Return the head over the means of several documents side by side."""
    half = max(1, d_model // 2)
    return nn.Sequential(
        nn.Linear(n_documents * d_model, d_model),
        nn.ReLU(),
        nn.Linear(d_model, half),
        nn.ReLU(),
        nn.Linear(half, n_classes),
    )


def _mask(inputs: Tensor, lengths: Tensor) -> Bool[Tensor, "batch length"]:
    """Where the sequences are, by their lengths."""
    n_steps = inputs.shape[1]
    if lengths.shape != inputs.shape[:1]:
        msg = (
            f"got lengths of shape {tuple(lengths.shape)}, need {(inputs.shape[0],)}, "
            "one for each sequence"
        )
        raise ValueError(msg)
    if lengths.numel() and not 1 <= int(lengths.min()) <= int(lengths.max()) <= n_steps:
        msg = (
            f"got lengths from {int(lengths.min())} to {int(lengths.max())}, need 1 to "
            f"{n_steps}, the length of the inputs"
        )
        raise ValueError(msg)
    return torch.arange(n_steps, device=inputs.device) < lengths[:, None]


def _mean(
    hidden: Float[Tensor, "batch length m"], mask: Bool[Tensor, "batch length"] | None
) -> Float[Tensor, "batch m"]:
    """Mean over the steps of each sequence."""
    if mask is None:
        return hidden.mean(dim=1)
    kept = torch.where(mask[..., None], hidden, torch.zeros_like(hidden))
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True)
