"""All checks of a kind of functions, run on drawn systems."""

from hankelcut.validation.composites.check import BoundCheck, Check
from hankelcut.validation.composites.hankel_value_checks import (
    HANKEL_VALUE_CHECKS,
    check_hankel_singular_values,
)
from hankelcut.validation.composites.lyapunov_checks import (
    LYAPUNOV_CHECKS,
    check_lyapunov_solver,
)
from hankelcut.validation.composites.norm_checks import NORM_CHECKS, check_norm
from hankelcut.validation.composites.parametrize import parametrize_with_checks
from hankelcut.validation.composites.reduction_checks import (
    REDUCTION_CHECKS,
    REDUCTION_GROUPS,
    check_reduction,
)

__all__ = [
    "HANKEL_VALUE_CHECKS",
    "LYAPUNOV_CHECKS",
    "NORM_CHECKS",
    "REDUCTION_CHECKS",
    "REDUCTION_GROUPS",
    "BoundCheck",
    "Check",
    "check_hankel_singular_values",
    "check_lyapunov_solver",
    "check_norm",
    "check_reduction",
    "parametrize_with_checks",
]
