"""Whether an equation has a solution, judged by the poles of its state matrix."""

import warnings
from typing import Any

import numpy as np

from hankelcut._errors import NumericalWarning, UnstableSystemError
from hankelcut.lti.equations._schur_sylvester import Matrix
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["require_regular", "require_stable_poles", "warn_if_close"]


def require_stable_poles(
    caller: str, poles: Matrix, time: TimeDomain, where: str = ""
) -> None:
    """Raise unless all poles are stable; warn where one is very close to not being so.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    poles : (n,) complex array
        Eigenvalues of the state matrix.
    time : Continuous or Discrete
        The time domain.
    where : str
        " of batch item 3", say.

    Raises
    ------
    UnstableSystemError
        If a pole is on or outside the stability boundary, to rounding of its size.

    Warns
    -----
    NumericalWarning
        If a pole is so close to the boundary that few digits are left.
    """
    if poles.shape[0] == 0:
        return
    continuous = isinstance(time, Continuous)
    margins = -poles.real if continuous else 1 - np.abs(poles)
    sizes = np.abs(poles) if continuous else np.ones(poles.shape)
    unstable = margins <= _unit(poles) * sizes
    size = float(np.max(sizes))
    # The poles of a stiff system may be slow, but not for their own size.
    worst = int(np.argmin(np.where(unstable, margins, np.inf)))
    worst = worst if unstable[worst] else int(np.argmin(margins))
    margin, pole = float(margins[worst]), complex(poles[worst])
    if not unstable[worst]:
        relative = margin / max(size, margin)
        warn_if_close(caller, f"pole {pole:.6g}{where}", relative, poles.dtype)
        return
    shown = (
        f"Re(pole) = {-margin:.3g} rad/s, need Re(pole) < 0"
        if continuous
        else f"1 - abs(pole) = {margin:.3g}, need abs(pole) < 1"
    )
    msg = (
        f"{caller}: pole {pole:.6g} (state {worst}{where}) is not stable: {shown}; "
        "remove or stabilise it first (stable_unstable_decomposition splits it off)"
    )
    raise UnstableSystemError(msg)


def require_regular(
    caller: str, poles: Matrix, time: TimeDomain, where: str = ""
) -> None:
    """Raise where an equation is singular; warn where it is nearly so.

    Parameters
    ----------
    caller, poles, time, where
        As in `require_stable_poles`.

    Raises
    ------
    UnstableSystemError
        If two poles are mirror images in the stability boundary.

    Warns
    -----
    NumericalWarning
        If they are so close to that that few digits are left.
    """
    if poles.shape[0] == 0:
        return
    continuous = isinstance(time, Continuous)
    stable = np.all(poles.real < 0) if continuous else np.all(np.abs(poles) < 1)
    # Of stable poles none is closer to a mirror image than to its own.
    columns = poles.conj()[:, None] if stable else poles.conj()[None, :]
    rows = poles[:, None]
    gaps = _continuous_gaps(rows, columns) if continuous else _gaps(rows, columns)
    row, column = (int(k) for k in np.unravel_index(np.argmin(gaps), gaps.shape))
    gap, pole = float(gaps[row, column]), complex(poles[row])
    own = abs(pole) + abs(complex(poles[column if not stable else row]))
    least = own / (2 * float(np.max(np.abs(poles)))) if continuous and own > 0 else 1.0
    if gap > _unit(poles) * least:
        warn_if_close(caller, f"pole {pole:.6g}{where}", gap, poles.dtype)
        return
    alone = bool(stable) or row == column
    partner = "itself" if alone else f"{complex(poles[column]):.6g}"
    msg = (
        f"{caller}: the equation is singular: pole {pole:.6g} (state {row}{where}) is "
        f"the mirror image of {partner} in the stability boundary; need "
        "pole_i + conj(pole_j) != 0 (continuous), pole_i conj(pole_j) != 1 (discrete)"
    )
    raise UnstableSystemError(msg)


def _continuous_gaps(rows: Matrix, columns: Matrix) -> Matrix:
    """Distances of sums of poles from 0, relative to what rounding may change."""
    size = float(np.max(np.abs(rows))) or 1.0
    gaps: Matrix = np.abs(rows / size + columns / size) / 2
    return gaps


def _gaps(rows: Matrix, columns: Matrix) -> Matrix:
    """Distances of products of poles from 1, relative to what rounding may change.

    A pole is right to rounding of the largest: what that does to a product depends on
    the other factor. All is divided by the square of the size, which may overflow.
    """
    size = max(1.0, float(np.max(np.abs(rows))))
    rows, columns, one = rows / size, columns / size, (1 / size) ** 2
    changes = np.maximum(one, np.maximum(np.abs(rows), np.abs(columns)))
    gaps: Matrix = np.abs(one - rows * columns) / changes
    return gaps


def _unit(poles: Matrix) -> float:
    return float(np.finfo(poles.dtype).eps) / 2


def warn_if_close(
    caller: str, what: str, relative: float, dtype: np.dtype[Any]
) -> None:
    """Warn of an equation that is nearly singular.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    what : str
        The pole or poles that make it so, for messages.
    relative : float
        Distance from a singular equation, relative to the size of the equation.
    dtype : numpy dtype
        Precision of the arithmetic.

    Warns
    -----
    NumericalWarning
        If few digits are left.
    """
    if relative > float(np.finfo(dtype).eps) ** (2 / 3):
        return
    digits = -np.log10(relative)
    msg = (
        f"{caller}: {what} makes the equation nearly singular; up to {digits:.0f} "
        "digits of the solution are lost"
    )
    warnings.warn(msg, NumericalWarning, stacklevel=4)
