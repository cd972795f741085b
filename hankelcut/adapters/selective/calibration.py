"""Selective layers run on data: the Gramians that their cuts are decided from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from hankelcut._errors import CalibrationError, UnsupportedLayerError
from hankelcut.adapters.protocol import SelectiveAdapter
from hankelcut.adapters.registry import LayerFilter, find_adapter, find_layers
from hankelcut.adapters.selective.gramians import (
    DataGramians,
    EmpiricalGramians,
    GramianAccumulator,
    GramianChoice,
    MeanFieldGramians,
)
from hankelcut.adapters.selective.signals import SelectiveSignals, scan_outputs
from hankelcut.reduction.reduction_method import require_choice

__all__ = ["Calibration", "calibrate"]

Loss: TypeAlias = Callable[[nn.Module, Any], Tensor]
"""Takes the model and a batch, runs the one on the other, returns a number."""

# The layer's own output may differ from the one computed here by this share of it: the
# root of the machine epsilon, of single precision where the layer has double, because
# norms of other people's layers compute in single precision.
_COARSEST = torch.finfo(torch.float32).eps


@dataclass(frozen=True, eq=False)
class Calibration:
    """Gramians of the selective layers of a model, from data.

    Parameters
    ----------
    gramians : mapping of str to EmpiricalGramians
        By qualified name of the layer.
    choice : {"data", "mean_field"}
        What they are.
    """

    gramians: Mapping[str, EmpiricalGramians]
    choice: GramianChoice

    def of(self, name: str, n_states: int) -> EmpiricalGramians:
        """Return the Gramians of a layer of so many states.

        Parameters
        ----------
        name : str
            Qualified name of the layer.
        n_states : int
            Its number of states.

        Raises
        ------
        CalibrationError
            If there are none, or they are of another number of states.
        """
        found = self.gramians.get(name)
        if found is None:
            known = ", ".join(self.gramians) or "none"
            msg = (
                f"{name or 'the layer'} was not calibrated (calibrated layers: {known})"
            )
            raise CalibrationError(f"{msg}; calibrate the model that is cut")
        if found.n_states != n_states:
            msg = (
                f"{name or 'the layer'} has {n_states} states, the calibration is of "
                f"{found.n_states}: it was cut since; calibrate again"
            )
            raise CalibrationError(msg)
        return found


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a layer as the model runs."""

    inputs: Tensor
    mask: Tensor | None
    outputs: Tensor


def calibrate(
    model: nn.Module,
    batches: Iterable[Any],
    loss: Loss | None = None,
    *,
    gramians: GramianChoice = "data",
    filter_fn: LayerFilter | None = None,
    seed: int = 0,
) -> Calibration:
    """Run a model on data, and gather the Gramians of its selective layers.

    Parameters
    ----------
    model : torch.nn.Module
        The model, or a single layer. It runs in evaluation mode; its parameters, their
        gradients and its mode stay as they are.
    batches : iterable
        What the model is called with: a tensor, a tuple of positional or a mapping of
        keyword arguments. A few batches do; one is in memory at a time.
    loss : callable, optional
        Called with the model and a batch, returns a scalar to be differentiated. With
        it a state is worth what it moves the loss; without, what it moves the outputs
        of its layer.
    gramians : {"data", "mean_field"}
        From the states that the data drive through the layer, or, without gradients, of
        a time-invariant layer with the means over the data.
    filter_fn : callable, optional
        Called with name and layer; False leaves the layer out.
    seed : int
        Decides the random signs of the outputs' cotangents where there is no loss.

    Returns
    -------
    Calibration
        For the `calibration` of `reduce_`, `survey` and `InTrainingReducer`.

    Raises
    ------
    CalibrationError
        If there is no batch, a layer does not run, or the Gramians are not finite.
    UnsupportedLayerError
        If the model has no selective layer, or a layer computes something else than an
        adapter takes it for.
    InvalidSystemError
        If a parameter is NaN or infinite.

    Notes
    -----
    **Method.** Forward hooks take inputs and outputs of each layer, and the gradient of
    the loss those of the outputs. Each layer's recurrence then runs once forwards for
    the states and once backwards for the gradients with respect to them; the state of
    one time is held at a time. Without a loss the cotangents of the outputs are random
    signs, whose covariance is the identity.
    """
    require_choice("calibrate", "gramians", gramians, GramianChoice)
    if isinstance(batches, Tensor | Mapping):
        msg = f"calibrate: got one batch, a {type(batches).__name__}, need several"
        raise TypeError(f"{msg}: pass [batch]")
    layers = _selective_layers(model, filter_fn)
    kind = DataGramians if gramians == "data" else MeanFieldGramians
    gathered: dict[str, GramianAccumulator] = {name: kind() for name in layers}
    signs = torch.Generator().manual_seed(seed)
    with _evaluating(model):
        for batch in batches:
            calls = _run(model, batch, loss, layers, needs_gradients=gramians == "data")
            for name, call, cotangent in calls:
                layer, adapter = layers[name]
                with torch.no_grad():
                    signals = adapter.signals(layer, call.inputs, call.mask)
                    outputs = scan_outputs(signals)
                if gramians == "data" and cotangent is None:
                    cotangent = _random_signs(call.outputs, signs)
                gathered[name].add(
                    signals, _through_readout(name, call, signals, outputs, cotangent)
                )
    found = {name: one.gramians() for name, one in gathered.items()}
    return Calibration(_checked(found), gramians)


