r"""Optimizer state through a change of state coordinates.

**Method.** A cut replaces the coordinates of the state, x = Re(T x_r), x_r = W^H x in
[Re x; Im x]. B and C are linear in the new B_r and C_r, so that gradients, and with
them first moments, move by the transposed maps, exactly when nothing is discarded.
Second moments move by the entrywise squares of the same maps, which is right for
independent entries. Poles have no linear map: their first moments restart at 0 and
their second moments at the largest old one; step counts stay. A cut that selects
states keeps their coordinates, and the moments of those that stay, poles included.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from hankelcut._errors import OptimizerMismatchError
from hankelcut.adapters.protocol import LayerReading, Replacement, StateParameter
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.adapters.tensors import find_tensor

__all__ = [
    "Coordinates",
    "OptimizerStateMode",
    "moved_state",
    "projected_state",
    "require_known_state",
    "scaled_state",
    "selected_state",
]

OptimizerStateMode: TypeAlias = Literal["transport", "reset", "slice"]
"""What becomes of moments: moved with the states, dropped, or cut off (ablation)."""

_FIRST_MOMENTS = ("exp_avg", "momentum_buffer")
_SECOND_MOMENTS = ("exp_avg_sq", "max_exp_avg_sq")


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The change of coordinates of one cut, in double precision.

    Parameters
    ----------
    left, right : (..., 2n, r) complex128 tensors
        W and T of the cut, the gauge of the stored modes included.
    old, new : LayerReading
        How the layer holds B and C before and after.
    """

    left: Tensor
    right: Tensor
    old: LayerReading
    new: LayerReading

    @classmethod
    def of_cut(
        cls,
        old: LayerReading,
        new: LayerReading,
        replacement: Replacement,
        left: Tensor,
        right: Tensor,
    ) -> "Coordinates":
        """Coordinates of a cut with projections `left` and `right` of the modes."""
        gauge = replacement.gauge[..., None, :]
        return cls(left / gauge.conj(), right * gauge, old, new)

    @property
    def n_new(self) -> int:
        """Number of states after the cut."""
        return int(self.left.shape[-1])


