"""Cuts on a schedule, and resuming after them."""

import copy
import io
import json
import math

import pytest
import torch

import hankelcut as hc
from hankelcut.adapters import (
    EnergyTolerance,
    ErrorTolerance,
    FixedFraction,
    InTrainingReducer,
    ReductionEvent,
    TargetOrder,
    load_reduced,
    state_sizes,
)
from hankelcut.nn import SequenceClassifier
from tests.helpers import unchecked_types


def build():
    return SequenceClassifier(
        2, 5, d_model=4, d_state=16, n_blocks=2, r_min=0.2, r_max=0.95
    )


def test_cuts_happen_at_the_scheduled_steps(model, batch, train):
    optimizer = torch.optim.Adam(model.parameters())
    reducer = InTrainingReducer(
        model, optimizer, FixedFraction(0.2), every=3, start=2, until=8
    )
    happened = []
    for count in range(1, 13):
        train(model, optimizer, batch)
        if reducer.step() is not None:
            happened.append(count)
    assert happened == [2, 5, 8]
    assert [event.step for event in reducer.events] == happened
    assert list(state_sizes(model).values()) == [8, 8]


def test_events_certify_and_are_plain_json(model, batch, train):
    optimizer = torch.optim.Adam(model.parameters())
    inputs, targets = batch

    def probe() -> float:
        with torch.no_grad():
            logits = model.eval()(inputs)
        model.train()
        return float(torch.nn.functional.cross_entropy(logits, targets))

    reducer = InTrainingReducer(
        model, optimizer, EnergyTolerance(0.1), every=1, probe=probe
    )
    train(model, optimizer, batch)
    before = probe()
    event = reducer.step()
    assert event.loss_before == pytest.approx(before)
    assert event.loss_after == pytest.approx(probe())
    assert event.loss_after != event.loss_before
    assert event.seconds > 0
    assert event.is_cut
    for cut in event.layers:
        assert 0 < cut.measured_error <= cut.error_bound
        assert len(cut.hankel_singular_values) == 32
    assert ReductionEvent.from_dict(json.loads(json.dumps(event.to_dict()))) == event


def test_small_savings_are_not_worth_a_cut(model, batch, train):
    optimizer = torch.optim.Adam(model.parameters())
    reducer = InTrainingReducer(
        model, optimizer, FixedFraction(0.2), every=1, minimum_saving=0.3
    )
    train(model, optimizer, batch)
    event = reducer.step()
    assert not event.is_cut
    assert list(state_sizes(model).values()) == [16, 16]


def test_failures_leave_model_and_count(model, batch, train):
    optimizer = torch.optim.Adam(model.parameters())
    reducer = InTrainingReducer(model, optimizer, ErrorTolerance(1e9), every=1)
    train(model, optimizer, batch)
    with pytest.raises(hc.PolicyError, match="every state"):
        reducer.step()
    assert reducer.state_dict()["count"] == 0
    assert list(state_sizes(model).values()) == [16, 16]


def test_resumed_run_continues_with_the_same_losses(batch, train):
    torch.manual_seed(5)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def reducer_of(model, optimizer):
        return InTrainingReducer(
            model, optimizer, EnergyTolerance(0.08), every=4, until=8
        )

    reducer = reducer_of(model, optimizer)
    for _ in range(5):
        train(model, optimizer, batch)
        reducer.step()
    assert max(state_sizes(model).values()) < 16
    saved = io.BytesIO()
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "reducer": reducer.state_dict(),
        },
        saved,
    )
    saved.seek(0)
    torch.manual_seed(77)
    other = build()
    # weights_only: the checkpoint holds tensors and plain types only.
    state = torch.load(saved, weights_only=True)
    load_reduced(other, state["model"])
    other_optimizer = torch.optim.AdamW(other.parameters(), lr=1e-2)
    other_optimizer.load_state_dict(state["optimizer"])
    other_reducer = reducer_of(other, other_optimizer)
    other_reducer.load_state_dict(state["reducer"])
    for _ in range(8):
        expected = train(model, optimizer, batch)
        assert train(other, other_optimizer, batch) == expected
        event, other_event = reducer.step(), other_reducer.step()
        assert (event is None) == (other_event is None)
    assert len(other_reducer.events) == 2
    assert state_sizes(other) == state_sizes(model)


