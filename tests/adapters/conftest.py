"""Layers and small models for the adapter tests."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from hankelcut.nn import LRU, SequenceClassifier


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(20)


@pytest.fixture
def make_layer() -> Callable[..., LRU]:
    """Build an LRU whose last `silent` states neither see inputs nor reach outputs."""

    def make(
        d_model: int = 3,
        d_state: int = 12,
        *,
        silent: int = 0,
        dtype: torch.dtype = torch.float32,
        r_min: float = 0.3,
        r_max: float = 0.95,
    ) -> LRU:
        layer = LRU(d_model, d_state, r_min, r_max).to(dtype)
        if silent:
            with torch.no_grad():
                for matrix in (layer.B_re, layer.B_im):
                    matrix[-silent:] = 0
                for matrix in (layer.C_re, layer.C_im):
                    matrix[:, -silent:] = 0
        return layer

    return make


@pytest.fixture
def model() -> SequenceClassifier:
    """Two blocks of equal shape, 2 inputs, 5 classes."""
    return SequenceClassifier(
        2, 5, d_model=4, d_state=16, n_blocks=2, r_min=0.2, r_max=0.95
    )


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Eight sequences of 12 samples, and their classes."""
    return torch.randn(8, 12, 2), torch.randint(0, 5, (8,))


def train_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, Tensor]
) -> float:
    """One optimizer step; returns the loss."""
    inputs, targets = batch
    loss = nn.functional.cross_entropy(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@pytest.fixture
def train() -> Callable[..., float]:
    """The function that does one optimizer step."""
    return train_step
