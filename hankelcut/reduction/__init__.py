"""How to make a linear system smaller, and by how much that is wrong."""

from hankelcut.reduction.balancing.balancing import Balancing, StateMap, balance
from hankelcut.reduction.balancing.truncation import truncate
from hankelcut.reduction.certificate import Certificate
from hankelcut.reduction.methods.balanced_truncation import balanced_truncation
from hankelcut.reduction.methods.low_rank_balanced_truncation import (
    low_rank_balanced_truncation,
)
from hankelcut.reduction.order_selection import (
    HankelSpectrum,
    OrderSelection,
    OrderTarget,
)
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = [
    "Balancing",
    "Certificate",
    "ErrorBound",
    "HankelSpectrum",
    "OrderSelection",
    "OrderTarget",
    "ReductionResult",
    "StateMap",
    "balance",
    "balanced_truncation",
    "low_rank_balanced_truncation",
    "truncate",
]
