"""All that an adapter of a layer promises, tried on layers that a factory builds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
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

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hankelcut.adapters import Adapter, ReductionEvent

    Layer: TypeAlias = nn.Module
else:
    Adapter = Layer = ReductionEvent = Tensor = Any

__all__ = ["ADAPTER_CHECKS", "check_adapter"]

ADAPTER_CHECKS: Mapping[str, Callable[[LayerSubject], None]] = MappingProxyType(
    {
        "declaration": check_declaration,
        "extraction": check_extraction,
        "write": check_write,
        "extreme_poles": check_extreme_poles,
        "refusals": check_refusals,
        "cut_bound": check_cut_bound,
        "stored_cut": check_stored_cut,
        "moment_transport": check_moment_transport,
        "optimizer_groups": check_optimizer_groups,
        "parameter_attributes": check_parameter_attributes,
        "failed_cut": check_failed_cut,
    }
)
"""Properties of an adapter, by name; each takes a `LayerSubject`."""


def check_adapter(
    layer_factory: Callable[[], Layer],
    *,
    adapter: Adapter | None = None,
    run: Callable[[Layer, Tensor], Tensor] | None = None,
    reads: ReadsState = "after update",
    cut: Callable[..., ReductionEvent] | None = None,
    checks: Iterable[str] | None = None,
    examples: int = 3,
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
    import hankelcut.adapters  # noqa: F401 - reports a missing PyTorch

    names = list(ADAPTER_CHECKS) if checks is None else list(checks)
    unknown = sorted(set(names) - ADAPTER_CHECKS.keys())
    if unknown or examples < 1:
        msg = f"check_adapter: got checks={unknown}, examples={examples}; need names "
        msg += f"from {list(ADAPTER_CHECKS)} and at least 1 example"
        raise ValueError(msg)
    first = LayerSubject(layer_factory, adapter, run, reads, cut, seed)
    for name in names:
        for k in range(examples):
            ADAPTER_CHECKS[name](replace(first, seed=seed + k))
