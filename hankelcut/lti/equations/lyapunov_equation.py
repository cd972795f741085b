"""Lyapunov and Stein equations of one state matrix, solved from one Schur form."""

import functools
import operator
from typing import Any

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.equations._accelerated import (
    accelerated_factors,
    accelerated_solution,
)
from hankelcut.lti.equations._direct import DirectSolver
from hankelcut.lti.equations._residual import relative_residual, residual_matrix
from hankelcut.lti.equations._stacked import stacked_factors, stacked_solution
from hankelcut.lti.systems import _shapes
from hankelcut.lti.systems._descriptor import standard_form
from hankelcut.lti.systems._scaling import frobenius_norm
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["LyapunovEquation"]

# Products of matrices are Hermitian up to n u; 10 leaves slack for sums of them.
_ASYMMETRY = 10.0


class LyapunovEquation:
    r"""The equations of one state matrix, or of a stack of them.

    Continuous: :math:`AXE^H + EXA^H + Q = 0` and the dual
    :math:`A^HXE + E^HXA + Q = 0`; discrete: :math:`AXA^H - EXE^H + Q = 0` and
    :math:`A^HXA - E^HXE + Q = 0`.

    Parameters
    ----------
    A : (..., n, n) array
        State matrix, real or complex; real data stays real.
    time : Continuous or Discrete
        Which of the two equations, `Continuous()` by default.
    E : (..., n, n) array, optional
        Nonsingular matrix; the identity by default.
    caller : str
        Name in error messages.

    Raises
    ------
    InvalidSystemError
        If shapes, devices or values do not fit, or E is numerically singular.

    Notes
    -----
    **Method.** On the host: one real or complex Schur form of the balanced state matrix
    for all equations, recursive Bartels-Stewart and Hammarling solvers (see
    `continuous_lyapunov` and `continuous_lyapunov_factor`): the units of the states do
    not matter. Stacks of small systems, and arrays on accelerators: squared Smith and
    sign iterations, whose residuals are checked; on the host an item that fails is
    solved by its Schur form, and logged. With E: the standard equations of
    :math:`E^{-1}A`, the solutions X refined once.

    Examples
    --------
    >>> import numpy as np
    >>> from hankelcut.lti import LyapunovEquation
    >>> equation = LyapunovEquation([[-1.0, 1.0], [0.0, -2.0]])
    >>> X, L = equation.solve(np.eye(2)), equation.factor(np.eye(2))
    >>> bool(np.allclose(L @ L.T, X)), bool(equation.residual(X, np.eye(2)) < 1e-15)
    (True, True)
    """

    def __init__(
        self,
        A: Array,
        time: TimeDomain = Continuous(),
        *,
        E: Array = None,
        caller: str = "LyapunovEquation",
    ) -> None:
        _shapes.require_time_domain(caller, time)
        _, arrays = _array.as_arrays([A] if E is None else [A, E])
        self.time, self._caller = time, caller
        _require_square(caller, arrays[0])
        self.A = self._state = arrays[0]
        self.E, self._inverse = None, None
        self._solvers: dict[Any, DirectSolver] = {}
        if E is not None:
            n = self.A.shape[-1]
            identity = _array.eye(n, self.A)
            self._state, self._inverse = standard_form(
                caller, arrays[1], self.A, identity
            )
            self.E = arrays[1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Leading axes: one equation per index."""
        return tuple(self._state.shape[:-2])

    def solve(self, Q: Array, *, dual: bool = False) -> Array:
        """Solve for X.

        Parameters
        ----------
        Q : (..., n, n) array
            Hermitian, definite or not.
        dual : bool
            Solve the dual equation.

        Returns
        -------
        X : (..., n, n) array
            Hermitian, of the library and device of A; real for real data.

        Raises
        ------
        InvalidSystemError
            If Q does not fit, is not Hermitian, or is not finite.
        UnstableSystemError
            If the equation is singular; names the poles.
        IllConditionedError
            If the solution leaves the range of its dtype.
        ConvergenceError
            On an accelerator, if an iteration fails, as it does where A is not stable;
            names the batch items.

        Warns
        -----
        NumericalWarning
            If the equation is nearly singular; names the pole.
        """
        Q = self._checked("Q", Q)
        self._require_hermitian(Q)
        X = self._solve_standard(Q, dual)
        if self.E is None:
            return X
        rest = residual_matrix(*self._terms(X, Q, dual))
        # What is left of a residual is rounding, and as far from Hermitian as that.
        return X + self._solve_standard(_hermitian_part(rest), dual)

    def factor(self, B: Array) -> Array:
        r"""Factor L of the solution :math:`X = LL^H` for :math:`Q = BB^H`.

        Parameters
        ----------
        B : (..., n, m) array
            Factor of the right-hand side.

        Returns
        -------
        L : (..., n, k) array
            k <= n: of one system on the host, columns that are zero to rounding are
            left out.

        Raises
        ------
        InvalidSystemError
            If B does not fit or is not finite.
        UnstableSystemError
            If a pole is on or outside the stability boundary.
        IllConditionedError
            If the factor leaves the range of its dtype.
        ConvergenceError
            On an accelerator, if an iteration fails; names the batch items.

        Warns
        -----
        NumericalWarning
            If a pole is so close to the boundary that few digits are left.
        """
        return self.factors(B, self._no_outputs())[0]

    def dual_factor(self, C: Array) -> Array:
        r"""Factor L of the dual solution :math:`X = LL^H` for :math:`Q = C^HC`.

        Parameters
        ----------
        C : (..., p, n) array
            Factor of the right-hand side.

        Returns
        -------
        L : (..., n, k) array
            As `factor`, which also says what is raised.
        """
        nothing = _array.adjoint(self._no_outputs())
        return self.factors(nothing, C)[1]

    def factors(self, B: Array, C: Array) -> tuple[Array, Array]:
        r"""Factors of both solutions, for :math:`BB^H` and the dual :math:`C^HC`.

        Parameters
        ----------
        B : (..., n, m) array
            Factor of the right-hand side of the equation.
        C : (..., p, n) array
            Factor of the right-hand side of the dual one.

        Returns
        -------
        L, dual : (..., n, k) arrays
            As `factor`, which also says what is raised; square for stacks.
        """
        self._checked("B", B, columns=False)
        self._checked("C", C, rows=False)
        if self._inverse is not None:
            B = _product(self._inverse, B)
        A, B, C = self._with_state(B, C)
        if _array.on_host(A):
            Lc, Lo = self._factor_on_host(A, B, C)
        else:
            Lc, Lo = accelerated_factors(self._caller, A, B, C, self.time)
        if self._inverse is not None:
            Lo = _product(_array.adjoint(self._inverse), Lo)
        return Lc, Lo

    def residual(self, X: Array, Q: Array, *, dual: bool = False) -> Array:
        r"""Relative residual of a solution, in the Frobenius norm.

        Parameters
        ----------
        X, Q : (..., n, n) arrays
            Solution and right-hand side.
        dual : bool
            Of the dual equation.

        Returns
        -------
        residual : (...) real array
            Norm of the left-hand side over the sum of the norms of its terms; a few n u
            for a solution as good as the arithmetic allows.
        """
        X, Q = self._checked("X", X), self._checked("Q", Q)
        return relative_residual(*self._terms(X, Q, dual))

    def condition(self, *, dual: bool = False) -> Array:
        r"""Condition number of a stable equation (of the standard form, with E).

        Relative perturbations of A and Q by u each move the solution, relative to its
        own size, by up to 3 u times this number, to first order.

        Parameters
        ----------
        dual : bool
            Of the dual equation.

        Returns
        -------
        condition : (...) real array
            :math:`2\|A\|\,\|H\|_2` (discrete :math:`(\|A\|^2 + 1)\|H\|_2`) with the
            solution H for Q = I, whose norm is that of the inverse operator (Hewer &
            Kenney, SIAM J. Control Optim. 26, 1988, p. 321).

        Raises
        ------
        UnstableSystemError
            If a pole is on or outside the stability boundary.
        """
        state = self._state
        identity = _array.eye(state.shape[-1], state)
        standard = self
        if self.E is not None:
            standard = LyapunovEquation(state, self.time, caller=self._caller)
        nothing = standard._no_outputs()
        if dual:
            L = standard.factors(_array.adjoint(nothing), identity)[1]
        else:
            L = standard.factors(identity, nothing)[0]
        xp = _array.namespace(state)
        if state.shape[-1] == 0:
            return _array.to_real(xp.sum(state, axis=(-2, -1)))
        size = frobenius_norm(state)
        inverse = xp.linalg.svdvals(L)[..., 0] ** 2
        if isinstance(self.time, Continuous):
            return 2 * size * inverse
        return (size * size + 1) * inverse

    def _checked(
        self, name: str, matrix: Any, *, rows: bool = True, columns: bool = True
    ) -> Array:
        """Return an argument as an array, with as many rows and columns as states."""
        _, (array,) = _array.as_arrays([matrix])
        n = self.A.shape[-1]
        shape = tuple(array.shape)
        fits = len(shape) >= 2
        fits = fits and (not rows or shape[-2] == n) and (not columns or shape[-1] == n)
        if not fits:
            need = f"(..., {n if rows else 'p'}, {n if columns else 'm'})"
            msg = f"{self._caller}: got {name} of shape {shape}, need {need}"
            raise InvalidSystemError(msg)
        _array.require_finite(self._caller, **{name: array})
        return array

    def _require_hermitian(self, Q: Array) -> None:
        xp = _array.namespace(Q)
        if bool(xp.all(_array.adjoint(Q) == Q)):
            return
        skew = xp.max(xp.abs(Q - _array.adjoint(Q)), axis=(-2, -1))
        largest = xp.max(xp.abs(Q), axis=(-2, -1))
        wrong = skew > _ASYMMETRY * Q.shape[-1] * _array.eps(Q) * largest
        if not bool(xp.any(wrong)):
            return
        item = int(xp.argmax(xp.astype(xp.reshape(wrong, (-1,)), xp.int64)))
        where = f" of batch item {item}" if Q.ndim > 2 else ""
        off = float(xp.reshape(skew, (-1,))[item])
        msg = (
            f"{self._caller}: got Q{where} with entries up to {off:.3g} away from its "
            "adjoint, need a Hermitian Q: take (Q + Q^H) / 2, or use sylvester"
        )
        raise InvalidSystemError(msg)

    def _no_outputs(self) -> Array:
        """Output matrix of no outputs, for equations wanted without their duals."""
        return _array.zeros((*self.batch_shape, 0, self._state.shape[-1]), self._state)

    def _terms(
        self, X: Array, Q: Array, dual: bool
    ) -> tuple[Array, Array, Array, TimeDomain, Array]:
        """Return the arguments of a residual, in one dtype."""
        held = [] if self.E is None else [self.E]
        _, (X, Q, *state) = _array.as_arrays([X, Q, self.A, *held])
        if dual:
            state = [_array.adjoint(matrix) for matrix in state]
        return state[0], X, Q, self.time, state[1] if held else None

    def _with_state(self, *arrays: Array) -> list[Array]:
        """Return the standard state matrix and others with common batch axes."""
        _, matrices = _array.as_arrays([self._state, *arrays])
        return _shapes.broadcast_batches(self._caller, matrices, [2] * len(matrices))

    def _solve_standard(self, Q: Array, dual: bool) -> Array:
        """Solve through the equation of E^-1 A."""
        inverse = self._inverse
        if inverse is not None and not dual:
            Q = _product(inverse, Q, _array.adjoint(inverse))
        A, Q = self._with_state(Q)
        if _array.on_host(A):
            state, right = _array.to_numpy(A), _array.to_numpy(Q)
            direct = self._direct_solver(A)
            X = stacked_solution(direct, state, right, self.time, dual=dual)
            X = _array.namespace(A).asarray(X)
        else:
            state = _array.adjoint(A) if dual else A
            X = accelerated_solution(self._caller, state, Q, self.time)
        if inverse is not None and dual:
            X = _hermitian_part(_product(_array.adjoint(inverse), X, inverse))
        return X

    def _factor_on_host(self, A: Array, B: Array, C: Array) -> tuple[Array, Array]:
        xp, direct = _array.namespace(A), self._direct_solver(A)
        state, B, C = (_array.to_numpy(matrix) for matrix in (A, B, C))
        if state.ndim == 2:
            Lc, Lo = direct.factors((), B, C)
        else:
            Lc, Lo = stacked_factors(direct, state, B, C, self.time)
        return xp.asarray(Lc), xp.asarray(Lo)

    def _direct_solver(self, like: Array) -> DirectSolver:
        """Return the keeper of the Schur forms in the dtype of an array."""
        if like.dtype not in self._solvers:
            xp = _array.namespace(like)
            state = _array.to_numpy(xp.astype(self._state, like.dtype, copy=False))
            solver = DirectSolver(state, self.time, self._caller)
            self._solvers[like.dtype] = solver
        return self._solvers[like.dtype]


def _require_square(caller: str, A: Array) -> None:
    if A.ndim < 2 or A.shape[-2] != A.shape[-1]:
        msg = f"{caller}: got A of shape {tuple(A.shape)}, need (..., n, n)"
        raise InvalidSystemError(msg)
    _array.require_finite(caller, A=A)


def _product(*matrices: Array) -> Array:
    """Product of matrices, whatever their dtypes."""
    _, promoted = _array.as_arrays(matrices)
    return functools.reduce(operator.matmul, promoted)


def _hermitian_part(matrix: Array) -> Array:
    return (matrix + _array.adjoint(matrix)) / 2
