r"""Optimizer state through a change of state coordinates.

**Method.** A cut replaces the coordinates of the state, x = Re(T x_r), x_r = W^H x in
[Re x; Im x]. B and C are linear in the new B_r and C_r, so that gradients, and with
them first moments, move by the transposed maps, exactly when nothing is discarded.
Second moments move by the entrywise squares of the same maps, which is right for
independent entries. Poles have no linear map: their first moments restart at 0 and
their second moments at the largest old one; step counts stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from hankelcut._errors import OptimizerMismatchError
from hankelcut.adapters.protocol import Adapter, Replacement, StateParameter

__all__ = ["Coordinates", "OptimizerStateMode", "moved_state", "require_known_state"]

OptimizerStateMode: TypeAlias = Literal["transport", "reset", "slice"]
"""What becomes of moments: moved with the states, dropped, or cut off (ablation)."""

_FIRST_MOMENTS = ("exp_avg", "momentum_buffer")
_SECOND_MOMENTS = ("exp_avg_sq", "max_exp_avg_sq")


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The change of coordinates of one cut, in float64.

    Parameters
    ----------
    left, right : (2n, r) complex128 tensors
        W and T of the cut, the gauge of the stored modes included.
    old_scale, new_scale : (n,), (r,) float64 tensors
        Factors between stored rows and rows of B before and after.
    """

    left: Tensor
    right: Tensor
    old_scale: Tensor
    new_scale: Tensor

    @classmethod
    def of_cut(
        cls,
        adapter: Adapter,
        layer: nn.Module,
        replacement: Replacement,
        left: Tensor,
        right: Tensor,
    ) -> "Coordinates":
        """Coordinates of a cut with projections `left` and `right` of the modes."""
        old = {p.name: getattr(layer, p.name) for p in adapter.state_parameters(layer)}
        gauge = replacement.gauge
        return cls(
            left / gauge.conj(),
            right * gauge,
            adapter.input_scale(old),
            adapter.input_scale(replacement.values),
        )


def require_known_state(
    optimizer: torch.optim.Optimizer, parameter: nn.Parameter, name: str
) -> None:
    """Raise unless every tensor in the state of a parameter is one we can move.

    Raises
    ------
    OptimizerMismatchError
        If the state holds a tensor, not a scalar, under an unknown name.
    """
    known = (*_FIRST_MOMENTS, *_SECOND_MOMENTS)
    for key, value in optimizer.state.get(parameter, {}).items():
        if isinstance(value, Tensor) and value.ndim > 0 and key not in known:
            msg = (
                f"{type(optimizer).__name__} keeps {key!r} for {name}, which has no "
                f"known change of coordinates (known: {', '.join(known)}); use "
                'optimizer_state="reset"'
            )
            raise OptimizerMismatchError(msg)


def moved_state(
    optimizer: torch.optim.Optimizer,
    layer: nn.Module,
    parameters: tuple[StateParameter, ...],
    coordinates: Coordinates,
    mode: OptimizerStateMode,
) -> dict[str, dict[str, Any]]:
    """Compute the optimizer state of the new parameters of a layer.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Holds the state of the old parameters; it stays as it is.
    layer : torch.nn.Module
        The layer before the cut.
    parameters : tuple of StateParameter
        Its parameters with a state axis.
    coordinates : Coordinates
        The change of coordinates.
    mode : {"transport", "reset", "slice"}
        What becomes of the moments.

    Returns
    -------
    dict of str to dict
        New state by parameter name; empty for parameters without any.
    """
    old = {
        p.name: dict(optimizer.state.get(layer.get_parameter(p.name), {}))
        for p in parameters
    }
    if mode == "reset":
        return {p.name: {} for p in parameters}
    n_new = int(coordinates.new_scale.shape[0])
    new = {
        p.name: {
            key: value.clone() if isinstance(value, Tensor) else value
            for key, value in old[p.name].items()
        }
        for p in parameters
    }
    for key in (*_FIRST_MOMENTS, *_SECOND_MOMENTS):
        held = {name: s[key] for name, s in old.items() if s.get(key) is not None}
        if mode == "slice":
            moved = {
                p.name: held[p.name].narrow(p.axis, 0, n_new).clone()
                for p in parameters
                if p.name in held
            }
        else:
            squared = key in _SECOND_MOMENTS
            moved = _transported(held, parameters, coordinates, squared=squared)
        for name, value in moved.items():
            new[name][key] = value
    return new


