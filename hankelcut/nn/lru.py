"""The linear recurrent unit: a diagonal, stable, linear layer over sequences."""

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from hankelcut.nn._diagonal_recurrence import DiagonalRecurrence

__all__ = ["LRU"]

# The initial poles are drawn at least this far, as a share of their range, inside it:
# at a radius of 0 or 1, or at a phase of 0, a logarithm would be infinite.
_DRAW_MARGIN = torch.finfo(torch.float32).eps


class LRU(DiagonalRecurrence):
    r"""Linear recurrent unit, a diagonal state-space model with a real output.

    .. math::

        x_k = \lambda x_{k-1} + e^\gamma (B u_k), \qquad
        y_k = \mathrm{Re}(C x_k) + D u_k, \qquad
        \lambda = \exp(-e^\nu + i e^\theta),

    with :math:`x_{-1} = 0`, products with :math:`\lambda`, :math:`e^\gamma` and D
    element by element. The poles lie inside the unit circle whatever the parameters.

    Parameters
    ----------
    d_model : int
        Number of input and of output channels.
    d_state : int
        Number of complex states.
    r_min, r_max : float
        The initial poles are uniform over the ring of these radii, ``0 <= r_min <
        r_max <= 1``.
    max_phase : float
        Largest initial phase of a pole in radians per step, at most :math:`2\pi`.

    Attributes
    ----------
    nu_log, theta_log, gamma_log : (d_state,) parameter
        Logarithms of the poles' decay and phase per step and of the input scale.
    B_re, B_im : (d_state, d_model) parameter
        Input matrix.
    C_re, C_im : (d_model, d_state) parameter
        Output matrix.
    D : (d_model,) parameter
        Feedthrough of each channel.

    Raises
    ------
    ValueError
        If a size, a radius or the phase is out of its range.

    Notes
    -----
    The sizes are those of the parameters and stored nowhere else: whoever replaces all
    seven parameters with a state axis by consistent smaller ones has a smaller layer.

    References
    ----------
    Orvieto et al., Resurrecting recurrent neural networks for long sequences, 2023,
    section 3 and appendix A (initialisation).
    """

    def __init__(
        self,
        d_model: int,
        d_state: int,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 6.28,
    ) -> None:
        super().__init__()
        _check_arguments(d_model, d_state, r_min, r_max, max_phase)
        nu_log, theta_log = _draw_poles(d_state, r_min, r_max, max_phase)
        dtype = torch.get_default_dtype()
        # 1 - |lambda|^2 = 1 - exp(-2 nu), without cancellation near the unit circle.
        gamma_log = 0.5 * torch.log(-torch.expm1(-2 * torch.exp(nu_log)))
        self.nu_log = nn.Parameter(nu_log.to(dtype))
        self.theta_log = nn.Parameter(theta_log.to(dtype))
        self.gamma_log = nn.Parameter(gamma_log.to(dtype))
        scale_B = 1 / math.sqrt(2 * d_model)
        self.B_re = nn.Parameter(scale_B * torch.randn(d_state, d_model))
        self.B_im = nn.Parameter(scale_B * torch.randn(d_state, d_model))
        scale_C = 1 / math.sqrt(d_state)
        self.C_re = nn.Parameter(scale_C * torch.randn(d_model, d_state))
        self.C_im = nn.Parameter(scale_C * torch.randn(d_model, d_state))
        self.D = nn.Parameter(torch.randn(d_model))

    def _exponents(self) -> Complex[Tensor, " n"]:
        """Logarithms of the poles, in double precision."""
        decay, phase = (x.double().exp() for x in (self.nu_log, self.theta_log))
        return torch.complex(-decay, phase)

    def _input_weights(self) -> Complex[Tensor, "n m"]:
        """``exp(gamma) B``."""
        B = torch.complex(self.B_re, self.B_im)
        return torch.exp(self.gamma_log)[:, None] * B


def _draw_poles(
    d_state: int, r_min: float, r_max: float, max_phase: float
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Draw logarithms of decay and phase of poles uniform over a ring sector."""
    radius_draw, phase_draw = torch.rand(2, d_state, dtype=torch.float64).clamp(
        _DRAW_MARGIN, 1 - _DRAW_MARGIN
    )
    squared_radius = r_min**2 + radius_draw * (r_max**2 - r_min**2)
    nu_log = torch.log(-0.5 * torch.log(squared_radius))
    return nu_log, torch.log(max_phase * phase_draw)


def _check_arguments(
    d_model: int, d_state: int, r_min: float, r_max: float, max_phase: float
) -> None:
    """Raise ValueError unless an LRU of these sizes and ranges exists."""
    if d_model < 1 or d_state < 1:
        msg = f"got d_model={d_model}, d_state={d_state}, need both at least 1"
        raise ValueError(msg)
    if not 0 <= r_min < r_max <= 1:
        msg = f"got r_min={r_min}, r_max={r_max}, need 0 <= r_min < r_max <= 1"
        raise ValueError(msg)
    if not 0 < max_phase <= 2 * math.pi:
        msg = f"got max_phase={max_phase}, need 0 < max_phase <= 2 pi"
        raise ValueError(msg)
