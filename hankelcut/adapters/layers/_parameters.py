"""Parameters of a layer, with their shapes and values checked."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hankelcut._errors import InvalidSystemError, UnsupportedLayerError
from hankelcut.adapters.tensors import find_tensor
from hankelcut.lti import DiagonalStateSpace
from hankelcut.lti.structure.stability import require_stable
from hankelcut.lti.systems.time_domain import TimeDomain

__all__ = [
    "checked_parameters",
    "require_no_more",
    "require_writable",
    "stored_like",
]


def checked_parameters(
    kind: str, layer: nn.Module, shapes: Mapping[str, str]
) -> dict[str, Tensor]:
    """Return parameters in double precision, detached.

    Parameters
    ----------
    kind : str
        Kind of layer, for messages.
    layer : torch.nn.Module
        The layer.
    shapes : mapping of str to str
        Axes of each parameter by its path, a letter for each size and a digit for a
        fixed one, such as "nm" or "hn2"; a leading "*" asks for a complex dtype.

    Returns
    -------
    dict of str to tensor
        float64 or complex128, by path.

    Raises
    ------
    UnsupportedLayerError
        If shapes do not fit together or a dtype is not what it should be.
    InvalidSystemError
        If a parameter is NaN or infinite; names it.
    """
    values = {name: find_tensor(layer, name).detach() for name in shapes}
    sizes: dict[str, int] = {}
    for name, axes in shapes.items():
        value, letters = values[name], axes.removeprefix("*")
        if len(letters) == value.ndim:
            for letter, size in zip(letters, value.shape, strict=True):
                sizes.setdefault(letter, int(letter) if letter.isdigit() else size)
        need = tuple(sizes.get(letter, letter) for letter in letters)
        number = "complex" if axes.startswith("*") else "real"
        if tuple(value.shape) != need or value.is_complex() != axes.startswith("*"):
            msg = (
                f"{kind}: got {name} of shape {tuple(value.shape)} and {value.dtype}, "
                f"need a {number} parameter of shape ({', '.join(map(str, need))})"
            )
            raise UnsupportedLayerError(msg)
        _require_finite(kind, name, value)
    return {
        name: value.to(torch.complex128 if value.is_complex() else torch.float64)
        for name, value in values.items()
    }


def _require_finite(kind: str, name: str, value: Tensor) -> None:
    finite = torch.isfinite(value)
    if not bool(finite.all()):
        msg = (
            f"{kind}: parameter {name} holds {int((~finite).sum())} NaN or infinite "
            "entries; training has diverged: go back to a checkpoint before reducing"
        )
        raise InvalidSystemError(msg)


def require_no_more(
    kind: str, layer: nn.Module, known: Mapping[str, str], n_states: int
) -> None:
    """Raise when a layer holds another tensor that seems to have a state axis.

    Parameters
    ----------
    kind : str
        Kind of layer, for messages.
    layer : torch.nn.Module
        The layer; only its own tensors are looked at.
    known : mapping of str to str
        Names that the adapter knows.
    n_states : int
        Number of states.

    Raises
    ------
    UnsupportedLayerError
        If there is one.
    """
    for name, tensor in {**layer._parameters, **layer._buffers}.items():
        if name in known or tensor is None or n_states not in tensor.shape:
            continue
        msg = (
            f"{kind}: {name} of shape {tuple(tensor.shape)} is no parameter of this "
            f"kind of layer and seems to have an axis of {n_states} states, which a "
            "cut would not shorten; write an adapter for this kind of layer"
        )
        raise UnsupportedLayerError(msg)


def require_writable(
    kind: str,
    system: DiagonalStateSpace,
    form: DiagonalStateSpace,
    *,
    feedthrough: bool = True,
) -> None:
    """Raise unless a system has the form that a layer stores, and is stable.

    Parameters
    ----------
    kind : str
        Kind of layer, for messages.
    system : DiagonalStateSpace
        The system to be written; its real readout may be either.
    form : DiagonalStateSpace
        The system that the layer is, of any number of states.
    feedthrough : bool
        Whether the feedthrough must be the layer's.

    Raises
    ------
    UnsupportedLayerError
        If time domain, readout, sizes, batch axes or feedthrough differ.
    UnstableSystemError
        If a pole is not stable.
    """
    _require_domain(kind, system, form.time)
    need, got = (
        (one.n_inputs, one.n_outputs, one.batch_shape) for one in (form, system)
    )
    if got != need:
        msg = (
            f"{kind}: got a system with {got[0]} inputs, {got[1]} outputs and batch "
            f"axes {got[2]}, need {need[0]} inputs, {need[1]} outputs, batch axes "
            f"{need[2]}"
        )
        raise UnsupportedLayerError(msg)
    same = torch.allclose(system.D, form.D.to(system.D), rtol=1e-6)
    if feedthrough and not same:
        msg = f"{kind}: the system has another feedthrough D than the layer; only "
        raise UnsupportedLayerError(msg + "methods that keep D can be written back")
    require_stable(kind, system)


def _require_domain(kind: str, system: DiagonalStateSpace, time: TimeDomain) -> None:
    if type(system.time) is type(time) and system.readout != "complex":
        return
    msg = (
        f"{kind}: got a {type(system.time).__name__} system with readout "
        f"{system.readout!r}, need a {type(time).__name__} one with a real readout"
    )
    raise UnsupportedLayerError(msg)


def stored_like(layer: nn.Module, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return new values in the precision and on the device of the parameters there are.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.
    values : mapping of str to tensor
        New values by path, in double precision; a complex one stays complex.
    """
    stored = {}
    for name, value in values.items():
        old = find_tensor(layer, name)
        dtype = old.dtype.to_complex() if value.is_complex() else old.dtype
        stored[name] = value.to(device=old.device, dtype=dtype).contiguous()
    return stored
