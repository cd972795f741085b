"""All that an adapter of a layer promises, tried on layers that a factory builds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from hankelcut.validation.adapter_properties import (
    LayerSubject,
    ReadsState,
    check_cut_bound,
    check_declaration,
    check_extraction,
    check_extreme_poles,
    check_failed_cut,
    check_moment_transport,
    check_optimizer_groups,
    check_parameter_attributes,
    check_refusals,
    check_stored_cut,
    check_write,
)
from hankelcut.validation.composites.check import Check, call, explained, selected
from hankelcut.validation.invariants.violation import InvariantViolationError
from hankelcut.validation.strategies._lattice import hypothesis_strategies

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hankelcut.adapters import Adapter, ReductionEvent

    Layer: TypeAlias = nn.Module
else:
    Adapter = Layer = ReductionEvent = Tensor = Any

__all__ = [
    "ADAPTER_CHECKS",
    "DEFAULT_LAYERS",
    "AdapterSubject",
    "adapter_checks",
    "adapter_subject",
    "check_adapter",
]

DEFAULT_LAYERS = 3
# Layers are drawn by their seeds; the smallest that fails is the simplest to report.
_LARGEST_SEED = 9999


@dataclass(frozen=True)
class AdapterSubject:
    """An adapter, and the layers that it is tried on.

    Parameters
    ----------
    layers : LayerSubject
        The layers.
    """

    layers: LayerSubject

    @property
    def name(self) -> str:
        """Name of the adapter, or of what builds its layers."""
        adapter, factory = self.layers.adapter, self.layers.factory
        if adapter is not None:
            return type(adapter).__name__
        return f"the adapter of {getattr(factory, '__name__', repr(factory))}"


def check_adapter(
    layer_factory: Callable[[], Layer],
    *,
    adapter: Adapter | None = None,
    run: Callable[[Layer, Tensor], Tensor] | None = None,
    reads: ReadsState = "after update",
    cut: Callable[..., ReductionEvent] | None = None,
    checks: Iterable[str] | None = None,
    examples: int = DEFAULT_LAYERS,
    seed: int = 0,
) -> None:
    """Try to break an adapter, on layers that a factory builds.

    Parameters
    ----------
    layer_factory : callable
        Takes nothing and returns a layer of at least 2 states, with random numbers
        from torch's generator. Make the numbers of states, inputs and outputs differ
        where the layer can.
    adapter : Adapter, optional
        What is tried; by default the registered one that matches.
    run : callable, optional
        Called with the layer and (batch, length, m) inputs, returns (batch, length, p)
        outputs, from the zero state; by default the layer itself is called.
    reads : {"after update", "before update"}
        Which state an output of the layer reads.
    cut : callable, optional
        Another way to cut: called as `cut(model, policy, optimizer=...)`, returns the
        event; `hankelcut.adapters.reduce_` by default.
    checks : iterable of str, optional
        Names from `ADAPTER_CHECKS`; all by default.
    examples : int
        Layers that each check is tried on, with the seeds `seed`, `seed` + 1, ...
    seed : int
        The first seed: the same one finds the same failure.

    Raises
    ------
    InvariantViolationError
        If a property does not hold; the message has the numbers, the source of the
        property, and the `LayerSubject` whose `build` gives the layer again.
    ValueError
        If the factory gives different layers for one seed, or an argument is out of
        range.
    UnsupportedLayerError
        If no adapter matches, or the layer cannot be run.
    MissingDependencyError
        If PyTorch is not installed.

    Notes
    -----
    Each layer takes three training steps before it is looked at: initial values often
    have ties, such as an input scale computed from the pole, that hide defects.

    Examples
    --------
    >>> from hankelcut.nn import LRU
    >>> check_adapter(lambda: LRU(3, 8, 0.3, 0.95), examples=1)
    """
    names = list(ADAPTER_CHECKS) if checks is None else list(checks)
    unknown = sorted(set(names) - ADAPTER_CHECKS.keys())
    if unknown or examples < 1:
        msg = f"check_adapter: got checks={unknown}, examples={examples}; need names "
        msg += f"from {list(ADAPTER_CHECKS)} and at least 1 example"
        raise ValueError(msg)
    subject = adapter_subject(LayerSubject(layer_factory, adapter, run, reads, cut))
    for name in names:
        for k in range(examples):
            check = ADAPTER_CHECKS[name]
            try:
                check.function(subject, seed + k)
            except InvariantViolationError as failure:
                raise explained(check, subject, failure) from failure.__cause__


def adapter_subject(layers: LayerSubject | Callable[[], Layer]) -> AdapterSubject:
    """Return what the checks of an adapter take.

    Parameters
    ----------
    layers : LayerSubject or callable
        The layers, or what builds them.

    Raises
    ------
    MissingDependencyError
        If PyTorch is not installed.
    """
    import hankelcut.adapters  # noqa: F401 - reports a missing PyTorch

    if isinstance(layers, LayerSubject):
        return AdapterSubject(layers)
    return AdapterSubject(LayerSubject(layers))


def adapter_checks(checks: Iterable[str] | None) -> list[Check]:
    """Return the checks of an adapter by name, by default all.

    Parameters
    ----------
    checks : iterable of str, optional
        Names in `ADAPTER_CHECKS`.
    """
    names = ADAPTER_CHECKS if checks is None else checks
    return selected(ADAPTER_CHECKS, {}, names, "check_adapter")


def _check(
    name: str,
    prop: Callable[[LayerSubject], None],
    summary: str,
    usual_cause: str,
) -> Check:
    def run(subject: AdapterSubject, seed: int) -> None:
        layers = replace(subject.layers, seed=seed)
        # A factory that cannot be used is no fault of the adapter.
        layers.build()
        call(lambda: prop(layers), f"check_{name}", {"subject": layers})

    return Check(name, run, _seeds, summary, usual_cause)


def _seeds(subject: AdapterSubject) -> Any:
    return hypothesis_strategies().integers(0, _LARGEST_SEED)


ADAPTER_CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        check.name: check
        for check in (
            _check(
                "declaration",
                check_declaration,
                "what an adapter says and makes has the form of the protocol",
                "a parameter with a state axis that is not declared, another dtype, or "
                "a layer that is changed",
            ),
            _check(
                "extraction",
                check_extraction,
                "the system that is read is what the layer computes",
                "a conjugate, a factor 2 of the readout, an input scale left out, or "
                "another order of the modes",
            ),
            _check(
                "write",
                check_write,
                "a layer that is given a system computes that system",
                "a readout factor or a scaling of the modes (the gauge) that is lost",
            ),
            _check(
                "extreme_poles",
                check_extreme_poles,
                "poles at the edges of a parameterisation are stored or refused",
                "a logarithm of 0: the phase of a real pole, the decay of a pole at 0",
            ),
            _check(
                "refusals",
                check_refusals,
                "what a layer cannot hold is refused by a typed error",
                "a system of another time domain, size or stability that is taken",
            ),
            _check(
                "cut_bound",
                check_cut_bound,
                "a cut changes the layer's own outputs by at most its bound",
                "states kept by their place, or a bound of another map",
            ),
            _check(
                "stored_cut",
                check_stored_cut,
                "after a cut the layer holds the reduced system, and nothing else new",
                "a parameter without a state axis that is changed, or another dtype",
            ),
            _check(
                "moment_transport",
                check_moment_transport,
                "the optimizer's moments move with the states",
                "moments cut off in the old basis, or with the scale of other rows",
            ),
            _check(
                "optimizer_groups",
                check_optimizer_groups,
                "the optimizer holds the new parameters, in their groups",
                "an optimizer that was not told, or groups that were built anew",
            ),
            _check(
                "parameter_attributes",
                check_parameter_attributes,
                "attributes, hooks and sharing of parameters survive a cut",
                "a new nn.Parameter without what the old one carried",
            ),
            _check(
                "failed_cut",
                check_failed_cut,
                "a cut that fails changes nothing",
                "layers that are cut one after the other",
            ),
        )
    }
)
"""Every check of an adapter by name."""
