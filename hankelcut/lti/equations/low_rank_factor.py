"""What the low-rank solvers of large sparse equations return."""

from dataclasses import dataclass

from hankelcut.lti.systems._sparse_lu import Dense

__all__ = ["LowRankFactor"]


@dataclass(frozen=True, eq=False)
class LowRankFactor:
    r"""Factor Z of an approximate solution :math:`X \approx ZZ^H` and its residual.

    Parameters
    ----------
    factor : (n, k) array
        Z. In exact arithmetic :math:`ZZ^H \le X`: what is missing is the solution of
        the same equation with the residual on its right-hand side.
    relative_residual : float
        Spectral norm of the residual of `factor`, measured from it, relative to that of
        the right-hand side.
    iterations : int
        Number of shifts used, each with one sparse factorization.
    shifts : tuple of complex
        The shifts; a complex one of a real equation stands for its conjugate too.
    residual_history : tuple of float
        Relative residual before the first and after every step, by the iteration.
    residual_factor : (n, m) array
        W: by the iteration, the residual is :math:`WW^H`.
    """

    factor: Dense
    relative_residual: float
    iterations: int
    shifts: tuple[complex, ...]
    residual_history: tuple[float, ...]
    residual_factor: Dense
