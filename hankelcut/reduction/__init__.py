"""How to make a linear system smaller, and by how much that is wrong.

`methods` has one module for each public method, `balancing` what they share.
`reduction_method` is the driver that takes a method from a system to a result;
`order_selection` turns tolerances into orders, `result` and `certificate` hold what
came of it, its bound and the measured errors, and `comparison` runs methods side by
side.
"""

from hankelcut.reduction.balancing.balancing import Balancing, StateMap, balance
from hankelcut.reduction.balancing.bank_truncation import BankSpectrum, truncate_bank
from hankelcut.reduction.balancing.state_selection import (
    StateScore,
    StateSelection,
    modal_scores,
    selected_modes,
)
from hankelcut.reduction.balancing.truncation import truncate
from hankelcut.reduction.certificate import Certificate
from hankelcut.reduction.comparison import METHODS, Comparison, compare
from hankelcut.reduction.methods.balance_and_refine import balance_and_refine
from hankelcut.reduction.methods.balanced_stochastic_truncation import (
    balanced_stochastic_truncation,
)
from hankelcut.reduction.methods.balanced_truncation import balanced_truncation
from hankelcut.reduction.methods.bounded_real_truncation import (
    bounded_real_truncation,
)
from hankelcut.reduction.methods.frequency_limited_truncation import (
    frequency_limited_truncation,
)
from hankelcut.reduction.methods.frequency_weighted_truncation import (
    frequency_weighted_truncation,
)
from hankelcut.reduction.methods.hankel_norm_approximation import (
    Feedthrough,
    hankel_norm_approximation,
)
from hankelcut.reduction.methods.irka import irka
from hankelcut.reduction.methods.low_rank_balanced_truncation import (
    low_rank_balanced_truncation,
)
from hankelcut.reduction.methods.lqg_balanced_truncation import (
    lqg_balanced_truncation,
)
from hankelcut.reduction.methods.modal_truncation import ModalScore, modal_truncation
from hankelcut.reduction.methods.positive_real_truncation import (
    positive_real_truncation,
)
from hankelcut.reduction.methods.singular_perturbation_approximation import (
    singular_perturbation_approximation,
)
from hankelcut.reduction.methods.time_limited_truncation import (
    time_limited_truncation,
)
from hankelcut.reduction.order_selection import (
    HankelSpectrum,
    OrderSelection,
    OrderTarget,
)
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = [
    "METHODS",
    "Balancing",
    "BankSpectrum",
    "Certificate",
    "Comparison",
    "ErrorBound",
    "Feedthrough",
    "HankelSpectrum",
    "ModalScore",
    "OrderSelection",
    "OrderTarget",
    "ReductionResult",
    "StateMap",
    "StateScore",
    "StateSelection",
    "balance",
    "balance_and_refine",
    "balanced_stochastic_truncation",
    "balanced_truncation",
    "bounded_real_truncation",
    "compare",
    "frequency_limited_truncation",
    "frequency_weighted_truncation",
    "hankel_norm_approximation",
    "irka",
    "low_rank_balanced_truncation",
    "lqg_balanced_truncation",
    "modal_scores",
    "modal_truncation",
    "positive_real_truncation",
    "selected_modes",
    "singular_perturbation_approximation",
    "time_limited_truncation",
    "truncate",
    "truncate_bank",
]
