"""What a run consists of at any step: model, optimizer, reducer, batches, records."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from hankelcut._errors import HankelcutError
from hankelcut.adapters import (
    InTrainingReducer,
    ReductionEvent,
    extract,
    find_layers,
)
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.records import Measurement, Spectra
from hankelcut.experiments.tasks import Examples, Task
from hankelcut.lti import hankel_singular_values
from hankelcut.nn import SequenceClassifier

__all__ = [
    "Batches",
    "TrainingState",
    "accuracy",
    "build_model",
    "build_optimizer",
    "hankel_spectra",
    "scores_of",
]

# Sequences per forward pass of an evaluation: bounds its memory.
_EVALUATION_BATCH = 128
# Validation sequences on which the loss before and after a cut is measured.
_PROBE_SEQUENCES = 128

_POLE_PARAMETERS = {
    *("nu_log", "theta_log", "gamma_log"),
    *("log_decay", "frequency", "log_step"),
    *("log_A_real", "A_imag", "log_dt"),
}
_INPUT_PARAMETERS = {"B_re", "B_im"}
_OUTPUT_PARAMETERS = {"C_re", "C_im", "C"}


class Batches:
    """Training batches by step: every epoch is a permutation of its own.

    Parameters
    ----------
    n_sequences, batch_size : int
        Size of the training part and of a batch; the sequences that fill no
        whole batch sit out until the next epoch.
    seed : int
        Decides the permutations; a batch depends on it and the step alone.

    Raises
    ------
    ValueError
        If a batch is larger than the training part.
    """

    def __init__(self, n_sequences: int, batch_size: int, *, seed: int) -> None:
        if batch_size > n_sequences:
            msg = (
                f"got batch_size={batch_size}, need at most the {n_sequences} training "
                "sequences of the task"
            )
            raise ValueError(msg)
        self._n_sequences, self._batch_size, self._seed = n_sequences, batch_size, seed
        self._per_epoch = n_sequences // batch_size
        self._epoch = -1
        self._permutation = np.arange(0)

    def indices(self, step: int) -> Int[Tensor, " batch"]:
        """Return which sequences make the batch of a step, counted from 1."""
        epoch, place = divmod(step - 1, self._per_epoch)
        if epoch != self._epoch:
            generator = np.random.default_rng([self._seed, epoch])
            self._permutation = generator.permutation(self._n_sequences)
            self._epoch = epoch
        begin = place * self._batch_size
        return torch.from_numpy(self._permutation[begin : begin + self._batch_size])


@dataclass(eq=False)
class TrainingState:
    """All that changes in a run.

    Parameters
    ----------
    recipe : Recipe
        What is run.
    model : SequenceClassifier
        The model.
    optimizer : torch.optim.Optimizer
        Its optimizer.
    reducer : InTrainingReducer, optional
        What cuts it; None in runs without cuts.
    step : int
        Optimizer steps done.
    seconds : float
        Training time so far.
    losses : list of 0-dimensional tensors
        Losses of the batches since the last measurement.
    step_losses : list of float
        Losses of all batches before it.
    history, spectra : list
        The measurements so far.
    """

    recipe: Recipe
    model: SequenceClassifier
    optimizer: torch.optim.Optimizer
    reducer: InTrainingReducer | None
    step: int = 0
    seconds: float = 0.0
    losses: list[Tensor] = field(default_factory=list)
    step_losses: list[float] = field(default_factory=list)
    history: list[Measurement] = field(default_factory=list)
    spectra: list[Spectra] = field(default_factory=list)

    @classmethod
    def begin(cls, recipe: Recipe, task: Task) -> "TrainingState":
        """Build the state before the first step, on the device of the task's data."""
        model = build_model(recipe, task).to(task.train.device)
        optimizer = build_optimizer(recipe, model)
        reducer = _build_reducer(recipe, task, model, optimizer)
        return cls(recipe, model, optimizer, reducer)

    @property
    def events(self) -> list[ReductionEvent]:
        """The cuts attempted so far."""
        return [] if self.reducer is None else self.reducer.events


def build_model(recipe: Recipe, task: Task) -> SequenceClassifier:
    """Build the recipe's classifier at full size, from torch's random state.

    Parameters
    ----------
    recipe : Recipe
        Sizes and ranges.
    task : Task
        Inputs and classes.

    Returns
    -------
    SequenceClassifier
        The model, on the CPU.
    """
    return SequenceClassifier(
        task.d_input,
        task.n_classes,
        d_model=recipe.d_model,
        d_state=recipe.d_state,
        n_blocks=recipe.n_blocks,
        inputs=task.inputs,
        n_documents=task.n_documents,
        layer=recipe.layer,
        dropout=recipe.dropout,
        r_min=recipe.r_min,
        r_max=recipe.r_max,
        max_phase=recipe.max_phase,
    )


