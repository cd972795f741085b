"""A tiny task and a tiny recipe, with cuts, that train in a fraction of a second."""

import pytest
import torch

from hankelcut.experiments import CutPlan, Recipe
from hankelcut.experiments.tasks import ChannelSequences, Examples, Task


@pytest.fixture(scope="session")
def tiny_task() -> Task:
    """Noise around a mean that gives the class away, under the name of digits."""
    generator = torch.Generator().manual_seed(5)

    def part(size: int) -> Examples:
        targets = torch.randint(0, 3, (size,), generator=generator)
        noise = torch.randn(size, 16, 1, generator=generator)
        values = noise + 1.5 * (targets[:, None, None] - 1)
        return Examples(
            ChannelSequences(values, torch.zeros(1), torch.ones(1)), targets
        )

    return Task("digits", part(64), part(30), part(33), n_classes=3, d_input=1)


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    """Cuts after steps 3, 6 and 9 of 14, which evaluations at 4, 8, ... do not meet."""
    return Recipe(
        d_model=5,
        d_state=12,
        n_blocks=2,
        steps=14,
        batch_size=20,
        learning_rate=1e-2,
        cuts=CutPlan(value=0.2, every=3, until=9),
        evaluate_every=4,
    )
