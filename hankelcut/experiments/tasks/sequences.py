"""Stored sequences, small in memory, and the batches that models take."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Integer, Shaped
from torch import Tensor

__all__ = ["Batch", "ChannelSequences", "Sequences", "TokenSequences"]


@dataclass(frozen=True, eq=False)
class Batch:
    """What a model takes.

    Parameters
    ----------
    inputs : tensor
        See `hankelcut.nn.SequenceClassifier`.
    lengths : tensor of int, optional
        Length of each sequence where they are padded.
    """

    inputs: Tensor
    lengths: Tensor | None = None


@runtime_checkable
class Sequences(Protocol):
    """Sequences by number, from 0."""

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def take(self, indices: Int[Tensor, " batch"]) -> Batch:
        """Return some of the examples as a model takes them."""
        ...

    def part(self, indices: Int[Tensor, " n"]) -> "Sequences":
        """Return some of the examples, stored in the same way."""
        ...

    def to(self, device: torch.device | str) -> "Sequences":
        """Return the sequences on a device."""
        ...


@dataclass(frozen=True, eq=False)
class ChannelSequences:
    """Sequences of numbers, all of one length, such as the pixels of images.

    Parameters
    ----------
    values : (n, length, channels) tensor
        As they are stored: bytes, or floating-point numbers.
    mean, deviation : (channels,) float tensors
        What is subtracted from the values and what they are divided by.
    """

    values: Shaped[Tensor, "n length channels"]
    mean: Float[Tensor, " channels"]
    deviation: Float[Tensor, " channels"]

    def __len__(self) -> int:
        """Return the number of sequences."""
        return self.values.shape[0]

    def take(self, indices: Int[Tensor, " batch"]) -> Batch:
        """Return (batch, length, channels) standardised numbers in float32."""
        return Batch((self.values[indices].float() - self.mean) / self.deviation)

    def part(self, indices: Int[Tensor, " n"]) -> "ChannelSequences":
        """Return some of the sequences."""
        return replace(self, values=self.values[indices])

    def to(self, device: torch.device | str) -> "ChannelSequences":
        """Return the sequences on a device."""
        moved = {name: value.to(device) for name, value in vars(self).items()}
        return replace(self, **moved)


@dataclass(frozen=True, eq=False)
class TokenSequences:
    """Texts of different lengths, one after the other.

    Parameters
    ----------
    tokens : (total,) tensor of int
        All texts, without gaps.
    offsets : (n_texts + 1,) tensor of int64
        Where each text begins, and the end of the last; none is empty.
    n_documents : int
        Texts to an example, next to each other.
    """

    tokens: Integer[Tensor, " total"]
    offsets: Int[Tensor, " texts"]
    n_documents: int = 1

    @classmethod
    def of_texts(cls, texts: list[bytes], *, n_documents: int = 1) -> "TokenSequences":
        """Store texts whose tokens are bytes.

        Parameters
        ----------
        texts : list of bytes
            None of them empty.
        n_documents : int
            Texts to an example.
        """
        lengths = torch.tensor([0, *map(len, texts)], dtype=torch.int64)
        content = bytearray(b"".join(texts))
        tokens = torch.frombuffer(content, dtype=torch.uint8)
        return cls(tokens, lengths.cumsum(0), n_documents)

    def __len__(self) -> int:
        """Return the number of examples."""
        return (self.offsets.shape[0] - 1) // self.n_documents

    def take(self, indices: Int[Tensor, " batch"]) -> Batch:
        """Return (batch, longest) tokens, padded by 0, and their (batch,) lengths.

        With several documents (batch, n_documents, longest) and (batch, n_documents).
        """
        texts = self._texts(indices)
        begin, end = self.offsets[texts], self.offsets[texts + 1]
        lengths = end - begin
        longest = int(lengths.max()) if lengths.numel() else 1
        steps = torch.arange(longest, device=self.tokens.device)
        inside = steps < lengths[..., None]
        places = torch.where(inside, begin[..., None] + steps, 0)
        inputs = torch.where(inside, self.tokens[places].long(), 0)
        if self.n_documents == 1:
            return Batch(inputs[:, 0], lengths[:, 0])
        return Batch(inputs, lengths)

    def part(self, indices: Int[Tensor, " n"]) -> "TokenSequences":
        """Return some of the examples."""
        texts = self._texts(indices).flatten()
        pieces = [
            self.tokens[begin:end]
            for begin, end in zip(
                self.offsets[texts].tolist(),
                self.offsets[texts + 1].tolist(),
                strict=True,
            )
        ]
        lengths = self.offsets[texts + 1] - self.offsets[texts]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        tokens = torch.cat(pieces) if pieces else self.tokens[:0]
        return replace(self, tokens=tokens, offsets=offsets)

    def to(self, device: torch.device | str) -> "TokenSequences":
        """Return the texts on a device."""
        return replace(
            self, tokens=self.tokens.to(device), offsets=self.offsets.to(device)
        )

    def _texts(self, indices: Int[Tensor, " batch"]) -> Int[Tensor, "batch documents"]:
        """Return the numbers of the texts of some examples."""
        documents = torch.arange(self.n_documents, device=indices.device)
        return self.n_documents * indices[:, None] + documents
