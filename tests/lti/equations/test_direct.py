import numpy as np
import pytest

from hankelcut import IllConditionedError, UnstableSystemError
from hankelcut.lti import Continuous, Discrete
from hankelcut.lti.equations import _direct
from hankelcut.lti.equations._direct import DirectSolver, require_range
from hankelcut.lti.equations._schur_form import SchurForm
from tests.lti.equations.oracles import hump

COUPLED = SchurForm(np.array([[-1e-17, 1.0], [0, -1e-17]]), np.eye(2), np.ones(2))


def test_forms_are_made_once():
    solver = DirectSolver(np.stack([-np.eye(2), -2 * np.eye(2)]), Continuous(), "here")
    assert solver.form((0,)) is solver.form((0,))
    assert solver.form((0,)) is not solver.form((1,))
    # Leading axes of right-hand sides, and axes of length 1, repeat state matrices.
    assert solver.form((5, 1)) is solver.form((1,))
    single = DirectSolver(-np.eye(2)[None], Continuous(), "here")
    assert single.form((3,)) is single.form((0,))


@pytest.mark.parametrize(
    ("dtype", "advice"), [(np.float64, "rescale"), (np.float32, "convert .* double")]
)
def test_singular_to_rounding_is_refused(dtype, advice, monkeypatch):
    # What may be left of a non-normal matrix after balancing.
    monkeypatch.setattr(_direct, "schur_form", lambda A: COUPLED)
    A = -np.eye(2, dtype=dtype)
    where = f"singular to the rounding of {np.dtype(dtype)} .*{advice}"
    single, stack = (
        DirectSolver(state, Continuous(), "here") for state in (A, np.stack([A] * 3))
    )
    with pytest.raises(IllConditionedError, match=f"here: the equation is {where}"):
        single.solution((), np.eye(2), dual=False)
    where = f"of batch item 2 is {where}"
    with pytest.raises(IllConditionedError, match=f"here: the equation {where}"):
        stack.solution((2,), np.eye(2), dual=True)


def test_overflow_is_refused():
    A = hump().astype(np.float32)
    eye = np.eye(20, dtype=np.float32)
    solver = DirectSolver(np.stack([A, A]), Discrete(), "here")
    message = "here: the solution of batch item 1 leaves the range of float32 .*double"
    with pytest.raises(IllConditionedError, match=message):
        solver.solution((1,), eye, dual=True)
    with pytest.raises(IllConditionedError, match=message):
        solver.factors((1,), eye, eye)


def test_items_are_named():
    solver = DirectSolver(np.ones((2, 3, 1, 1)), Discrete(), "here")
    one = np.ones((1, 1))
    with pytest.raises(UnstableSystemError, match=r"state 0 of batch item \(1, 2\)"):
        solver.factors((1, 2), one, one)
    with pytest.raises(UnstableSystemError, match=r"state 0 of batch item \(1, 2\)"):
        solver.solution((1, 2), one, dual=False)


def test_range_is_required():
    require_range(np.ones(3), np.zeros((0, 2)))
    with pytest.raises(OverflowError, match="leaves the range"):
        require_range(np.ones(3), np.array([1, np.nan]))
