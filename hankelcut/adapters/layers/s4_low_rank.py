r"""Adapter for S4 layers, diagonal plus low rank: balanced first, then diagonalised.

The kernel `SSMKernelDPLR` of state-spaces/s4 and the S4 of lrnnx (Gu, Goel & Re, ICLR
2022) have the state matrix :math:`\Lambda - PP^H` with complex states and their
conjugates, and S4's bilinear rule; once the kernel has been run for a length L, the
parameter C holds :math:`C(I - \bar A^L)`. The eigenvectors of the matrices that such
layers begin with have condition numbers of 10^8: these are never computed. The real
system in [Re x; Im x] is balanced, and the reduced one is diagonalised: it is stored
with P = 0, and P has no gradient from then on, so that the layer stays diagonal. As of
diagonal kernels, what is read holds for inputs no longer than `l_max`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._s4_bank import KernelBank
from hankelcut.adapters.layers._s4_dense import dense_reading
from hankelcut.adapters.layers._s4_kernel import (
    S4Kernel,
    kernel_prefix,
    kernel_sizes,
    kernel_state,
)
from hankelcut.adapters.layers._s4_rules import BilinearRule
from hankelcut.adapters.protocol import (
    Exactness,
    LayerReading,
    Replacement,
    StateParameter,
)
from hankelcut.adapters.tensors import find_tensor, owner_of
from hankelcut.lti import DiagonalStateSpace

__all__ = ["LowRankS4Adapter"]

_KIND = "S4 layer"


class LowRankS4Adapter:
    """Adapter for kernels with inv_dt, A_real, A_imag, P, B, C and l_kernel.

    The kernel may be the layer's submodule ``kernel`` or ``layer.kernel``, beside D; a
    kernel without a layer around it is taken with D = 0.
    """

    name = "S4 (low rank)"
    exactness: Exactness = "exact"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module is such a kernel, or holds one and D."""
        return kernel_prefix(module, low_rank=True) is not None

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the parameters with a state axis, P among them.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        """
        return kernel_state(layer, _prefix(layer), low_rank=True)

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the numbers of states that layer and kernel hold, and stale caches."""
        return kernel_sizes(layer, _prefix(layer), n_states)

    def read(self, layer: nn.Module) -> LayerReading:
        """Read the layer as a discrete bank, dense unless P is zero.

        Raises
        ------
        UnsupportedLayerError
            If the shapes of the parameters do not fit together, an attribute that says
            what they mean is missing or unknown, or the layer has a band limit.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        bank = self._bank(layer)
        assert bank.kernel.P is not None  # noqa: S101 - narrows the type
        if bool((bank.kernel.P == 0).all()):
            return bank.reading()
        return dense_reading(bank)

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the parameters of a diagonal bank, with P = 0.

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
        diagonal = bank.write(layer, system, bank.reading().form)
        name = f"{bank.kernel.prefix}P"
        old = find_tensor(layer, name)
        none = torch.zeros_like(old[:, :, :1]).expand(-1, -1, system.n_states, -1)
        values = {**diagonal.values, name: none.contiguous()}
        return Replacement(values, diagonal.gauge)

    def _bank(self, layer: nn.Module) -> KernelBank:
        """Return the layer as it would be without its low-rank part."""
        prefix = _prefix(layer)
        owner, _ = owner_of(layer, f"{prefix}C")
        if getattr(owner, "bandlimit", None) is not None:
            msg = (
                f"{_KIND}: got a kernel with bandlimit={owner.bandlimit}, which masks "
                "parameters that are no modes here; need bandlimit=None"
            )
            raise UnsupportedLayerError(msg)
        kernel = S4Kernel.of(_KIND, layer, prefix, low_rank=True)
        length = int(find_tensor(layer, f"{prefix}l_kernel"))
        return KernelBank(kernel, BilinearRule(length))


def _prefix(layer: nn.Module) -> str:
    return kernel_prefix(layer, low_rank=True) or ""
