"""Frequency-weighted balanced truncation."""

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import series
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.balancing.balancing import balance_factors
from hankelcut.reduction.balancing.definite_input import (
    DefiniteInput,
    balance_definite,
    definite_input,
    state_sizes,
)
from hankelcut.reduction.balancing.generalized_balancing import (
    GeneralizedBalancing,
    Promise,
)
from hankelcut.reduction.balancing.transformations import adjoint_system, evenly_scaled
from hankelcut.reduction.methods._weights import Weights, host_weights
from hankelcut.reduction.order_selection import OrderTarget
from hankelcut.reduction.reduction_method import (
    Matrix,
    reduce_with,
    require_choice,
)
from hankelcut.reduction.result import ReductionResult

__all__ = ["WeightedVariant", "frequency_weighted_truncation"]

WeightedVariant: TypeAlias = Literal["wang_sreeram_liu", "enns"]
"""Which weighted Gramians are balanced: see `frequency_weighted_truncation`."""

_VALUES = "weighted Hankel singular values"
_ADVICE = "choose another order, or variant='wang_sreeram_liu'"
_QUANTITY = "H-infinity norm of W_o (G - G_r) W_i"
_PROVEN = (
    "G, W_i and W_o stable, B W_i in the range of B_w and W_o C in that of C_w, which "
    "was checked (Wang, Sreeram & Liu, IEEE Trans. Autom. Control 44, 1999, p. 1734)"
)
_INCOMPLETE = (
    "no bound: B W_i is not in the range of B_w, or W_o C not in that of C_w, as the "
    "proof of Wang, Sreeram & Liu (IEEE Trans. Autom. Control 44, 1999, p. 1734) needs"
)
_UNBOUNDED = (
    "no bound: none on the weighted error depends on the neglected values alone (Van "
    "Gestel, De Moor, Anderson & Van Overschee, Eur. J. Control 7, 2001), and models "
    "are known to be stable with one weight only (Enns, CDC 1984, p. 127)"
)


def frequency_weighted_truncation(
    system: StateSpace | DiagonalStateSpace,
    *,
    input_weight: StateSpace | DiagonalStateSpace | None = None,
    output_weight: StateSpace | DiagonalStateSpace | None = None,
    variant: WeightedVariant = "wang_sreeram_liu",
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
) -> ReductionResult:
    r"""Reduce a system with a small error at the frequencies that weights stress.

    What is to be small is :math:`\|W_o(G - G_r)W_i\|_\infty`. Of an unstable system the
    stable part is reduced and the rest kept.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One system; diagonal ones are made dense.
    input_weight : StateSpace or DiagonalStateSpace, optional
        Stable W_i, with as many outputs as the system has inputs, in its time domain;
        the identity by default. Real for a real system.
    output_weight : StateSpace or DiagonalStateSpace, optional
        Stable W_o, with as many inputs as the system has outputs; likewise.
    variant : {"wang_sreeram_liu", "enns"}
        ``"wang_sreeram_liu"`` (default): stable models, with a bound on the weighted
        error, with weights mostly 5 to 50 times too large. ``"enns"``: the weighted
        Gramians themselves, mostly a little more accurate, without a bound; with two
        weights a model may turn out unstable and is then refused.
    order : int, optional
        Number of states to keep.
    error_tol : float, optional
        Instead: largest admissible bound on the weighted error, absolute; for
        ``"enns"`` the largest admissible measured norm of G - G_r.
    relative : bool
        Whether `error_tol` is a multiple of the H-infinity norm of the system.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the weighted values.
    max_order : int, optional
        Largest order to choose for a tolerance.

    Returns
    -------
    ReductionResult
        Its bound is that of the weighted error, which `certify` measures as
        `bounded_error`.

    Raises
    ------
    InvalidSystemError
        If a weight does not fit the system, or an entry is NaN or infinite.
    UnstableSystemError
        If a weight is not stable, or a model is not.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.
    ValueError
        If not exactly one target is given or it is out of range, or there is no such
        variant.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie of equal values or exceeds the numerical
        rank.

    Notes
    -----
    **Method.** Enns (Proc. 23rd IEEE Conf. Decision and Control, 1984, p. 127):
    :math:`P_{11}`, the block of the plant in the controllability Gramian of
    :math:`GW_i`, and :math:`Q_{11}` of :math:`W_oG`, by their factors: rows of the
    Hammarling factors of both cascades. Wang, Sreeram & Liu (IEEE Trans. Autom. Control
    44, 1999, p. 1734): the right-hand sides :math:`-(AP_{11} + P_{11}A^H)` (discrete
    :math:`P_{11} - AP_{11}A^H`) :math:`= V\,\mathrm{diag}(w)V^H` become
    :math:`V|w|V^H = B_wB_w^H`, and :math:`C_w` likewise; then, with :math:`B = B_wK`
    and :math:`C = LC_w` as far as the weights pass signals,
    :math:`\|W_o(G - G_r)W_i\|_\infty \le 2\|W_oL\|_\infty\|KW_i\|_\infty
    \sum_{k>r}\sigma_k`. **Numerical aspects.** V depends on the coordinates of the
    states, which are scaled to be as controllable as observable first: their units do
    not matter, but another basis gives another model and bound.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> A = np.diag([-1.0, -20.0, -30.0])
    >>> plant = hc.StateSpace(A, np.ones((3, 1)), [[1.0, 4.0, 6.0]])
    >>> low_pass = hc.StateSpace([[-0.1]], [[0.1]], [[1.0]])
    >>> result = hc.frequency_weighted_truncation(plant, input_weight=low_pass, order=1)
    >>> certificate = result.certify()
    >>> bool(certificate.bounded_error.upper <= result.error_bound)
    True
    """
    caller = "frequency_weighted_truncation"
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    require_dense_or_diagonal(caller, system)
    require_choice(caller, "variant", variant, WeightedVariant)
    weights = host_weights(caller, system, input_weight, output_weight)
    return reduce_with(
        lambda part: _decompose(part, weights, variant, caller),
        system,
        target,
        caller=caller,
        method=f"frequency-weighted truncation ({variant})",
    )


