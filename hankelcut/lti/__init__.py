"""What a linear system is, and what can be computed from it."""

from hankelcut.lti.equations import (
    LowRankFactor,
    LyapunovEquation,
    continuous_lyapunov,
    continuous_lyapunov_factor,
    continuous_riccati,
    discrete_lyapunov,
    discrete_lyapunov_factor,
    low_rank_adi,
    low_rank_smith,
    sylvester,
)
from hankelcut.lti.exchange import (
    from_control,
    from_scipy,
    load,
    save,
    to_control,
    to_scipy,
)
from hankelcut.lti.gramians.gramian_factors import (
    GramianFactors,
    GramianMethod,
    controllability_gramian,
    controllability_gramian_factor,
    gramian_factors,
    observability_gramian,
    observability_gramian_factor,
)
from hankelcut.lti.gramians.hankel_singular_values import hankel_singular_values
from hankelcut.lti.gramians.limited_gramians import (
    frequency_limited_controllability_gramian,
    frequency_limited_observability_gramian,
    time_limited_controllability_gramian,
    time_limited_observability_gramian,
)
from hankelcut.lti.gramians.low_rank_gramians import (
    LowRankGramians,
    low_rank_gramian_factors,
)
from hankelcut.lti.norms.h2_norm import h2_norm
from hankelcut.lti.norms.hankel_norm import hankel_norm
from hankelcut.lti.norms.hinf_norm import HinfBracket, hinf_norm
from hankelcut.lti.norms.modal_difference import modal_difference_bound
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.responses.impulse_response import impulse_response
from hankelcut.lti.responses.peak_gain import peak_gain
from hankelcut.lti.responses.sampled_gain import sampled_gain
from hankelcut.lti.responses.sampled_peak import sampled_peak
from hankelcut.lti.responses.simulate import simulate
from hankelcut.lti.structure.balanced_realization import (
    BalancedRealization,
    balanced_realization,
)
from hankelcut.lti.structure.minimal_realization import (
    MinimalRealization,
    minimal_realization,
)
from hankelcut.lti.structure.stability import is_stable, stability_margin
from hankelcut.lti.structure.stable_unstable_decomposition import (
    StableUnstableDecomposition,
    stable_unstable_decomposition,
)
from hankelcut.lti.systems.conversions import (
    conjugate_closure,
    diagonalize,
    real_form,
    to_dense,
)
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace, Readout
from hankelcut.lti.systems.discretization import (
    DiscretizationMethod,
    discretize,
    undiscretize,
)
from hankelcut.lti.systems.interconnection import (
    append,
    error_system,
    feedback,
    parallel,
    series,
)
from hankelcut.lti.systems.signal_names import SignalNames
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain

__all__ = [
    "BalancedRealization",
    "Continuous",
    "DiagonalStateSpace",
    "Discrete",
    "DiscretizationMethod",
    "GramianFactors",
    "GramianMethod",
    "HinfBracket",
    "LowRankFactor",
    "LowRankGramians",
    "LyapunovEquation",
    "MinimalRealization",
    "Readout",
    "SignalNames",
    "SparseStateSpace",
    "StableUnstableDecomposition",
    "StateSpace",
    "TimeDomain",
    "append",
    "balanced_realization",
    "conjugate_closure",
    "continuous_lyapunov",
    "continuous_lyapunov_factor",
    "continuous_riccati",
    "controllability_gramian",
    "controllability_gramian_factor",
    "diagonalize",
    "discrete_lyapunov",
    "discrete_lyapunov_factor",
    "discretize",
    "error_system",
    "feedback",
    "frequency_limited_controllability_gramian",
    "frequency_limited_observability_gramian",
    "frequency_response",
    "from_control",
    "from_scipy",
    "gramian_factors",
    "h2_norm",
    "hankel_norm",
    "hankel_singular_values",
    "hinf_norm",
    "impulse_response",
    "is_stable",
    "load",
    "low_rank_adi",
    "low_rank_gramian_factors",
    "low_rank_smith",
    "minimal_realization",
    "modal_difference_bound",
    "observability_gramian",
    "observability_gramian_factor",
    "parallel",
    "peak_gain",
    "real_form",
    "sampled_gain",
    "sampled_peak",
    "save",
    "series",
    "simulate",
    "stability_margin",
    "stable_unstable_decomposition",
    "sylvester",
    "time_limited_controllability_gramian",
    "time_limited_observability_gramian",
    "to_control",
    "to_dense",
    "to_scipy",
    "undiscretize",
]
