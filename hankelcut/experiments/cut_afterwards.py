r"""Cuts of finished models, without any training after them.

**Method.** Balanced truncation and selections as in training, with one threshold over
all layers; or singular perturbation, which keeps the static gain of every layer and
changes its feedthrough. The layer reads its state after the update,
:math:`h_0 = D + CB`, :math:`h_k = C A^k B`: the standard system (A, B, CA, D + CB) is
reduced to :math:`(A_r, B_r, C_r, D_r)` and stored as
:math:`C' = C_r A_r^{-1}`, :math:`D' = D_r - C_r A_r^{-1} B_r`. D' is a full matrix,
which stands beside the layer; so it stays causal.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from hankelcut._errors import (
    HankelcutError,
    IllConditionedError,
    UnsupportedLayerError,
)
from hankelcut._typing import Array
from hankelcut.adapters import (
    GlobalBudget,
    ReductionEvent,
    TargetOrder,
    extract,
    find_layers,
    reduce_,
    write_back,
)
from hankelcut.adapters.registry import LayerFilter
from hankelcut.lti import DiagonalStateSpace, StateSpace, real_form
from hankelcut.lti.systems.conversions import map_arrays
from hankelcut.nn import LRU, SequenceClassifier
from hankelcut.reduction import singular_perturbation_approximation
from hankelcut.reduction.balancing.stored_modes import (
    Truncated,
    eigenvectors,
    modes_of,
)

__all__ = ["AfterwardsCut", "LRUWithFeedthrough", "cut_afterwards"]

AfterwardsCut: TypeAlias = Literal["largest", "hinf", "energy", "perturbed"]
"""What becomes of a finished model: see `cut_afterwards`."""


class LRUWithFeedthrough(nn.Module):
    """A linear recurrent unit with a full feedthrough matrix.

    Parameters
    ----------
    lru : LRU
        The unit.
    feedthrough : (m, m) tensor
        What is added to its diagonal feedthrough.
    """

    def __init__(self, lru: LRU, feedthrough: Tensor) -> None:
        super().__init__()
        self.lru = lru
        self.feedthrough = nn.Parameter(feedthrough.to(lru.D))

    def forward(self, inputs: Tensor) -> Tensor:
        """Run the unit over whole sequences."""
        outputs: Tensor = self.lru(inputs) + inputs @ self.feedthrough.T
        return outputs


def cut_afterwards(
    model: SequenceClassifier, kind: AfterwardsCut, orders: Mapping[str, int]
) -> tuple[ReductionEvent, ...]:
    """Cut the layers of a finished model, in place.

    Parameters
    ----------
    model : SequenceClassifier
        The model.
    kind : {"largest", "hinf", "energy", "perturbed"}
        Balanced truncation; pruning of single states by one threshold over all layers
        (LAST and AIRE-Prune); singular perturbation.
    orders : mapping of str to int
        Stored states of each layer; pruning distributes their sum.

    Returns
    -------
    tuple of ReductionEvent
        What happened; none of singular perturbation, which is no exchange of
        parameters.

    Raises
    ------
    HankelcutError
        If a layer cannot be cut so.
    """
    if kind == "perturbed":
        for name, layer in find_layers(model).items():
            if not isinstance(layer, LRU):
                found = type(layer).__name__
                msg = f"{name}: got an {found} for singular perturbation, need an LRU"
                raise UnsupportedLayerError(msg)
            parent, _, attribute = name.rpartition(".")
            perturbed = _perturbed(layer, orders[name], name)
            setattr(model.get_submodule(parent), attribute, perturbed)
        return ()
    if kind == "largest":
        return tuple(
            reduce_(model, TargetOrder(order), filter_fn=_only(name))
            for name, order in orders.items()
        )
    budget = GlobalBudget(sum(orders.values()), "normalised_score")
    return (reduce_(model, budget, selection=kind),)


def _only(wanted: str) -> LayerFilter:
    """Return the filter that admits the layer of one name."""
    return lambda name, _layer: name == wanted


def _perturbed(layer: LRU, order: int, name: str) -> LRUWithFeedthrough:
    """Return a layer by singular perturbation, its static gain kept."""
    full = extract(layer)
    assert isinstance(full, DiagonalStateSpace)  # noqa: S101 - narrows the type
    D = np.diag(layer.D.detach().double().cpu().numpy())
    dense = real_form(map_arrays(full, _on_host))
    standard = dataclasses.replace(dense, C=dense.C @ dense.A, D=D + dense.C @ dense.B)
    for real_order in range(2 * order, 0, -1):
        try:
            result = singular_perturbation_approximation(standard, order=real_order)
        except HankelcutError:
            continue
        reduced = result.system
        assert isinstance(reduced, StateSpace)  # noqa: S101 - dense stays dense
        C = np.linalg.solve(reduced.A.T, reduced.C.T).T
        modes = _modes(dataclasses.replace(reduced, C=C), full)
        if modes is not None and modes.n_states <= order:
            smaller = LRU(layer.d_model, layer.d_state).to(layer.D)
            smaller.load_state_dict(layer.state_dict())
            write_back(smaller, modes)
            feedthrough = torch.as_tensor(reduced.D - C @ reduced.B - D)
            return LRUWithFeedthrough(smaller, feedthrough)
    msg = f"{name}: no singular perturbation to {order} stored states can be stored"
    raise IllConditionedError(msg)


def _on_host(tensor: Tensor) -> Array:
    """Return a tensor in NumPy."""
    return tensor.cpu().numpy()


def _modes(dense: StateSpace, like: DiagonalStateSpace) -> DiagonalStateSpace | None:
    """Return a dense system in stored modes on the device of another; None if none."""
    nothing = np.zeros((0, dense.n_states), dtype=complex)
    truncated = Truncated(dense, nothing, nothing, map_arrays(like, _on_host))
    modes = modes_of(truncated, *eigenvectors(dense.A))
    if modes is None:
        return None
    device = like.B.device
    return map_arrays(modes.system, lambda M: torch.as_tensor(M).to(device))
