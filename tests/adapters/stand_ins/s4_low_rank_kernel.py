"""The kernel of S4 layers, diagonal plus low rank, by its generating function."""

import math

import torch
from torch import Tensor

from tests.adapters.stand_ins.s4_kernels import DiagonalKernel, inverse_transform


def closed(half: Tensor) -> Tensor:
    """A vector of states and their conjugates."""
    return torch.cat([half, half.conj()], dim=-1)


def hippo_legs(d_state: int) -> tuple[Tensor, Tensor, Tensor]:
    """Poles, inputs and low-rank part of HiPPO-LegS, one of each conjugate pair."""
    q = torch.arange(d_state, dtype=torch.float64)
    root = (2 * q + 1).sqrt()
    A = -torch.tril(root[:, None] * root, diagonal=-1) - torch.diag(q + 1)
    low = (q + 0.5).sqrt()
    normal = A + low[:, None] * low
    phases, V = torch.linalg.eigh(
        -1j
        * (
            normal
            + normal.diagonal().mean().neg() * torch.eye(d_state, dtype=torch.float64)
        ).to(torch.cdouble)
    )
    half = slice(0, d_state // 2)
    poles = torch.complex(normal.diagonal().mean().expand(d_state), phases)[half]
    Vh = V[:, half].mH
    return poles, Vh @ root.to(Vh), Vh @ low.to(Vh)


class LowRankKernel(DiagonalKernel):
    """Parameters of H channels with the state matrix diag(A) - P P^H."""

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        channels: int = 1,
        n_ssm: int | None = None,
        *,
        rank: int = 1,
        coupling: float = 1.0,
        l_max: int | None = None,
        lr: float | None = None,
        **options,
    ) -> None:
        super().__init__(
            d_model, d_state, channels, n_ssm, l_max=l_max, lr=lr, **options
        )
        self.rank = rank
        A, B, P = hippo_legs(d_state)
        with torch.no_grad():
            self.A_real.copy_(inverse_transform(-A.real, self.real_transform))
            self.A_imag.copy_(inverse_transform(-A.imag, self.imag_transform))
            self.B.copy_(torch.view_as_real(B))
        low = torch.stack([P * coupling * 0.5**k for k in range(rank)]).to(torch.cfloat)
        low = low[:, None].expand(-1, self.n_ssm, -1).clone()
        self.register("P", torch.view_as_real(low), lr)
        self.register_buffer("l_kernel", torch.tensor(0))

    def discrete(self) -> tuple[Tensor, Tensor]:
        """State matrix and input of each channel, states and conjugates."""
        dt, A, B, _ = self.stepped()
        P = torch.view_as_complex(self.P).repeat(1, self.repeat, 1)
        dt, A, B, P = dt.expand_as(A), closed(A), closed(B)[0], closed(P)
        dt = dt.repeat(1, 2)
        low = torch.einsum("rhm,rhn->hmn", P, P.conj())
        half = dt[..., None] / 2 * (torch.diag_embed(A) - low)
        identity = torch.eye(half.shape[-1], dtype=half.dtype)
        right = torch.cat([identity + half, (dt * B)[..., None]], dim=-1)
        solved = torch.linalg.solve(identity - half, right)
        return solved[..., :-1], solved[..., -1]

    @torch.no_grad()
    def _attune(self, length: int) -> None:
        """Let C hold C (I - A^L) for a length, twice the one before if there is one."""
        attuned = int(self.l_kernel)
        if length <= attuned:
            return
        C = closed(torch.view_as_complex(self.C))
        power = torch.linalg.matrix_power(self.discrete()[0], attuned or length)
        moved = torch.einsum("chn,hnm->chm", C, power)
        C = C + moved if attuned else C - moved
        self.C.copy_(torch.view_as_real(C[..., : self.N].contiguous()))
        self.l_kernel = self.l_kernel + (attuned or length)

    def forward(self, L: int, rate: float = 1.0) -> Tensor:
        """Kernels (channels, H, L), from values on the unit circle."""
        if int(self.l_kernel) == 0 and self.l_max:
            self._attune(self.l_max)
        while int(self.l_kernel) < round(rate * L):
            self._attune(round(rate * L))
        length = round(int(self.l_kernel) / rate)
        dt, A, B, C = self.stepped(rate)
        P = torch.view_as_complex(self.P).repeat(1, self.repeat, 1)
        turns = torch.arange(length // 2 + 1, dtype=dt.dtype) / length
        omega = torch.exp(-2j * math.pi * turns)
        z = 2 * (1 - omega) / (1 + omega)
        left, right = torch.cat([C, P.conj()]), torch.cat([B, P])
        weights = closed(right[:, None] * left[None] * dt)
        r = (weights[..., None] / (z - closed(A * dt)[..., None])).sum(dim=-2)
        ranks = self.rank
        inner = torch.einsum("abhl->hlab", r[-ranks:, -ranks:])
        inner = torch.linalg.inv(torch.eye(ranks) + inner)
        correction = torch.einsum(
            "ichl,hlij,ajhl->achl",
            r[-ranks:, :-ranks],
            inner.transpose(-1, -2),
            r[:-ranks, -ranks:],
        )
        values = (r[:-ranks, :-ranks] - correction)[0] * 2 / (1 + omega)
        return torch.fft.irfft(values, n=length)[..., :L]

    def _setup_step(self) -> None:
        """Keep what `step` needs."""
        self.dA, self.dB = self.discrete()
        self.dC = closed(torch.view_as_complex(self.C))
        if int(self.l_kernel):
            power = torch.linalg.matrix_power(self.dA, int(self.l_kernel))
            attuned = torch.eye(power.shape[-1]) - power
            self.dC = torch.linalg.solve(attuned, self.dC.transpose(0, 1), left=False)
            self.dC = self.dC.transpose(0, 1)

    def default_state(self, batch: int) -> Tensor:
        """The zero state, conjugates included."""
        return torch.zeros(batch, self.H, 2 * self.N, dtype=self.dA.dtype)

    def step(self, u: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (batch, channels, H) of one sample (batch, H)."""
        state = torch.einsum("hmn,bhn->bhm", self.dA, state) + self.dB * u[..., None]
        return torch.einsum("chn,bhn->bch", self.dC, state).real, state
