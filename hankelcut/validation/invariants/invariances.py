"""Changes of a system that leave a quantity of it as it is, or scale it.

The quantity is anything that depends on the transfer function alone: Hankel singular
values, or a norm. It is given as a function of a system, and compared by its squares,
which are what Gramians determine to full precision. Beside the relative tolerance, a
square may change by 100 eps size^2, with the size of the terms that add up to the
quantity, and may cancel.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.invariants._comparison import (
    RTOL,
    Quantity,
    Size,
    compare,
    rounding,
)
from hankelcut.validation.invariants._host import hankel_size, host_array
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "check_conjugation",
    "check_duality",
    "check_frequency_shift",
    "check_scaling",
    "check_similarity",
    "check_unitary_invariance",
]


def check_similarity(
    system: StateSpace,
    quantity: Quantity,
    T: Any,
    *,
    rtol: float = RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that a change of the states' basis changes nothing.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    T : (n, n) array
        New basis: :math:`x = T z`.
    rtol : float
        Allowed change of the squares, relative to the largest, times the condition
        number of T.
    size : callable
        Of a system, the size of the terms: by default the product of the norms of the
        factors of both Gramians, right for Hankel singular values and for the Hankel
        and H-infinity norms.

    Raises
    ------
    InvariantViolationError
        If the quantity changes by more.
    """
    T = host_array(T)
    inverse = np.linalg.inv(T)
    other = replace(
        system, A=inverse @ system.A @ T, B=inverse @ system.B, C=system.C @ T
    )
    prop = Property("check_similarity", "invariance under similarity, Moore 1981")
    condition = float(np.linalg.cond(T)) if T.size else 1.0
    allowed = rtol * condition, rounding(size, system, other)
    case, change = {"system": system, "T": T}, "T^-1 A T, T^-1 B, C T"
    compare(prop, change, quantity, (system, other), allowed, case)


def check_duality(
    system: StateSpace,
    quantity: Quantity,
    *,
    rtol: float = RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that the dual system :math:`(A^H, C^H, B^H, D^H)` has the same values.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    rtol : float
        Allowed change of the squares, relative to the largest.
    size : callable
        Of a system, the size of the terms: by default the product of the norms of the
        factors of both Gramians, right for Hankel singular values and for the Hankel
        and H-infinity norms.

    Raises
    ------
    InvariantViolationError
        If the quantity changes by more: for complex systems, look for a plain transpose
        where an adjoint is needed.
    """
    A, B, C, D = (getattr(system, name).conj().T for name in "ABCD")
    prop = Property("check_duality", "duality of P and Q, Kalman 1960, Moore 1981")
    dual = StateSpace(A, C, B, D, system.time)
    allowed = rtol, rounding(size, system, dual)
    compare(prop, "the dual", quantity, (system, dual), allowed, {"system": system})


def check_conjugation(
    system: StateSpace,
    quantity: Quantity,
    *,
    rtol: float = RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that the system with all matrices conjugated has the same values.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    rtol : float
        Allowed change of the squares, relative to the largest.
    size : callable
        As of `check_duality`.

    Raises
    ------
    InvariantViolationError
        If the quantity changes by more: look for frequencies of one sign only.
    """
    A, B, C, D = (getattr(system, name).conj() for name in "ABCD")
    mirrored = StateSpace(A, B, C, D, system.time)
    prop = Property(
        "check_conjugation", "mirrored frequencies, conj G(conj s), Zhou et al. 1996"
    )
    allowed = rtol, rounding(size, system, mirrored)
    change, case = "conj A, conj B, conj C, conj D", {"system": system}
    compare(prop, change, quantity, (system, mirrored), allowed, case)


def check_frequency_shift(
    system: StateSpace,
    quantity: Quantity,
    *,
    shift: float,
    rtol: float = RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that a shift of all frequencies changes nothing.

    Continuous: :math:`A + i\omega I`. Discrete: :math:`e^{i\omega} A, e^{i\omega} B`.
    The shifted system is complex, and has the Gramians of the system.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    shift : float
        The shift: rad/s, or radians per sample.
    rtol : float
        Allowed change of the squares, relative to the largest.
    size : callable
        As of `check_duality`.

    Raises
    ------
    InvariantViolationError
        If the quantity changes by more: look for imaginary parts that are dropped, and
        for a grid of frequencies around 0.
    """
    if isinstance(system.time, Continuous):
        A, B = system.A + 1j * shift * np.eye(system.n_states), system.B + 0j
    else:
        A, B = np.exp(1j * shift) * system.A, np.exp(1j * shift) * system.B
    C, D = system.C + 0j, system.D + 0j
    shifted = StateSpace(A, B, C, D, system.time)
    prop = Property("check_frequency_shift", "rotation of the boundary, Glover 1984")
    allowed = rtol, rounding(size, system, shifted)
    case = {"system": system, "shift": shift}
    change = "shifted frequencies"
    compare(prop, change, quantity, (system, shifted), allowed, case)


def check_scaling(
    system: StateSpace,
    quantity: Quantity,
    *,
    inputs: int,
    outputs: int,
    rtol: float = RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that :math:`2^i B, 2^o C, 2^{i+o} D` has values times :math:`2^{i+o}`.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    inputs, outputs : int
        The exponents i and o.
    rtol : float
        Allowed change of the squares, relative to the largest.
    size : callable
        Of a system, the size of the terms: by default the product of the norms of the
        factors of both Gramians, right for Hankel singular values and for the Hankel
        and H-infinity norms.

    Raises
    ------
    InvariantViolationError
        If the quantity changes otherwise: look for tolerances that are absolute
        numbers, for jitter added to Gramians, and for products that underflow.
    """
    i, o = float(2.0**inputs), float(2.0**outputs)
    scaled = replace(system, B=i * system.B, C=o * system.C, D=(i * o) * system.D)
    prop = Property("check_scaling", "the transfer function is linear in B, C and D")

    def unscaled(of: StateSpace) -> Any:
        values = host_array(quantity(of))
        return values / (i * o) if of is scaled else values

    case = {"system": system, "inputs": inputs, "outputs": outputs}
    what = f"2^{inputs} B, 2^{outputs} C"
    allowed = rtol, rounding(size, system)
    compare(prop, what, unscaled, (system, scaled), allowed, case)


def check_unitary_invariance(
    system: StateSpace,
    quantity: Quantity,
    U: Any,
    V: Any,
    *,
    rtol: float = RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that unitary matrices at the inputs and outputs change nothing.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    U : (m, m) array
        Unitary: the inputs become :math:`u = U v`.
    V : (p, p) array
        Unitary: the outputs become :math:`V y`.
    rtol : float
        Allowed change of the squares, relative to the largest.
    size : callable
        Of a system, the size of the terms: by default the product of the norms of the
        factors of both Gramians, right for Hankel singular values and for the Hankel
        and H-infinity norms.

    Raises
    ------
    InvariantViolationError
        If the quantity changes by more.
    """
    U, V = host_array(U), host_array(V)
    turned = replace(system, B=system.B @ U, C=V @ system.C, D=V @ system.D @ U)
    prop = Property(
        "check_unitary_invariance", "unitarily invariant norms, Glover 1984"
    )
    case = {"system": system, "U": U, "V": V}
    allowed = rtol, rounding(size, system, turned)
    compare(prop, "B U, V C, V D U", quantity, (system, turned), allowed, case)
