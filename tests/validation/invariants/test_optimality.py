import numpy as np
import pytest

import hankelcut as hc
from hankelcut.validation import (
    InvariantViolationError,
    check_h2_optimality,
    random_stable_system,
)


@pytest.mark.parametrize("time", [hc.Continuous(), hc.Discrete()])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_fixed_points_of_irka_pass(time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype, margin=0.2)
    check_h2_optimality(system, hc.irka(system, order=2), rtol=1e-5)


@pytest.mark.parametrize("time", [hc.Continuous(), hc.Discrete()])
def test_balanced_truncation_is_not_optimal(time, rng):
    system = random_stable_system(rng, 6, 2, 3, time, margin=0.2)
    with pytest.raises(InvariantViolationError, match="check_h2_optimality"):
        check_h2_optimality(system, hc.balanced_truncation(system, order=2))
