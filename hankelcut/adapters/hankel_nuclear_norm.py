r"""Hankel nuclear norm of diagonal systems, differentiable also where values tie.

**Method.** The sum N of the Hankel singular values has the differential

.. math::

    dN = \tfrac12\mathrm{tr}(W W^H\,dP) + \tfrac12\mathrm{tr}(T T^H\,dQ),

with the balancing projections T and W of the two Gramians P and Q: no difference of two
singular values appears in it. Two more Lyapunov equations, in closed form for diagonal
systems, carry it back to the system (the adjoints of those that define P and Q):

.. math::

    Y = A^H Y A + \tfrac12 W W^H, \quad Z = A Z A^H + \tfrac12 T T^H, \quad
    g_A = 2 (Y A P + Q A Z), \quad g_B = 2 Y B, \quad g_C = 2 C Z,

in discrete time, and :math:`g_A = 2 (Y P + Q Z)` with the continuous equations. Such
sums are the regulariser of Schwerdtner et al. (NeurIPS 2025) and, of l1 kind, of
Forgione et al. (CDC 2024). Nothing is differentiated through a decomposition.

**Numerical aspects.** One balancing forward, a few entrywise quotients and products of
size n backward. Values below the uncertainty of the Gramian factors pull at nothing:
where a value is 0 the norm has a kink, and 0 is in its subdifferential.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hankelcut._errors import InvalidSystemError
from hankelcut.lti import Continuous, DiagonalStateSpace, GramianMethod, TimeDomain
from hankelcut.lti.gramians._structured_cholesky import displacement
from hankelcut.lti.systems.diagonal_state_space import Readout
from hankelcut.reduction import balance

__all__ = ["hankel_nuclear_norm"]

_CALLER = "hankel_nuclear_norm"


def hankel_nuclear_norm(
    system: DiagonalStateSpace, *, gramians: GramianMethod = "structured"
) -> Tensor:
    r"""Sum of the Hankel singular values, through which gradients flow.

    Parameters
    ----------
    system : DiagonalStateSpace
        Stable system of torch tensors, with any batch axes. Of a real readout it is the
        sum of the 2 n values of the real input-output map.
    gramians : {"structured", "closed_form"}
        How the Gramian factors are computed; ``"closed_form"`` is many times faster
        for a hundred states and more, and blind to values below about 1e-8 of the
        largest (1e-4 in single precision). See `hankelcut.lti.gramian_factors`.

    Returns
    -------
    (...) real tensor
        The norm, of the system's real dtype, as the system's values are a gain.
        Differentiable once, by the exponents, B and C; second derivatives raise
        NotImplementedError.

    Raises
    ------
    InvalidSystemError
        If the arrays are no torch tensors, or not finite.
    UnstableSystemError
        If a pole is on or outside the stability boundary.

    Notes
    -----
    The norm is homogeneous of degree 1 in B and in C: as a penalty it also shrinks the
    gain of the layer.

    Examples
    --------
    >>> import math, torch
    >>> from hankelcut.lti import DiagonalStateSpace
    >>> C = torch.tensor([[3.0 + 0j]], requires_grad=True)
    >>> pole = torch.tensor([math.log(0.5) + 0j])
    >>> norm = hankel_nuclear_norm(DiagonalStateSpace(pole, torch.ones_like(C), C))
    >>> norm.backward()
    >>> round(norm.item(), 5), round(C.grad.item().real, 5)  # |c b| / (1 - |pole|^2)
    (4.0, 1.33333)
    """
    arrays = (system.exponents, system.B, system.C)
    if not all(isinstance(array, Tensor) for array in arrays):
        kinds = ", ".join(type(array).__name__ for array in arrays)
        msg = f"{_CALLER}: got a system of {kinds}; need one of torch tensors"
        raise InvalidSystemError(msg)
    norm: Tensor = _HankelNuclearNorm.apply(  # type: ignore[no-untyped-call]
        *arrays, system.time, system.readout, gramians
    )
    return norm


class _HankelNuclearNorm(torch.autograd.Function):
    """The norm and its adjoint equations."""

    @staticmethod
    def forward(
        ctx: Any,
        exponents: Tensor,
        B: Tensor,
        C: Tensor,
        time: TimeDomain,
        readout: Readout,
        gramians: GramianMethod,
    ) -> Tensor:
        system = DiagonalStateSpace(exponents, B, C, time=time, readout=readout)
        balancing = balance(system, gramians=gramians, caller=_CALLER)
        values, order = balancing.values, balancing.values.shape[-1]
        T, W = balancing.projections(order)
        known = (values > balancing.uncertainty)[..., None, :]
        T, W = (torch.where(known, M, torch.zeros_like(M)) for M in (T, W))
        if readout != "complex":
            # From the states [Re x; Im x] to the first of [x; conj x].
            n = exponents.shape[-1]
            T = torch.complex(T[..., :n, :], T[..., n:, :])
            W = torch.complex(W[..., :n, :], W[..., n:, :]) / 2
        ctx.save_for_backward(exponents, B, C, T, W)
        ctx.time = time
        ctx.gain = None if readout == "complex" else system.readout_gain
        norm: Tensor = values.sum(-1)
        return norm

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gradients = _Adjoint.apply(  # type: ignore[no-untyped-call]
            gradient, *ctx.saved_tensors, ctx.time, ctx.gain
        )
        return (*gradients, None, None, None)


class _Adjoint(torch.autograd.Function):
    """The backward pass as a step of its own, which refuses to be differentiated.

    Left undifferentiable, it would count as constant where a second derivative is
    asked for.
    """

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
        *tensors, time, gain = arguments
        of_exponents, of_B, of_C = _gradients(time, tensors, gain)
        # Conjugate states pull as the states themselves do.
        pulls = 1 if gain is None else 2
        scale = pulls * gradient[..., None, None].to(of_B.dtype)
        return of_exponents * scale[..., 0], of_B * scale, of_C * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        msg = f"{_CALLER}: got asked for a second derivative; need first ones only"
        raise NotImplementedError(msg)


def _gradients(
    time: TimeDomain, tensors: Sequence[Tensor], gain: float | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients by the exponents, B and C of x; with a gain, of [x; conj x].

    Capital letters without a prefix are rows (columns of C) of x, those with ``all_``
    of the closed system.
    """
    exponents, B, C, T, W = tensors
    C = C if gain is None else gain * C
    closed = [exponents, B, C, T, W]
    if gain is not None:
        axes = (-1, -2, -1, -2, -2)
        closed = [
            torch.cat([item, item.conj()], dim=axis)
            for item, axis in zip(closed, axes, strict=True)
        ]
    all_exponents, all_B, all_C, all_T, all_W = closed
    of_P = displacement(exponents[..., :, None], all_exponents[..., None, :], time)
    of_Q = of_P.conj()
    P, Z = B @ all_B.mH / of_P, T @ all_T.mH / (2 * of_P)
    Q, Y = C.mH @ all_C / of_Q, W @ all_W.mH / (2 * of_Q)
    pulls = Y * P.conj() + Q * Z.conj()
    if isinstance(time, Continuous):
        of_exponents = 2 * pulls.sum(-1)
    else:
        poles, all_poles = exponents.exp(), all_exponents.exp()
        of_exponents = 2 * (pulls @ all_poles[..., None])[..., 0] * poles.conj()
    of_C = 2 * all_C @ Z.mH
    return of_exponents, 2 * Y @ all_B, of_C if gain is None else gain * of_C
