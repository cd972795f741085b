"""Right functions of every kind, and what makes them wrong in one way each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hankelcut.lti import (
    Continuous,
    StateSpace,
    continuous_lyapunov,
    continuous_lyapunov_factor,
    discrete_lyapunov,
    discrete_lyapunov_factor,
)


@dataclass(frozen=True)
class Textbook:
    """Square-root balanced truncation in ten lines; a defect changes one of them."""

    defect: str | None = None

    @property
    def __name__(self) -> str:
        return f"textbook {self.defect}"

    def __call__(self, system: StateSpace, order: int) -> Any:
        A, B, C, D = system.A, system.B, system.C, system.D
        time, r, kind = system.time, order, self.defect
        r += {"order + 1": 1, "order - 1": -1}.get(kind, 0)
        factor = (
            continuous_lyapunov_factor
            if isinstance(time, Continuous)
            else discrete_lyapunov_factor
        )
        adjoint = (lambda M: M.T) if kind == "transpose" else (lambda M: M.conj().T)
        Lc, Lo = factor(A, B), factor(A.conj().T, C.conj().T)
        if kind == "jitter":
            Lc = np.linalg.cholesky(Lc @ adjoint(Lc) + 1e-9 * np.eye(len(A)))
        U, s, Vh = np.linalg.svd(adjoint(Lo) @ Lc)
        if np.sum(s > 1e-12 * s[0]) < r:
            if kind != "no rank":
                msg = f"got order={order}, need at most the rank"
                raise ValueError(msg)
            return np.full((r, r), np.nan), B[:r], C[:, :r], D
        if kind == "trailing":
            U, s, Vh = U[:, ::-1], s[::-1], Vh[::-1]
        scale = s[:r] ** (-1.0 if kind == "power" else -0.5)
        T = Lc @ adjoint(Vh)[:, :r] * scale
        Wh = (scale[:, None] * adjoint(U)[:r]) @ adjoint(Lo)
        if kind == "T^T":
            Wh = T.T
        if kind == "single":
            T = T.astype("c8" if np.iscomplexobj(T) else "f4").astype(T.dtype)
        if kind == "B and C of others":
            return Wh @ A @ T, B[:r], C[:, :r], D
        if kind == "no feedthrough":
            D = 0 * D
        return Wh @ A @ T, Wh @ B, C @ T, D


def solver(time: Any, *, factored: bool = False) -> Callable[[Any, Any], Any]:
    """This package's solver of an equation."""
    if isinstance(time, Continuous):
        return continuous_lyapunov_factor if factored else continuous_lyapunov
    return discrete_lyapunov_factor if factored else discrete_lyapunov


def on_backend(xp: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Call a function with the arrays of a backend in place of NumPy's."""

    def called(*arrays: Any) -> Any:
        return function(*(xp.asarray(array) for array in arrays))

    return called
