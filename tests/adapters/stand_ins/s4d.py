"""S4D in its minimal form: a kernel module, a convolution, a gated linear layer."""

import math

import torch
from torch import Tensor, nn


class S4DKernel(nn.Module):
    """Kernels of all channels, with parameters or buffers as `lr` says."""

    def __init__(self, channels: int, d_state: int, lr: float | None = None) -> None:
        super().__init__()
        log_dt = torch.rand(channels) * (math.log(0.1) - math.log(0.001))
        self.C = nn.Parameter(torch.randn(channels, d_state // 2, 2) / math.sqrt(2))
        self.register("log_dt", log_dt + math.log(0.001), lr)
        self.register(
            "log_A_real", torch.log(0.5 * torch.ones(channels, d_state // 2)), lr
        )
        imaginary = math.pi * torch.arange(d_state // 2).repeat(channels, 1)
        self.register("A_imag", imaginary, lr)

    def forward(self, length: int) -> Tensor:
        dt = self.log_dt.exp()
        A = -self.log_A_real.exp() + 1j * self.A_imag
        dtA = A * dt[:, None]
        C = torch.view_as_complex(self.C) * (dtA.exp() - 1) / A
        powers = (dtA[..., None] * torch.arange(length)).exp()
        return 2 * torch.einsum("hn,hnl->hl", C, powers).real

    def register(self, name: str, value: Tensor, lr: float | None) -> None:
        """A learning rate of 0 makes a buffer; another one goes into `_optim`."""
        if lr == 0.0:
            self.register_buffer(name, value)
            return
        self.register_parameter(name, nn.Parameter(value))
        getattr(self, name)._optim = {"weight_decay": 0.0} | (
            {} if lr is None else {"lr": lr}
        )


class S4D(nn.Module):
    """The layer: (batch, channels, length) in and out, and a state that is None."""

    def __init__(self, channels: int, d_state: int, lr: float | None = None) -> None:
        super().__init__()
        self.h, self.n = channels, d_state
        self.D = nn.Parameter(torch.randn(channels))
        self.kernel = S4DKernel(channels, d_state, lr)
        self.activation = nn.GELU()
        self.output_linear = nn.Sequential(
            nn.Conv1d(channels, 2 * channels, kernel_size=1), nn.GLU(dim=-2)
        )

    def forward(self, u: Tensor) -> tuple[Tensor, None]:
        return self.output_linear(self.activation(self.convolve(u))), None

    def convolve(self, u: Tensor) -> Tensor:
        """The linear part."""
        length = u.shape[-1]
        kernel = self.kernel(length)
        spectrum = torch.fft.rfft(kernel, n=2 * length) * torch.fft.rfft(
            u, n=2 * length
        )
        return (
            torch.fft.irfft(spectrum, n=2 * length)[..., :length] + u * self.D[:, None]
        )
