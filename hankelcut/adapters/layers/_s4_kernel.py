r"""Kernels of S4 layers: where their parameters are, and what these stand for.

A kernel holds H channels with inputs u_h and c outputs each, whose modes
:math:`\lambda = -T_r(A_r) - i\,T_i(A_i)` and inputs B are those of one of S groups,
channel h of the group h modulo S, and steps :math:`\Delta_h`, one for each channel or
one for each of its modes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._parameters import checked_parameters, require_no_more
from hankelcut.adapters.layers._transforms import transformed
from hankelcut.adapters.protocol import REMOVED, StateParameter
from hankelcut.adapters.tensors import (
    find_tensor,
    has_tensors,
    held_sizes,
    owner_of,
    setting,
)

__all__ = ["S4Kernel", "kernel_prefix", "kernel_sizes", "kernel_state"]

# What every kernel holds; `A_imag` is missing where the modes are real.
_CORE = ("inv_dt", "A_real", "B", "C")
_LOW_RANK = ("A_imag", "P", "l_kernel")
# Where a kernel may be, and what then stands beside it.
_PLACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("layer.kernel.", ("D", "inv_dt")),
    ("kernel.", ("D",)),
    ("", ()),
)
# What recurrent inference computes from the parameters and keeps.
_CACHES = ("dA", "dB", "dC", "step_params")


def kernel_prefix(module: nn.Module, *, low_rank: bool) -> str | None:
    """Path of the kernel of a layer, up to its parameters; None where there is none.

    Parameters
    ----------
    module : torch.nn.Module
        A layer with D beside its kernel, or a kernel.
    low_rank : bool
        Whether the kernel must have a low-rank part, or must have none.
    """
    for prefix, beside in _PLACES:
        names = (*_CORE, *(_LOW_RANK if low_rank else ()))
        if has_tensors(module, *beside, *(f"{prefix}{name}" for name in names)):
            return prefix if has_tensors(module, f"{prefix}P") == low_rank else None
    return None


def kernel_state(
    layer: nn.Module, prefix: str, *, low_rank: bool
) -> tuple[StateParameter, ...]:
    """Describe the parameters of a kernel with a state axis.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.
    prefix : str
        Path of its kernel.
    low_rank : bool
        Whether the kernel has a low-rank part.
    """
    poles = ["A_real"]
    poles += ["A_imag"] if has_tensors(layer, f"{prefix}A_imag") else []
    found = [StateParameter(f"{prefix}{name}", 1, "pole") for name in poles]
    if find_tensor(layer, f"{prefix}inv_dt").shape[-1] > 1:
        found.append(StateParameter(f"{prefix}inv_dt", 1, "pole"))
    if low_rank:
        found.append(StateParameter(f"{prefix}P", 2, "coupling"))
    found.append(StateParameter(f"{prefix}B", 2, "input"))
    found.append(StateParameter(f"{prefix}C", 2, "output"))
    return tuple(found)


def kernel_sizes(layer: nn.Module, prefix: str, n_states: int) -> Mapping[str, Any]:
    """Return what else depends on the number of states: sizes, caches of steps.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.
    prefix : str
        Path of its kernel.
    n_states : int
        The number of stored states wanted.
    """
    return {
        **{f"{prefix}{name}": REMOVED for name in _CACHES},
        **held_sizes(layer, {f"{prefix}N": n_states, "N": n_states}),
    }


@dataclass(frozen=True, eq=False)
class S4Kernel:
    """What the parameters of a kernel stand for, in double precision.

    Parameters
    ----------
    kind : str
        Kind of layer, for messages.
    prefix : str
        Path of the kernel.
    values : mapping of str to tensor
        The parameters themselves, by path.
    poles : (S, n) complex tensor
        Continuous poles.
    step : (H, 1) or (H, n) tensor
        Steps.
    D : (d, H) tensor
        Feedthrough; 0 without a layer around the kernel.
    P : (r, S, n) complex tensor, optional
        Low-rank part.
    """

    kind: str
    prefix: str
    values: Mapping[str, Tensor]
    poles: Tensor
    step: Tensor
    D: Tensor
    P: Tensor | None = None

    @classmethod
    def of(
        cls, kind: str, layer: nn.Module, prefix: str, *, low_rank: bool
    ) -> "S4Kernel":
        """Read and check the parameters of a kernel.

        Parameters
        ----------
        kind : str
            Kind of layer, for messages.
        layer : torch.nn.Module
            The layer.
        prefix : str
            Path of its kernel.
        low_rank : bool
            Whether the kernel has a low-rank part.

        Raises
        ------
        UnsupportedLayerError
            If shapes do not fit together, or an attribute that says what the parameters
            mean is missing or has an unknown value.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        owner, _ = owner_of(layer, f"{prefix}C")
        shapes = _shapes(layer, prefix, low_rank=low_rank)
        values = checked_parameters(kind, layer, shapes)
        real = values[f"{prefix}A_real"]
        known = dict.fromkeys((*_CORE, *_LOW_RANK, "D"), "")
        require_no_more(kind, owner, known, real.shape[1])
        decay = transformed(kind, real, setting(owner, "real_transform"))
        phase = torch.zeros_like(decay)
        if f"{prefix}A_imag" in values:
            imag = values[f"{prefix}A_imag"]
            phase = transformed(kind, imag, setting(owner, "imag_transform"))
        C = values[f"{prefix}C"]
        D = values.get("D", C.new_zeros(C.shape[:2]))
        low = None
        if low_rank:
            low = torch.view_as_complex(values[f"{prefix}P"].contiguous())
        step = _step(kind, owner, values[f"{prefix}inv_dt"])
        kernel = cls(kind, prefix, values, torch.complex(-decay, -phase), step, D, low)
        kernel._require_sizes()
        return kernel

    @property
    def is_real(self) -> bool:
        """Whether poles and matrices are real."""
        return f"{self.prefix}A_imag" not in self.values

    @property
    def n_groups(self) -> int:
        """Number S of groups."""
        return int(self.poles.shape[0])

    @property
    def repeats(self) -> int:
        """Number of channels of each group."""
        return int(self.step.shape[0]) // self.n_groups

    @property
    def steps_are_tied(self) -> bool:
        """Whether all modes of a channel have one step."""
        return int(self.step.shape[1]) == 1

    @property
    def two_sided(self) -> bool:
        """Whether the second half of the outputs runs backwards in time."""
        return int(self.values[f"{self.prefix}C"].shape[0]) == 2 * int(self.D.shape[0])

    def of_channels(self, groups: Tensor) -> Tensor:
        """Return (H, ...) values of all channels from those of their groups."""
        return groups.repeat(self.repeats, *[1] * (groups.ndim - 1))

    def _require_sizes(self) -> None:
        H, n_steps = self.step.shape
        c, S, d = self.values[f"{self.prefix}C"].shape[0], self.n_groups, len(self.D)
        if H % S or n_steps not in (1, self.poles.shape[1]) or c not in (d, 2 * d):
            msg = (
                f"{self.kind}: got {H} channels of {S} groups with {n_steps} steps "
                f"each, C with {c} outputs and D with {d}; need a whole number of "
                f"channels for each group, 1 step or {self.poles.shape[1]}, and as "
                "many outputs of C as of D, or twice as many"
            )
            raise UnsupportedLayerError(msg)
        if S < H and n_steps > 1:
            msg = (
                f"{self.kind}: {H} channels share the poles of {S} groups and have "
                f"steps of their own for each of {n_steps} modes, so that no reduced "
                "poles serve them all; build it with dt_tie=True or n_ssm=None"
            )
            raise UnsupportedLayerError(msg)


def _step(kind: str, owner: nn.Module, parameter: Tensor) -> Tensor:
    """Return steps, checked to be positive."""
    if setting(owner, "dt_fast"):
        parameter = parameter.sinh()
    step = transformed(kind, parameter, setting(owner, "dt_transform"))
    if not bool((step > 0).all()):
        msg = f"{kind}: got a step of {float(step.min()):.3g}, need steps above 0"
        raise UnsupportedLayerError(msg)
    return step


def _shapes(layer: nn.Module, prefix: str, *, low_rank: bool) -> dict[str, str]:
    """Axes of the parameters by path: d outputs of D, c of C, h channels, s groups."""
    is_complex = has_tensors(layer, f"{prefix}A_imag")
    pair = "2" if is_complex else ""
    shapes = {"inv_dt": "ht", "A_real": "sn", "B": f"1sn{pair}", "C": f"chn{pair}"}
    if is_complex:
        shapes["A_imag"] = "sn"
    if low_rank:
        shapes["P"] = "rsn2"
    found = {f"{prefix}{name}": axes for name, axes in shapes.items()}
    if prefix and has_tensors(layer, "D"):
        found["D"] = "dh"
    return found
