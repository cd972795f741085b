"""What a classification task is: examples in three disjoint parts."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from hankelcut.experiments.tasks.sequences import Batch, Sequences
from hankelcut.nn import InputKind

__all__ = ["Examples", "Task", "split_at_random"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Sequences and their classes.

    Parameters
    ----------
    sequences : Sequences
        The sequences.
    targets : (n,) tensor of int64
        Their classes, from 0.
    """

    sequences: Sequences
    targets: Int[Tensor, " n"]

    def __len__(self) -> int:
        """Return the number of examples."""
        return self.targets.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the examples are."""
        return self.targets.device

    def batch(self, indices: Int[Tensor, " batch"]) -> tuple[Batch, Tensor]:
        """Return some examples: what a model takes, and the classes."""
        indices = indices.to(self.device)
        return self.sequences.take(indices), self.targets[indices]

    def first(self, n: int) -> "Examples":
        """Return the first n examples, or all if there are fewer."""
        return self.part(torch.arange(min(n, len(self)), device=self.device))

    def part(self, indices: Int[Tensor, " n"]) -> "Examples":
        """Return some of the examples."""
        return replace(
            self, sequences=self.sequences.part(indices), targets=self.targets[indices]
        )

    def to(self, device: torch.device | str) -> "Examples":
        """Return the examples on a device."""
        return replace(
            self, sequences=self.sequences.to(device), targets=self.targets.to(device)
        )


@dataclass(frozen=True, eq=False)
class Task:
    """A classification task.

    Parameters
    ----------
    name : str
        Name in `TASKS`.
    train, validation, test : Examples
        Disjoint. Nothing may be chosen by the test part.
    n_classes : int
        Number of classes.
    d_input : int
        Number of channels of the sequences, or of tokens there are.
    inputs : {"channels", "tokens"}
        What the sequences hold.
    n_documents : int
        Sequences to an example.
    """

    name: str
    train: Examples
    validation: Examples
    test: Examples
    n_classes: int
    d_input: int
    inputs: InputKind = "channels"
    n_documents: int = 1

    def to(self, device: torch.device | str) -> "Task":
        """Return the task with its data on a device."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            test=self.test.to(device),
        )


def split_at_random(
    examples: Examples, shares: tuple[float, ...], *, seed: int
) -> list[Examples]:
    """Split examples into parts of given shares, the last of which takes the rest.

    Parameters
    ----------
    examples : Examples
        The examples.
    shares : tuple of float
        Shares of all parts but the last.
    seed : int
        Decides which example goes where.
    """
    n = len(examples)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    sizes = [int(share * n) for share in shares]
    return [
        examples.part(part) for part in torch.split(order, [*sizes, n - sum(sizes)])
    ]
