"""What the checks of adapters take: how to build a layer, run it, and cut it."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from hankelcut._errors import InvalidSystemError, UnsupportedLayerError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.validation.adapter_properties._tensors import identical
from hankelcut.validation.invariants._host import Matrix
from hankelcut.validation.invariants.violation import Property

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from hankelcut.adapters import (
        Adapter,
        LayerReading,
        LinearAdapter,
        Policy,
        ReductionEvent,
    )

    Layer: TypeAlias = nn.Module
else:
    Adapter = Layer = LayerReading = LinearAdapter = Any
    Optimizer = Policy = ReductionEvent = Tensor = Any

__all__ = ["Layer", "LayerSubject", "ReadsState", "seeded"]

ReadsState: TypeAlias = Literal["after update", "before update"]
"""Which state an output reads: h_k = C A^k B (LRU, S4D, S5), or C A^(k-1) B."""

_READABLE = Property("build", "read takes every layer that its adapter matches")
# Steps of training that move the parameters off the ties of their initial values (such
# as an input scale that is a function of the pole), and the step size.
_TRAINING_STEPS = 3
_LEARNING_RATE = 1e-2


@dataclass(frozen=True, eq=False)
class LayerSubject:
    """A kind of layer under test; `build` makes the same layer every time.

    Parameters
    ----------
    factory : callable
        Takes nothing and returns a layer; its random numbers are torch's.
    adapter : Adapter, optional
        What reads and writes it; by default the registered one that matches.
    run : callable, optional
        Called with the layer and (batch, length, m) inputs, returns (batch, length, p)
        outputs, from the zero state; by default the layer itself is called.
    reads : {"after update", "before update"}
        Which state an output of the layer reads.
    cut : callable, optional
        What cuts a model, called as `cut(model, policy, optimizer=...)`; returns the
        event; `hankelcut.adapters.reduce_` by default.
    seed : int
        Of torch's generator while the layer is built, and of all inputs.
    """

    factory: Callable[[], Layer]
    adapter: Adapter | None = None
    run: Callable[[Layer, Tensor], Tensor] | None = None
    reads: ReadsState = "after update"
    cut: Callable[..., ReductionEvent] | None = None
    seed: int = 0

    def __repr__(self) -> str:
        given = [_name(self.factory)]
        for name in ("adapter", "run", "cut"):
            value = getattr(self, name)
            given += [] if value is None else [f"{name}={_name(value)}"]
        given += [] if self.reads == "after update" else [f"reads={self.reads!r}"]
        return f"LayerSubject({', '.join(given)}, seed={self.seed})"

    def require(self, prop: Property, holds: bool | np.bool_, fact: str) -> None:
        """Raise `InvariantViolationError` unless a fact about the layer holds.

        Parameters
        ----------
        prop : Property
            What is checked.
        holds : bool
            Whether it does.
        fact : str
            What was found and expected, with the tolerance.
        """
        prop.require(holds, f"{fact}; subject.build() rebuilds it", {"subject": self})

    def require_close(
        self, prop: Property, what: str, found: Matrix, expected: Matrix, allowed: Any
    ) -> None:
        """Require arrays of one shape that differ by no more than is allowed.

        Parameters
        ----------
        prop : Property
            What is checked.
        what : str
            What the arrays are.
        found, expected : arrays
            The numbers.
        allowed : float or array
            Largest difference, of all entries or of each.
        """
        fact = f"{what} has shape {found.shape}, expected {expected.shape}"
        self.require(prop, found.shape == expected.shape, fact)
        difference = np.abs(found - expected)
        ratio = difference / np.maximum(allowed, np.finfo(np.float64).tiny)
        # NaN is the largest of all, and no number is below it.
        worst = np.unravel_index(np.argmax(ratio), ratio.shape) if ratio.size else ()
        holds = not ratio.size or bool(ratio[worst] <= 1)
        place = tuple(int(index) for index in worst)
        limit = float(np.broadcast_to(allowed, found.shape)[place]) if place else 0.0
        fact = (
            f"{what}: found {found[place]!s}, expected {expected[place]!s} at {place}; "
            f"they differ by {difference[place]!s}, allowed {limit:.3g}"
        )
        self.require(prop, holds, fact)

    def build(self) -> Layer:
        """Return the layer of this seed, after a few steps of training.

        Raises
        ------
        ValueError
            If the factory is no function of torch's seed.
        UnsupportedLayerError
            If no registered adapter recognises it, or it is not linear.
        """
        with seeded(self.seed):
            layer = self.factory()
        with seeded(self.seed):
            twin = self.factory().state_dict()
        for name, value in layer.state_dict().items():
            if not identical(value, twin[name]):
                msg = (
                    f"LayerSubject: {_name(self.factory)} gave two values of {name} "
                    "for one torch seed; need one that draws from torch's generator"
                )
                raise ValueError(msg)
        self._train(layer)
        return layer

    def adapter_of(self, layer: Layer) -> LinearAdapter:
        """Return what reads and writes a layer.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.

        Raises
        ------
        UnsupportedLayerError
            If no registered adapter recognises it, or it is not linear.
        """
        from hankelcut.adapters import LinearAdapter, find_adapter

        adapter = find_adapter(layer) if self.adapter is None else self.adapter
        if not isinstance(adapter, LinearAdapter):
            msg = (
                f"LayerSubject: {type(layer).__name__} is a layer of the kind "
                f"{adapter.name!r}, need a linear one, whose system can be compared"
            )
            raise UnsupportedLayerError(msg)
        return adapter

    def read(self, layer: Layer) -> LayerReading:
        """Return the layer as a system, and how its parameters hold it.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        """
        return self.adapter_of(layer).read(layer)

    def n_inputs(self, layer: Layer) -> int:
        """Return the number of inputs of a layer, of all channels of a bank.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        """
        system = self.read(layer).system
        return system.n_inputs * math.prod(system.batch_shape)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Let the package's functions find this adapter first, for the time being."""
        from hankelcut.adapters import registry

        before = registry.ADAPTERS
        if self.adapter is not None:
            registry.ADAPTERS = (self.adapter, *before)
        try:
            yield
        finally:
            registry.ADAPTERS = before

    def reduce(
        self, model: Layer, policy: Policy, optimizer: Optimizer | None = None
    ) -> ReductionEvent:
        """Cut a model that holds the layer, in place.

        Parameters
        ----------
        model : torch.nn.Module
            The model, or the layer.
        policy : Policy
            Decides the orders.
        optimizer : torch.optim.Optimizer, optional
            Holds its parameters.
        """
        from hankelcut.adapters import reduce_

        with self.serving():
            return (self.cut or reduce_)(model, policy, optimizer=optimizer)

    def write(self, layer: Layer, system: DiagonalStateSpace) -> None:
        """Store a system in a layer, in place.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        system : DiagonalStateSpace
            Torch tensors.
        """
        from hankelcut.adapters import write_back

        with self.serving():
            write_back(layer, system)

    def outputs(self, layer: Layer, inputs: Tensor) -> Tensor:
        """Run the layer from the zero state; gradients flow.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        inputs : (batch, length, m) tensor
            Of the layer's real dtype and device; see `inputs`.

        Raises
        ------
        UnsupportedLayerError
            If the outputs are no (batch, length, p) tensor.
        """
        from torch import Tensor

        found: Any = layer(inputs) if self.run is None else self.run(layer, inputs)
        if not isinstance(found, Tensor) or found.shape[:2] != inputs.shape[:2]:
            shape = getattr(found, "shape", type(found).__name__)
            msg = (
                f"LayerSubject: {type(layer).__name__} returned {shape} for inputs of "
                f"shape {tuple(inputs.shape)}, need a (batch, length, p) tensor; pass "
                "run=, which calls the layer as it wants to be called"
            )
            raise UnsupportedLayerError(msg)
        return found

    def inputs(self, layer: Layer, values: Matrix) -> Tensor:
        """Return (batch, length, m) inputs of a layer's real dtype and device.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        values : (batch, length, m) array
            The numbers.
        """
        import torch

        like = next(layer.parameters())
        return torch.as_tensor(values, dtype=like.dtype.to_real(), device=like.device)

    def response(self, layer: Layer, values: Matrix) -> Matrix:
        """Return the outputs of a layer for inputs, as an array in double precision.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        values : (batch, length, m) array
            The inputs.
        """
        import torch

        with torch.no_grad():
            found = self.outputs(layer.eval(), self.inputs(layer, values))
        return np.asarray(found.to(found.dtype.to_complex()).cpu()).astype(complex)

    def impulse_response(self, layer: Layer, n_inputs: int, length: int) -> Matrix:
        """Return (length, p, m) samples of the layer's own forward.

        Parameters
        ----------
        layer : torch.nn.Module
            The layer.
        n_inputs : int
            Number m of its inputs.
        length : int
            Number of samples.
        """
        impulses = np.zeros((n_inputs, length, n_inputs))
        impulses[range(n_inputs), 0, range(n_inputs)] = 1.0
        return np.moveaxis(self.response(layer, impulses), 0, 2)

    def noise(self, *shape: int) -> Matrix:
        """Return normal random numbers, the same for every call with one shape.

        Parameters
        ----------
        *shape : int
            Their shape.
        """
        return np.random.default_rng(self.seed).standard_normal(shape)

    def _train(self, layer: Layer) -> None:
        import torch

        try:
            n_inputs = self.n_inputs(layer)
        except InvalidSystemError as error:
            self.require(_READABLE, False, f"read made no system: {error}")
            raise
        optimizer = torch.optim.Adam(layer.parameters(), lr=_LEARNING_RATE)
        drawn = self.noise(_TRAINING_STEPS, 2, 16, n_inputs)
        for values in drawn:
            outputs = self.outputs(layer.train(), self.inputs(layer, values))
            torch.autograd.backward(outputs.abs().square().mean())
            optimizer.step()
            optimizer.zero_grad()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's generators, and put them back in the end.

    Parameters
    ----------
    seed : int
        The seed.
    """
    import torch

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def _name(value: Any) -> str:
    return getattr(value, "__qualname__", repr(value))
