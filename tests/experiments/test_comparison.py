"""Figures of a comparison, against numbers worked out by hand."""

import numpy as np
import pytest

from hankelcut.adapters import LayerCut, ReductionEvent
from hankelcut.experiments import Measurement, Recipe, RunRecord
from hankelcut.experiments.comparison import Estimate, compare_runs, cut_effects
from hankelcut.experiments.methods import RunId


def a_record(
    accuracy: float,
    seconds: float,
    *,
    states: int = 8,
    cuts: tuple[int, ...] = (),
    losses: np.ndarray | None = None,
) -> RunRecord:
    steps = 20
    layer = LayerCut("a", 9, 8, 0.1, 0.05, (1.0, 0.5))
    return RunRecord(
        recipe=Recipe(steps=steps),
        states={"a": states, "b": 2},
        parameters=30,
        test_accuracy=accuracy,
        validation_accuracy=accuracy - 0.1,
        train_seconds=seconds,
        history=(Measurement(steps, 0.5, accuracy, {"a": states}, seconds),),
        spectra=(),
        events=tuple(ReductionEvent(step, (layer,), 0.5) for step in cuts),
        losses=np.zeros(steps, np.float32) if losses is None else losses,
    )


@pytest.fixture
def records() -> dict[RunId, RunRecord]:
    return {
        RunId("full", None, 0): a_record(0.9, 40.0, states=30),
        RunId("full", None, 1): a_record(0.8, 20.0, states=30),
        RunId("cut", 0.1, 0): a_record(0.85, 10.0, cuts=(4, 8)),
        RunId("cut", 0.1, 1): a_record(0.79, 20.0, states=6, cuts=(4,)),
        RunId("distilled", 0.1, 0): a_record(0.81, 5.0),
        RunId("distilled", 0.1, 1): a_record(0.77, 15.0),
    }


def test_figures_are_means_and_deviations_over_all_seeds(records) -> None:
    full, cut, distilled = compare_runs(records, 0.1)
    assert [item.kind for item in (full, cut, distilled)] == [
        "full",
        "cut-tau-0.1",
        "distilled-tau-0.1",
    ]
    assert full.test.mean == pytest.approx(0.85)
    # Of a sample of two: their distance over the root of 2.
    assert full.test.deviation == pytest.approx(0.1 / 2**0.5)
    assert cut.states.mean == 9
    assert cut.by_seed == [(0, (8, 2), 0.85), (1, (6, 2), 0.79)]
    assert cut.validation.mean == pytest.approx(0.72)
    assert cut.cut_share == pytest.approx(0.1)
    assert cut.speedup == pytest.approx(30 / 15)
    assert cut.label == "cut in training, τ = 0.1"
    assert full.label == "full size"


def test_teachers_count_in_the_total_time(records) -> None:
    distilled = compare_runs(records, 0.2)[2]
    assert distilled.seconds.mean == 10
    assert distilled.total_seconds.mean == pytest.approx((45 + 35) / 2)
    assert distilled.speedup == pytest.approx(30 / 40)


def test_differences_are_paired_by_seed(records) -> None:
    full, cut, distilled = compare_runs(records, 0.1)
    assert cut.difference is None
    assert full.difference is not None
    assert full.difference.mean == pytest.approx((0.05 + 0.01) / 2)
    assert full.standard_error == pytest.approx(0.04 / 2**0.5 / 2**0.5)
    assert distilled.difference is not None
    assert distilled.difference.mean == pytest.approx((-0.04 - 0.02) / 2)
    del records[RunId("cut", 0.1, 1)]
    assert compare_runs(records, 0.1)[0].difference is None


def test_differences_are_to_the_cut_of_the_same_tau(records) -> None:
    records[RunId("cut", 0.3, 0)] = a_record(0.7, 9.0)
    records[RunId("direct", 0.3, 0)] = a_record(0.6, 9.0)
    full, *_, other, direct = compare_runs(records, 0.1)
    assert other.difference is None
    assert direct.difference is not None
    assert direct.difference.mean == pytest.approx(-0.1)
    assert full.difference is not None
    assert full.difference.mean == pytest.approx((0.05 + 0.01) / 2)


def test_one_seed_has_no_deviation(records) -> None:
    one = {run: record for run, record in records.items() if run.seed == 0}
    figures = compare_runs(one, 0.1)[0]
    assert figures.test.deviation == 0
    assert figures.standard_error is None


def test_losses_behind_cuts_are_those_of_the_steps_behind_them() -> None:
    ramp = np.arange(20, dtype=np.float32)
    records = {
        RunId("cut", 0.1, 0): a_record(0.9, 9.0, cuts=(4, 10), losses=ramp),
        RunId("slice", 0.1, 0): a_record(0.9, 9.0, cuts=(4,), losses=2 * ramp),
        RunId("once", 0.1, 0): a_record(0.9, 9.0, cuts=(10,), losses=2 * ramp),
        RunId("direct", 0.1, 0): a_record(0.9, 9.0),
        RunId("reset", 0.1, 0): a_record(0.9, 9.0),
    }
    cut, sliced, once = cut_effects(records, 0.1)
    # Step 4 is the loss 3: before are 0 to 3, behind are 4 to 7; of the second cut no
    # more steps than lie between both.
    assert cut.n_cuts == 2
    assert cut.before == Estimate.of([1.5, 6.5])
    assert cut.behind.mean == pytest.approx((5.5 + 12.5) / 2)
    assert cut.difference is None
    assert sliced.before.mean == 3
    assert sliced.behind.mean == 11
    assert sliced.difference is not None
    assert sliced.difference.mean == pytest.approx(11 - 5.5)
    # In the same steps, which are ten here: one cut has no other before it.
    assert once.difference is not None
    assert once.difference.mean == pytest.approx(14.5)


def test_undone_cuts_are_no_cuts() -> None:
    record = a_record(0.9, 9.0, cuts=(4,))
    undone = [
        ReductionEvent(e.step, e.layers, e.seconds, rolled_back=True)
        for e in record.events
    ]
    object.__setattr__(record, "events", tuple(undone))
    assert cut_effects({RunId("rollback", 0.1, 0): record}, 0.1) == []
