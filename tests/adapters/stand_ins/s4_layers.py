"""Layers around kernels of S4: the convolution of state-spaces/s4, and lrnnx's layers.

lrnnx registers the parameters twice, in the layer and in its kernel.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.adapters.stand_ins.s4_kernels import DiagonalKernel
from tests.adapters.stand_ins.s4_low_rank_kernel import LowRankKernel


def convolved(inputs: Tensor, kernels: Tensor) -> Tensor:
    """Inputs (batch, length, H) by kernels (c, H, length), as (batch, c, H, length)."""
    length = inputs.shape[1] + kernels.shape[-1]
    spectrum = torch.fft.rfft(inputs.mT, n=length)[:, None]
    spectrum = spectrum * torch.fft.rfft(kernels, n=length)
    return torch.fft.irfft(spectrum, n=length)[..., : inputs.shape[1]]


def linear_part(layer: nn.Module, inputs: Tensor) -> Tensor:
    """The linear part of a layer as (batch, length, outputs), channel after channel."""
    return layer.convolve(inputs).permute(0, 3, 2, 1).flatten(2)


def both_directions(layer: nn.Module, inputs: Tensor) -> Tensor:
    """What the two kernels of a layer make of inputs, side by side, both causal."""
    outputs = convolved(inputs, layer.kernel(inputs.shape[1]))
    ahead, back = outputs.chunk(2, dim=1)
    ahead = ahead + inputs.mT[:, None] * layer.D[..., None]
    return torch.cat([ahead, back], dim=1).permute(0, 3, 2, 1).flatten(2)


def layer_response(layer: nn.Module, thetas: Tensor) -> Tensor:
    """Transfer functions of the layer's own kernels, (H, c, F)."""
    kernels = layer.kernel(60_000).detach()
    powers = torch.exp(-1j * thetas[:, None] * torch.arange(kernels.shape[-1]))
    return torch.einsum("chl,fl->hcf", kernels + 0j, powers)


class S4Convolution(nn.Module):
    """A kernel, its convolution, the feedthrough, and an activation."""

    def __init__(
        self,
        d_model: int,
        mode: str = "s4d",
        *,
        channels: int = 1,
        bidirectional: bool = False,
        **options,
    ) -> None:
        super().__init__()
        self.bidirectional, self.channels = bidirectional, channels
        self.D = nn.Parameter(torch.randn(channels, d_model))
        kind = DiagonalKernel if mode == "s4d" else LowRankKernel
        outputs = channels * (2 if bidirectional else 1)
        self.kernel = kind(d_model, channels=outputs, **options)
        self.L = self.kernel.l_max
        self.activation = nn.GELU()

    def forward(self, inputs: Tensor, rate: float = 1.0) -> Tensor:
        """Map (batch, length, H) to (batch, length, channels H)."""
        return self.activation(self.convolve(inputs, rate).flatten(1, 2).mT)

    def convolve(self, inputs: Tensor, rate: float = 1.0) -> Tensor:
        """The linear part, (batch, channels, H, length)."""
        length = inputs.shape[1]
        kernels = self.kernel(self.kernel_length(length, rate), rate=rate)
        if self.bidirectional:
            ahead, back = kernels.chunk(2)
            outputs = convolved(inputs, ahead)
            # One sample later than the present: the last tap of what runs backwards.
            later = convolved(inputs.flip(1), back).flip(-1)[..., 1:]
            outputs = outputs + nn.functional.pad(later, (0, 1))
        else:
            outputs = convolved(inputs, kernels)
        return outputs + inputs.mT[:, None] * self.D[..., None]

    def kernel_length(self, length: int, rate: float = 1.0) -> int:
        """Samples of the kernel for inputs of a length."""
        return length if self.L is None else min(length, round(self.L / rate))

    def setup_step(self) -> None:
        """Prepare recurrent inference."""
        self.kernel._setup_step()

    def step(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The linear part of one sample, (batch, channels, H)."""
        outputs, state = self.kernel.step(inputs, state)
        return outputs + inputs[:, None] * self.D, state


def layer_factory(
    mode: str, d_model: int = 3, d_state: int = 14, **options
) -> Callable[[], S4Convolution]:
    """What builds such layers."""
    return lambda: S4Convolution(d_model, mode, d_state=d_state, **options)


class _Inner(nn.Module):
    """What holds the kernel in lrnnx."""

    def __init__(self, kernel: nn.Module) -> None:
        super().__init__()
        self.kernel = kernel


class LrnnxS4(nn.Module):
    """A layer with the very parameters of its kernel, and D."""

    def __init__(self, d_model: int, mode: str = "s4d", **options) -> None:
        super().__init__()
        convolution = S4Convolution(d_model, mode, **options)
        kernel = convolution.kernel
        for name, parameter in kernel.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        self.N, self.H = kernel.N, kernel.H
        self.D = convolution.D
        self.layer = _Inner(kernel)
        # What lrnnx's kernels do not have.
        for name in ("bandlimit",) if mode == "s4d" else ("bandlimit", "disc"):
            delattr(kernel, name)

    def convolve(self, inputs: Tensor) -> Tensor:
        """The linear part, (batch, channels, H, length)."""
        kernels = self.layer.kernel(inputs.shape[1])
        return convolved(inputs, kernels) + inputs.mT[:, None] * self.D[..., None]
