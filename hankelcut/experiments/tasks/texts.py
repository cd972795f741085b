"""Texts as sequences of their bytes."""

import torch

from hankelcut.experiments.tasks.sequences import TokenSequences
from hankelcut.experiments.tasks.task import Examples

__all__ = ["N_BYTES", "as_tokens", "text_examples"]

N_BYTES = 256
"""Tokens there are: the bytes; 0, which no text holds, ends each."""

_END = b"\0"


def as_tokens(text: bytes, max_length: int) -> bytes:
    """Return a text cut to a length, its end included, without zero bytes inside."""
    return text.replace(_END, b" ")[: max_length - 1] + _END


def text_examples(
    texts: list[bytes], labels: list[int], *, n_documents: int = 1
) -> Examples:
    """Return texts, each with its end, as examples.

    Parameters
    ----------
    texts : list of bytes
        One, or n_documents, for each label.
    labels : list of int
        The classes.
    n_documents : int
        Texts to an example.
    """
    sequences = TokenSequences.of_texts(texts, n_documents=n_documents)
    return Examples(sequences, torch.tensor(labels, dtype=torch.int64))