def test_loading_resizes_an_optimizer_that_already_exists(model, batch, train):
    reduced = copy.deepcopy(model)
    hc.adapters.reduce_(reduced, FixedFraction(0.5))
    optimizer = torch.optim.Adam(model.parameters())
    train(model, optimizer, batch)
    load_reduced(model, reduced.state_dict(), optimizer=optimizer)
    assert {p for g in optimizer.param_groups for p in g["params"]} == set(
        model.parameters()
    )
    inputs, _ = batch
    torch.testing.assert_close(model.eval()(inputs), reduced.eval()(inputs))
    train(model, optimizer, batch)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: s.pop("head.bias"), "1 keys missing, such as 'head.bias'"),
        (
            lambda s: s.update(extra=torch.zeros(1)),
            "1 keys unexpected, such as 'extra'",
        ),
        (
            lambda s: s.update({"head.bias": torch.zeros(6)}),
            r"head.bias has shape \(6,\)",
        ),
        (
            lambda s: s.update({"blocks.0.layer.B_re": torch.zeros(16, 9)}),
            r"blocks.0.layer.B_re has shape \(16, 9\)",
        ),
        (
            lambda s: s.update({"blocks.0.layer.B_re": torch.zeros(9, 4)}),
            r"have \[9, 16\] states",
        ),
    ],
)
def test_foreign_checkpoints_change_nothing(model, damage, message):
    state = {k: v.clone() + 1 for k, v in model.state_dict().items()}
    damage(state)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(hc.CheckpointMismatchError, match=message):
        load_reduced(model, state)
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_foreign_reducer_states_change_nothing(model):
    optimizer = torch.optim.Adam(model.parameters())
    reducer = InTrainingReducer(model, optimizer, EnergyTolerance(0.1), every=5)
    other = InTrainingReducer(model, optimizer, EnergyTolerance(0.2), every=5)
    with pytest.raises(hc.CheckpointMismatchError, match="schedule"):
        reducer.load_state_dict(other.state_dict())
    with pytest.raises(hc.CheckpointMismatchError, match="lacks"):
        reducer.load_state_dict({"count": 3})
    assert reducer.state_dict()["count"] == 0


@pytest.mark.parametrize(
    "options",
    [{"every": 0}, {"every": 1, "start": -1}, {"every": 1, "start": 3, "until": 2}],
)
def test_schedules_out_of_range_are_refused(model, options):
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(ValueError, match="need every >= 1"):
        InTrainingReducer(model, optimizer, EnergyTolerance(0.1), **options)


def test_optimizers_of_other_models_are_refused_at_once(model):
    optimizer = torch.optim.Adam(build().parameters())
    with pytest.raises(hc.OptimizerMismatchError, match="does not hold"):
        InTrainingReducer(model, optimizer, EnergyTolerance(0.1), every=1)


def test_a_failing_probe_leaves_the_event_on_record(model, batch, train):
    optimizer = torch.optim.Adam(model.parameters())
    losses = iter([1.0])
    reducer = InTrainingReducer(
        model, optimizer, FixedFraction(0.5), every=1, probe=lambda: next(losses)
    )
    train(model, optimizer, batch)
    with pytest.raises(StopIteration):
        reducer.step()
    assert list(state_sizes(model).values()) == [8, 8]
    assert [event.step for event in reducer.events] == [1]
    assert reducer.state_dict()["count"] == 1


@pytest.mark.parametrize("damage", [{"events": [{"step": 1}]}, {"count": "many"}])
def test_damaged_reducer_states_are_refused(model, damage):
    optimizer = torch.optim.Adam(model.parameters())
    reducer = InTrainingReducer(model, optimizer, EnergyTolerance(0.1), every=5)
    with pytest.raises(hc.CheckpointMismatchError, match="damaged"):
        reducer.load_state_dict({**reducer.state_dict(), **damage})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda v: v.numpy(), "got blocks.0.layer.B_re as ndarray"),
        (lambda v: v.to(torch.complex64), "as torch.complex64"),
    ],
)
def test_values_of_another_kind_change_nothing(model, damage, message):
    state = {k: v.clone() for k, v in model.state_dict().items()}
    hc.adapters.reduce_(model, FixedFraction(0.5))
    state["blocks.0.layer.B_re"] = damage(state["blocks.0.layer.B_re"])
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(hc.CheckpointMismatchError, match=message):
        load_reduced(model, state)
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_loading_equal_sizes_keeps_the_parameters(model, batch, train):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    load_reduced(model, {k: v.clone() for k, v in model.state_dict().items()})
    before = model.blocks[0].layer.B_re.detach().clone()
    train(model, optimizer, batch)
    assert not torch.equal(model.blocks[0].layer.B_re, before)


