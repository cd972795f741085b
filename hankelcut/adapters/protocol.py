"""What an adapter is: the functions that tie one kind of layer to a system."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

from hankelcut.adapters.selective.signals import SelectiveSignals, StateVector
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.lti import DiagonalStateSpace, StateSpace

__all__ = [
    "REMOVED",
    "Adapter",
    "Exactness",
    "LayerReading",
    "LinearAdapter",
    "Replacement",
    "Role",
    "SelectiveAdapter",
    "StateParameter",
]

Exactness: TypeAlias = Literal["exact", "selection only"]
"""Whether any reduced diagonal system can be stored, or only fewer of the states."""

Role: TypeAlias = Literal["pole", "coupling", "input", "output"]
"""What a parameter with a state axis is part of: see `StateParameter`."""

REMOVED: Final = object()
"""Value of an attribute that a layer must lose, such as a cache of another size."""


@dataclass(frozen=True)
class StateParameter:
    """A parameter with a state axis.

    Parameters
    ----------
    name : str
        Path from the layer, such as ``"kernel.C"``; a buffer in its place is allowed.
    axis : int
        Its state axis.
    role : {"pole", "coupling", "input", "output"}
        ``"input"`` rows belong to B, ``"output"`` columns to C, and the reading of the
        layer says how. ``"pole"``: a nonlinear function of the pole, whose moments have
        no linear map and start anew. ``"coupling"``: ties states to each other, none
        where it is zero; its moments start anew too.
    blocks : int
        Number of state axes that lie one behind the other on that axis, as in
        [C_forward, C_backward].
    beyond : int
        Entries of that axis that belong to no state.
    may_widen : bool
        Whether a real parameter may become a complex one, where the reduced system has
        no real form.
    before : int
        How many of the entries that belong to no state lie in front of the blocks, as
        dt in [dt, B, C].
    group_axis : int, optional
        Axis of the groups of channels that have states of their own, where these are
        not blocks, one group after the other.
    """

    name: str
    axis: int
    role: Role
    blocks: int = 1
    beyond: int = 0
    may_widen: bool = False
    before: int = 0
    group_axis: int | None = None

    def n_states(self, tensor: Tensor) -> int:
        """Return the number of states of a value of the parameter."""
        return (int(tensor.shape[self.axis]) - self.beyond) // self.blocks

    def shape(self, old: tuple[int, ...], n_states: int) -> tuple[int, ...]:
        """Return a shape with another number of states."""
        new = list(old)
        new[self.axis] = self.blocks * n_states + self.beyond
        return tuple(new)

    def select(self, tensor: Tensor, kept: Tensor) -> Tensor:
        """Return a value of the parameter with some of its states.

        Parameters
        ----------
        tensor : tensor
            The value, or a moment of it.
        kept : (G, r) tensor
            Indices of the states that stay, for each group of channels.
        """
        if self.group_axis is None:
            return self._selected(tensor, kept)
        pieces = [
            self._selected(piece, kept[k : k + 1])
            for k, piece in enumerate(torch.split(tensor, 1, dim=self.group_axis))
        ]
        return torch.cat(pieces, dim=self.group_axis)

    def _selected(self, tensor: Tensor, kept: Tensor) -> Tensor:
        """Return the entries of some states, in every block, and those of none."""
        kept = kept.to(tensor.device)
        n, end = self.n_states(tensor), tensor.shape[self.axis]
        blocks = [
            self.before + block * n + kept[block % len(kept)]
            for block in range(self.blocks)
        ]
        front = torch.arange(self.before, device=tensor.device)
        tail = torch.arange(self.before + self.blocks * n, end, device=tensor.device)
        index = torch.cat([front, *blocks, tail])
        return tensor.index_select(self.axis, index).contiguous()


@dataclass(frozen=True, eq=False)
class LayerReading:
    """A layer as a linear system, and how its parameters hold it.

    Parameters
    ----------
    system : DiagonalStateSpace or StateSpace
        What the layer computes, its state-space part: discrete, in double precision,
        detached, on its device. A batch axis holds the channels of a bank, which have
        one number of states. Layers that read their state after the update have the
        transfer function z (G(z) - D) + D of it.
    inputs, outputs : StoredMatrix, optional
        How parameters hold B and C; None where one of them is no parameter.
    balanced : DiagonalStateSpace or StateSpace, optional
        What is reduced and written in its place, where that is not `system`: channels
        that share their poles are reduced as one continuous system, an initial state
        that is learned is one more input.
    stored_as : DiagonalStateSpace, optional
        For dense systems: a diagonal one of the form in which they can be stored.
    bound_gain : float, optional
        The error of the system is at most this many times that of the balanced one;
        None where there is no such number and the error is bracketed afterwards.
    initial : StoredMatrix, optional
        How a parameter holds an initial state that is learned: the last columns of B of
        the balanced system, in addition to those of `inputs`.
    directions : int
        Directions of time whose outputs the layer adds, each of the state after its
        update. Of 2, the first half of the outputs of the system is that of the forward
        direction, the other half that of the backward one in reversed time.
    lookahead : int
        Samples ahead of the present at which the backward direction begins; 0 where it
        sees the present too.
    lower_half : bool
        Whether the stored member of a conjugate pair is the one below the real axis.
    """

    system: DiagonalStateSpace | StateSpace
    inputs: StoredMatrix | None = None
    outputs: StoredMatrix | None = None
    balanced: DiagonalStateSpace | StateSpace | None = None
    stored_as: DiagonalStateSpace | None = None
    bound_gain: float | None = 1.0
    initial: StoredMatrix | None = None
    directions: int = 1
    lookahead: int = 0
    lower_half: bool = False

    @property
    def layer_gain(self) -> float:
        """The error of the layer is at most this many times that of the system."""
        # With R the reversal of time, the layer's error is E_f u + R E_b R u. Both R
        # keep norms, and each direction alone errs by no more than both side by side:
        # a factor 2. R u has the conjugate spectrum of a real signal u, for one input
        # up to a phase that of u: then |E_f u|^2 + |E_b R u|^2 is at most the square of
        # the error side by side, and the factor is sqrt(2). Two inputs can reach 2: at
        # one frequency E_f = v^H, E_b = v^T, v = (1, i) / sqrt(2).
        if self.directions == 1:
            return 1.0
        return math.sqrt(2) if self.system.n_inputs == 1 else 2.0

    @property
    def error_gain(self) -> float:
        """The error of the layer is at most this many times that of the balanced one.

        Where there is no such number it says what errors of systems mean for the layer.
        """
        return self.layer_gain * (1.0 if self.bound_gain is None else self.bound_gain)

    @property
    def is_bounded_beforehand(self) -> bool:
        """Whether errors of the balanced system limit those of the layer at all."""
        return self.balanced is None or self.bound_gain is not None

    @property
    def to_balance(self) -> DiagonalStateSpace | StateSpace:
        """The system that is reduced and written."""
        return self.system if self.balanced is None else self.balanced

    @property
    def form(self) -> DiagonalStateSpace:
        """A system of the form in which the reduced one is stored."""
        if self.stored_as is not None:
            return self.stored_as
        assert isinstance(self.to_balance, DiagonalStateSpace)  # noqa: S101 - narrows it
        return self.to_balance


@dataclass(frozen=True, eq=False)
class Replacement:
    """New values of the parameters with a state axis; nothing is changed yet.

    Parameters
    ----------
    values : mapping of str to tensor
        One value per `StateParameter`, of the layer's device.
    gauge : (..., r) complex128 tensor
        Scaling t of the modes: the stored state is x_i / t_i, B holds b_i / t_i and C
        holds t_i c_i.
    """

    values: Mapping[str, Tensor]
    gauge: Tensor


@runtime_checkable
class Adapter(Protocol):
    """How one kind of layer is found and resized.

    Adapters recognise layers by names and shapes of parameters and never import the
    package that the layer comes from.
    """

    @property
    def name(self) -> str:
        """Kind of layer, for messages."""
        ...

    @property
    def exactness(self) -> Exactness:
        """Whether any reduced diagonal system can be stored, or only fewer states."""
        ...

    def matches(self, module: nn.Module) -> bool:
        """Whether the module is of this kind, by the names of its parameters."""
        ...

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe every parameter with a state axis."""
        ...

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return what else a layer of another number of states needs, by path.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer as it is.
        n_states : int
            The number of stored states wanted.

        Returns
        -------
        mapping of str to object
            Plain attributes (sizes, caches) and submodules; `REMOVED` for those that
            must go.
        """
        ...


@runtime_checkable
class LinearAdapter(Adapter, Protocol):
    """How one kind of linear layer is read as a system and written from one."""

    def read(self, layer: nn.Module) -> LayerReading:
        """Read the layer as a system, and how its parameters hold it."""
        ...

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the parameters that store a system; the layer stays as it is.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        system : DiagonalStateSpace
            Of the form of `LayerReading.form`, with any number of states.
        """
        ...


@runtime_checkable
class SelectiveAdapter(Adapter, Protocol):
    """How one kind of layer whose system depends on its inputs is run on data."""

    @property
    def configuration_fields(self) -> tuple[str, ...]:
        """What configurations of models may call the number of states."""
        ...

    def require_valid(self, layer: nn.Module) -> None:
        """Raise unless the parameters fit together and are finite."""
        ...

    def signals(
        self, layer: nn.Module, inputs: Tensor, mask: Tensor | None
    ) -> SelectiveSignals:
        """Compute what drives the recurrence of a layer.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        inputs : (batch, length, m) tensor
            What it is called with.
        mask : (batch, length) tensor, optional
            0 at the places of padding.
        """
        ...

    def norms(self, layer: nn.Module) -> Mapping[StateVector, str]:
        """Return the paths of norms over the states of B and C; empty without."""
        ...