def _selective_layers(
    model: nn.Module, filter_fn: LayerFilter | None
) -> dict[str, tuple[nn.Module, SelectiveAdapter]]:
    """Return the selective layers of a model, with their adapters."""
    layers = {}
    for name, layer in find_layers(model, filter_fn).items():
        adapter = find_adapter(layer)
        if isinstance(adapter, SelectiveAdapter):
            adapter.require_valid(layer)
            layers[name] = (layer, adapter)
    if not layers:
        msg = (
            f"calibrate: {type(model).__name__} has no selective layer that an adapter"
        )
        raise UnsupportedLayerError(f"{msg} recognises; linear layers need no data")
    return layers


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode for a while, module by module."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _run(
    model: nn.Module,
    batch: Any,
    loss: Loss | None,
    layers: Mapping[str, tuple[nn.Module, SelectiveAdapter]],
    *,
    needs_gradients: bool,
) -> list[tuple[str, _Call, Tensor | None]]:
    """Run a model on a batch; return each call with the gradient of its outputs."""
    calls: list[tuple[str, _Call]] = []

    def note(name: str) -> Callable[..., Any]:
        def hook(
            layer: nn.Module, args: Any, kwargs: Mapping[str, Any], returned: Any
        ) -> Any:
            inputs = args[0] if args else next(iter(kwargs.values()))
            outputs = returned[0] if isinstance(returned, tuple) else returned
            if not outputs.requires_grad and torch.is_grad_enabled():
                outputs.requires_grad_()
            mask = kwargs.get("attention_mask")
            calls.append((name, _Call(inputs.detach().clone(), mask, outputs)))
            # The model goes on with a copy, which it may change in place.
            passed_on = outputs.clone()
            if isinstance(returned, tuple):
                return (passed_on, *returned[1:])
            return passed_on

        return hook

    with_loss = loss is not None and needs_gradients
    hooks = [
        layer.register_forward_hook(note(name), with_kwargs=True)
        for name, (layer, _) in layers.items()
    ]
    try:
        with torch.set_grad_enabled(with_loss):
            value = _called(model, batch) if loss is None else loss(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    if not with_loss:
        return [(name, call, None) for name, call in calls]
    outputs = [call.outputs for _, call in calls]
    gradients = torch.autograd.grad(value, outputs, allow_unused=True)
    return [
        (name, call, torch.zeros_like(call.outputs) if gradient is None else gradient)
        for (name, call), gradient in zip(calls, gradients, strict=True)
    ]


def _called(model: nn.Module, batch: Any) -> Any:
    """Call a model with a batch."""
    if isinstance(batch, Mapping):
        return model(**batch)
    return model(*batch) if isinstance(batch, tuple | list) else model(batch)


def _random_signs(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return random signs of the shape of a tensor."""
    signs = 2 * torch.randint(0, 2, like.shape, generator=generator) - 1
    return signs.to(like)


def _through_readout(
    name: str,
    call: _Call,
    signals: SelectiveSignals,
    y: Tensor,
    cotangent: Tensor | None,
) -> Tensor | None:
    """Take a cotangent of a layer's outputs back to those of its recurrence.

    Raises
    ------
    UnsupportedLayerError
        If the layer's own outputs are others.
    """
    with torch.enable_grad():
        y = y.requires_grad_()
        outputs = signals.readout(y)
    own = call.outputs.detach().double()
    eps = max(_COARSEST, torch.finfo(call.outputs.dtype).eps)
    error = float((outputs.detach().double() - own).abs().max())
    size = float(own.abs().max())
    if error > eps**0.5 * size:
        msg = (
            f"{name or 'the layer'} computes outputs that differ by {error:.3g} from "
            f"those (up to {size:.3g}) that its kind of layer computes with these "
            "parameters; write an adapter for this layer (CONTRIBUTING.md), or run it "
            "without a cache that holds earlier states"
        )
        raise UnsupportedLayerError(msg)
    if cotangent is None:
        return None
    (back,) = torch.autograd.grad(outputs, y, cotangent.detach().to(outputs))
    return back


def _checked(
    found: Mapping[str, EmpiricalGramians | None],
) -> dict[str, EmpiricalGramians]:
    """Return the Gramians if each layer has some, and they are finite."""
    checked = {}
    for name, one in found.items():
        if one is None:
            msg = f"calibrate: no batch ran {name or 'the layer'}; pass batches that do"
            raise CalibrationError(f"{msg}, or leave it out by filter_fn")
        for gramian in (one.controllability, one.observability):
            if not bool(torch.isfinite(gramian).all()):
                msg = (
                    f"calibrate: the Gramians of {name or 'the layer'} are not finite: "
                )
                msg += "the data, the loss or its gradients hold NaN or infinity"
                raise CalibrationError(msg)
        checked[name] = one
    return checked
