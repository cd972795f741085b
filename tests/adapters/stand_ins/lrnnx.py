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


def zoh(A: Tensor, delta: Tensor, _: Any = None) -> tuple[Tensor, Tensor]:
    A_bar = torch.exp(delta * A)
    return A_bar, (1 / A) * (A_bar - 1)


def bilinear(A: Tensor, delta: Tensor, _: Any = None) -> tuple[Tensor, Tensor]:
    """With the signs of the original, which are the wrong ones."""
    inverse = 1 / (1 + 0.5 * delta * A)
    return inverse * (1 - 0.5 * delta * A), inverse * delta


def dirac(A: Tensor, delta: Tensor, _: Any = None) -> tuple[Tensor, float]:
    return torch.exp(delta * A), 1.0


def no_discretization(A: Tensor, delta: Tensor, _: Any = None) -> tuple[Tensor, float]:
    return A, 1.0


RULES = {rule.__name__: rule for rule in (zoh, bilinear, dirac, no_discretization)}


class S5(nn.Module):
    """The time-invariant one: real B, full D; the range of steps is fixed there."""

    def __init__(
        self,
        d_model: int,
        d_state: int,
        discretization: str,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
    ) -> None:
        super().__init__()
        self.discretize_fn = RULES[discretization]
        self.d_model = self.hid_dim = d_model
        self.d_state = self.state_dim = d_state
        decay = torch.full((d_state,), math.log(math.expm1(0.5)))
        self.A = nn.Parameter(
            torch.stack([decay, math.pi * torch.arange(d_state)], dim=-1)
        )
        self.B = nn.Parameter(torch.ones(d_state, d_model) / math.sqrt(d_model))
        self.log_dt = nn.Parameter(
            torch.linspace(math.log(dt_min), math.log(dt_max), d_state)
        )
        scale = math.sqrt(2 / d_state)
        self.C = nn.Parameter(scale * torch.randn(d_model, d_state, 2))
        scale = math.sqrt(2 / d_model)
        self.D = nn.Parameter(scale * torch.randn(d_model, d_model))

    def matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        """Discrete poles, B with its factor, and C."""
        real, imag = self.A.T
        A = -nn.functional.softplus(real) + 1j * imag
        A_bar, gain = self.discretize_fn(A, self.log_dt.exp(), None)
        gain = gain if isinstance(gain, float) else gain[:, None]
        return A_bar, gain * self.B, self.C[..., 0] + 1j * self.C[..., 1]

    def forward(self, x: Tensor) -> Tensor:
        A_bar, B, C = self.matrices()
        powers = A_bar[:, None] ** torch.arange(x.shape[1])
        return convolved(x, powers, B, C) + x @ self.D

    def allocate_inference_cache(self, batch_size: int) -> Cache:
        A_bar, B, C = self.matrices()
        state = torch.zeros(batch_size, self.d_state, dtype=torch.complex64)
        return {"lrnn_state": state, "poles": A_bar, "B": B, "C": C}

    def step(self, x: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        return recurred(x, cache) + x @ self.D, cache


class SteppedS5(nn.Module):
    """The other one, for time steps from outside; without, it is time-invariant."""

    def __init__(
        self,
        d_model: int,
        d_state: int,
        discretization: str = "zoh",
        conj_sym: bool = False,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        step_rescale: float = 1.0,
    ) -> None:
        super().__init__()
        self.d_model = d_model
        self.d_state = d_state
        self.discretization = discretization
        self.conj_sym = conj_sym
        self.step_rescale = step_rescale
        frequencies = math.pi * (
            torch.arange(d_state) - (0 if conj_sym else d_state / 2)
        )
        A = torch.stack([torch.full((d_state,), -0.5), frequencies], dim=-1)
        self.A = nn.Parameter(A)
        scale = 1 / math.sqrt(d_state)
        self.B = nn.Parameter(scale * torch.randn(d_state, d_model, 2))
        self.C = nn.Parameter(scale * torch.randn(d_model, d_state, 2))
        self.D = nn.Parameter(0.1 * torch.randn(d_model))
        log_dt = torch.empty(d_state).uniform_(math.log(dt_min), math.log(dt_max))
        self.log_dt = nn.Parameter(log_dt)

    def matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        """Discrete poles, B with its factor, and C."""
        A, B, C = (torch.view_as_complex(p) for p in (self.A, self.B, self.C))
        dt = self.log_dt.exp() * self.step_rescale
        if self.discretization == "bilinear":
            A_bar, gain = (
                (1 + 0.5 * dt * A) / (1 - 0.5 * dt * A),
                dt / (1 - 0.5 * dt * A),
            )
        elif self.discretization == "zoh":
            A_bar, gain = torch.exp(dt * A), (torch.exp(dt * A) - 1) / A
        else:
            A_bar, gain = torch.exp(dt * A), torch.ones_like(A)
        return A_bar, gain[:, None] * B, C

    def forward(self, x: Tensor) -> Tensor:
        A_bar, B, C = self.matrices()
        driven, state = x.to(torch.complex64) @ B.T, torch.zeros_like(A_bar)
        states = []
        for step in driven.unbind(1):
            state = A_bar * state + step
            states.append(state)
        read = (torch.stack(states, dim=1) @ C.T).real
        return (2.0 if self.conj_sym else 1.0) * read + self.D * x

    def allocate_inference_cache(self, batch_size: int) -> Cache:
        A_bar, B, C = self.matrices()
        state = torch.zeros(batch_size, self.d_state, dtype=torch.complex64)
        return {"lrnn_state": state, "poles": A_bar, "B": B, "C": C}

    def step(self, x: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        read = recurred(x, cache)
        return (2.0 if self.conj_sym else 1.0) * read + self.D * x, cache
