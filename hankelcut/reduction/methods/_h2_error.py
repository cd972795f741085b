r"""The H2 error of a reduced model, its gradient and its interpolating projection.

With the Gramians P and Q of the model and the cross Gramians X and Y, which solve
:math:`AX + XA_r^H + BB_r^H = 0` and :math:`A^HY + YA_r + C^HC_r = 0` (discrete:
:math:`AXA_r^H - X + BB_r^H = 0` and :math:`A^HYA_r - Y + C^HC_r = 0`):

- :math:`\|G - G_r\|^2 = \|G\|^2 + \mathrm{tr}(C_rPC_r^H) -
  2\,\mathrm{Re}\,\mathrm{tr}(CXC_r^H)`;
- its gradient in :math:`A_r`, :math:`B_r` and :math:`C_r` is twice
  :math:`QP - Y^HX` (discrete :math:`QA_rP - Y^HAX`), :math:`QB_r - Y^HB` and
  :math:`C_rP - CX` (Wilson, Proc. IEE 117, 1970, p. 1161; Van Dooren, Gallivan & Absil,
  Appl. Math. Lett. 21, 2008, p. 1267);
- X spans the vectors :math:`(s_iI - A)^{-1}Bb_i` of the mirror images
  :math:`s_i = -\bar\lambda_i` (:math:`1/\bar\lambda_i`) of the poles of the model and
  the rows :math:`b_i^H` of its modes, Y the dual ones: the projection on X along Y
  interpolates G there, also where poles are repeated (Gallivan, Vandendorpe & Van
  Dooren, J. Comput. Appl. Math. 162, 2004, p. 213).

**Numerical aspects.** One Schur form of A serves all models: each takes some n^2 r
flops, and real systems stay real. Squared errors are known up to the rounding of
:math:`\|G\|^2`, gradients up to that of :math:`\|G\|`.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from hankelcut.lti.equations._schur_form import schur_form
from hankelcut.lti.equations._schur_hammarling import factor_in_schur_form
from hankelcut.lti.equations._schur_sylvester import solve_stein, solve_sylvester
from hankelcut.lti.gramians._square_root_projections import square_root_projections
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.balancing.transformations import projected
from hankelcut.reduction.reduction_method import Matrix

__all__ = ["H2Error", "H2Point", "ReducedModel"]

# An oblique projection of such a norm has four digits left.
_WORST_PROJECTION = 1e12
_EPS = float(np.finfo(np.float64).eps)
# Squared errors are differences of squared norms with some roundings.
_ROUNDINGS = 1e2


@dataclass(frozen=True, eq=False)
class ReducedModel:
    """A model of r states, and the projections W^H A T that made it, if any did.

    Parameters
    ----------
    system : StateSpace
        The model, NumPy, in double precision; its feedthrough does not matter.
    T, W : (n, r) arrays, optional
        Right and left projection of the states of the full system.
    """

    system: StateSpace
    T: Matrix | None = None
    W: Matrix | None = None

    def transformed(self, T: Matrix, W: Matrix) -> "ReducedModel":
        """Return the model in other coordinates.

        Parameters
        ----------
        T, W : (r, r) arrays
            The transformation, x = T z, and the adjoint of its inverse.
        """
        system = projected(self.system, T, W)
        if self.T is None or self.W is None:
            return ReducedModel(system)
        return ReducedModel(system, self.T @ T, self.W @ W)

    def is_stable(self) -> bool:
        """Whether all poles are stable, to rounding."""
        if not np.all(np.isfinite(self.system.A)):
            return False
        poles = np.linalg.eigvals(self.system.A)
        if isinstance(self.system.time, Continuous):
            return bool(np.all(poles.real < -_EPS * np.abs(poles)))
        return bool(np.all(np.abs(poles) < 1 - _EPS))


@dataclass(frozen=True, eq=False)
class H2Point:
    """A stable model, its Gramians, and its error.

    Parameters
    ----------
    model : ReducedModel
        The model, with r states.
    P, Q : (r, r) arrays
        Its Gramians.
    X, Y : (n, r) arrays
        Cross Gramians, in the coordinates of the Schur form.
    excess : float
        Squared H2 error less the squared H2 norm of G.
    """

    model: ReducedModel
    P: Matrix
    Q: Matrix
    X: Matrix
    Y: Matrix
    excess: float


class H2Error:
    """Squared H2 distance from one system, as a function of a reduced model.

    `rounding` is what the rounding of a squared distance may come to.

    Parameters
    ----------
    system : StateSpace
        G: stable, NumPy, in double precision; its feedthrough does not matter.
    norm : float
        Its H2 norm, without the feedthrough.
    """

    def __init__(self, system: StateSpace, norm: float) -> None:
        self.norm = norm
        self.rounding = _ROUNDINGS * _EPS * norm**2
        self._continuous = isinstance(system.time, Continuous)
        self._time = system.time
        self._form = schur_form(system.A)
        self._A = self._form.T
        self._B = self._form.enter(system.B)
        self._C = system.C @ self._form.basis

    def at(self, model: ReducedModel) -> H2Point | None:
        """Measure a model.

        Parameters
        ----------
        model : ReducedModel
            r states.

        Returns
        -------
        H2Point or None
            None where the model is not stable to rounding.
        """
        factors = self._factors(model)
        if factors is None:
            return None
        (Lc, Lo), system = factors, model.system
        try:
            X = self._cross(system, self._B @ system.B.conj().T, dual=False)
            Y = self._cross(system, self._C.conj().T @ system.C, dual=True)
        except np.linalg.LinAlgError:
            return None
        own = float(np.linalg.norm(system.C @ Lc)) ** 2
        excess = own - 2 * float(np.vdot(system.C, self._C @ X).real)
        if not math.isfinite(excess):
            return None
        return H2Point(model, Lc @ Lc.conj().T, Lo @ Lo.conj().T, X, Y, excess)

    def error(self, point: H2Point) -> float:
        """H2 error, up to the root of the rounding of its square.

        Parameters
        ----------
        point : H2Point
            Of which model.
        """
        return math.sqrt(max(self.norm**2 + point.excess, 0.0))

    def balanced(self, model: ReducedModel) -> tuple[ReducedModel, Matrix] | None:
        """Return a model in balanced coordinates and its Hankel singular values.

        Parameters
        ----------
        model : ReducedModel
            r states.

        Returns
        -------
        model, values : ReducedModel, (r,) array, or None
            None where the model is not stable and minimal to rounding.
        """
        factors = self._factors(model)
        if factors is None:
            return None
        (Lc, Lo), r = factors, model.system.n_states
        U, values, Vh = np.linalg.svd(Lo.conj().T @ Lc, full_matrices=False)
        if values.shape[0] < r or not np.all(values > r * _EPS * values[:1]):
            return None
        T, W = square_root_projections(Lc, Lo, U, values, Vh.conj().T)
        return model.transformed(T, W), values

    def gradient(self, point: H2Point) -> tuple[Matrix, Matrix, Matrix]:
        """Gradient of the squared error in the matrices A, B and C of the model.

        Parameters
        ----------
        point : H2Point
            Where.
        """
        system, Yh, X = point.model.system, point.Y.conj().T, point.X
        if self._continuous:
            gA = point.Q @ point.P - Yh @ X
        else:
            gA = point.Q @ system.A @ point.P - Yh @ (self._A @ X)
        gB = point.Q @ system.B - Yh @ self._B
        gC = system.C @ point.P - self._C @ X
        return 2 * gA, 2 * gB, 2 * gC

    def projected(self, point: H2Point) -> ReducedModel | None:
        """Project on X along Y.

        Parameters
        ----------
        point : H2Point
            Whose poles and directions say where to interpolate.

        Returns
        -------
        ReducedModel or None
            None where the bases are nearly orthogonal.
        """
        V, W = np.linalg.qr(point.X)[0], np.linalg.qr(point.Y)[0]
        overlap = W.conj().T @ V
        singular = np.linalg.svd(overlap, compute_uv=False)
        if not singular[-1] * _WORST_PROJECTION > 1:
            return None
        Wh = np.linalg.solve(overlap, W.conj().T)
        A, B, C = Wh @ self._A @ V, Wh @ self._B, self._C @ V
        system = replace(point.model.system, A=A, B=B, C=C)
        T, W = self._form.basis @ V, self._form.dual_basis @ Wh.conj().T
        return ReducedModel(system, T, W)

    def _factors(self, model: ReducedModel) -> tuple[Matrix, Matrix] | None:
        """Gramian factors of a model; None where it is not stable."""
        if not model.is_stable():
            return None
        form, system = schur_form(model.system.A), model.system
        try:
            Lc = factor_in_schur_form(form, system.B, self._time)
            Lo = factor_in_schur_form(form.dual(), system.C.conj().T, self._time)
        except (np.linalg.LinAlgError, OverflowError):
            return None
        return Lc, Lo

    def _cross(self, system: StateSpace, right: Matrix, *, dual: bool) -> Matrix:
        """Solve the cross equation of a model, or its dual, in Schur coordinates."""
        form, own = self._form, schur_form(system.A)
        if dual:
            # The form of the adjoint has its states in reverse order.
            form, own, right = form.dual(), own.dual(), right[::-1]
        X = np.array(own.enter(right.conj().T).conj().T)
        solve = solve_sylvester if self._continuous else solve_stein
        solve(form.T, own.T, X)
        X = own.leave(X.conj().T).conj().T
        return X[::-1] if dual else X
