"""What several test modules share: grids, conversion between backends, oracles."""

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest

from hankelcut import NumericalWarning
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    error_system,
    h2_norm,
    hinf_norm,
    parallel,
    to_dense,
)
from hankelcut.reduction import ReductionResult, balanced_truncation
from hankelcut.validation import random_stable_system

# The data sets mnist/ and slicot/, which may be missing.
_BESIDE = Path(__file__).parents[2] / "shared/data"
DATA_FOLDER = Path(os.environ.get("HANKELCUT_DATA", _BESIDE)).resolve()

TIMES = [Discrete(0.1), Continuous()]
READOUTS = ["complex", "real", "twice_real"]
BATCHES = [(), (3,), (2, 3), (0,)]
DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
EPS32 = float(np.finfo(np.float32).eps)

# The type checks of the tests look at a random item of each list that a strategy makes.
strategies_may_draw = pytest.mark.filterwarnings("ignore:Do not use the `random`")

System = StateSpace | DiagonalStateSpace


@contextmanager
def unchecked_types() -> Iterator[None]:
    """Let arguments of wrong types through to the library's own checks."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def fields_of(system: System) -> tuple[Any, ...]:
    """The four arrays of a system."""
    first = system.A if isinstance(system, StateSpace) else system.exponents
    return first, system.B, system.C, system.D


def on(xp: Any, system: System) -> System:
    """A NumPy system in the arrays of a backend, dtypes kept."""
    arrays = [
        xp.asarray(array, dtype=getattr(xp, array.dtype.name))
        for array in fields_of(system)
    ]
    return rebuilt(system, arrays)


def rebuilt(system: System, arrays: Any) -> System:
    """A system of the same kind with other arrays."""
    if isinstance(system, StateSpace):
        return StateSpace(*arrays, system.time)
    return DiagonalStateSpace(*arrays, system.time, system.readout)


def to_precision(system: System, single: bool) -> System:
    """A NumPy system in single or in double precision."""
    names = {"f": "f4" if single else "f8", "c": "c8" if single else "c16"}
    return rebuilt(system, [x.astype(names[x.dtype.kind]) for x in fields_of(system)])


def scalar_system(
    pole: complex, b: Any, c: Any, time: Any, D: Any = None, readout: Any = "complex"
) -> DiagonalStateSpace:
    """First-order system from a row b and a column c."""
    B = np.atleast_1d(np.asarray(b, dtype=complex))[None, :]
    C = np.atleast_1d(np.asarray(c, dtype=complex))[:, None]
    return DiagonalStateSpace.from_poles(
        np.array([pole]), B, C, D, time=time, readout=readout
    )


def impulse_loop(
    A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, count: int
) -> np.ndarray:
    """Markov parameters by the definition, one power after the other."""
    samples, power = [D], np.eye(A.shape[0], dtype=A.dtype)
    for _ in range(count - 1):
        samples.append(C @ power @ B)
        power = A @ power
    return np.stack(samples)


def grid_norm(response: np.ndarray) -> float:
    """Largest singular value over a grid of frequency responses."""
    return float(np.linalg.svd(response, compute_uv=False)[..., 0].max())


def dense_response(system: StateSpace, points: np.ndarray) -> np.ndarray:
    """C (z I - A)^-1 B + D by explicit inverses."""
    identity = np.eye(system.n_states)
    return np.stack(
        [
            system.C @ np.linalg.inv(z * identity - system.A) @ system.B + system.D
            for z in points
        ]
    )


def dico(system: System) -> str:
    """The time domain as SLICOT spells it."""
    return "C" if isinstance(system.time, Continuous) else "D"


def slycot_or_skip() -> Any:
    """The Slycot package, an oracle of real systems."""
    return pytest.importorskip("slycot", reason="Slycot is not installed")


def fortran(*arrays: np.ndarray) -> list[np.ndarray]:
    """Copies in the memory layout of Slycot, which overwrites its inputs."""
    return [np.array(array, order="F", dtype=float) for array in arrays]


def quietly(
    system: System,
    method: Callable[..., ReductionResult] = balanced_truncation,
    **options: Any,
) -> ReductionResult:
    """Reduce without the warnings of fixed orders."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumericalWarning)
        return method(system, **options)


def adjoint(M: np.ndarray) -> np.ndarray:
    """Conjugate transpose of a matrix, or of a stack of them."""
    return M.conj().swapaxes(-1, -2)


def random_system(
    rng: np.random.Generator,
    n: int,
    m: int,
    p: int,
    time: Any = TIMES[1],
    dtype: Any = np.float64,
) -> StateSpace:
    """A random stable system with a real feedthrough of the size of one."""
    system = random_stable_system(rng, n, m, p, time, dtype=dtype)
    return replace(system, D=rng.standard_normal((p, m)) + 0 * system.D)


def with_unstable_modes(rng: np.random.Generator, stable: StateSpace) -> StateSpace:
    """A system with two more states, of unstable poles."""
    poles = [0.4, 1.5] if dico(stable) == "C" else [1.3, -1.8]
    B = rng.standard_normal((2, stable.n_inputs))
    C = rng.standard_normal((stable.n_outputs, 2))
    modes = StateSpace(np.diag(poles), B, C, time=stable.time)
    return to_dense(parallel(stable, modes))


def in_double(xp: Any, system: StateSpace) -> StateSpace:
    """A system of a backend in NumPy arrays of double precision."""
    wide = [xp.to_numpy(array) for array in fields_of(system)]
    kind = complex if any(np.iscomplexobj(array) for array in wide) else float
    return StateSpace(*(array.astype(kind) for array in wide), system.time)


def h2_error(full: System, reduced: System) -> float:
    """H2 norm of the difference of two systems of the same feedthrough."""
    return float(h2_norm(error_system(full, reduced)))


def h2_part(system: System) -> float:
    """H2 norm without the feedthrough."""
    return float(h2_norm(replace(system, D=np.zeros_like(system.D))))


def error_of(
    full: DiagonalStateSpace, reduced: DiagonalStateSpace
) -> tuple[float, float]:
    """Certified lower and upper end of the H-infinity error of a reduction."""
    bracket = hinf_norm(error_system(full, reduced), rtol=0.01)
    return float(bracket.lower), float(bracket.upper)


def call_in_new_process(module: str, function: str, **environment: str) -> None:
    """Call a function of a test module where nothing is imported or type-checked yet.

    Compilers read environment variables as they are imported, and cannot look through
    the wrappers that check shapes in tests.
    """
    code = f"import importlib; importlib.import_module({module!r}).{function}()"
    command = [sys.executable, "-W", "ignore", "-c", code]
    root = Path(__file__).parent.parent
    run = subprocess.run(
        command, cwd=root, env=os.environ | environment, text=True, capture_output=True
    )
    assert run.returncode == 0, run.stderr
