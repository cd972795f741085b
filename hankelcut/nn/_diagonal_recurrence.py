"""Layers that are one diagonal, stable system with a real output, whatever its form."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor, nn

from hankelcut.nn._inputs import require_inputs, require_state
from hankelcut.nn.diagonal_outputs import diagonal_outputs

__all__ = ["DiagonalRecurrence"]


class DiagonalRecurrence(nn.Module, ABC):
    r"""Diagonal recurrence, :math:`x_k = \lambda x_{k-1} + W u_k`, with a real output.

    The output is :math:`y_k = \mathrm{Re}(C x_k) + D u_k`, products with
    :math:`\lambda` and D element by element. A layer says what the exponents
    :math:`\log \lambda` and the input weights W are made of.

    Attributes
    ----------
    C_re, C_im : (d_model, d_state) parameter
        Output matrix.
    D : (d_model,) parameter
        Feedthrough of each channel.
    """

    C_re: nn.Parameter
    C_im: nn.Parameter
    D: nn.Parameter

    @abstractmethod
    def _exponents(self) -> Complex[Tensor, " n"]:
        """Logarithms of the poles, in double precision."""

    @abstractmethod
    def _input_weights(self) -> Complex[Tensor, "n m"]:
        """Input matrix of the discrete system, of the parameters' precision."""

    @property
    def d_model(self) -> int:
        """Number of input and output channels."""
        return self.D.shape[0]

    @property
    def d_state(self) -> int:
        """Number of complex states at present."""
        return self.C_re.shape[1]

    def extra_repr(self) -> str:
        """Sizes, as ``repr(model)`` shows them."""
        return f"d_model={self.d_model}, d_state={self.d_state}"

    def forward(
        self, inputs: Inexact[Tensor, "..."]
    ) -> Float[Tensor, "batch length m"]:
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
        return diagonal_outputs(
            inputs,
            self._exponents(),
            self._input_weights(),
            torch.complex(self.C_re, self.C_im),
            self.D,
        )

    def initial_state(self, batch: int) -> Complex[Tensor, "batch n"]:
        """Return the zero state of `batch` sequences, to begin `step` with.

        Parameters
        ----------
        batch : int
            Number of sequences.

        Returns
        -------
        (batch, d_state) complex tensor
            Zeros of the layer's dtype and device.
        """
        return self.D.new_zeros(batch, self.d_state, dtype=self.D.dtype.to_complex())

    def step(
        self, inputs: Inexact[Tensor, "..."], state: Inexact[Tensor, "..."]
    ) -> tuple[Float[Tensor, "batch m"], Complex[Tensor, "batch n"]]:
        """Advance by one time step, as inference over a stream does.

        Parameters
        ----------
        inputs : (batch, d_model) tensor
            One sample of every sequence.
        state : (batch, d_state) complex tensor
            The state after the sample before; see `initial_state`.

        Returns
        -------
        outputs : (batch, d_model) tensor
            What `forward` returns at this time.
        state : (batch, d_state) complex tensor
            The state after this sample.

        Raises
        ------
        ValueError
            If the inputs or the state have another shape or dtype.
        """
        require_inputs(inputs, self.D, "(batch, d_model)")
        need = (inputs.shape[0], self.d_state)
        require_state(state, need, inputs.dtype.to_complex())
        multipliers = torch.exp(self._exponents()).to(state.dtype)
        state = multipliers * state + inputs.to(state.dtype) @ self._input_weights().mT
        outputs = (state @ torch.complex(self.C_re, self.C_im).mT).real
        return outputs + self.D * inputs, state
