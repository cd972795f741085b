"""The layers of this package by name."""

from typing import Literal, TypeAlias, get_args

from torch import nn

from hankelcut.nn.lru import LRU
from hankelcut.nn.s4d import S4D
from hankelcut.nn.s5 import S5

__all__ = ["LayerKind", "make_layer"]

LayerKind: TypeAlias = Literal["lru", "s4d", "s5"]
"""Which state-space layer a block has: see `LRU`, `S4D` and `S5`."""


def make_layer(
    kind: LayerKind,
    d_model: int,
    d_state: int,
    *,
    r_min: float = 0.0,
    r_max: float = 1.0,
    max_phase: float = 6.28,
) -> nn.Module:
    """Make a state-space layer.

    Parameters
    ----------
    kind : {"lru", "s4d", "s5"}
        Which one.
    d_model, d_state : int
        Its channels and complex states; of S4D, those of every channel.
    r_min, r_max, max_phase : float
        Where the initial poles of an LRU lie; others have ranges of their own.

    Returns
    -------
    torch.nn.Module
        The layer.

    Raises
    ------
    ValueError
        If there is no such layer, or a size or a range is not one that it takes.
    """
    if kind == "lru":
        return LRU(d_model, d_state, r_min, r_max, max_phase)
    if kind == "s4d":
        return S4D(d_model, d_state)
    if kind == "s5":
        return S5(d_model, d_state)
    msg = f"got layer={kind!r}, need one of {', '.join(get_args(LayerKind))}"
    raise ValueError(msg)
