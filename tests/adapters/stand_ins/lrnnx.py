"""Layers of lrnnx, whose package needs compiled kernels: LRU and both kinds of S5.

Convolutions are done in single precision, as there.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

Cache = dict[str, Any]


def convolved(x: Tensor, powers: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """Re(C K * B u) for powers K, (n, length), of the poles, by Fourier transforms."""
    length = x.shape[1]
    spectrum = torch.fft.fft(x, 2 * length, dim=1)
    kernel = torch.fft.fft(powers.cfloat(), 2 * length, dim=1)
    product = torch.einsum(
        "blh,nl,nh,on->blo", spectrum, kernel, B.cfloat(), C.cfloat()
    )
    return torch.fft.ifft(product, dim=1)[:, :length].real


def recurred(x: Tensor, cache: Cache) -> Tensor:
    """Re(C x) one step on; the cache keeps the state."""
    driven = x.to(torch.complex64) @ cache["B"].to(torch.complex64).T
    cache["lrnn_state"].copy_(cache["poles"] * cache["lrnn_state"] + driven)
    return (cache["lrnn_state"] @ cache["C"].T).real


class LRU(nn.Module):
    """(batch, length, d_model) in and out; `step` continues from a cache."""

    def __init__(
        self, d_model: int, d_state: int, r_min: float = 0.0, r_max: float = 1.0
    ) -> None:
        super().__init__()
        self.d_model = d_model
        self.d_state = d_state
        squared_radius = torch.rand(d_state) * (r_max**2 - r_min**2) + r_min**2
        self.nu_log = nn.Parameter((-0.5 * squared_radius.log()).log())
        self.theta_log = nn.Parameter((2 * math.pi * torch.rand(d_state)).log())
        self.gamma_log = nn.Parameter((1 - squared_radius).sqrt().log())
        for name in ("B_re", "B_im"):
            value = torch.randn(d_state, d_model) / math.sqrt(2 * d_model)
            setattr(self, name, nn.Parameter(value))
        for name in ("C_re", "C_im"):
            value = torch.randn(d_model, d_state) / math.sqrt(d_state)
            setattr(self, name, nn.Parameter(value))
        self.D = nn.Parameter(torch.randn(d_model))

    def matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        """Poles, B with its scale, and C."""
        poles = torch.exp(-torch.exp(self.nu_log) + 1j * torch.exp(self.theta_log))
        B = torch.exp(self.gamma_log)[:, None] * (self.B_re + 1j * self.B_im)
        return poles, B, self.C_re + 1j * self.C_im

    def forward(self, x: Tensor) -> Tensor:
        poles, B, C = self.matrices()
        powers = poles[:, None] ** torch.arange(x.shape[1], dtype=torch.float32)
        return convolved(x, powers, B, C) + x * self.D

    def allocate_inference_cache(self, batch_size: int) -> Cache:
        poles, B, C = self.matrices()
        state = torch.zeros(batch_size, self.d_state, dtype=torch.complex64)
        return {"lrnn_state": state, "poles": poles, "B": B, "C": C}

    def step(self, x: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        return recurred(x, cache) + x * self.D, cache
