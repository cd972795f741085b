"""The recurrent unit of lru-reduction: complex B and C, any inputs and outputs."""

import math

import torch
from torch import Tensor, nn


class LRU(nn.Module):
    """The layer: (batch, length, inputs) in, (batch, length, outputs) out."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        state_features: int,
        rmin: float = 0.0,
        rmax: float = 1.0,
        max_phase: float = math.pi,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.state_features = state_features
        radius = (torch.rand(state_features) * (rmax**2 - rmin**2) + rmin**2).sqrt()
        self.nu_log = nn.Parameter((-radius.log()).log().to(dtype))
        phase = max_phase * torch.rand(state_features)
        self.theta_log = nn.Parameter(phase.log().to(dtype))
        self.gamma_log = nn.Parameter((1 - radius**2).sqrt().log().to(dtype))
        scale = 1 / math.sqrt(in_features)
        B = scale * torch.randn(state_features, in_features, dtype=torch.complex128)
        C = torch.randn(out_features, state_features, dtype=torch.complex128)
        self.B = nn.Parameter(B.to(dtype.to_complex()))
        self.C = nn.Parameter(C.to(dtype.to_complex()))
        self.D = nn.Parameter(scale * torch.randn(out_features, in_features).to(dtype))

    def forward(
        self, input: Tensor, state: Tensor | None = None, mode: str = "scan"
    ) -> Tensor:
        radius, phase = torch.exp(-torch.exp(self.nu_log)), torch.exp(self.theta_log)
        poles = torch.complex(radius * torch.cos(phase), radius * torch.sin(phase))
        driven = (
            input.to(self.B.dtype) @ (torch.exp(self.gamma_log)[:, None] * self.B).T
        )
        if state is None:
            state = torch.zeros(self.state_features, dtype=self.B.dtype)
        states = []
        if mode == "loop":
            for step in driven.unbind(1):
                state = poles * state + step
                states.append(state)
            trajectory = torch.stack(states, 1)
        else:
            length = input.shape[1]
            steps = torch.arange(length)
            powers = poles ** (steps[:, None, None] - steps[:, None]).clamp(min=0)
            powers = powers * (steps[:, None] >= steps)[..., None]
            trajectory = torch.einsum("tsn,bsn->btn", powers, driven)
        return (trajectory @ self.C.mT).real + input @ self.D.T
