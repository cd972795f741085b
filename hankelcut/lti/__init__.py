"""What a linear system is, and what can be computed from it."""

from hankelcut.lti.conversions import (
    conjugate_closure,
    diagonalize,
    real_form,
    to_dense,
)
from hankelcut.lti.diagonal_state_space import DiagonalStateSpace, Readout
from hankelcut.lti.frequency_response import frequency_response
from hankelcut.lti.gramians import (
    GramianFactors,
    GramianMethod,
    controllability_gramian,
    controllability_gramian_factor,
    gramian_factors,
    observability_gramian,
    observability_gramian_factor,
)
from hankelcut.lti.h2_norm import h2_norm
from hankelcut.lti.hankel_singular_values import hankel_singular_values
from hankelcut.lti.hinf_bracket import HinfBracket, hinf_bracket
from hankelcut.lti.impulse_response import impulse_response
from hankelcut.lti.interconnection import error_system
from hankelcut.lti.modal_difference import modal_difference_bound
from hankelcut.lti.peak_gain import peak_gain
from hankelcut.lti.sampled_gain import sampled_gain
from hankelcut.lti.simulate import simulate
from hankelcut.lti.stability import is_stable, stability_margin
from hankelcut.lti.state_space import StateSpace
from hankelcut.lti.time_domain import Continuous, Discrete, TimeDomain

__all__ = [
    "Continuous",
    "DiagonalStateSpace",
    "Discrete",
    "GramianFactors",
    "GramianMethod",
    "HinfBracket",
    "Readout",
    "StateSpace",
    "TimeDomain",
    "conjugate_closure",
    "controllability_gramian",
    "controllability_gramian_factor",
    "diagonalize",
    "error_system",
    "frequency_response",
    "gramian_factors",
    "h2_norm",
    "hankel_singular_values",
    "hinf_bracket",
    "impulse_response",
    "is_stable",
    "modal_difference_bound",
    "observability_gramian",
    "observability_gramian_factor",
    "peak_gain",
    "real_form",
    "sampled_gain",
    "simulate",
    "stability_margin",
    "to_dense",
]
