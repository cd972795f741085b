"""The record that every attempted cut leaves."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["LayerCut", "ReductionEvent"]


@dataclass(frozen=True)
class LayerCut:
    """What happened to one layer in one attempted cut.

    Parameters
    ----------
    name : str
        Qualified name of the layer.
    states_before, states_after : int
        Stored states; equal when the layer was left as it was.
    error_bound : float or None
        Certified bound on the H-infinity norm of the change of the layer, output norm
        per input norm, the rounding of its stored parameters included; 0 if unchanged,
        None for selective layers, which have none.
    measured_error : float or None
        Largest gain of the change found on a frequency grid, for the layer as stored;
        None for selective layers, whose response depends on the inputs.
    hankel_singular_values : tuple of float
        All values before the cut, descending; of a bank of channels, for each index the
        largest value of a channel. For selective layers the scores of the states.
    notes : tuple of str
        Why it was left alone, or what was noticed.
    """

    name: str
    states_before: int
    states_after: int
    error_bound: float | None
    measured_error: float | None
    hankel_singular_values: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_cut(self) -> bool:
        """Whether the layer lost states."""
        return self.states_after < self.states_before


@dataclass(frozen=True)
class ReductionEvent:
    """One attempted cut of a model.

    Parameters
    ----------
    step : int
        Count of optimizer steps at which it happened.
    layers : tuple of LayerCut
        One per supported layer.
    seconds : float
        Wall-clock time of the cut, probing apart.
    loss_before, loss_after : float or None
        Loss on the probe, if there is one; equal when nothing was cut.
    rolled_back : bool
        Whether the cut was undone because of the loss; the layers' records then say
        what was tried.
    """

    step: int
    layers: tuple[LayerCut, ...]
    seconds: float
    loss_before: float | None = None
    loss_after: float | None = None
    rolled_back: bool = False

    @property
    def is_cut(self) -> bool:
        """Whether any layer lost states for good."""
        return not self.rolled_back and any(layer.is_cut for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Return the event as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ReductionEvent":
        """Return the event that `to_dict` described.

        Parameters
        ----------
        values : mapping
            What `to_dict` returned, possibly by way of JSON.
        """
        layers = tuple(
            LayerCut(
                **{
                    **layer,
                    "hankel_singular_values": tuple(layer["hankel_singular_values"]),
                    "notes": tuple(layer["notes"]),
                }
            )
            for layer in values["layers"]
        )
        return cls(**{**values, "layers": layers})
