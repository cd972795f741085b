"""The S5 layer: one diagonal system with learned steps, by zero-order hold."""

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from hankelcut.nn._diagonal_recurrence import DiagonalRecurrence

__all__ = ["S5"]


class S5(DiagonalRecurrence):
    r"""Simplified state-space layer, discrete by zero-order hold over learned steps.

    .. math::

        x_k = e^{\Delta a} x_{k-1} + \frac{e^{\Delta a} - 1}{a} (B u_k), \qquad
        y_k = \mathrm{Re}(C x_k) + D u_k, \qquad
        a = -e^\alpha + i \omega, \quad \Delta = e^\delta,

    with :math:`x_{-1} = 0`, products with a, :math:`\Delta` and D element by element.
    The poles a lie in the left half-plane whatever the parameters.

    Parameters
    ----------
    d_model : int
        Number of input and of output channels.
    d_state : int
        Number of complex states, each for itself and its conjugate.
    step_min, step_max : float
        Range of the initial steps, uniform in their logarithm.

    Attributes
    ----------
    log_decay : (d_state,) parameter
        Logarithms :math:`\alpha` of the poles' decay, per unit of time.
    frequency : (d_state,) parameter
        Frequencies :math:`\omega` of the poles, radians per unit of time.
    log_step : (d_state,) parameter
        Logarithms :math:`\delta` of the steps, units of time per sample.
    B_re, B_im : (d_state, d_model) parameter
        Input matrix.
    C_re, C_im : (d_model, d_state) parameter
        Output matrix.
    D : (d_model,) parameter
        Feedthrough of each channel.

    Raises
    ------
    ValueError
        If a size or a step is out of its range.

    Notes
    -----
    The sizes are those of the parameters and stored nowhere else: whoever replaces all
    seven parameters with a state axis by consistent smaller ones has a smaller layer.

    The initial poles are those of the normal part of the HiPPO-LegS matrix of 2 n
    states with positive frequencies. B and C are normal, as real (B) and complex (C)
    normal matrices are in the eigenvectors of that part, which are orthogonal to their
    conjugates; C counts twice, for the conjugate states.

    References
    ----------
    Smith et al., Simplified state space layers for sequence modeling, 2023, sections
    3.2 and 4, with the initialisation of their code.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int,
        step_min: float = 0.001,
        step_max: float = 0.1,
    ) -> None:
        super().__init__()
        _check_arguments(d_model, d_state, step_min, step_max)
        dtype = torch.get_default_dtype()
        self.log_decay = nn.Parameter(torch.full((d_state,), math.log(0.5)))
        self.frequency = nn.Parameter(_hippo_frequencies(d_state).to(dtype))
        share, width = torch.rand(d_state), math.log(step_max / step_min)
        self.log_step = nn.Parameter(math.log(step_min) + share * width)
        scale_B = 1 / math.sqrt(4 * d_state)
        self.B_re = nn.Parameter(scale_B * torch.randn(d_state, d_model))
        self.B_im = nn.Parameter(scale_B * torch.randn(d_state, d_model))
        scale_C = 2 / math.sqrt(2 * d_state)
        self.C_re = nn.Parameter(scale_C * torch.randn(d_model, d_state))
        self.C_im = nn.Parameter(scale_C * torch.randn(d_model, d_state))
        self.D = nn.Parameter(torch.randn(d_model))

    def _poles(self) -> Complex[Tensor, " n"]:
        """Poles of the continuous system, in double precision."""
        return torch.complex(-self.log_decay.double().exp(), self.frequency.double())

    def _exponents(self) -> Complex[Tensor, " n"]:
        """Logarithms of the poles, per sample, in double precision."""
        return torch.exp(self.log_step.double()) * self._poles()

    def _input_weights(self) -> Complex[Tensor, "n m"]:
        """``(e^(step a) - 1) / a B``, without the cancellation of the difference."""
        gain = torch.expm1(self._exponents()) / self._poles()
        B = torch.complex(self.B_re, self.B_im)
        return gain[:, None].to(B.dtype) * B


def _hippo_frequencies(d_state: int) -> Float[Tensor, " n"]:
    """Positive frequencies of the normal part of HiPPO-LegS with 2 n states."""
    roots = torch.sqrt(2 * torch.arange(2 * d_state, dtype=torch.float64) + 1)
    upper = torch.triu(torch.outer(roots, roots), diagonal=1) / 2
    skew = upper - upper.mT
    frequencies: Tensor = torch.linalg.eigvalsh(-1j * skew)
    return frequencies[d_state:]


def _check_arguments(
    d_model: int, d_state: int, step_min: float, step_max: float
) -> None:
    """Raise ValueError unless a layer of these sizes and steps exists."""
    if d_model < 1 or d_state < 1:
        msg = f"got d_model={d_model}, d_state={d_state}, need both at least 1"
        raise ValueError(msg)
    if not 0 < step_min <= step_max < math.inf:
        msg = f"got step_min={step_min}, step_max={step_max}, need 0 < step_min <= "
        raise ValueError(msg + "step_max, both finite")
