"""Dense systems drawn from the lattice: blocks, couplings, copies, a similarity."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hankelcut.lti.structure.stability import pole_margins
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain
from hankelcut.validation.strategies._lattice import (
    LARGEST_COUPLING,
    LARGEST_GAIN,
    Draw,
    Lattice,
    Mode,
    Values,
)
from hankelcut.validation.strategies._sizes import Sizes

__all__ = ["DenseDrawing", "Form", "choose_dtype"]

_QUARTER_TURN = 15


@dataclass(frozen=True)
class Form:
    """What all systems of one batch share."""

    time: TimeDomain
    is_real: bool
    m: int
    p: int


@dataclass(frozen=True)
class DenseDrawing:
    """How dense systems are put together.

    Parameters
    ----------
    lattice : Lattice
        What numbers are drawn from.
    sizes : Sizes
        Sizes, batch, silent states and copies.
    dtype : dtype or None
        That of the arrays; None for double precision.
    condition : float
        Largest condition number of the similarity.
    unstable : tuple of int or None
        Range of the number of unstable modes, if any.
    boundary : bool
        Whether those lie on the stability boundary.
    """

    lattice: Lattice
    sizes: Sizes
    dtype: Any = None
    condition: float = 1.0
    unstable: tuple[int, int] | None = None
    boundary: bool = False

    def draw(
        self, draw: Draw, time: TimeDomain | None, real: bool | None
    ) -> StateSpace:
        """Draw one system, or a stack of them."""
        domain = draw(self.lattice.domains(time))
        # Shrinks to False, to real systems.
        booleans = self.lattice.strategies.booleans()
        is_real = not draw(booleans) if real is None else real
        m, p = draw(self.lattice.channels(*self.sizes.channels))
        form = Form(domain, is_real, m, p)
        items = [self._item(draw, form, None)]
        n = items[0][0].shape[0] // self.sizes.copies
        items += [self._item(draw, form, n) for _ in range(self.sizes.count - 1)]
        dtype = self.dtype or (np.float64 if is_real else np.complex128)
        A, B, C, D = (
            np.stack(matrices)[: self.sizes.count]
            .reshape(*self.sizes.batch, *matrices[0].shape)
            .astype(dtype)
            for matrices in zip(*items, strict=True)
        )
        return StateSpace(A, B, C, D, domain)

    def keeps_margin(self, system: StateSpace) -> bool:
        """Whether rounding and similarity left the poles half of their margin."""
        if self.condition == 1 and self.dtype is None:
            return True
        margins = np.asarray(pole_margins(system))
        if self.boundary or self.unstable is None:
            return self.boundary or bool(np.all(margins >= self.lattice.margin / 2))
        return bool(np.all(abs(margins) >= self.lattice.margin / 2))

    def _item(self, draw: Draw, form: Form, n: int | None) -> list[Values]:
        """Draw A, B, C and D of one system, of n states per copy if that is given."""
        modes, most = self._modes(draw, form, n)
        if form.is_real:
            A, B, C = _real_blocks(modes, most, form)
        else:
            A = np.diag([mode.pole.value for mode in modes]).astype(complex)
            B = np.array([mode.row for mode in modes], dtype=complex)
            C = np.array([mode.column for mode in modes], dtype=complex).T
        B, C = B.reshape(len(A), form.m), C.reshape(form.p, len(A))
        A, B, C = self._with_silent_states(draw, form, (A, B, C))
        matrix, n_all = self.lattice.matrix, len(A)
        coupling = draw(matrix(n_all, n_all, LARGEST_COUPLING, is_real=form.is_real))
        D = draw(matrix(form.p, form.m, LARGEST_GAIN, is_real=form.is_real))
        # Above the 2 x 2 blocks of a real system only.
        A = A + np.triu(coupling, 2 if form.is_real else 1)
        copies = np.eye(self.sizes.copies)
        A, B, C, D = (np.kron(copies, M) for M in (A, B, C, D))
        if self.condition > 1:
            A, B, C = self._transformed(draw, A, B, C)
        return [A, B, C, D]

    def _modes(self, draw: Draw, form: Form, n: int | None) -> tuple[list[Mode], int]:
        """Draw modes, the unstable ones first, and how many states they may have."""
        least, most = self.sizes.least, self.sizes.most
        if n is not None:
            least = most = n - self.sizes.silent
        lattice, modes = self.lattice, []
        if self.unstable is not None:
            poles = lattice.boundary_pole if self.boundary else lattice.unstable_pole
            fewest, largest = (min(count, most) for count in self.unstable)
            modes = draw(
                lattice.modes(poles(form.time), form.m, form.p, fewest, largest)
            )
        rest = max(least - len(modes), 0), most - len(modes)
        stable = lattice.stable_pole(form.time)
        return modes + draw(lattice.modes(stable, form.m, form.p, *rest)), most

    def _with_silent_states(
        self, draw: Draw, form: Form, system: tuple[Values, Values, Values]
    ) -> tuple[Values, Values, Values]:
        """Add states that no input reaches, or that reach no output.

        A is block triangular: its last states are reached by their rows of B alone,
        its first ones seen by their columns of C alone.
        """
        A, B, C = system
        count = self.sizes.silent
        if count == 0:
            return system
        strategies, lattice = self.lattice.strategies, self.lattice
        pole = lattice.stable_pole(form.time, is_real=form.is_real)
        poles = draw(strategies.lists(pole, min_size=count, max_size=count))
        own = np.diag([p.value.real if form.is_real else p.value for p in poles])
        unseen = draw(strategies.booleans())
        shape = (count, form.m) if unseen else (form.p, count)
        gains = draw(lattice.matrix(*shape, LARGEST_GAIN, is_real=form.is_real))
        if unseen:
            A = _block_diagonal(own, A)
            return A, np.vstack([gains, B]), np.hstack([np.zeros((form.p, count)), C])
        A = _block_diagonal(A, own)
        return A, np.vstack([B, np.zeros((count, form.m))]), np.hstack([C, gains])

    def _transformed(
        self, draw: Draw, A: Values, B: Values, C: Values
    ) -> tuple[Values, Values, Values]:
        """Change coordinates by T = R1 diag(2^k) R2 with rotations R1 and R2."""
        n, strategies = len(A), self.lattice.strategies
        largest = math.floor(math.log2(self.condition))
        powers = strategies.integers(0, largest)
        scales = 2.0 ** np.array(
            draw(strategies.lists(powers, min_size=n, max_size=n)), dtype=float
        )
        turns = strategies.integers(-_QUARTER_TURN, _QUARTER_TURN)
        angles = strategies.lists(turns, min_size=max(n - 1, 0), max_size=max(n - 1, 0))
        first, second = (_rotation(draw(angles), n) for _ in range(2))
        T, inverse = first * scales @ second, second.T / scales @ first.T
        return T @ A @ inverse, T @ B, C @ inverse


def choose_dtype(caller: str, dtype: Any, real: bool | None) -> tuple[Any, bool | None]:
    """Return the dtype, checked, and whether the matrices are real by it.

    Raises
    ------
    ValueError
        If it is no dtype of a system, or contradicts `real`.
    """
    if dtype is None:
        return None, real
    dtype = np.dtype(dtype)
    is_real = dtype.kind == "f"
    if dtype.name not in {"float32", "float64", "complex64", "complex128"} or (
        real is not None and real != is_real
    ):
        msg = f"{caller}: got dtype={dtype.name} with real={real}, need float32 or "
        msg += "float64 (real), complex64 or complex128 (not real)"
        raise ValueError(msg)
    return dtype, is_real


def _real_blocks(
    modes: list[Mode], most: int, form: Form
) -> tuple[Values, Values, Values]:
    """Return A, B, C of at most so many real states: two of a complex pole."""
    blocks: list[Values] = []
    rows: list[Values] = []
    columns: list[Values] = []
    for mode in modes:
        pole = mode.pole.value
        size = 1 if pole.imag == 0 or len(rows) + 1 == most else 2
        if len(rows) + size > most:
            break
        turn = np.array([[pole.real, pole.imag], [-pole.imag, pole.real]])
        if size == 1 and not isinstance(form.time, Continuous):
            # Half of a pair is as far from the boundary as the pair.
            turn[0, 0] = math.copysign(abs(pole), pole.real)
        blocks.append(turn[:size, :size])
        rows.extend([mode.row.real, mode.row.imag][:size])
        columns.extend([mode.column.real, mode.column.imag][:size])
    A = np.zeros((0, 0))
    for block in blocks:
        A = _block_diagonal(A, block)
    return A, np.array(rows), np.array(columns).T


def _block_diagonal(first: Values, second: Values) -> Values:
    n, k = len(first), len(second)
    corner = np.zeros((n, k))
    return np.block([[first, corner], [corner.T, second]])


def _rotation(angles: list[int], n: int) -> Values:
    """Product of rotations of neighbouring states by tenths of a radian."""
    rotation = np.eye(n)
    for i, angle in enumerate(angles):
        cosine, sine = math.cos(angle / 10), math.sin(angle / 10)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        rotation[:, i : i + 2] = rotation[:, i : i + 2] @ turn
    return rotation
