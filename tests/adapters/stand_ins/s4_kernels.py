"""Kernels of S4 layers with diagonal modes, of state-spaces/s4 and lrnnx."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def forward_transform(parameter: Tensor, transform: str) -> Tensor:
    """What a parameter stands for."""
    if transform == "none":
        return parameter
    if transform == "relu":
        return functional.relu(parameter) + 1e-4
    functions = {
        "exp": torch.exp,
        "sigmoid": torch.sigmoid,
        "softplus": functional.softplus,
    }
    return functions[transform](parameter)


def inverse_transform(value: Tensor, transform: str) -> Tensor:
    """The initial parameter for a value."""
    value = value.clamp(min=1e-4)
    if transform == "exp":
        return value.log()
    if transform == "sigmoid":
        return value.logit()
    if transform == "softplus":
        return value.expm1().log()
    return value


def drawn_modes(groups: int, n: int) -> tuple[Tensor, Tensor]:
    """Poles like those of S4D-Lin and inputs near 1, all of them different."""
    decay = 0.5 * (0.3 * torch.randn(groups, n)).exp()
    phase = (math.pi * torch.arange(n) + 0.3 * torch.rand(groups, n)).expand(groups, n)
    return torch.complex(-decay, -phase), 1 + 0.2 * torch.randn(
        groups, n, dtype=torch.cfloat
    )


class DiagonalKernel(nn.Module):
    """Parameters of H channels in groups with common poles, and their kernels."""

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        channels: int = 1,
        n_ssm: int | None = None,
        *,
        disc: str = "zoh",
        dt_tie: bool = True,
        dt_fast: bool = False,
        dt_transform: str = "exp",
        real_transform: str = "exp",
        imag_transform: str = "none",
        bandlimit: float | None = None,
        is_real: bool = False,
        l_max: int | None = None,
        lr: float | None = None,
    ) -> None:
        super().__init__()
        self.H, self.channels, self.L, self.l_max = d_model, channels, l_max, l_max
        self.N = d_state if is_real else d_state // 2
        self.n_ssm = d_model if n_ssm is None else n_ssm
        self.repeat = d_model // self.n_ssm
        self.disc, self.dt_fast, self.dt_transform = disc, dt_fast, dt_transform
        self.real_transform, self.imag_transform = real_transform, imag_transform
        self.bandlimit, self.is_real = bandlimit, is_real
        A, B = drawn_modes(self.n_ssm, self.N)
        C = torch.randn(channels, d_model, self.N, dtype=torch.cfloat)
        log_dt = torch.rand(d_model, 1 if dt_tie else self.N) * math.log(100)
        dt = (log_dt + math.log(0.001)).exp()
        inv_dt = inverse_transform(dt, dt_transform)
        self.register("inv_dt", inv_dt.asinh() if dt_fast else inv_dt, lr)
        if is_real:
            A = A.real * 2.0 ** torch.arange(self.N) + 0j
            self.register("C", C.real.abs(), None)
            self.register("B", B.real[None], lr)
        else:
            self.register("C", torch.view_as_real(C), None)
            self.register("B", torch.view_as_real(B[None]), lr)
        self.register("A_real", inverse_transform(-A.real, real_transform), lr)
        if not is_real:
            self.register("A_imag", inverse_transform(-A.imag, imag_transform), lr)

    def register(self, name: str, value: Tensor, lr: float | None) -> None:
        """A learning rate of 0 makes a buffer; another one goes into `_optim`."""
        if lr == 0.0:
            self.register_buffer(name, value)
            return
        self.register_parameter(name, nn.Parameter(value))
        getattr(self, name)._optim = {"weight_decay": 0.0} | (
            {} if lr is None else {"lr": lr}
        )

    def stepped(self, rate: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Steps, poles, B and C of all channels."""
        A = -forward_transform(self.A_real, self.real_transform)
        B, C = self.B, self.C
        if not self.is_real:
            A = A - 1j * forward_transform(self.A_imag, self.imag_transform)
            B, C = torch.view_as_complex(B), torch.view_as_complex(C)
        inv_dt = self.inv_dt.sinh() if self.dt_fast else self.inv_dt
        dt = forward_transform(inv_dt, self.dt_transform) * rate
        if getattr(self, "bandlimit", None) is not None:
            turns = dt / rate * A.imag.abs() / (2 * math.pi)
            C = C * torch.where(turns < self.bandlimit * 0.5, 1, 0)
        return dt, A.repeat(self.repeat, 1), B.repeat(1, self.repeat, 1), C

    def forward(self, L: int, rate: float = 1.0) -> Tensor:
        """Kernels (channels, H, L)."""
        dt, A, B, C = self.stepped(rate)
        dtA = dt * A
        times = torch.arange(L)
        if self.disc == "zoh":
            weights, exponents = B * C * (dtA.exp() - 1) / A, dtA
        elif self.disc == "bilinear":
            weights = B * C * (1 - dtA / 2).reciprocal() * dt
            exponents = ((1 + dtA / 2) / (1 - dtA / 2)).log()
        else:
            x = ((dtA * L).exp() - 1) * A
            weights = B * C * (dtA.exp() - 1) * x.conj() / (x * x.conj() + 1e-7)
            powers = (dtA[..., None] * times).exp()
            return torch.einsum("chn,hnl->chl", weights, powers).real.float()
        powers = (exponents[..., None] * times).exp()
        return 2 * torch.einsum("chn,hnl->chl", weights, powers).real

    def _setup_step(self) -> None:
        """Keep what `step` needs."""
        dt, A, B, C = self.stepped()
        dtA = dt * A
        if self.disc == "zoh":
            self.dA, dB = dtA.exp(), B * (dtA.exp() - 1) / A
        else:
            self.dA = (1 + dtA / 2) / (1 - dtA / 2)
            dB = B * (1 - dtA / 2).reciprocal() * dt
        self.dB, self.dC = dB[0], C

    def default_state(self, batch: int) -> Tensor:
        """The zero state."""
        return torch.zeros(batch, self.H, self.N, dtype=self.dA.dtype)

    def step(self, u: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (batch, channels, H) of one sample (batch, H)."""
        state = self.dA * state + self.dB * u[..., None]
        return 2 * torch.einsum("chn,bhn->bch", self.dC, state).real, state
