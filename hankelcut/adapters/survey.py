"""A table of the state-space layers of a model, and what cuts would leave of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import nn

from hankelcut._errors import HankelcutError, PolicyError
from hankelcut._parallel import one_blas_thread
from hankelcut.adapters.cuts.configurations import (
    SharedConfiguration,
    find_configurations,
)
from hankelcut.adapters.cuts.plan import CutContext, MeasuredLayer
from hankelcut.adapters.cuts.settings import CutSettings
from hankelcut.adapters.cuts.transaction import decided_targets, measure_layers
from hankelcut.adapters.policies import EnergyTolerance, ModelPolicy, Policy
from hankelcut.adapters.protocol import Exactness
from hankelcut.adapters.reduction_event import LayerCut
from hankelcut.adapters.registry import (
    LayerFilter,
    find_adapter,
    find_layers,
    find_refused,
    n_states,
)
from hankelcut.adapters.selective.calibration import Calibration
from hankelcut.reduction import OrderTarget

__all__ = ["DEFAULT_POLICIES", "Survey", "SurveyedLayer", "Verdict", "survey"]

Verdict: TypeAlias = Exactness | Literal["refused"]
"""Whether a layer can be cut: see `Adapter.exactness`."""

DEFAULT_POLICIES = (EnergyTolerance(0.01), EnergyTolerance(0.05), EnergyTolerance(0.1))
"""What a survey tries where nothing is asked for."""

_SETTINGS = CutSettings(minimum_saving=0.0)


@dataclass(frozen=True)
class SurveyedLayer:
    """One state-space layer of a model.

    Parameters
    ----------
    name : str
        Qualified name; empty where the model is the layer.
    layer_class : str
        Name of its class.
    kind : str
        Name of the adapter.
    verdict : {"exact", "selection only", "refused"}
        Whether its reduced systems can be stored, or only fewer of its states.
    states : int or None
        Stored states; None where they cannot be read.
    cuts : tuple of LayerCut
        What each policy would leave, with its bound; nothing is cut.
    reason : str
        Why it is refused, or why nothing can be predicted.
    """

    name: str
    layer_class: str
    kind: str
    verdict: Verdict
    states: int | None
    cuts: tuple[LayerCut, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Survey:
    """The state-space layers of a model; `str` is a table.

    Parameters
    ----------
    policies : tuple of str
        By which orders were predicted.
    layers : tuple of SurveyedLayer
        In the order of the model.
    """

    policies: tuple[str, ...]
    layers: tuple[SurveyedLayer, ...]

    def columns(self) -> list[str]:
        """Names of the columns of the table."""
        return ["layer", "class", "kind", "verdict", "states", *self.policies]

    def rows(self) -> list[list[str]]:
        """Cells of the table, a row for each layer: orders with their bounds."""
        return [
            [
                layer.name or "(the model)",
                layer.layer_class,
                layer.kind,
                layer.verdict,
                "-" if layer.states is None else str(layer.states),
                *(_cell(cut) for cut in layer.cuts),
                *["-"] * (len(self.policies) - len(layer.cuts)),
            ]
            for layer in self.layers
        ]

    def notes(self) -> list[str]:
        """Sentences on layers that are refused or stay as they are."""
        found = []
        for layer in self.layers:
            found += (
                [f"{layer.name or 'the model'}: {layer.reason}"] if layer.reason else []
            )
            for policy, cut in zip(self.policies, layer.cuts, strict=False):
                found += [f"{layer.name}, {policy}: {note}" for note in cut.notes]
        return found

    def __str__(self) -> str:
        table = [self.columns(), *self.rows()]
        widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            )
            for row in table
        ]
        return "\n".join(line.rstrip() for line in [*lines, *self.notes()])

    def to_dict(self) -> dict[str, Any]:
        """Return the survey in plain values that JSON can hold."""
        return asdict(self)


def survey(
    model: nn.Module,
    policies: Sequence[Policy | ModelPolicy] = DEFAULT_POLICIES,
    *,
    settings: CutSettings = _SETTINGS,
    filter_fn: LayerFilter | None = None,
    calibration: Calibration | None = None,
) -> Survey:
    """Find every state-space layer of a model, and say what cuts would leave of it.

    Parameters
    ----------
    model : torch.nn.Module
        The model, or a single layer; it stays as it is.
    policies : sequence of Policy or ModelPolicy
        Each is tried by itself on the model as it is.
    settings : CutSettings
        How layers would be cut.
    filter_fn : callable, optional
        Called with name and layer; False leaves the layer out.
    calibration : Calibration, optional
        What `calibrate` made of the model: of selective layers nothing is predicted
        without.

    Returns
    -------
    Survey
        Kind, verdict, orders and predicted error bounds of every layer.

    Raises
    ------
    UnsupportedLayerError
        If the model is wrapped for distributed training.

    Examples
    --------
    >>> import torch
    >>> from hankelcut.adapters import TargetOrder
    >>> from hankelcut.nn import LRU
    >>> _ = torch.manual_seed(0)
    >>> print(survey(LRU(3, 16), [TargetOrder(8)]).layers[0].cuts[0].states_after)
    8
    """
    layers = find_layers(model, filter_fn)
    measured: dict[str, MeasuredLayer] = {}
    reasons: dict[str, str] = {}
    states: dict[str, int] = {}
    configurations = find_configurations(model, settings)
    with torch.no_grad(), one_blas_thread():
        for name, layer in layers.items():
            try:
                states[name] = n_states(layer)
                measured |= measure_layers({name: layer}, settings, calibration)
            except HankelcutError as error:
                reasons[name] = str(error)
        cuts: dict[str, list[LayerCut]] = {name: [] for name in measured}
        for policy in policies:
            context = CutContext(policy, None, settings, calibration)
            for name, cut in _predicted(measured, context, configurations).items():
                cuts[name].append(cut)
    served = {
        name: SurveyedLayer(
            name,
            type(layer).__name__,
            find_adapter(layer).name,
            find_adapter(layer).exactness,
            states.get(name),
            tuple(cuts.get(name, ())),
            reasons.get(name, ""),
        )
        for name, layer in layers.items()
    }
    refused = {
        name: SurveyedLayer(
            name,
            type(model.get_submodule(name)).__name__,
            kind.name,
            "refused",
            None,
            reason=kind.reason,
        )
        for name, kind in find_refused(model, filter_fn).items()
    }
    found = served | refused
    in_order = [name for name, _ in model.named_modules() if name in found]
    return Survey(
        tuple(str(policy) for policy in policies),
        tuple(found[name] for name in in_order),
    )


def _predicted(
    measured: Mapping[str, MeasuredLayer],
    context: CutContext,
    configurations: Sequence[SharedConfiguration],
) -> dict[str, LayerCut]:
    """Return what a policy would leave of the layers."""
    try:
        targets = decided_targets(measured, context, configurations)
    except PolicyError as error:
        return {name: _left(name, one, error) for name, one in measured.items()}
    return {
        name: _planned(name, one, context, targets[name])
        for name, one in measured.items()
    }


def _planned(
    name: str, layer: MeasuredLayer, context: CutContext, target: OrderTarget | None
) -> LayerCut:
    """Return what a target would leave of a layer."""
    try:
        return layer.plan(target, context).cut
    except PolicyError as error:
        return _left(name, layer, error)


def _left(name: str, layer: MeasuredLayer, error: PolicyError) -> LayerCut:
    """Return the record of a layer that stays as it is because of an error."""
    n = layer.n_states
    return LayerCut(name, n, n, 0.0, 0.0, (), (str(error),))


def _cell(cut: LayerCut) -> str:
    """Return the number of states that are left, and the bound on the error."""
    if not cut.is_cut:
        return str(cut.states_after)
    bound = "no bound" if cut.error_bound is None else f"{cut.error_bound:.2g}"
    return f"{cut.states_after} ({bound})"
