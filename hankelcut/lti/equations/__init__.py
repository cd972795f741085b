"""Lyapunov, Stein and Sylvester equations, dense and (low-rank) sparse."""

from hankelcut.lti.equations._adi_settings import Progress
from hankelcut.lti.equations.low_rank_adi import low_rank_adi
from hankelcut.lti.equations.low_rank_factor import LowRankFactor
from hankelcut.lti.equations.low_rank_smith import low_rank_smith
from hankelcut.lti.equations.lyapunov import (
    continuous_lyapunov,
    continuous_lyapunov_factor,
    discrete_lyapunov,
    discrete_lyapunov_factor,
)
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.equations.riccati import continuous_riccati
from hankelcut.lti.equations.sylvester import sylvester

__all__ = [
    "LowRankFactor",
    "LyapunovEquation",
    "Progress",
    "continuous_lyapunov",
    "continuous_lyapunov_factor",
    "continuous_riccati",
    "discrete_lyapunov",
    "discrete_lyapunov_factor",
    "low_rank_adi",
    "low_rank_smith",
    "sylvester",
]
