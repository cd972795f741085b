"""A cut of a linear layer, made off to the side: what is stored, and its error."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut.adapters.cuts.optimizer_state import Coordinates
from hankelcut.adapters.cuts.surgery import trial_layer
from hankelcut.adapters.cuts.verification import certified_error, measured_error
from hankelcut.adapters.protocol import LayerReading, LinearAdapter, Replacement
from hankelcut.lti import DiagonalStateSpace, modal_difference_bound
from hankelcut.lti.structure.stability import require_stable
from hankelcut.lti.systems.conversions import map_arrays
from hankelcut.reduction import ReductionResult
from hankelcut.reduction.result import storage_tolerance

__all__ = ["PreparedCut"]


@dataclass(frozen=True, eq=False)
class PreparedCut:
    """What a reduced system makes of a layer; the layer stays as it is.

    Parameters
    ----------
    result : ReductionResult
        The reduction.
    old, new : LayerReading
        The layer before and after, as stored.
    intended : DiagonalStateSpace
        What was written.
    turned : (..., r) tensor of bool
        Where that is the other member of a conjugate pair than the reduction has.
    replacement : Replacement
        The new parameters.
    attributes : mapping of str to object
        The new attributes.
    measured : float
        Largest gain of the change that was found.
    """

    result: ReductionResult
    old: LayerReading
    new: LayerReading
    intended: DiagonalStateSpace
    turned: Tensor
    replacement: Replacement
    attributes: Mapping[str, Any]
    measured: float

    @classmethod
    def of(
        cls,
        layer: nn.Module,
        adapter: LinearAdapter,
        old: LayerReading,
        result: ReductionResult,
    ) -> "PreparedCut":
        """Write a reduced system, and read what is stored.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        adapter : LinearAdapter
            Reads and writes it.
        old : LayerReading
            What it is.
        result : ReductionResult
            Its reduction.

        Raises
        ------
        IllConditionedError, UnstableSystemError, UnsupportedLayerError
            If the layer cannot hold the reduced system.
        """
        assert isinstance(result.system, DiagonalStateSpace)  # noqa: S101 - narrows it
        device = old.form.B.device
        reduced = map_arrays(result.system, lambda M: torch.as_tensor(M).to(device))
        above = reduced.exponents.imag > 0
        turned = above if old.lower_half else torch.zeros_like(above)
        intended = replace(
            reduced,
            exponents=_conjugated(reduced.exponents, turned),
            B=_conjugated(reduced.B, turned[..., :, None]),
            C=_conjugated(reduced.C, turned[..., None, :]),
        )
        replacement = adapter.write(layer, intended)
        attributes = adapter.attributes(layer, result.order)
        new = adapter.read(trial_layer(layer, replacement.values, attributes))
        require_stable("what would be stored", new.to_balance)
        assert isinstance(new.system, DiagonalStateSpace)  # noqa: S101 - as written
        measured = measured_error(
            old.system,
            new.system,
            directions=old.directions,
            lookahead=old.lookahead,
        )
        return cls(
            result, old, new, intended, turned, replacement, attributes, measured
        )

    @property
    def coordinates(self) -> Coordinates:
        """What becomes of the states."""
        left, right = (
            _conjugated(
                torch.as_tensor(projection).to(self.turned.device),
                self.turned[..., None, :],
            )
            for projection in (
                self.result.left_projection,
                self.result.right_projection,
            )
        )
        return Coordinates.of_cut(self.old, self.new, self.replacement, left, right)

    @cached_property
    def bound(self) -> float:
        """Bound on the error of the layer, what rounding adds included."""
        a_priori = self._a_priori
        if a_priori is not None:
            return a_priori + self.storage
        full, reduced = self.old.system, self.new.system
        assert isinstance(full, DiagonalStateSpace)  # noqa: S101 - narrows the types
        assert isinstance(reduced, DiagonalStateSpace)  # noqa: S101
        return self.old.layer_gain * certified_error(full, reduced)

    @cached_property
    def storage(self) -> float:
        """What the rounding of the parameters adds; 0 where it is not told apart."""
        if self._a_priori is None:
            return 0.0
        gauge = self.replacement.gauge
        gauged = replace(
            self.intended,
            B=self.intended.B / gauge[..., :, None],
            C=self.intended.C * gauge[..., None, :],
        )
        moved = float(modal_difference_bound(gauged, self.new.form).max())
        largest = float(self.result.characteristic_values.max())
        rounding = storage_tolerance(torch.finfo(torch.float64).eps)
        return self.old.error_gain * (moved + rounding * largest)

    @property
    def _a_priori(self) -> float | None:
        """Bound of the reduction on the error of the layer, if it has one."""
        bound = self.result.error_bound
        if self.old.bound_gain is None or bound is None:
            return None
        return self.old.error_gain * float(bound.max())


def _conjugated(array: Tensor, where: Tensor) -> Tensor:
    return torch.where(where, array.conj(), array)
