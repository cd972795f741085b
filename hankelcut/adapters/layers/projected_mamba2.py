r"""Mamba-2 layers whose states are in a subspace: two small matrices more.

All states of a head of Mamba-2 decay alike, so that any change of their coordinates
keeps the recurrence: with :math:`h \approx T h_r`, :math:`h_r = W^T h`, :math:`W^T T =
I`, the reduced layer has :math:`B_r = W^T B` and :math:`C_r = T^T C`. Convolution and
activation act on B and C before, which is why W and T are parameters of their own.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._mamba2_parts import mamba2_outputs, mamba2_parts
from hankelcut.adapters.layers._parameters import checked_parameters
from hankelcut.adapters.layers.mamba2 import Mamba2Adapter
from hankelcut.adapters.protocol import Exactness, StateParameter
from hankelcut.adapters.selective.signals import SelectiveSignals
from hankelcut.adapters.tensors import find_tensor, has_tensors

__all__ = ["JOINED", "PROJECTIONS", "ProjectedMamba2", "ProjectedMamba2Adapter"]

PROJECTIONS = ("B_projection", "C_projection")
"""Names of the parameters that a projected layer has besides those of the layer."""

JOINED = "in_proj.weight"
"""Path of the parameter whose group of the optimizer the projections join."""

# Times that are computed by one product of matrices.
_CHUNK = 64
_SHAPES = dict.fromkeys(PROJECTIONS, "gnr")
# What a module keeps its hooks in; shared, so that their handles go on removing them.
_HOOKS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_is_full_backward_hook",
)
# What models pass on to all of their layers, and no Mamba-2 layer computes with.
_IGNORED = {
    "cache_position",
    "is_causal",
    "labels",
    "logits_to_keep",
    "num_items_in_batch",
    "output_attentions",
    "output_hidden_states",
    "output_router_logits",
    "position_embeddings",
    "position_ids",
    "return_dict",
    "use_cache",
}


class ProjectedMamba2(nn.Module):
    """A Mamba-2 layer with two small matrices behind its convolution.

    It takes over submodules, parameters, attributes and hooks of the layer, and is
    called as the layer was, with the cache of transformers too. Its recurrence is
    computed here, by products of matrices, whatever kernels the layer used.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer; it shares what it holds with this one.
    B_projection, C_projection : (G, n, r) tensors
        W and T of each group: B_r = B W and C_r = C T for rows B and C.

    Raises
    ------
    UnsupportedLayerError
        If the layer has a `forward` that is not that of its class.
    """

    def __init__(
        self, layer: nn.Module, B_projection: Tensor, C_projection: Tensor
    ) -> None:
        super().__init__()
        if "forward" in vars(layer):
            msg = (
                f"got a {type(layer).__name__} whose forward was replaced, as wrappers "
                "that move parameters between devices do: a projection would lose what "
                "it does; remove the wrapper before the cut, or use selective='select'"
            )
            raise UnsupportedLayerError(msg)
        own = {k: v for k, v in vars(layer).items() if not k.startswith("_")}
        vars(self).update({**own, "training": layer.training})
        for held in ("_parameters", "_buffers", "_modules"):
            vars(self)[held] = dict(vars(layer)[held])
        vars(self).update({name: vars(layer)[name] for name in _HOOKS})
        self._non_persistent_buffers_set = set(layer._non_persistent_buffers_set)
        like = find_tensor(layer, "conv1d.weight")
        # Trained where the rows of B and C are, with which they are in one group.
        trained = find_tensor(layer, JOINED).requires_grad
        self.B_projection, self.C_projection = (
            nn.Parameter(one.to(like).contiguous(), requires_grad=trained)
            for one in (B_projection, C_projection)
        )

    def forward(
        self,
        hidden_states: Tensor,
        cache: Any = None,
        attention_mask: Tensor | None = None,
        **others: Any,
    ) -> Tensor:
        """Compute the outputs of the layer.

        Parameters
        ----------
        hidden_states : (batch, length, m) tensor
            Inputs.
        cache : Cache of transformers, optional
            Earlier states, and those to be kept.
        attention_mask : (batch, length) tensor, optional
            0 at the places of padding.
        **others : object
            What models pass on to all layers and these do not compute with; None else.

        Raises
        ------
        UnsupportedLayerError
            If there is something else, such as the limits of packed sequences.
        """
        _require_ignored(others)
        index = getattr(self, "layer_idx", None)
        width = find_tensor(self, "conv1d.weight").shape[-1]
        if cache is None:
            parts = mamba2_parts(self, hidden_states, attention_mask)
            state = None
        else:
            state = cache.get_recurrent_state(index, state_idx=0)
            parts = mamba2_parts(
                self,
                hidden_states,
                attention_mask,
                lambda x: cache.update_conv_state(x, index, conv_kernel_size=width),
            )
        rates = -torch.exp(find_tensor(self, "A_log").to(parts.steps))
        x = parts.x.reshape(*parts.steps.shape, -1)
        B = torch.einsum("blgn,gnr->blgr", parts.B, self.B_projection.to(parts.B))
        C = torch.einsum("blgn,gnr->blgr", parts.C, self.C_projection.to(parts.C))
        y, state = _scanned(parts.steps, rates, x, B, C, state)
        if cache is not None:
            cache.update_recurrent_state(state, index)
        return mamba2_outputs(self, y.flatten(2), parts)


class ProjectedMamba2Adapter(Mamba2Adapter):
    """Adapter for `ProjectedMamba2`: its states are the columns of the projections.

    What lies in front of them has as many states as before, and so has the
    configuration: layers of one model may be projected to numbers of their own.
    """

    name = "projected Mamba-2"
    exactness: Exactness = "selection only"
    configuration_fields: tuple[str, ...] = ()

    def matches(self, module: nn.Module) -> bool:
        """Whether the module is a Mamba-2 layer with the two projections."""
        return super().matches(module) and has_tensors(module, *PROJECTIONS)

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the columns of the projections."""
        return (
            StateParameter("B_projection", 2, "input", group_axis=0),
            StateParameter("C_projection", 2, "output", group_axis=0),
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return nothing: the sizes are those of the parameters."""
        return {}

    def require_valid(self, layer: nn.Module) -> None:
        """Raise unless the parameters fit together and are finite.

        Raises
        ------
        UnsupportedLayerError
            If shapes do not fit together, or another tensor seems to have states.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        super().require_valid(layer)
        checked_parameters("projected Mamba-2 layer", layer, _SHAPES)

    def signals(
        self, layer: nn.Module, inputs: Tensor, mask: Tensor | None
    ) -> SelectiveSignals:
        """Compute the signals of the layer, B and C projected."""
        whole = super().signals(layer, inputs, mask)
        B, C = (find_tensor(layer, name).to(whole.B) for name in PROJECTIONS)
        return SelectiveSignals(
            whole.steps,
            whole.rates,
            whole.inputs,
            torch.einsum("blgn,gnr->blgr", whole.B, B),
            torch.einsum("blgn,gnr->blgr", whole.C, C),
            whole.readout,
        )


def _require_ignored(others: Mapping[str, Any]) -> None:
    """Raise when a layer is called with what would change its outputs."""
    unknown = [k for k, v in others.items() if v is not None and k not in _IGNORED]
    if unknown:
        msg = (
            f"projected Mamba-2 layer: got {', '.join(unknown)}, which it does not "
            "compute with, need hidden_states, cache and attention_mask; pad "
            "sequences instead of packing them, and pass a cache as cache"
        )
        raise UnsupportedLayerError(msg)


def _scanned(
    steps: Tensor,
    rates: Tensor,
    x: Tensor,
    B: Tensor,
    C: Tensor,
    state: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return y, (batch, length, heads, p), and the last state, (batch, heads, p, r).

    Within a chunk y comes from a product of three matrices, as in attention; from chunk
    to chunk the state is handed on (Dao and Gu, 2024, section 6).
    """
    heads, groups = steps.shape[2], B.shape[2]
    B, C = (M.repeat_interleave(heads // groups, dim=2) for M in (B, C))
    driven = steps[..., None] * x
    if state is None:
        state = x.new_zeros(len(x), heads, x.shape[3], B.shape[3])
    outputs = []
    for begin in range(0, x.shape[1], _CHUNK):
        part = slice(begin, begin + _CHUNK)
        logs = torch.cumsum(steps[:, part] * rates, dim=1)
        length = logs.shape[1]
        lower = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        between = logs[:, :, None] - logs[:, None]
        decay = between.masked_fill(~lower[..., None], -torch.inf).exp()
        weights = torch.einsum("bqhr,bshr->bqsh", C[:, part], B[:, part]) * decay
        y = torch.einsum("bqsh,bshp->bqhp", weights, driven[:, part])
        before = torch.einsum("bqhr,bhpr->bqhp", C[:, part], state.to(x))
        outputs.append(y + logs.exp()[..., None] * before)
        left = (logs[:, -1:] - logs).exp()[..., None] * B[:, part]
        state = logs[:, -1].exp()[..., None, None] * state.to(x)
        state = state + torch.einsum("bshr,bshp->bhpr", left, driven[:, part])
    return torch.cat(outputs, dim=1), state
