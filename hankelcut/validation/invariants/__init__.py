"""Properties of right solvers, norms and reductions, one function per property."""

from hankelcut.validation.invariants.claims import check_claims, check_projections
from hankelcut.validation.invariants.enlargements import check_direct_sum, check_padding
from hankelcut.validation.invariants.equations import (
    check_lyapunov_accuracy,
    check_lyapunov_definiteness,
    check_lyapunov_duality,
    check_lyapunov_factor,
    check_lyapunov_homogeneity,
    check_lyapunov_residual,
)
from hankelcut.validation.invariants.gradients import (
    check_gradient,
    check_gradient_euler,
    check_gradient_similarity,
)
from hankelcut.validation.invariants.hankel_bounds import check_hankel_bounds
from hankelcut.validation.invariants.hankel_values import (
    check_bilinear_values,
    check_first_order_value,
    check_relative_accuracy,
    check_value_monotonicity,
    check_value_perturbation,
    check_values_energy,
    check_values_form,
)
from hankelcut.validation.invariants.invariances import (
    check_conjugation,
    check_duality,
    check_frequency_shift,
    check_scaling,
    check_similarity,
    check_unitary_invariance,
)
from hankelcut.validation.invariants.layers import (
    check_batch,
    check_impulse_response,
    check_real_form,
)
from hankelcut.validation.invariants.norms import (
    check_norm_chain,
    check_norm_first_order,
    check_norm_grid,
    check_norm_inequality,
    check_norm_value,
)
from hankelcut.validation.invariants.optimality import check_h2_optimality
from hankelcut.validation.invariants.reductions import (
    check_full_order,
    check_hankel_lower_bound,
    check_reduced_form,
    check_reduced_stability,
    check_same_map,
    check_unstable_part,
)
from hankelcut.validation.invariants.truncation import (
    check_claimed_tail,
    check_feedthrough,
    check_hankel_norm_error,
    check_reduced_order,
    check_reduced_values,
    check_static_gain,
    check_truncation_bound,
)
from hankelcut.validation.invariants.violation import (
    InvariantViolationError,
    constructor,
)

__all__ = [
    "InvariantViolationError",
    "check_batch",
    "check_bilinear_values",
    "check_claimed_tail",
    "check_claims",
    "check_conjugation",
    "check_direct_sum",
    "check_duality",
    "check_feedthrough",
    "check_first_order_value",
    "check_frequency_shift",
    "check_full_order",
    "check_gradient",
    "check_gradient_euler",
    "check_gradient_similarity",
    "check_h2_optimality",
    "check_hankel_bounds",
    "check_hankel_lower_bound",
    "check_hankel_norm_error",
    "check_impulse_response",
    "check_lyapunov_accuracy",
    "check_lyapunov_definiteness",
    "check_lyapunov_duality",
    "check_lyapunov_factor",
    "check_lyapunov_homogeneity",
    "check_lyapunov_residual",
    "check_norm_chain",
    "check_norm_first_order",
    "check_norm_grid",
    "check_norm_inequality",
    "check_norm_value",
    "check_padding",
    "check_projections",
    "check_real_form",
    "check_reduced_form",
    "check_reduced_order",
    "check_reduced_stability",
    "check_reduced_values",
    "check_relative_accuracy",
    "check_same_map",
    "check_scaling",
    "check_similarity",
    "check_static_gain",
    "check_truncation_bound",
    "check_unitary_invariance",
    "check_unstable_part",
    "check_value_monotonicity",
    "check_value_perturbation",
    "check_values_energy",
    "check_values_form",
    "constructor",
]
