r"""Adapter for the diagonal kernels of S4 layers, S4D and DSS, and layers around them.

These are the kernel `SSMKernelDiag` of state-spaces/s4 and the S4D of lrnnx (Gu et al.,
NeurIPS 2022; Gupta et al., NeurIPS 2022, for DSS): channel h computes :math:`y = K * u
+ D u` with :math:`K_l = 2\,\mathrm{Re}\,\sum_n C_n \bar B_n \bar\lambda_n^l`, by a
zero-order hold, S4's bilinear rule, or the normalised hold of DSS. All channels have
one number of states; groups of channels may share their poles.

The layer is read at its own sampling rate (``rate=1``), for inputs no longer than its
`l_max`, behind which layers cut their kernels off. DSS computes another system for
every length of its inputs: it is read, and its bounds hold, for inputs of exactly
`l_max` samples, which must be set. Of a two-sided layer the outputs of both directions
are read side by side, and bounds are those of their sum.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._s4_bank import KernelBank
from hankelcut.adapters.layers._s4_kernel import (
    S4Kernel,
    kernel_prefix,
    kernel_sizes,
    kernel_state,
)
from hankelcut.adapters.layers._s4_rules import BilinearRule, HoldRule, S4Rule
from hankelcut.adapters.protocol import (
    Exactness,
    LayerReading,
    Replacement,
    StateParameter,
)
from hankelcut.adapters.tensors import owner_of, setting
from hankelcut.lti import DiagonalStateSpace

__all__ = ["DiagonalS4Adapter"]

_KIND = "diagonal S4 layer"


class DiagonalS4Adapter:
    """Adapter for kernels with inv_dt, A_real, A_imag, B and C, and D beside them.

    The kernel may be the layer's submodule ``kernel`` or ``layer.kernel``; a kernel
    without a layer around it is taken with D = 0.
    """

    name = "S4 (diagonal)"
    exactness: Exactness = "exact"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module is such a kernel, or holds one and D."""
        return kernel_prefix(module, low_rank=False) is not None

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the parameters with a state axis, steps of single modes among them.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        """
        return kernel_state(layer, _prefix(layer), low_rank=False)

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the numbers of states that layer and kernel hold, and stale caches."""
        return kernel_sizes(layer, _prefix(layer), n_states)

    def read(self, layer: nn.Module) -> LayerReading:
        """Read the layer as a discrete bank of H channels.

        Raises
        ------
        UnsupportedLayerError
            If the shapes of the parameters do not fit together, an attribute that says
            what they mean is missing or unknown, or a DSS layer has no fixed length.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        return self._bank(layer).reading()

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the parameters of a bank; the new B is the mean size of the old.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        system : DiagonalStateSpace
            A bank of channels; the continuous systems of the groups where channels
            share their poles.

        Raises
        ------
        UnsupportedLayerError
            If the layer cannot hold the system.
        UnstableSystemError
            If a pole is not stable.
        """
        bank = self._bank(layer)
        return bank.write(layer, system, bank.reading().form)

    def _bank(self, layer: nn.Module) -> KernelBank:
        prefix = _prefix(layer)
        owner, _ = owner_of(layer, f"{prefix}C")
        kernel = S4Kernel.of(_KIND, layer, prefix, low_rank=False)
        bandlimit = getattr(owner, "bandlimit", None)
        return KernelBank(kernel, _rule(owner), bandlimit)


def _prefix(layer: nn.Module) -> str:
    return kernel_prefix(layer, low_rank=False) or ""


def _rule(owner: nn.Module) -> S4Rule:
    """Return the rule that a kernel names."""
    name = setting(owner, "disc")
    if name == "zoh":
        return HoldRule()
    if name == "bilinear":
        return BilinearRule()
    if name != "dss":
        msg = f"{_KIND}: got the discretization {name!r}, need zoh, bilinear or dss"
        raise UnsupportedLayerError(msg)
    length = setting(owner, "l_max")
    if not length:
        msg = (
            f"{_KIND}: a DSS kernel is another system for every length of its inputs, "
            "and this one has l_max=None; set l_max of the layer and of its kernel to "
            "the length that it is run on"
        )
        raise UnsupportedLayerError(msg)
    return HoldRule(int(length))
