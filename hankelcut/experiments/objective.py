"""What training minimises: the classes, a teacher's scores, Hankel singular values."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from hankelcut.adapters import hankel_nuclear_norm
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.tasks import Examples
from hankelcut.experiments.training_state import scores_of
from hankelcut.lti import DiagonalStateSpace
from hankelcut.nn import LRU

__all__ = ["Objective", "differentiable_system"]


class Objective:
    """The loss of a batch, as a recipe has it.

    Parameters
    ----------
    recipe : Recipe
        What is in the loss.
    examples : Examples
        The training part.
    teacher : torch.nn.Module, optional
        Whose scores of all training sequences are taken once, here.

    Raises
    ------
    ValueError
        If there is a teacher and no distillation in the recipe, or the reverse.
    """

    def __init__(
        self, recipe: Recipe, examples: Examples, teacher: nn.Module | None
    ) -> None:
        if (teacher is None) != (recipe.distillation is None):
            msg = (
                f"got distillation={recipe.distillation} and "
                f"{'no' if teacher is None else 'a'} teacher, need both or neither"
            )
            raise ValueError(msg)
        self._recipe, self._examples = recipe, examples
        self._teacher = None if teacher is None else scores_of(teacher, examples)

    def __call__(
        self, model: nn.Module, chosen: Tensor, step: int
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Compute what a step minimises.

        Parameters
        ----------
        model : torch.nn.Module
            The classifier.
        chosen : (batch,) tensor of int
            Numbers of the training sequences.
        step : int
            Number of the step, from 1.

        Returns
        -------
        objective : 0-dimensional tensor
            To be minimised.
        cross_entropy : 0-dimensional tensor
            Its part that compares methods, detached.
        """
        batch, targets = self._examples.batch(chosen)
        scores = model(batch.inputs, batch.lengths)
        cross_entropy = functional.cross_entropy(scores, targets)
        objective = cross_entropy
        distillation = self._recipe.distillation
        if distillation is not None and self._teacher is not None:
            T = distillation.temperature
            taught = self._teacher[chosen.to(scores.device)]
            divergence = functional.kl_div(
                functional.log_softmax(scores / T, dim=-1),
                functional.log_softmax(taught / T, dim=-1),
                reduction="batchmean",
                log_target=True,
            )
            share = distillation.share
            objective = (1 - share) * cross_entropy + share * T**2 * divergence
        penalty = self._recipe.penalty
        if penalty is not None and step % penalty.every == 0:
            layers = (m for m in model.modules() if isinstance(m, LRU))
            norms = sum(
                hankel_nuclear_norm(
                    differentiable_system(layer), gramians="closed_form"
                )
                for layer in layers
            )
            objective = objective + penalty.weight * penalty.every * norms
        return objective, cross_entropy.detach()


def differentiable_system(layer: LRU) -> DiagonalStateSpace:
    """Return the system of a layer in double precision, through which gradients flow.

    Parameters
    ----------
    layer : LRU
        The layer.

    Returns
    -------
    DiagonalStateSpace
        As `hankelcut.adapters.extract` reads it, but for the detachment.
    """
    p = {name: value.double() for name, value in layer.named_parameters()}
    exponents = torch.complex(-p["nu_log"].exp(), p["theta_log"].exp())
    scale = p["gamma_log"].exp()[:, None]
    return DiagonalStateSpace(
        exponents,
        torch.complex(scale * p["B_re"], scale * p["B_im"]),
        torch.complex(p["C_re"], p["C_im"]),
        torch.diag(p["D"]),
        readout="real",
    )
