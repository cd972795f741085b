"""What an adapter is: the functions that tie one kind of layer to a system."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from hankelcut.lti import DiagonalStateSpace

__all__ = ["Adapter", "Replacement", "StateParameter"]


@dataclass(frozen=True)
class StateParameter:
    """A parameter with a state axis, and how its optimizer state moves in a cut.

    Parameters
    ----------
    name : str
        Attribute of the layer.
    axis : int
        Its state axis.
    role : {"pole", "input", "output"}
        ``"input"`` rows belong to B, ``"output"`` columns to C: first moments follow
        the projections. ``"pole"``: a nonlinear function of the pole, whose moments
        have no linear map.
    part : {"real", "imag"}
        Which part of B or C the parameter holds; unused for poles.
    """

    name: str
    axis: int
    role: Literal["pole", "input", "output"]
    part: Literal["real", "imag"] = "real"


@dataclass(frozen=True, eq=False)
class Replacement:
    """New values of the parameters with a state axis; nothing is changed yet.

    Parameters
    ----------
    values : mapping of str to tensor
        One value per `StateParameter`, of the layer's dtype and device.
    gauge : (r,) complex128 tensor
        Scaling t of the modes: the stored state is x_i / t_i, B holds b_i / t_i and C
        holds t_i c_i.
    """

    values: Mapping[str, Tensor]
    gauge: Tensor


@runtime_checkable
class Adapter(Protocol):
    """How one kind of layer is read as a system and written from one.

    Adapters recognise layers by names and shapes of parameters and never import the
    package that the layer comes from.
    """

    @property
    def name(self) -> str:
        """Kind of layer, for messages."""
        ...

    @property
    def exactness(self) -> Literal["exact", "selection only"]:
        """Whether any reduced diagonal system can be stored, or only fewer states."""
        ...

    def matches(self, module: nn.Module) -> bool:
        """Whether the module is of this kind, by the names of its parameters."""
        ...

    def extract(self, layer: nn.Module) -> DiagonalStateSpace:
        """Read the layer as a discrete system in complex128 on its device."""
        ...

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the parameters that store a system; the layer stays as it is."""
        ...

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe every parameter with a state axis."""
        ...

    def input_scale(self, values: Mapping[str, Tensor]) -> Tensor:
        """Scale s in b_i = s_i B_i of stored rows B, (n,), float64."""
        ...