def require_known_state(
    optimizer: torch.optim.Optimizer, parameter: Tensor, name: str
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
        New state by parameter path; empty for parameters without any.
    """
    old = {
        p.name: dict(optimizer.state.get(find_tensor(layer, p.name), {}))
        for p in parameters
    }
    if mode == "reset":
        return {p.name: {} for p in parameters}
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
                p.name: _sliced(held[p.name], p, coordinates)
                for p in parameters
                if p.name in held
            }
        else:
            squared = key in _SECOND_MOMENTS
            moved = _transported(held, parameters, coordinates, squared=squared)
        for name, value in moved.items():
            new[name][key] = value
    return new


def selected_state(
    optimizer: torch.optim.Optimizer,
    layer: nn.Module,
    parameters: tuple[StateParameter, ...],
    kept: Tensor,
    mode: OptimizerStateMode,
) -> dict[str, dict[str, Any]]:
    """Compute the optimizer state of a layer that keeps some of its states.

    States that stay keep their coordinates, so that their moments are theirs still.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Holds the state of the old parameters; it stays as it is.
    layer : torch.nn.Module
        The layer before the cut.
    parameters : tuple of StateParameter
        Its parameters with a state axis.
    kept : (G, r) tensor
        Indices of the states that stay, for each group of channels.
    mode : {"transport", "reset", "slice"}
        What becomes of the moments.

    Returns
    -------
    dict of str to dict
        New state by parameter path; empty for parameters without any.
    """
    if mode == "reset":
        return {p.name: {} for p in parameters}
    if mode == "slice":
        kept = torch.arange(kept.shape[1]).expand(kept.shape)
    return {
        p.name: {
            key: _selected(value, p, kept)
            for key, value in optimizer.state.get(
                find_tensor(layer, p.name), {}
            ).items()
        }
        for p in parameters
    }


def projected_state(
    optimizer: torch.optim.Optimizer,
    layer: nn.Module,
    maps: Mapping[str, Tensor],
    mode: OptimizerStateMode,
) -> dict[str, dict[str, Any]]:
    """Compute the optimizer state of parameters that are multiplied from the right.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Holds the state of the old parameters; it stays as it is.
    layer : torch.nn.Module
        The layer before the cut.
    maps : mapping of str to (..., n, r) tensor
        For each parameter X, (..., m, n), what takes its gradient to that of the new
        one, (..., m, r): with X_r = X W and W^T T = I it is T.
    mode : {"transport", "reset", "slice"}
        What becomes of the moments.

    Returns
    -------
    dict of str to dict
        New state by parameter path; empty for parameters without any.
    """
    moved: dict[str, dict[str, Any]] = {}
    for name, T in maps.items():
        old = optimizer.state.get(find_tensor(layer, name), {})
        moved[name] = {} if mode == "reset" else {k: v for k, v in old.items()}
        for key, value in moved[name].items():
            if not isinstance(value, Tensor):
                continue
            if not value.ndim:
                moved[name][key] = value.clone()
            elif mode == "slice":
                moved[name][key] = value[..., : T.shape[-1]].contiguous()
            else:
                by = T.square() if key in _SECOND_MOMENTS else T
                moved[name][key] = (value.double() @ by).to(value).contiguous()
    return moved


def scaled_state(state: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """Return the optimizer state of x / scale, from that of x: gradients grow.

    Parameters
    ----------
    state : mapping of str to object
        The optimizer's state of one parameter.
    scale : float
        The scale.
    """
    powers = dict.fromkeys(_FIRST_MOMENTS, 1) | dict.fromkeys(_SECOND_MOMENTS, 2)
    return {
        key: value * scale ** powers[key]
        if key in powers and isinstance(value, Tensor)
        else value
        for key, value in state.items()
    }


def _selected(value: Any, parameter: StateParameter, kept: Tensor) -> Any:
    """Return an entry of an optimizer's state, moments for the states that stay."""
    if not isinstance(value, Tensor):
        return value
    return parameter.select(value, kept) if value.ndim else value.clone()


def _sliced(
    moment: Tensor, parameter: StateParameter, coordinates: Coordinates
) -> Tensor:
    """Return the first entries of a moment on the state axis, of every block."""
    pieces = moment.chunk(parameter.blocks, dim=parameter.axis)
    length = coordinates.n_new + parameter.beyond
    first = [piece.narrow(parameter.axis, 0, length) for piece in pieces]
    sliced = torch.cat(first, dim=parameter.axis)
    inputs = coordinates.new.inputs
    if parameter.may_widen and inputs is not None and inputs.form == "complex":
        return sliced.to(sliced.dtype.to_complex())
    return sliced


def _transported(
    held: Mapping[str, Tensor],
    parameters: tuple[StateParameter, ...],
    coordinates: Coordinates,
    *,
    squared: bool,
) -> dict[str, Tensor]:
    """Moments in the new coordinates, by path."""
    moved: dict[str, Tensor] = {}
    old, new = coordinates.old, coordinates.new
    for before, after, move in (
        (old.inputs, new.inputs, _moved_inputs),
        (old.initial, new.initial, _moved_inputs),
        (old.outputs, new.outputs, _moved_outputs),
    ):
        if before is None or after is None or not held.keys() & set(before.names):
            continue
        values = after.split(move(held, before, after, coordinates, squared=squared))
        moved |= {
            name: _like(values[name], held[name]) for name in values.keys() & held
        }
    for p in parameters:
        if p.role in ("pole", "coupling") and p.name in held:
            moment = held[p.name]
            shape = p.shape(tuple(moment.shape), coordinates.n_new)
            restart = _largest(moment) if squared and moment.numel() else 0.0
            moved[p.name] = moment.new_full(shape, restart)
    return moved


def _largest(moment: Tensor) -> float | complex:
    """Largest entry; of complex moments, of the real and of the imaginary parts."""
    if moment.is_complex():
        return complex(float(moment.real.max()), float(moment.imag.max()))
    return float(moment.max())


def _like(value: Tensor, held: Tensor) -> Tensor:
    """Return a moment in the precision and on the device of the old one."""
    dtype = held.dtype.to_complex() if value.is_complex() else held.dtype.to_real()
    return value.to(device=held.device, dtype=dtype).contiguous()


def _moved_inputs(
    held: Mapping[str, Tensor],
    before: StoredMatrix,
    after: StoredMatrix,
    coordinates: Coordinates,
    *,
    squared: bool,
) -> Tensor:
    """Moments of B: the adjoint of [Re B; Im B] = Re(T b)."""
    moments = before.assemble(held)
    moments = _scaled(moments, 1 / before.scale[..., :, None], squared=squared)
    stacked = torch.cat([moments.real, moments.imag], dim=-2)
    T = coordinates.right
    real, imag = (T.real**2, T.imag**2) if squared else (T.real, -T.imag)
    moved = torch.complex(real.mT @ stacked, imag.mT @ stacked)
    return _scaled(moved, after.scale[..., :, None], squared=squared)


def _moved_outputs(
    held: Mapping[str, Tensor],
    before: StoredMatrix,
    after: StoredMatrix,
    coordinates: Coordinates,
    *,
    squared: bool,
) -> Tensor:
    """Moments of C: the adjoint of [Re C, -Im C] = Re(c W^H)."""
    moments = before.assemble(held)
    moments = _scaled(moments, 1 / _of_columns(before, moments), squared=squared)
    W, mixing = coordinates.left, before.mixing
    # Rows of W^H have the real part Re(W)^T and the imaginary part -Im(W)^T.
    imag = moments.imag if squared else -moments.imag
    stacked = torch.cat([moments.real, imag], dim=-1)
    if mixing is not None:
        mixing = mixing**2 if squared else mixing
        stacked = (stacked[..., None, :] @ mixing.mT)[..., 0, :]
    parts = (W.real**2, W.imag**2) if squared else (W.real, W.imag)
    moved = torch.complex(stacked @ parts[0], stacked @ parts[1])
    return _scaled(moved, _of_columns(after, moved), squared=squared)


def _of_columns(stored: StoredMatrix, matrix: Tensor) -> Tensor:
    """Scale of C, for each of its entries."""
    rows = stored.scale.ndim == matrix.ndim
    return stored.scale if rows else stored.scale[..., None, :]


def _scaled(moments: Tensor, scale: Tensor, *, squared: bool) -> Tensor:
    """Gradient with respect to x, from one with respect to s x: times conj(s)."""
    if not squared:
        return moments * scale.conj()
    real, imag = scale.real**2, torch.zeros_like(scale.real)
    if scale.is_complex():
        imag = scale.imag**2
    return torch.complex(
        real * moments.real + imag * moments.imag,
        imag * moments.real + real * moments.imag,
    )