def build_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.AdamW:
    """Build AdamW with rates of their own for the recurrent layers' states.

    Parameters
    ----------
    recipe : Recipe
        Rates and weight decay.
    model : torch.nn.Module
        The model.

    Returns
    -------
    torch.optim.AdamW
        With three groups: poles, steps and gamma (no weight decay), B and a slow C, all
        else.
        Each keeps its largest rate as ``initial_lr``.
    """
    slow = _INPUT_PARAMETERS | (_OUTPUT_PARAMETERS if recipe.slow_output else set())
    poles, maps = (
        [
            parameter
            for layer in find_layers(model).values()
            for name, parameter in layer.named_parameters(recurse=False)
            if name in names
        ]
        for names in (_POLE_PARAMETERS, slow)
    )
    taken = {id(parameter) for parameter in (*poles, *maps)}
    rest = [item for item in model.parameters() if id(item) not in taken]
    rate, decay = recipe.learning_rate, recipe.weight_decay
    state_rate = rate * recipe.state_rate_factor
    groups = [
        (poles, state_rate, 0.0),
        (maps, state_rate, decay if recipe.decay_state else 0.0),
        (rest, rate, decay),
    ]
    return torch.optim.AdamW(
        [
            {"params": group, "lr": rate, "initial_lr": rate, "weight_decay": decay}
            for group, rate, decay in groups
        ]
    )


def accuracy(model: nn.Module, examples: Examples) -> float:
    """Share of examples that a model classifies correctly.

    Parameters
    ----------
    model : torch.nn.Module
        A classifier; it is evaluated in evaluation mode and left in training mode.
    examples : Examples
        Sequences and their classes.

    Returns
    -------
    float
        In [0, 1].
    """
    scores = scores_of(model, examples)
    return (scores.argmax(-1) == examples.targets).double().mean().item()


def hankel_spectra(model: nn.Module) -> dict[str, list[float]]:
    """Hankel singular values of every layer, fast, for pictures.

    Parameters
    ----------
    model : torch.nn.Module
        The model.

    Returns
    -------
    dict of str to list of float
        Descending values by layer, of a bank the largest of a channel for each index;
        those below 1e-8 of the largest are rounding. A layer that has none, being
        unstable or damaged, is left out.
    """
    spectra = {}
    for name, layer in find_layers(model).items():
        try:
            values = hankel_singular_values(extract(layer), gramians="closed_form")
        except HankelcutError:
            continue
        spectra[name] = values.reshape(-1, values.shape[-1]).amax(dim=0).tolist()
    return spectra


def scores_of(model: nn.Module, examples: Examples) -> Float[Tensor, "n classes"]:
    """Logits of all examples in evaluation mode, batch by batch.

    Parameters
    ----------
    model : torch.nn.Module
        A classifier; left in training mode.
    examples : Examples
        The examples.

    Returns
    -------
    (n, n_classes) tensor
        The logits.
    """
    model.eval()
    parts = torch.split(torch.arange(len(examples)), _EVALUATION_BATCH)
    scores = []
    with torch.no_grad():
        for part in parts:
            batch, _ = examples.batch(part)
            scores.append(model(batch.inputs, batch.lengths))
    model.train()
    return torch.cat(scores)


def _build_reducer(
    recipe: Recipe, task: Task, model: nn.Module, optimizer: torch.optim.Optimizer
) -> InTrainingReducer | None:
    """Build the reducer of the recipe's cuts, probing on validation sequences."""
    plan, schedule = recipe.cuts, recipe.cut_schedule()
    if plan is None or schedule is None:
        return None
    probed = task.validation.first(_PROBE_SEQUENCES)

    def probe() -> float:
        scores = scores_of(model, probed)
        return functional.cross_entropy(scores, probed.targets).item()

    return InTrainingReducer(
        model,
        optimizer,
        plan.make_policy(),
        every=schedule.every,
        start=schedule.start,
        until=schedule.until,
        minimum_saving=plan.minimum_saving,
        multiple_of=plan.multiple_of,
        map=plan.map,
        gramians=plan.gramians,
        optimizer_state=plan.optimizer_state,
        selection=plan.selection,
        seed=recipe.seed,
        probe=probe,
        rollback_tolerance=plan.rollback_tolerance,
    )
