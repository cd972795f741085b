"""Mamba and Mamba-2 with the names of flash-linear-attention, written anew.

They follow the definitions one time after the other, in the precision of their
parameters. `kicks`, added to the states as they are computed, make gradients with
respect to the states available.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Mamba(nn.Module):
    """A bank of channels; all share B and C."""

    def __init__(self, hidden_size: int, state_size: int, rank: int = 2) -> None:
        super().__init__()
        inner = 2 * hidden_size
        self.hidden_size, self.intermediate_size = hidden_size, inner
        self.ssm_state_size, self.time_step_rank = state_size, rank
        self.conv1d = nn.Conv1d(inner, inner, 4, groups=inner, padding=3)
        self.act = nn.SiLU()
        self.in_proj = nn.Linear(hidden_size, 2 * inner, bias=False)
        self.x_proj = nn.Linear(inner, rank + 2 * state_size, bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        rates = torch.arange(1.0, state_size + 1).repeat(inner, 1)
        self.A_log = nn.Parameter(rates.log())
        self.A_log._no_weight_decay = True
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, hidden_size, bias=False)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        *,
        kicks: Tensor | None = None,
        states: list[Tensor] | None = None,
    ) -> Tensor:
        x, gate = self.in_proj(hidden_states).chunk(2, dim=-1)
        x = self.act(self.conv1d(x.mT)[..., : x.shape[1]].mT)
        if attention_mask is not None:
            x = x * attention_mask[..., None]
        N = self.ssm_state_size
        step, B, C = self.x_proj(x).split([self.time_step_rank, N, N], dim=-1)
        dt = functional.softplus(self.dt_proj(step))
        h = x.new_zeros(len(x), self.intermediate_size, N)
        outputs = []
        for t in range(x.shape[1]):
            decay = torch.exp(-dt[:, t, :, None] * self.A_log.exp())
            h = decay * h + (dt * x)[:, t, :, None] * B[:, t, None]
            h = h if kicks is None else h + kicks[:, t]
            if states is not None:
                states.append(h)
            outputs.append((h * C[:, t, None]).sum(dim=-1) + self.D * x[:, t])
        return self.out_proj(torch.stack(outputs, dim=1) * functional.silu(gate))


class Mamba2(nn.Module):
    """Heads with one pole each; groups of them share B and C."""

    def __init__(
        self, hidden_size: int, state_size: int, num_heads: int = 4, n_groups: int = 2
    ) -> None:
        super().__init__()
        inner = 2 * hidden_size
        self.num_heads, self.n_groups = num_heads, n_groups
        self.head_dim = inner // num_heads
        self.intermediate_size, self.ssm_state_size = inner, state_size
        self.conv_dim = inner + 2 * n_groups * state_size
        self.conv1d = nn.Conv1d(
            self.conv_dim, self.conv_dim, 4, groups=self.conv_dim, padding=3
        )
        self.act = nn.SiLU()
        self.in_proj = nn.Linear(hidden_size, inner + self.conv_dim + num_heads)
        self.dt_bias = nn.Parameter(torch.randn(num_heads))
        self.A_log = nn.Parameter(torch.arange(1.0, num_heads + 1).log())
        self.D = nn.Parameter(torch.ones(num_heads))
        self.out_proj = nn.Linear(inner, hidden_size)

    def forward(
        self,
        hidden_states: Tensor,
        *,
        kicks: Tensor | None = None,
        states: list[Tensor] | None = None,
    ) -> Tensor:
        inner, G, N = self.intermediate_size, self.n_groups, self.ssm_state_size
        sizes = [inner, self.conv_dim, self.num_heads]
        gate, x, dt = self.in_proj(hidden_states).split(sizes, dim=-1)
        x = self.act(self.conv1d(x.mT)[..., : x.shape[1]].mT)
        x, B, C = x.split([inner, G * N, G * N], dim=-1)
        x = x.unflatten(-1, (self.num_heads, self.head_dim))
        per_group = self.num_heads // G
        B, C = (
            M.unflatten(-1, (G, N)).repeat_interleave(per_group, dim=2) for M in (B, C)
        )
        dt = functional.softplus(dt + self.dt_bias)
        h = x.new_zeros(len(x), self.num_heads, self.head_dim, N)
        outputs = []
        for t in range(x.shape[1]):
            decay = torch.exp(-dt[:, t] * self.A_log.exp())[..., None, None]
            driven = (dt[:, t, :, None] * x[:, t])[..., None]
            h = decay * h + driven * B[:, t, :, None]
            h = h if kicks is None else h + kicks[:, t]
            if states is not None:
                states.append(h)
            y = (h * C[:, t, :, None]).sum(dim=-1) + self.D[:, None] * x[:, t]
            outputs.append(y.flatten(1))
        return self.out_proj(torch.stack(outputs, dim=1) * functional.silu(gate))
