"""The methods that are compared: what a run of each does, in plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from hankelcut.experiments._values import require
from hankelcut.experiments.cut_afterwards import AfterwardsCut
from hankelcut.experiments.recipe import Distillation, HankelPenalty

__all__ = ["METHODS", "Method", "RunId", "plan_runs", "run_ids"]


@dataclass(frozen=True)
class Method:
    """How a run of a method differs from the recipe of the protocol.

    Parameters
    ----------
    label, description : str
        What tables call it, and what it does.
    cuts : mapping, optional
        Fields of the `CutPlan` that differ; None for runs without cuts in training.
        With the policy "order" the value is the size of `size_of`.
    recipe : mapping
        Other fields of the `Recipe` that differ.
    size_of : str, optional
        Method whose final size, at the same tau and seed, this one takes: from the
        start, or in its cut, in training or afterwards.
    teacher : str, optional
        Method whose final model, of the same seed, teaches.
    source : str, optional
        Method whose final model is cut afterwards, without a step of training.
    afterwards : {"largest", "hinf", "energy", "perturbed"}, optional
        How it is cut; see `cut_afterwards`.
    """

    label: str
    description: str
    cuts: Mapping[str, Any] | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    size_of: str | None = None
    teacher: str | None = None
    source: str | None = None
    afterwards: AfterwardsCut | None = None

    @property
    def has_tau(self) -> bool:
        """Whether a run depends on the share that cuts may discard."""
        return self.cuts is not None or self.size_of is not None

    @property
    def needs(self) -> tuple[str, ...]:
        """Methods whose finished runs, of the same seed, a run takes something of."""
        given = (self.size_of, self.teacher, self.source)
        return tuple(name for name in given if name is not None)


# One cut to a given size, at the end of the warm-up: what is kept is all that differs.
_ONCE: dict[str, Any] = {
    "policy": "order",
    "every": None,
    "count": 1,
    "minimum_saving": 0.0,
}

METHODS = MappingProxyType(
    {
        "full": Method("full size", "no cut"),
        "cut": Method(
            "cut in training",
            "balanced truncation of the real map, moments of the optimizer transported",
            cuts={},
        ),
        "complex": Method(
            "cut, complex map",
            "the complex states are balanced, as in the paper's code",
            cuts={"map": "complex"},
        ),
        "slice": Method(
            "cut, moments sliced",
            "the first entries of the optimizer's moments stay, as in the paper's code",
            cuts={"optimizer_state": "slice"},
        ),
        "reset": Method(
            "cut, moments reset",
            "the optimizer's moments start anew at each cut",
            cuts={"optimizer_state": "reset"},
        ),
        "once": Method(
            "cut once",
            "one cut to that size, where the last of the others is",
            cuts=_ONCE,
            size_of="cut",
        ),
        "throughout": Method(
            "cut throughout",
            "19 equidistant cuts over the whole training",
            cuts={"every": None, "until": None, "count": 19, "window": "training"},
        ),
        "rollback": Method(
            "cut with rollback",
            "cuts that raise the loss on validation sequences by over 2 % are undone",
            cuts={"rollback_tolerance": 0.02},
        ),
        "smallest": Method(
            "cut once, smallest kept",
            "the same, but the balanced states of the smallest values are kept",
            cuts={**_ONCE, "selection": "smallest"},
            size_of="cut",
        ),
        "random": Method(
            "cut once, random kept",
            "the same, but random balanced states are kept",
            cuts={**_ONCE, "selection": "random"},
            size_of="cut",
        ),
        "last": Method(
            "pruned once, LAST",
            "the same, but states are kept as they are, by their H-infinity norms",
            cuts={**_ONCE, "selection": "hinf"},
            size_of="cut",
        ),
        "aire": Method(
            "pruned once, AIRE",
            "the same by the energies of their impulse responses",
            cuts={**_ONCE, "selection": "energy"},
            size_of="cut",
        ),
        "direct": Method(
            "small from the start",
            "trained at the size that the cuts led to",
            size_of="cut",
        ),
        "distilled": Method(
            "distilled",
            "trained at that size from the classes and the full model's scores (T = 2, "
            "half of the loss)",
            recipe={"distillation": Distillation()},
            size_of="cut",
            teacher="full",
        ),
        "penalised": Method(
            "full size, penalised",
            "the Hankel nuclear norm in the loss, no cut",
            recipe={"penalty": HankelPenalty(weight=1e-3, every=4)},
        ),
        "nuclear": Method(
            "penalised, cut afterwards",
            "the penalised model, cut to that size by balanced truncation at the end",
            size_of="cut",
            source="penalised",
            afterwards="largest",
        ),
        "after": Method(
            "cut afterwards",
            "the full model, cut to that size by balanced truncation at the end",
            size_of="cut",
            source="full",
            afterwards="largest",
        ),
        "perturbed-after": Method(
            "perturbed afterwards",
            "the same by singular perturbation, which keeps the static gain and needs "
            "a full feedthrough",
            size_of="cut",
            source="full",
            afterwards="perturbed",
        ),
        "last-after": Method(
            "pruned afterwards, LAST",
            "the full model, pruned to as many states by their H-infinity norms",
            size_of="cut",
            source="full",
            afterwards="hinf",
        ),
        "aire-after": Method(
            "pruned afterwards, AIRE",
            "the same by the energies of their impulse responses",
            size_of="cut",
            source="full",
            afterwards="energy",
        ),
    }
)
"""All methods by their short names."""


@dataclass(frozen=True, order=True)
class RunId:
    """Which run: of a method, at a tau where it has one, with a seed.

    Parameters
    ----------
    method : str
        Key of `METHODS`.
    tau : float or None
        Share of the sum of the Hankel singular values that each cut may discard.
    seed : int
        Of initialisation, batches and dropout.
    """

    method: str
    tau: float | None
    seed: int

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return f"{self.kind}-seed-{self.seed}"

    @property
    def kind(self) -> str:
        """What runs have in common that differ in their seeds."""
        return self.method if self.tau is None else f"{self.method}-tau-{self.tau:g}"

    @property
    def needs(self) -> tuple["RunId", ...]:
        """Runs whose results this one takes something of."""
        return tuple(
            RunId(name, self.tau if METHODS[name].has_tau else None, self.seed)
            for name in METHODS[self.method].needs
        )


def run_ids(text: str, tau: float, seeds: int) -> list[RunId]:
    """Return the runs of a method with every seed.

    Parameters
    ----------
    text : str
        Short name of a method, with another tau behind a colon, as in ``"cut:0.04"``.
    tau : float
        The tau where none is given.
    seeds : int
        Number of seeds, from 0.

    Raises
    ------
    ValueError
        If there is no such method, or it has no tau, or that is none.
    """
    name, _, given = text.partition(":")
    require(name in METHODS, "method", name, f"one of {', '.join(METHODS)}")
    if given:
        has_tau = METHODS[name].has_tau
        require(has_tau, "method", text, f"{name!r}, which has no tau")
        try:
            tau = float(given)
        except ValueError:
            tau = 0.0
        require(0 < tau < 1, "method", text, f"{name!r} with a tau in (0, 1)")
    own = tau if METHODS[name].has_tau else None
    return [RunId(name, own, seed) for seed in range(seeds)]


def plan_runs(wanted: list[RunId]) -> list[RunId]:
    """Return runs with all that they need, each behind what it needs.

    Parameters
    ----------
    wanted : list of RunId
        The runs.
    """
    planned: dict[RunId, None] = {}

    def add(run: RunId) -> None:
        for other in run.needs:
            add(other)
        planned.setdefault(run)

    for run in wanted:
        add(run)
    return list(planned)
