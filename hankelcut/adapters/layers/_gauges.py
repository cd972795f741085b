"""Scalings of modes that keep parameters in the range that training gave them."""

import torch
from torch import Tensor

from hankelcut.lti import DiagonalStateSpace

__all__ = ["aligned_gauge", "input_normalisation", "mean_row_norm", "readout_ratio"]


def readout_ratio(system: DiagonalStateSpace, form: DiagonalStateSpace) -> float:
    """Factor by which C of a system is multiplied to be read as a layer reads."""
    return system.readout_gain / form.readout_gain


def aligned_gauge(B: Tensor, norms: Tensor) -> Tensor:
    """Scaling of modes that gives rows of B some norms, largest entry real positive.

    Parameters
    ----------
    B : (..., n, m) complex tensor
        Input matrix.
    norms : (..., n) real tensor
        Norms of its rows wanted.

    Returns
    -------
    gauge : (..., n) complex tensor
        t with ||b_i / t_i|| = norms_i; 1 where a row is zero.
    """
    if 0 in B.shape:
        return torch.ones_like(B[..., 0] if B.shape[-1] else norms.to(B.dtype))
    pivot = B.gather(-1, B.abs().argmax(dim=-1, keepdim=True))[..., 0]
    norm = torch.linalg.vector_norm(B, dim=-1)
    gauge = pivot / pivot.abs() * norm / norms
    safe: Tensor = torch.where(norm == 0, torch.ones_like(gauge), gauge)
    return safe


def mean_row_norm(system: DiagonalStateSpace) -> float:
    """Mean norm of the rows of B over sqrt(1 - |lambda|^2); 1 where B is zero."""
    norms = torch.linalg.vector_norm(system.B, dim=-1) / input_normalisation(system)
    mean = float(norms.mean()) if norms.numel() else 0.0
    return mean if mean > 0 else 1.0


def input_normalisation(system: DiagonalStateSpace) -> Tensor:
    """Return sqrt(1 - |lambda|^2) of each pole of a discrete system."""
    squared: Tensor = -torch.expm1(2 * system.exponents.real)
    return squared.sqrt()
