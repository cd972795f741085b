import numpy as np
import pytest
import scipy.sparse

import hankelcut as hc
from tests.helpers import unchecked_types

FUNCTIONS = [
    hc.balance,
    hc.balanced_realization,
    hc.controllability_gramian,
    hc.controllability_gramian_factor,
    hc.diagonalize,
    hc.hinf_norm,
    hc.is_stable,
    hc.minimal_realization,
    hc.peak_gain,
    hc.stability_margin,
    hc.stable_unstable_decomposition,
    hc.to_control,
    hc.to_dense,
    hc.to_scipy,
    lambda system: hc.append(system, system),
    lambda system: hc.discretize(system, 0.1),
    lambda system: hc.feedback(system),
    lambda system: hc.frequency_limited_controllability_gramian(system, (0.0, 1.0)),
    lambda system: hc.impulse_response(system, n_samples=3),
    lambda system: hc.simulate(system, np.ones((3, 1))),
    lambda system: hc.time_limited_observability_gramian(system, 1.0),
    lambda system: hc.undiscretize(system),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_sparse_systems_are_refused_with_advice(function):
    system = hc.SparseStateSpace(
        -scipy.sparse.identity(3), np.ones((3, 1)), np.ones((1, 3))
    )
    message = r"got a SparseStateSpace, need a StateSpace or .* its to_dense\(\)"
    with unchecked_types(), pytest.raises(hc.InvalidSystemError, match=message):
        function(system)


@pytest.mark.parametrize("function", [hc.balanced_truncation, hc.h2_norm])
def test_systems_of_other_toolboxes_are_refused_with_advice(function):
    control = pytest.importorskip("control", reason="python-control is not installed")
    system = control.ss([[-1.0]], [[1.0]], [[1.0]], [[0.0]])
    arguments = {"order": 1} if function is hc.balanced_truncation else {}
    message = "got a control StateSpace, need a StateSpace.*; from_control"
    with unchecked_types(), pytest.raises(hc.InvalidSystemError, match=message):
        function(system, **arguments)
