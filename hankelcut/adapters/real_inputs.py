"""Systems whose input matrix is real, for layers that hold no complex one."""

from dataclasses import replace

import torch

from hankelcut._errors import UnsupportedLayerError
from hankelcut.lti import DiagonalStateSpace

__all__ = ["with_real_inputs"]

# Imaginary parts below this share of a row are rounding.
_ROUNDING = 1e-12


def with_real_inputs(system: DiagonalStateSpace) -> DiagonalStateSpace:
    r"""Return a diagonal system of the same map with a real input matrix.

    Parameters
    ----------
    system : DiagonalStateSpace
        Torch tensors, one system.

    Returns
    -------
    DiagonalStateSpace
        Modes whose row of B is a multiple of a real one have that row; the others come
        twice: up to 2 n states.

    Raises
    ------
    UnsupportedLayerError
        If it is a stack of systems, or of other arrays than torch tensors.

    Notes
    -----
    **Method.** A mode with the input vector b and the output vector c is the sum of two
    with the same pole, (Re b, c) and (Im b, i c), after the turn of its state that
    makes the largest entry of b real.

    Examples
    --------
    >>> import torch
    >>> B = torch.tensor([[1.0, 1j], [2j, 4j]])
    >>> C = torch.ones(3, 2, dtype=B.dtype)
    >>> system = DiagonalStateSpace(torch.tensor([-1 + 1j, -2 + 2j]), B, C)
    >>> real = with_real_inputs(system)
    >>> real.n_states, bool(real.B.imag.any())
    (3, False)
    """
    if not isinstance(system.B, torch.Tensor) or system.batch_shape:
        msg = f"with_real_inputs: got {type(system.B).__name__} with batch axes "
        msg += f"{system.batch_shape}, need torch tensors of one system"
        raise UnsupportedLayerError(msg)
    if system.n_inputs == 0:
        return system
    B = system.B
    pivot = B.gather(1, B.abs().argmax(dim=1, keepdim=True))
    turn = torch.where(pivot == 0, torch.ones_like(pivot), pivot / pivot.abs())
    B, C = B / turn, system.C * turn[:, 0]
    sizes = torch.linalg.vector_norm(B, dim=1)
    doubled = torch.linalg.vector_norm(B.imag, dim=1) > _ROUNDING * sizes
    return replace(
        system,
        exponents=torch.cat([system.exponents, system.exponents[doubled]]),
        B=torch.cat([B.real, B.imag[doubled]]).to(B),
        C=torch.cat([C, 1j * C[:, doubled]], dim=1),
    )
