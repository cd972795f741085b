"""Weights at the inputs and the outputs of a system."""

from dataclasses import dataclass

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.systems.conversions import detached, to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import series
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import TimeDomain

__all__ = ["Weights", "host_weights"]

_System = StateSpace | DiagonalStateSpace
# Squares of the squares of gains must not leave the range of double precision.
_LARGEST = 1e70


@dataclass(frozen=True, eq=False)
class Weights:
    """Stable weights of NumPy arrays in double precision, identities where none is.

    Parameters
    ----------
    input, output : StateSpace
        W_i and W_o.
    """

    input: StateSpace
    output: StateSpace

    def weigh(self, system: StateSpace) -> StateSpace:
        """Return W_o G W_i.

        Parameters
        ----------
        system : StateSpace
            G.
        """
        return series(series(self.input, system), self.output)


def host_weights(
    caller: str, system: _System, given_input: _System | None, output: _System | None
) -> Weights:
    """Bring the weights of a system to the host.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    system : StateSpace or DiagonalStateSpace
        What is weighted.
    given_input, output : StateSpace, DiagonalStateSpace or None
        The weights.

    Raises
    ------
    InvalidSystemError
        If a weight does not fit the system, or an entry is NaN or infinite.
    UnstableSystemError
        If a weight is not stable.
    """
    m, p = system.n_inputs, system.n_outputs
    for name, weight in (("input_weight", given_input), ("output_weight", output)):
        if weight is not None:
            _require_fit(caller, name, weight, system)
    if given_input is not None and given_input.n_outputs != m:
        have = f"input_weight with {given_input.n_outputs} outputs"
        msg = f"{caller}: got {have}, need {m}: as many as the system has inputs"
        raise InvalidSystemError(msg)
    if output is not None and output.n_inputs != p:
        have = f"output_weight with {output.n_inputs} inputs"
        msg = f"{caller}: got {have}, need {p}: as many as the system has outputs"
        raise InvalidSystemError(msg)
    return Weights(
        _identity(m, system.time) if given_input is None else _on_host(given_input),
        _identity(p, system.time) if output is None else _on_host(output),
    )


def _require_fit(caller: str, name: str, weight: _System, system: _System) -> None:
    require_solvable(f"{caller}: {name}", weight)
    if weight.batch_shape:
        msg = f"{caller}: got {name} of shape {tuple(weight.batch_shape)}, need one "
        raise InvalidSystemError(msg + "system, not a stack")
    sizes = [
        float(np.max(np.abs(_array.to_numpy(x)), initial=0.0))
        for x in (weight.B, weight.C, weight.D)
    ]
    size = max(sizes[0] * sizes[1], sizes[2])
    if size > 0 and not 1 / _LARGEST < size < _LARGEST:
        msg = f"{caller}: got {name} with a gain of about {size:.3g}, need one between "
        msg += f"{1 / _LARGEST:g} and {_LARGEST:g}; rescale it"
        raise InvalidSystemError(msg)
    if weight.time != system.time:
        msg = f"{caller}: got {name} in {weight.time}, need {system.time}, that of the "
        raise InvalidSystemError(msg + "system; discretize or undiscretize it first")
    if _is_complex(weight) and not _is_complex(system):
        msg = (
            f"{caller}: got a complex {name} of a real system, need a real one; or make"
            " the matrices of the system complex, for a complex model"
        )
        raise InvalidSystemError(msg)


def _is_complex(system: _System) -> bool:
    if isinstance(system, DiagonalStateSpace):
        return system.readout == "complex"
    return _array.is_complex(system.A)


def _on_host(weight: _System) -> StateSpace:
    dense = to_dense(detached(weight))
    dtype = np.complex128 if _array.is_complex(dense.A) else np.float64
    A, B, C, D = (_array.to_numpy(getattr(dense, k)).astype(dtype) for k in "ABCD")
    return StateSpace(A, B, C, D, dense.time)


def _identity(size: int, time: TimeDomain) -> StateSpace:
    nothing = np.zeros((0, size))
    return StateSpace(np.zeros((0, 0)), nothing, nothing.T, np.eye(size), time)
