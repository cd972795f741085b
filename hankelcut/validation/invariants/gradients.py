"""Properties of gradients, of any function and of functions of systems."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.invariants._host import host_array
from hankelcut.validation.invariants.violation import Property

__all__ = ["check_gradient", "check_gradient_euler", "check_gradient_similarity"]


def check_gradient(
    function: Callable[[Any], Any],
    gradient: Callable[[Any], Any],
    point: Any,
    direction: Any,
    *,
    step: float = 1e-3,
    rtol: float = 1e-6,
) -> None:
    r"""Check a gradient against differences of the function along a direction.

    Parameters
    ----------
    function : callable
        Of an array, a real number.
    gradient : callable
        Of an array, the gradient: an array of its shape. Of a complex array
        :math:`\partial f/\partial \mathrm{Re} + i\,\partial f/\partial \mathrm{Im}`, as
        PyTorch gives it.
    point, direction : arrays of one shape
        Where, and which way.
    step : float
        Step of the differences, relative to the larger of 1 and the point's norm over
        that of the direction.
    rtol : float
        Allowed error, relative to :math:`\|g\|\|d\|`, beside
        :math:`10\,\epsilon|f|/\text{step}`.

    Raises
    ------
    InvariantViolationError
        If :math:`\mathrm{Re}\langle g, d\rangle` is not the derivative, by central
        differences extrapolated twice (error of sixth order in the step).

    Examples
    --------
    >>> check_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, [1.0, 2.0], [0.0, 1.0])
    """
    x, d = host_array(point), host_array(direction)
    own = host_array(gradient(x))
    prop = Property("check_gradient", "directional derivative, Richardson 1911")
    case = {"point": x, "direction": d}
    fact = f"the gradient has shape {own.shape}, need {x.shape}"
    prop.require(own.shape == x.shape, fact, case)
    length = float(np.linalg.norm(d))
    h = (
        step
        * max(1.0, float(np.linalg.norm(x)))
        / max(length, float(np.finfo(float).tiny))
    )
    slopes = [
        (float(function(x + k * d)) - float(function(x - k * d))) / (2 * k)
        for k in (h, h / 2, h / 4)
    ]
    once = [(4 * slopes[k + 1] - slopes[k]) / 3 for k in range(2)]
    expected = (16 * once[1] - once[0]) / 15
    found = float(np.sum(own.conj() * d).real)
    rounding = 10 * float(np.finfo(float).eps) * abs(float(function(x))) / (h / 4)
    allowed = rtol * float(np.linalg.norm(own)) * length + rounding
    prop.require_close("the derivative", found, expected, allowed, case)


def check_gradient_euler(
    value: float, array: Any, gradient: Any, *, degree: int = 1, rtol: float = 1e-9
) -> None:
    r"""Check :math:`\mathrm{Re}\langle g, x\rangle = k f(x)` of a homogeneous function.

    Sums of Hankel singular values are of degree 1 in B and in C.

    Parameters
    ----------
    value : float
        The value f(x).
    array, gradient : arrays of one shape
        x and the gradient there.
    degree : int
        The degree k.
    rtol : float
        Allowed difference, relative to k f(x).

    Raises
    ------
    InvariantViolationError
        If the sides differ by more.
    """
    x, g = host_array(array), host_array(gradient)
    prop = Property("check_gradient_euler", "homogeneous functions, Euler 1755")
    found = float(np.sum(g.conj() * x).real)
    case = {"array": x, "gradient": g}
    expected = degree * value
    prop.require_close("Re <g, x>", found, expected, rtol * abs(expected), case)


def check_gradient_similarity(
    system: StateSpace, gradients: Any, *, rtol: float = 1e-8
) -> None:
    r"""Check that the gradient is orthogonal to all changes of the states' basis.

    A function of the transfer function does not change along :math:`dA = [A, X]`,
    :math:`dB = -X B`, :math:`dC = C X`, for any X: so :math:`A^H g_A - g_A A^H - g_B
    B^H + C^H g_C = 0`.

    Parameters
    ----------
    system : StateSpace
        The system.
    gradients : tuple of three arrays
        The gradients by A, B and C.
    rtol : float
        Allowed size of an entry, relative to the sum of the sizes of the four terms.

    Raises
    ------
    InvariantViolationError
        If it is not.
    """
    A, B, C = (host_array(getattr(system, name)) for name in "ABC")
    gA, gB, gC = (host_array(g) for g in gradients)
    terms = [A.conj().T @ gA, -gA @ A.conj().T, -gB @ B.conj().T, C.conj().T @ gC]
    size = sum(float(np.linalg.norm(term)) for term in terms)
    found = np.asarray(sum(terms))
    prop = Property(
        "check_gradient_similarity", "invariance under similarity, Moore 1981"
    )
    what = "the gradient along changes of basis"
    case = {"system": system}
    prop.require_close(what, found, np.zeros_like(found), rtol * size, case)
