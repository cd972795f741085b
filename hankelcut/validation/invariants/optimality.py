"""Conditions that locally H2-optimal models fulfil."""

import numpy as np

from hankelcut.lti.norms.h2_norm import h2_norm
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.invariants._host import Matrix, System, host
from hankelcut.validation.invariants.reductions import Reduction, model_of
from hankelcut.validation.invariants.violation import Property

__all__ = ["check_h2_optimality"]


def check_h2_optimality(
    system: System, reduction: Reduction, *, rtol: float = 1e-6
) -> None:
    r"""Check the first-order conditions of a locally H2-optimal model.

    With the poles :math:`\lambda_i` of the model and its residues :math:`c_i b_i^H`:
    :math:`G` and :math:`G_r` agree at the mirror images :math:`s_i` of the poles
    (:math:`-\bar\lambda_i`, discrete :math:`1/\bar\lambda_i`) along :math:`b_i` and
    :math:`c_i`; and the error obeys :math:`\|G - G_r\|^2 = \|G\|^2 - \|G_r\|^2`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The stable full system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        A model from IRKA or another H2-optimal method, with distinct poles and the
        feedthrough of the system.
    rtol : float
        Allowed relative difference, of the gain at the mirror images and of
        :math:`\|G\|^2`.

    Raises
    ------
    InvariantViolationError
        If a condition does not hold.
    """
    full, model = host(system), host(model_of(system, reduction))
    prop = Property(
        "check_h2_optimality", "Meier & Luenberger 1967, Gugercin et al. 2008"
    )
    case = {"system": system}
    if model.n_states:
        _check_interpolation(prop, full, model, rtol)
    strict = [StateSpace(s.A, s.B, s.C, None, s.time) for s in (full, model)]
    whole, part = (float(h2_norm(s)) ** 2 for s in strict)
    error = float(h2_norm(host(error_system(strict[0], strict[1])))) ** 2
    what = "the squared H2 error against |G|^2 - |G_r|^2"
    prop.require_close(what, error, whole - part, rtol * whole, case)


def _check_interpolation(
    prop: Property, full: StateSpace, model: StateSpace, rtol: float
) -> None:
    """Require tangential interpolation at the mirror images of the poles."""
    poles, X = np.linalg.eig(model.A)
    rows, columns = np.linalg.solve(X, model.B), model.C @ X
    continuous = isinstance(model.time, Continuous)
    for pole, row, column in zip(poles, rows, columns.T, strict=True):
        if not continuous and abs(pole) < 1e-8:
            continue
        mirrored = np.conj(pole)
        point = complex(-mirrored if continuous else 1 / mirrored)
        one, two = (_strict_response(s, point) for s in (full, model))
        right, left = row.conj(), column.conj()
        scale = float(np.linalg.norm(one))
        case = {"system": full}
        for what, found, expected, direction in (
            (f"G_r({point:.4g}) b", two @ right, one @ right, right),
            (f"c^H G_r({point:.4g})", left @ two, left @ one, left),
        ):
            allowed = rtol * scale * float(np.linalg.norm(direction))
            prop.require_close(what, found, expected, allowed, case)


def _strict_response(system: StateSpace, point: complex) -> Matrix:
    """Transfer function without feedthrough, at any point."""
    pencil = point * np.eye(system.n_states) - system.A
    return np.asarray(system.C @ np.linalg.solve(pencil, system.B))
