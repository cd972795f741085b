"""Plans to project the states of Mamba-2 layers to the subspace that matters most."""

from functools import cached_property

from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.cuts.optimizer_state import projected_state
from hankelcut.adapters.cuts.plan import CutContext
from hankelcut.adapters.cuts.selective_plan import SelectiveLayer
from hankelcut.adapters.cuts.surgery import ParameterExchange
from hankelcut.adapters.layers.mamba2 import Mamba2Adapter
from hankelcut.adapters.layers.projected_mamba2 import (
    JOINED,
    PROJECTIONS,
    ProjectedMamba2,
    ProjectedMamba2Adapter,
)
from hankelcut.adapters.tensors import find_tensor

__all__ = ["ProjectedLayer", "projecting_exchange"]


class ProjectedLayer(SelectiveLayer):
    """A selective layer that keeps the subspace of the largest singular values."""

    @cached_property
    def _balanced(self) -> tuple[Tensor, Tensor, Tensor]:
        """Values and subspaces.

        Raises
        ------
        UnsupportedLayerError
            If the layer is not of the kind whose states decay alike.
        """
        if not isinstance(self.adapter, Mamba2Adapter):
            msg = (
                f"{self.name or 'the layer'} is a layer of the kind "
                f"{self.adapter.name!r}, whose states decay at rates of their own: "
                "other coordinates than those it has do not keep its form; use "
                "selective='select', or leave it out by filter_fn"
            )
            raise UnsupportedLayerError(msg)
        return self.gramians.subspaces()

    @cached_property
    def _sorted(self) -> Tensor:
        """Hankel singular values of each group, descending."""
        return self._balanced[0]

    def _replacement(
        self, order: int, context: CutContext
    ) -> tuple[ParameterExchange, tuple[str, ...]]:
        """Return a layer with projections, or new ones of a layer that has some.

        Raises
        ------
        UnsupportedLayerError
            If the layer is the model itself, or other states are to be kept.
        """
        _, W, T = self._balanced
        W, T = W[..., :order], T[..., :order]
        if context.settings.selection != "largest":
            msg = (
                f"got selection={context.settings.selection!r} for a projection, which "
            )
            raise UnsupportedLayerError(f"{msg}keeps the largest; use 'largest'")
        if isinstance(self.adapter, ProjectedMamba2Adapter):
            return self._projected_again(W, T, context), ()
        if not self.name:
            msg = (
                "a projection puts another module in place of a layer: pass the model "
            )
            raise UnsupportedLayerError(f"{msg}that holds it, not the layer itself")
        return projecting_exchange(self.layer, W, T), ()

    def _projected_again(
        self, W: Tensor, T: Tensor, context: CutContext
    ) -> ParameterExchange:
        """Return the products of the projections that a layer has and new ones."""
        maps = dict(zip(PROJECTIONS, ((W, T), (T, W)), strict=True))
        values = {}
        for name, (forward, _) in maps.items():
            old = find_tensor(self.layer, name).detach()
            values[name] = (old.double() @ forward).to(old).contiguous()
        state = {}
        if context.optimizer is not None:
            state = projected_state(
                context.optimizer,
                self.layer,
                {name: dual for name, (_, dual) in maps.items()},
                context.settings.optimizer_state,
            )
        return ParameterExchange(self.layer, values, {}, state)


def projecting_exchange(
    layer: nn.Module, B_projection: Tensor, C_projection: Tensor
) -> ParameterExchange:
    """Return the exchange of a Mamba-2 layer for one with projections.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.
    B_projection, C_projection : (G, n, r) tensors
        As of `ProjectedMamba2`.

    Raises
    ------
    UnsupportedLayerError
        If the layer has a `forward` that is not that of its class.
    """
    successor = ProjectedMamba2(layer, B_projection, C_projection)
    joined = dict.fromkeys(PROJECTIONS, JOINED)
    return ParameterExchange(layer, {}, {}, successor=successor, joined=joined)