def _decompose(
    part: StateSpace, weights: Weights, variant: WeightedVariant, caller: str
) -> GeneralizedBalancing:
    """Balance the weighted Gramians of the stable part."""
    even, units = evenly_scaled(part)
    sides = [
        (even, weights.input),
        (adjoint_system(even), adjoint_system(weights.output)),
    ]
    (Lc, half_c), (Lo, half_o) = (_plant_side(*side, caller) for side in sides)
    halves = (half_c, half_o)
    if variant == "wang_sreeram_liu":
        sizes = state_sizes(Lc, Lo)
        inputs, outputs = (
            definite_input(
                plant.B, plant.B, half, size, np.hstack([weight.C, weight.D])
            )
            for (plant, weight), half, size in zip(
                sides, halves, (sizes, 1 / sizes), strict=True
            )
        )
        gain = _gain(inputs, weights.input) * _gain(outputs, sides[1][1])
        promises = (
            Promise(_PROVEN, (), weights.weigh, _QUANTITY),
            Promise(_INCOMPLETE, (), weights.weigh, _QUANTITY),
        )
        return balance_definite(
            even, units, (inputs, outputs), gain, promises, _VALUES, caller
        )
    X, Y = (
        plant.B @ half.conj().T + half @ plant.B.conj().T
        for (plant, _), half in zip(sides, halves, strict=True)
    )
    promise = Promise(_UNBOUNDED, (), weights.weigh, _QUANTITY, advice=_ADVICE)
    balancing = balance_factors(even, Lc, Lo)
    return GeneralizedBalancing(
        even, units, balancing, (X, Y), _VALUES, promise, caller
    )


def _plant_side(
    plant: StateSpace, weight: StateSpace, caller: str
) -> tuple[Matrix, Matrix]:
    r"""Weighted controllability Gramian of a plant behind a weight.

    Returns
    -------
    L : (n, k) array
        Factor of P11, k <= n.
    half : (n, m) array
        N, for which P11 solves the equation with the right-hand side B N^H + N B^H.
    """
    cascade = series(weight, plant)
    equation = LyapunovEquation(cascade.A, cascade.time, caller=caller)
    factor = equation.factor(cascade.B)
    of_weight, of_plant = np.split(factor, [weight.n_states])
    # P12 C_i^H and C_i P22 C_i^H, without the products that may cancel.
    response = (weight.C @ of_weight).conj().T
    half, own = of_plant @ response, weight.D @ weight.D.conj().T
    if not isinstance(plant.time, Continuous):
        half, own = plant.A @ half, own + response.conj().T @ response
    half = half + plant.B @ own / 2
    L = np.linalg.qr(of_plant.conj().T).R.conj().T
    return L, half


def _gain(inputs: DefiniteInput, weight: StateSpace) -> float:
    """H-infinity norm of K W, its upper end."""
    K = inputs.gain
    return float(hinf_norm(replace(weight, C=K @ weight.C, D=K @ weight.D)).upper)
