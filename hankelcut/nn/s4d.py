"""S4D: a bank of diagonal, stable state-space channels over sequences."""

import math
from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor, nn

from hankelcut.nn._inputs import require_inputs, require_state

__all__ = ["S4D", "S4DInitialisation"]

S4DInitialisation: TypeAlias = Literal["lin", "inv"]
"""Frequencies of the initial modes: see `S4D`."""


class S4D(nn.Module):
    r"""Diagonal state-space channels, each from one input to one output.

    .. math::

        x_k = \lambda x_{k-1} + u_k, \qquad
        y_k = 2\,\mathrm{Re} \sum_n C_n \frac{\lambda_n - 1}{a_n} x_{k,n} + D u_k,
        \qquad \lambda = e^{\Delta a}, \quad a = -e^\alpha + i\beta,
        \quad \Delta = e^\delta,

    with :math:`x_{-1} = 0`: the zero-order hold of a continuous system with the poles
    :math:`a` and their conjugates, and the step :math:`\Delta` of the channel. The
    poles lie inside the unit circle whatever the parameters.

    Parameters
    ----------
    d_model : int
        Number of channels.
    d_state : int
        Number n of complex states of each channel, one of each conjugate pair.
    initialisation : {"lin", "inv"}
        The initial modes have :math:`\mathrm{Re}\,a = -1/2` and, for k = 0, ..., n - 1,
        :math:`\mathrm{Im}\,a = \pi k` (S4D-Lin) or
        :math:`\tfrac{N}{\pi}(\tfrac{N}{2k + 1} - 1)` with N = 2 n (S4D-Inv).
    dt_min, dt_max : float
        The initial steps are log-uniform between these, ``0 < dt_min <= dt_max``.

    Attributes
    ----------
    C : (d_model, d_state, 2) parameter
        Real and imaginary parts of the output matrix.
    log_dt : (d_model,) parameter
        Logarithms of the steps.
    log_A_real, A_imag : (d_model, d_state) parameter
        Logarithms of the decays, and the frequencies, of the continuous modes.
    D : (d_model,) parameter
        Feedthrough of each channel.

    Raises
    ------
    ValueError
        If a size, a step or the initialisation is out of its range.

    Notes
    -----
    **Method.** `forward` convolves with the impulse response by a Fourier transform:
    work and memory do not grow with the product of batch, length and states, as those
    of a scan do. The response at k = a s + b is the product of matrices of a and b,
    with s about the square root of the length; powers are formed in double precision.

    The sizes are those of the parameters and stored nowhere else: whoever replaces the
    three parameters with a state axis by consistent smaller ones has a smaller layer.

    References
    ----------
    Gu et al., On the parameterization and initialization of diagonal state space
    models, 2022, sections 3 and 4.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int,
        initialisation: S4DInitialisation = "lin",
        dt_min: float = 0.001,
        dt_max: float = 0.1,
    ) -> None:
        super().__init__()
        _check_arguments(d_model, d_state, initialisation, dt_min, dt_max)
        log_dt = torch.empty(d_model).uniform_(math.log(dt_min), math.log(dt_max))
        k = torch.arange(d_state)
        frequencies = math.pi * k
        if initialisation == "inv":
            frequencies = 2 * d_state / math.pi * (2 * d_state / (2 * k + 1) - 1)
        frequencies = frequencies.to(torch.get_default_dtype())
        self.C = nn.Parameter(math.sqrt(0.5) * torch.randn(d_model, d_state, 2))
        self.log_dt = nn.Parameter(log_dt)
        self.log_A_real = nn.Parameter(torch.full((d_model, d_state), math.log(0.5)))
        self.A_imag = nn.Parameter(frequencies.repeat(d_model, 1))
        self.D = nn.Parameter(torch.randn(d_model))

    @property
    def d_model(self) -> int:
        """Number of channels."""
        return self.D.shape[0]

    @property
    def d_state(self) -> int:
        """Number of complex states of each channel at present."""
        return self.C.shape[1]

    def extra_repr(self) -> str:
        """Sizes, as ``repr(model)`` shows them."""
        return f"d_model={self.d_model}, d_state={self.d_state}"

    def forward(
        self, inputs: Inexact[Tensor, "..."]
    ) -> Float[Tensor, "batch length channels"]:
        """Run the layer over whole sequences, from the zero state.

        Parameters
        ----------
        inputs : (batch, length, d_model) tensor
            The sequences; any length, of the parameters' dtype.

        Returns
        -------
        (batch, length, d_model) tensor
            The outputs, of the shape and dtype of the inputs.

        Raises
        ------
        ValueError
            If the inputs have another shape or dtype.
        """
        require_inputs(inputs, self.D, "(batch, length, d_model)")
        through = self.D * inputs
        if inputs.numel() == 0:
            return through
        length = inputs.shape[1]
        # The last sample of the one meets the first of the other within 2 L points.
        response = torch.fft.rfft(self.impulse_response(length), n=2 * length)
        spectrum = torch.fft.rfft(inputs.mT, n=2 * length) * response
        convolved: Tensor = torch.fft.irfft(spectrum, n=2 * length)[..., :length]
        return convolved.mT + through

    def impulse_response(self, length: int) -> Float[Tensor, "channels length"]:
        """Return the impulse response of every channel, without the feedthrough.

        Parameters
        ----------
        length : int
            Number of samples, at least 1.

        Returns
        -------
        (d_model, length) tensor
            Of the parameters' dtype and device.
        """
        exponents, weights = self._modes()
        block = math.isqrt(length - 1) + 1
        steps = torch.arange(block, device=exponents.device)
        inner = torch.exp(exponents[:, :, None] * steps)
        outer = torch.exp(exponents[:, None, :] * (block * steps[:, None]))
        outer = 2 * weights[:, None, :] * outer
        # Real products of the parts: 2 Re(w p q) = Re(2 w p) Re q - Im(2 w p) Im q.
        left = torch.cat([outer.real, -outer.imag], dim=2).to(self.D.dtype)
        right = torch.cat([inner.real, inner.imag], dim=1).to(self.D.dtype)
        return (left @ right).flatten(1)[:, :length]

    def initial_state(self, batch: int) -> Complex[Tensor, "batch channels n"]:
        """Return the zero state of `batch` sequences, to begin `step` with.

        Parameters
        ----------
        batch : int
            Number of sequences.

        Returns
        -------
        (batch, d_model, d_state) complex tensor
            Zeros of the layer's dtype and device.
        """
        dtype = self.D.dtype.to_complex()
        return self.D.new_zeros(batch, self.d_model, self.d_state, dtype=dtype)

    def step(
        self, inputs: Inexact[Tensor, "..."], state: Inexact[Tensor, "..."]
    ) -> tuple[Float[Tensor, "batch channels"], Complex[Tensor, "batch channels n"]]:
        """Advance by one time step, as inference over a stream does.

        Parameters
        ----------
        inputs : (batch, d_model) tensor
            One sample of every sequence.
        state : (batch, d_model, d_state) complex tensor
            The state after the sample before; see `initial_state`.

        Returns
        -------
        outputs : (batch, d_model) tensor
            What `forward` returns at this time.
        state : (batch, d_model, d_state) complex tensor
            The state after this sample.

        Raises
        ------
        ValueError
            If the inputs or the state have another shape or dtype.
        """
        require_inputs(inputs, self.D, "(batch, d_model)")
        need = (*inputs.shape, self.d_state)
        require_state(state, need, inputs.dtype.to_complex())
        exponents, weights = self._modes()
        state = torch.exp(exponents).to(state.dtype) * state + inputs[..., None]
        read = 2 * (weights.to(state.dtype) * state).sum(dim=-1).real
        return read + self.D * inputs, state

    def _modes(self) -> tuple[Complex[Tensor, "h n"], Complex[Tensor, "h n"]]:
        """Logarithms of the poles, and what the outputs are of the states.

        Both in double precision, the hold by expm1: slow modes lose no digits.
        """
        step = torch.exp(self.log_dt.double())[:, None]
        poles = torch.complex(
            -torch.exp(self.log_A_real.double()), self.A_imag.double()
        )
        C = torch.view_as_complex(self.C.double().contiguous())
        return step * poles, C * torch.expm1(step * poles) / poles


def _check_arguments(
    d_model: int, d_state: int, initialisation: str, dt_min: float, dt_max: float
) -> None:
    """Raise ValueError unless there are such channels."""
    if d_model < 1 or d_state < 1:
        msg = f"got d_model={d_model}, d_state={d_state}, need both at least 1"
        raise ValueError(msg)
    if initialisation not in get_args(S4DInitialisation):
        msg = f"got initialisation={initialisation!r}, need one of "
        raise ValueError(msg + ", ".join(get_args(S4DInitialisation)))
    if not 0 < dt_min <= dt_max < math.inf:
        msg = f"got dt_min={dt_min}, dt_max={dt_max}, need 0 < dt_min <= dt_max"
        raise ValueError(msg)