def test_loading_refuses_a_foreign_optimizer(model):
    reduced = copy.deepcopy(model)
    hc.adapters.reduce_(reduced, FixedFraction(0.5))
    optimizer = torch.optim.Adam(build().parameters())
    with pytest.raises(hc.OptimizerMismatchError, match="does not hold"):
        load_reduced(model, reduced.state_dict(), optimizer=optimizer)
    assert list(state_sizes(model).values()) == [16, 16]


def snapshot(model, optimizer):
    """The very objects of a model and its optimizer, and copies of their values."""
    tensors = [*model.parameters(), *model.buffers()]
    states = [
        (key, value)
        for p in model.parameters()
        for key, value in optimizer.state[p].items()
    ]
    groups = [list(group["params"]) for group in optimizer.param_groups]
    return tensors, [t.detach().clone() for t in tensors], states, groups


@pytest.mark.parametrize("loss_after", [2.0, math.nan])
def test_a_cut_that_costs_too_much_is_undone(model, batch, train, loss_after):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    train(model, optimizer, batch)
    losses = iter([1.0, loss_after])
    reducer = InTrainingReducer(
        model,
        optimizer,
        TargetOrder(6),
        every=1,
        probe=lambda: next(losses),
        rollback_tolerance=0.5,
    )
    tensors, values, states, groups = snapshot(model, optimizer)
    event = reducer.step()
    assert event.rolled_back
    assert not event.is_cut
    assert [cut.states_after for cut in event.layers] == [6, 6]
    now = snapshot(model, optimizer)
    assert all(a is b for a, b in zip(now[0], tensors, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(tensors, values, strict=True))
    for (key, value), (old_key, old) in zip(now[2], states, strict=True):
        assert key == old_key
        assert value is old
    for group, old in zip(now[3], groups, strict=True):
        assert all(a is b for a, b in zip(group, old, strict=True))
    # Training goes on, and the event survives JSON.
    train(model, optimizer, batch)
    assert ReductionEvent.from_dict(event.to_dict()) == event or math.isnan(loss_after)


def test_a_cut_that_costs_little_stays(model, batch, train):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    train(model, optimizer, batch)
    losses = iter([1.0, 1.4])
    reducer = InTrainingReducer(
        model,
        optimizer,
        TargetOrder(6),
        every=1,
        probe=lambda: next(losses),
        rollback_tolerance=0.5,
    )
    event = reducer.step()
    assert event.is_cut
    assert not event.rolled_back
    assert (event.loss_before, event.loss_after) == (1.0, 1.4)


def test_a_rollback_needs_a_probe(model):
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(ValueError, match="need a share >= 0 and a probe"):
        InTrainingReducer(
            model, optimizer, TargetOrder(6), every=1, rollback_tolerance=0.1
        )


def test_numbers_of_states_are_rounded_up(model):
    optimizer = torch.optim.AdamW(model.parameters())
    twin = copy.deepcopy(model)
    exact = InTrainingReducer(
        twin, torch.optim.AdamW(twin.parameters()), ErrorTolerance(0.8), every=1
    ).step()
    reducer = InTrainingReducer(
        model, optimizer, ErrorTolerance(0.8), every=1, multiple_of=5
    )
    event = reducer.step()
    for plain, cut in zip(exact.layers, event.layers, strict=True):
        assert plain.is_cut
        assert cut.states_after == 5 * math.ceil(plain.states_after / 5)
        assert cut.error_bound <= plain.error_bound


def test_a_calibration_is_made_anew_for_each_cut(model):
    with unchecked_types(), pytest.raises(TypeError, match="need a function that cal"):
        InTrainingReducer(
            model,
            torch.optim.SGD(model.parameters()),
            EnergyTolerance(0.1),
            every=1,
            calibration=object(),
        )