def _transported(
    held: Mapping[str, Tensor],
    parameters: tuple[StateParameter, ...],
    coordinates: Coordinates,
    *,
    squared: bool,
) -> dict[str, Tensor]:
    """Moments in the new coordinates, by name."""
    moved = {}
    inputs = _pair(held, parameters, "input")
    outputs = _pair(held, parameters, "output")
    if inputs is not None:
        moved.update(_moved_inputs(held, inputs, coordinates, squared=squared))
    if outputs is not None:
        moved.update(_moved_outputs(held, outputs, coordinates, squared=squared))
    n_new = int(coordinates.new_scale.shape[0])
    for p in parameters:
        if p.role == "pole" and p.name in held:
            old = held[p.name]
            shape = list(old.shape)
            shape[p.axis] = n_new
            restart = float(old.max()) if squared and old.numel() else 0.0
            moved[p.name] = old.new_full(shape, restart)
    return moved


def _pair(
    held: Mapping[str, Tensor], parameters: tuple[StateParameter, ...], role: str
) -> tuple[str, str] | None:
    """Names of the real and the imaginary part in a role, if one has moments."""
    names = {p.part: p.name for p in parameters if p.role == role}
    if any(name in held for name in names.values()):
        return names["real"], names["imag"]
    return None


def _parts(held: Mapping[str, Tensor], names: tuple[str, str]) -> tuple[Tensor, Tensor]:
    """Moments of both parts in float64; a frozen part has none, that is zeros."""
    present = next(held[name] for name in names if name in held)
    real, imag = (held.get(name, torch.zeros_like(present)).double() for name in names)
    return real, imag


def _kept(
    held: Mapping[str, Tensor], names: tuple[str, str], values: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """Values by name, for the parts that had moments."""
    pairs = zip(names, values, strict=True)
    return {name: value.to(held[name]) for name, value in pairs if name in held}


def _moved_inputs(
    held: Mapping[str, Tensor],
    names: tuple[str, str],
    coordinates: Coordinates,
    *,
    squared: bool,
) -> dict[str, Tensor]:
    """Moments of B: the adjoint of [Re B; Im B] = Re(T b)."""
    power = 2 if squared else 1
    real, imag = _parts(held, names)
    old_scale = coordinates.old_scale[:, None] ** power
    moments = torch.cat([real / old_scale, imag / old_scale])
    T = coordinates.right
    new_scale = coordinates.new_scale[:, None] ** power
    maps = (T.real, T.imag**2 if squared else -T.imag)
    first = maps[0] ** 2 if squared else maps[0]
    values = (first.T @ moments * new_scale, maps[1].T @ moments * new_scale)
    return _kept(held, names, values)


def _moved_outputs(
    held: Mapping[str, Tensor],
    names: tuple[str, str],
    coordinates: Coordinates,
    *,
    squared: bool,
) -> dict[str, Tensor]:
    """Moments of C: the adjoint of [Re C, -Im C] = Re(c W^H)."""
    real, imag = _parts(held, names)
    rows = coordinates.left.conj().T
    if squared:
        moments = torch.cat([real, imag], dim=1)
        values = (moments @ (rows.real**2).T, moments @ (rows.imag**2).T)
    else:
        moments = torch.cat([real, -imag], dim=1)
        values = (moments @ rows.real.T, -moments @ rows.imag.T)
    return _kept(held, names, values)
