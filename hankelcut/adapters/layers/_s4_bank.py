r"""Kernels of S4 layers with diagonal modes, as banks of channels.

**Own poles.** Where every channel has poles of its own (S = H), each is one discrete
system, and any reduced one can be stored with the channel's step.

**Shared poles.** Where channels of one group have common poles and steps of their own
(S < H), any reduced ones must be common too: what is reduced is the continuous system
of the group, from its input to the outputs of all of its channels.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._gauges import readout_ratio
from hankelcut.adapters.layers._parameters import require_writable, stored_like
from hankelcut.adapters.layers._poles import principal_exponents
from hankelcut.adapters.layers._s4_kernel import S4Kernel
from hankelcut.adapters.layers._s4_rules import S4Rule
from hankelcut.adapters.layers._transforms import NO_TRANSFORM, untransformed
from hankelcut.adapters.protocol import LayerReading, Replacement
from hankelcut.adapters.stored_matrix import StoredForm, StoredMatrix
from hankelcut.adapters.tensors import owner_of, setting
from hankelcut.lti import Continuous, DiagonalStateSpace, Discrete

__all__ = ["KernelBank"]

# What is written for a phase of 0 where the transform holds only positive numbers.
_SMALLEST_PHASE = 1e-8
# What counts as a real pole, or a real residue, in layers that hold no others.
_IMAGINARY_SHARE = 1e-9


@dataclass(frozen=True, eq=False)
class KernelBank:
    """A kernel with diagonal modes as a bank of channels.

    Parameters
    ----------
    kernel : S4Kernel
        Its parameters.
    rule : S4Rule
        How modes become discrete.
    bandlimit : float, optional
        Modes that turn faster than half of it, in turns per sample, have no output.
    """

    kernel: S4Kernel
    rule: S4Rule
    bandlimit: float | None = None

    @property
    def is_shared(self) -> bool:
        """Whether channels share their poles."""
        return self.kernel.repeats > 1

    def reading(self) -> LayerReading:
        """Return the bank as a system, and how the parameters hold it."""
        kernel, rule = self.kernel, self.rule
        step, poles = kernel.step, kernel.of_channels(kernel.poles)
        inputs, outputs = self._inputs(kernel.poles, step), self._outputs(poles, step)
        B = inputs.assemble(kernel.values)
        C = self._heard(step * poles, self.held_outputs())
        gain = rule.discretization.gain(poles, step)
        system = DiagonalStateSpace(
            rule.discretization.exponents(poles, step),
            (gain * kernel.of_channels(B[..., 0]))[..., None],
            rule.output_gain(poles, step)[:, None, :] * C,
            self.feedthrough(),
            Discrete(),
            rule.readout,
        )
        reading = LayerReading(
            system,
            inputs,
            outputs,
            directions=2 if kernel.two_sided else 1,
            lookahead=1,
            lower_half=True,
        )
        if not self.is_shared:
            return reading
        balanced = DiagonalStateSpace(
            kernel.poles,
            B,
            outputs.scale * self.by_group(C),
            self.by_group(self.feedthrough()),
            Continuous(),
            rule.readout,
        )
        return replace(reading, balanced=balanced, bound_gain=rule.shared_bound_gain)

    def write(
        self, layer: nn.Module, system: DiagonalStateSpace, form: DiagonalStateSpace
    ) -> Replacement:
        """Compute the parameters of a kernel that is the given system.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        system : DiagonalStateSpace
            What is written.
        form : DiagonalStateSpace
            A system of its form.

        Raises
        ------
        UnsupportedLayerError, UnstableSystemError
            If the kernel cannot hold it.
        """
        kernel = self.kernel
        require_writable(kernel.kind, system, form)
        step = self._new_step(system.n_states)
        if self.is_shared:
            poles = system.exponents
        else:
            exponents = principal_exponents(system)
            poles = self.rule.discretization.poles(exponents, step)
        of_channels = kernel.of_channels(poles)
        inputs, outputs = self._inputs(poles, step), self._outputs(of_channels, step)
        size = self._input_size()
        B = system.B[..., 0]
        gauge = B / (size * inputs.scale)
        gauge = torch.where(B == 0, torch.ones_like(gauge), gauge)
        residues = readout_ratio(system, form) * system.C * B[:, None, :]
        scale = outputs.scale if self.is_shared else outputs.scale[:, None, :]
        C = residues / (size * inputs.scale[:, None, :] * scale)
        self._require_heard(step * of_channels, outputs.to_stored(C))
        values = {
            **self._pole_parameters(layer, poles, step),
            **inputs.split(torch.full_like(B, size)[..., None]),
            **outputs.split(self._held(C)),
        }
        return Replacement(stored_like(layer, values), gauge)

    def _inputs(self, poles: Tensor, step: Tensor) -> StoredMatrix:
        """How B is held, (1, S, n): times the gain of the rule for own poles."""
        if self.is_shared:
            scale = torch.ones_like(poles)
        else:
            scale = self.rule.discretization.gain(poles, step)
        return StoredMatrix(
            (f"{self.kernel.prefix}B",),
            self._form,
            scale,
            to_system=lambda B: B[0, ..., None],
            to_stored=lambda B: B[None, ..., 0],
        )

    def _outputs(self, poles: Tensor, step: Tensor) -> StoredMatrix:
        """How C is held, (c, H, n): for shared poles each channel has its factor."""
        scale = self.rule.output_gain(poles, step)
        if self.is_shared:
            scale = scale * self.rule.shared_weight(poles, step)
            c = self.kernel.values[f"{self.kernel.prefix}C"].shape[0]
            scale = self.by_group(scale[:, None, :].expand(-1, c, -1))
        return StoredMatrix(
            (f"{self.kernel.prefix}C",),
            self._form,
            scale,
            to_system=lambda C: self.by_group(C.transpose(0, 1)),
            to_stored=lambda C: self.by_channel(C).transpose(0, 1),
        )

    @property
    def _form(self) -> StoredForm:
        return "real" if self.kernel.is_real else "pairs"

    def held_outputs(self) -> Tensor:
        """Return what C holds, (H, c, n)."""
        name = f"{self.kernel.prefix}C"
        held = StoredMatrix((name,), self._form, self.kernel.poles)
        return held.assemble(self.kernel.values).transpose(0, 1)

    def feedthrough(self) -> Tensor:
        """Return D of all channels, (H, c, 1); 0 for what runs backwards."""
        D = self.kernel.D.mT[..., None]
        if not self.kernel.two_sided:
            return D
        return torch.cat([D, torch.zeros_like(D)], dim=1)

    def by_group(self, rows: Tensor) -> Tensor:
        """Return (H, c, ...) rows of channels as (S, H/S c, ...) rows of groups."""
        H, c, *rest = rows.shape
        S = self.kernel.n_groups
        return rows.reshape(H // S, S, c, *rest).transpose(0, 1).reshape(S, -1, *rest)

    def by_channel(self, rows: Tensor) -> Tensor:
        """Return rows of groups as rows of channels: the inverse of `by_group`."""
        S, of_group, *rest = rows.shape
        repeats = self.kernel.repeats
        split = rows.reshape(S, repeats, of_group // repeats, *rest)
        return split.transpose(0, 1).reshape(S * repeats, -1, *rest)

    def _heard(self, x: Tensor, C: Tensor) -> Tensor:
        """C, (H, c, n), without the modes above the band limit."""
        if self.bandlimit is None:
            return C
        return C * (self._turns(x) < self.bandlimit / 2)[:, None, :]

    def _require_heard(self, x: Tensor, C: Tensor) -> None:
        """Raise where an output of a mode, (c, H, n), would be masked."""
        if self.bandlimit is None:
            return
        masked = (self._turns(x) >= self.bandlimit / 2) & (C != 0).any(dim=0)
        if bool(masked.any()):
            msg = (
                f"{self.kernel.kind}: a mode turns {float(self._turns(x).max()):.3g} "
                "times per sample, which the layer masks: its bandlimit is "
                f"{self.bandlimit:.3g}, half of which modes must stay below; keep more "
                "states or set kernel.bandlimit to None"
            )
            raise UnsupportedLayerError(msg)

    def _turns(self, x: Tensor) -> Tensor:
        """Return turns of modes per sample, as layers with a band limit count them."""
        return x.imag.abs() / (2 * math.pi)

    def _new_step(self, n_states: int) -> Tensor:
        """Return steps of the reduced modes: of those that differ, a geometric mean."""
        step = self.kernel.step
        if self.kernel.steps_are_tied:
            return step
        return step.log().mean(dim=1, keepdim=True).exp().expand(-1, n_states)

    def _input_size(self) -> float:
        """Mean magnitude of the entries of B, which the new ones get; never 0."""
        name = f"{self.kernel.prefix}B"
        B = StoredMatrix((name,), self._form, self.kernel.poles)
        size = float(B.assemble(self.kernel.values).abs().mean())
        return size if size > 0 else 1.0

    def _held(self, C: Tensor) -> Tensor:
        """C of modes as a layer with real matrices can hold it."""
        share = float((C.imag.abs().max() / C.abs().max()).nan_to_num())
        if self.kernel.is_real and share > _IMAGINARY_SHARE:
            raise UnsupportedLayerError(self._complex_modes(f"an output {share}"))
        return C

    def _pole_parameters(
        self, layer: nn.Module, poles: Tensor, step: Tensor
    ) -> Mapping[str, Tensor]:
        """Parameters of poles, and of steps that are held for each of them."""
        kernel = self.kernel
        kind, prefix = kernel.kind, kernel.prefix
        owner, _ = owner_of(layer, f"{prefix}C")
        real = setting(owner, "real_transform")
        values = {
            f"{prefix}A_real": untransformed(kind, "the decay", -poles.real, real)
        }
        if kernel.is_real:
            # The bilinear rule also makes negative poles, of which kernels take the
            # real logarithm.
            logarithms = self.rule.discretization.exponents(
                kernel.of_channels(poles), step
            )
            for found in (poles, logarithms):
                share = float((found.imag / found.abs()).abs().max())
                if share > _IMAGINARY_SHARE:
                    raise UnsupportedLayerError(self._complex_modes(f"a pole {share}"))
        else:
            phase, imag = -poles.imag, setting(owner, "imag_transform")
            if imag != NO_TRANSFORM:
                phase = torch.where(
                    phase == 0, torch.full_like(phase, _SMALLEST_PHASE), phase
                )
            values[f"{prefix}A_imag"] = untransformed(kind, "the phase", phase, imag)
        if not kernel.steps_are_tied:
            dt = setting(owner, "dt_transform")
            held = untransformed(kind, "the step", step, dt)
            fast = setting(owner, "dt_fast")
            values[f"{prefix}inv_dt"] = held.asinh() if fast else held
        return values

    def _complex_modes(self, what: str) -> str:
        return (
            f"{self.kernel.kind}: got complex or negative modes (imaginary share of "
            f"{what}), need positive real ones, as this layer holds no others "
            "(is_real=True); choose another number of states"
        )
