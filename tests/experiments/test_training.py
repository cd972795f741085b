"""Training runs: repeatable, cut as planned, resumable, and never silently wrong."""

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from hankelcut._errors import CheckpointMismatchError, ConvergenceError, DataError
from hankelcut.adapters import ReductionEvent, state_sizes
from hankelcut.experiments import training
from hankelcut.experiments.checkpoint import load_model
from hankelcut.experiments.cut_plan import CutPlan
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.records import RunResult
from hankelcut.experiments.tasks import Examples, Task, load_task
from hankelcut.experiments.training import Progress, train
from hankelcut.experiments.training_state import (
    Batches,
    accuracy,
    build_model,
    build_optimizer,
    hankel_spectra,
)
from hankelcut.lti import hankel_singular_values
from hankelcut.nn import LRU

replace = dataclasses.replace


class InterruptionError(Exception):
    """Stands for a process that is killed."""


def interrupt_at(step: int) -> training.ProgressCallback:
    def stop(progress: Progress) -> None:
        if progress.step == step:
            raise InterruptionError

    return stop


def losses(result: RunResult) -> list[float]:
    return [item.loss for item in result.history]


def weights(result: RunResult) -> dict[str, torch.Tensor]:
    return {name: item.clone() for name, item in result.model.state_dict().items()}


def assert_equal_weights(first: RunResult, second: RunResult) -> None:
    a, b = weights(first), weights(second)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def result(tiny_recipe: Recipe, tiny_task: Task) -> RunResult:
    return train(tiny_recipe, tiny_task)


@pytest.mark.parametrize("layer", ["lru", "s4d", "s5"])
def test_a_run_learns(tiny_recipe: Recipe, tiny_task: Task, layer: str) -> None:
    recipe = replace(tiny_recipe, layer=layer, steps=60, learning_rate=3e-2)
    result = train(recipe, tiny_task)
    assert result.total_states < 2 * recipe.d_state
    assert losses(result)[-1] < 0.5 * losses(result)[0]
    # A third would be chance.
    assert min(result.test_accuracy, result.validation_accuracy) > 0.7


def test_a_run_is_cut_as_planned(
    tiny_recipe: Recipe, tiny_task: Task, result: RunResult
) -> None:
    assert [event.step for event in result.events] == [3, 6, 9]
    assert result.events[0].is_cut
    assert result.states == state_sizes(result.model)
    assert max(result.states.values()) < tiny_recipe.d_state
    assert [item.step for item in result.history] == [4, 8, 12, 14]
    sizes = [sum(item.states.values()) for item in result.history]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == result.total_states
    for event in result.events:
        assert event.loss_before is not None
        assert event.seconds > 0


def test_the_probe_measures_the_loss_on_validation_sequences(
    tiny_recipe: Recipe, tiny_task: Task
) -> None:
    recipe = replace(tiny_recipe, steps=3, dropout=0.0, evaluate_every=3)
    result = train(recipe, tiny_task)
    with torch.no_grad():
        scores = result.model(tiny_task.validation.sequences.values)
    expected = -scores.log_softmax(-1)[range(30), tiny_task.validation.targets].mean()
    assert result.events[0].loss_after == pytest.approx(expected.item(), rel=1e-5)


def test_parameters_are_counted(
    tiny_recipe: Recipe, tiny_task: Task, result: RunResult
) -> None:
    m = tiny_recipe.d_model
    layers = sum(n * (3 + 4 * m) + m for n in result.states.values())
    around = tiny_recipe.n_blocks * (2 * m + m * 2 * m + 2 * m)
    ends = (m + m) + (m * 3 + 3)
    assert result.parameters == layers + around + ends


def test_without_cuts_the_size_stays(tiny_recipe: Recipe, tiny_task: Task) -> None:
    result = train(replace(tiny_recipe, cuts=None), tiny_task)
    assert set(result.states.values()) == {12}
    assert result.events == ()


def test_the_same_recipe_repeats_the_run(
    tiny_recipe: Recipe, tiny_task: Task, result: RunResult
) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    again = train(tiny_recipe, tiny_task)
    assert torch.equal(torch.get_rng_state(), before)
    assert losses(again) == losses(result)
    assert_equal_weights(again, result)
    other = train(replace(tiny_recipe, seed=1), tiny_task)
    assert losses(other) != losses(result)


def test_time_and_selection_leave_evaluation_out(
    tiny_recipe: Recipe, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []

    def slow_accuracy(model: torch.nn.Module, examples: Examples) -> float:
        time.sleep(0.3)
        looked_at.append("test" if len(examples) == 33 else "validation")
        return accuracy(model, examples)

    monkeypatch.setattr(training, "accuracy", slow_accuracy)
    begun = time.perf_counter()
    result = train(tiny_recipe, tiny_task)
    seconds_in_all = time.perf_counter() - begun
    assert looked_at == ["validation"] * 4 + ["test"]
    seconds = [item.seconds for item in result.history]
    assert seconds == sorted(seconds)
    assert seconds[-1] == result.train_seconds
    assert sum(event.seconds for event in result.events) < result.train_seconds
    assert result.train_seconds < seconds_in_all - 5 * 0.3


def test_spectra_are_those_of_the_model(
    tiny_recipe: Recipe, tiny_task: Task, result: RunResult
) -> None:
    assert [item.step for item in result.spectra] == [0, 4, 8, 12, 14]
    torch.manual_seed(tiny_recipe.seed)
    begun = hankel_spectra(build_model(tiny_recipe, tiny_task))
    assert result.spectra[0].layers == begun
    for layer, values in result.spectra[-1].layers.items():
        lru = result.model.get_submodule(layer)
        assert isinstance(lru, LRU)
        assert len(values) == 2 * lru.d_state


def test_spectra_leave_damaged_layers_out(tiny_recipe: Recipe, tiny_task: Task) -> None:
    model = build_model(tiny_recipe, tiny_task)
    with torch.no_grad():
        model.blocks[0].layer.B_re[2, 3] = torch.nan
    assert list(hankel_spectra(model)) == ["blocks.1.layer"]


def test_spectra_are_accurate(tiny_recipe: Recipe, tiny_task: Task) -> None:
    from hankelcut.adapters import extract

    model = build_model(tiny_recipe, tiny_task)
    expected = hankel_singular_values(extract(model.blocks[1].layer)).tolist()
    found = hankel_spectra(model)["blocks.1.layer"]
    assert found == pytest.approx(expected, abs=1e-6 * expected[0])


@pytest.mark.parametrize("slow_output", [True, False])
@pytest.mark.parametrize("decay_state", [True, False])
@pytest.mark.parametrize("layer", ["lru", "s4d", "s5"])
def test_optimizer_groups(
    tiny_recipe: Recipe,
    tiny_task: Task,
    slow_output: bool,
    decay_state: bool,
    layer: str,
) -> None:
    recipe = replace(
        tiny_recipe,
        layer=layer,
        learning_rate=0.1,
        state_rate_factor=0.25,
        slow_output=slow_output,
        decay_state=decay_state,
    )
    model = build_model(recipe, tiny_task)
    optimizer = build_optimizer(recipe, model)
    found = {
        name: (group["initial_lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for item in group["params"]
        for name, parameter in model.named_parameters()
        if parameter is item
    }
    assert found.keys() == dict(model.named_parameters()).keys()
    decay = recipe.weight_decay
    poles = {
        "lru": ("nu_log", "theta_log", "gamma_log"),
        "s4d": ("log_A_real", "A_imag", "log_dt"),
        "s5": ("log_decay", "frequency", "log_step"),
    }
    slow = ("B_re", "B_im", *(("C_re", "C_im", "C") if slow_output else ()))
    for name, values in found.items():
        last = name.split(".")[-1]
        if last in poles[layer]:
            assert values == (0.025, 0)
        elif last in slow:
            assert values == (0.025, decay if decay_state else 0)
        else:
            assert values == (0.1, decay)


def test_batches_of_an_epoch_do_not_repeat() -> None:
    batches = Batches(23, 5, seed=1)
    epochs = [
        torch.cat([batches.indices(4 * epoch + k) for k in (1, 2, 3, 4)]).tolist()
        for epoch in range(3)
    ]
    for epoch in epochs:
        assert len(set(epoch)) == 20
        assert set(epoch) <= set(range(23))
    assert epochs[0] != epochs[1] != epochs[2]
    # A batch depends on its step alone, so that a run can begin anywhere.
    assert Batches(23, 5, seed=1).indices(10).tolist() == epochs[2][5:10]
    assert Batches(23, 5, seed=2).indices(10).tolist() != epochs[2][5:10]
    with pytest.raises(ValueError, match=r"batch_size=24, need at most the 23"):
        Batches(23, 24, seed=1)


def test_the_run_folder_tells_the_whole_run(
    tiny_recipe: Recipe, tiny_task: Task, tmp_path: Path
) -> None:
    result = train(tiny_recipe, tiny_task, folder=tmp_path / "run")
    files = {path.name: path for path in (tmp_path / "run").iterdir()}
    assert files.keys() == {
        "config.json",
        "metrics.jsonl",
        "spectra.jsonl",
        "reductions.jsonl",
        "losses.npy",
        "results.json",
        "model.safetensors",
    }

    def lines(name: str) -> list[str]:
        return files[name].read_text().splitlines()

    config = json.loads(files["config.json"].read_text())
    assert Recipe.from_dict(config["recipe"]) == tiny_recipe
    metrics = [json.loads(line) for line in lines("metrics.jsonl")]
    assert metrics == [dataclasses.asdict(item) for item in result.history]
    assert metrics[0].keys() == {"step", "loss", "accuracy", "states", "seconds"}
    events = [json.loads(line) for line in lines("reductions.jsonl")]
    assert [ReductionEvent.from_dict(item) for item in events] == list(result.events)
    assert json.loads(files["results.json"].read_text()) == result.to_dict()
    recipe, model = load_model(files["model.safetensors"], tiny_task)
    assert recipe == tiny_recipe
    assert_equal_weights(replace(result, model=model), result)
    again = train(tiny_recipe, tiny_task, folder=tmp_path / "run")
    assert losses(again) == losses(result)


@pytest.mark.parametrize("optimizer_state", ["transport", "reset", "slice"])
def test_an_interrupted_run_goes_on_with_the_same_losses(
    tiny_recipe: Recipe, tiny_task: Task, tmp_path: Path, optimizer_state: str
) -> None:
    assert tiny_recipe.cuts is not None
    cuts = replace(tiny_recipe.cuts, optimizer_state=optimizer_state)
    recipe = replace(tiny_recipe, cuts=cuts)
    whole = train(recipe, tiny_task)
    with pytest.raises(InterruptionError):
        train(recipe, tiny_task, folder=tmp_path, progress=interrupt_at(6))
    resumed = train(recipe, tiny_task, folder=tmp_path, resume=True)
    assert losses(resumed) == losses(whole)
    assert_equal_weights(resumed, whole)
    assert [event.layers for event in resumed.events] == [
        event.layers for event in whole.events
    ]
    assert [item.states for item in resumed.history] == [
        item.states for item in whole.history
    ]
    assert resumed.losses.tolist() == whole.losses.tolist()
    assert not (tmp_path / "checkpoint.pt").exists()


RESUME = """
import json, sys
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.tasks import load_task
from hankelcut.experiments.training import train

recipe = Recipe.from_dict(json.loads(sys.argv[2]))
result = train(recipe, load_task("digits"), folder=sys.argv[1], resume=True)
sys.stdout.write(json.dumps([item.loss for item in result.history]))
"""


def test_a_run_goes_on_in_a_new_process(tiny_recipe: Recipe, tmp_path: Path) -> None:
    recipe = replace(tiny_recipe, evaluate_every=1)
    whole = train(recipe, load_task("digits"))
    assert whole.events[1].is_cut
    with pytest.raises(InterruptionError):
        train(recipe, load_task("digits"), folder=tmp_path, progress=interrupt_at(6))
    process = subprocess.run(
        [sys.executable, "-c", RESUME, str(tmp_path), json.dumps(recipe.to_dict())],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(process.stdout) == losses(whole)


def test_an_unfinished_run_is_not_begun_anew(
    tiny_recipe: Recipe, tiny_task: Task, tmp_path: Path
) -> None:
    with pytest.raises(InterruptionError):
        train(tiny_recipe, tiny_task, folder=tmp_path, progress=interrupt_at(6))
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(CheckpointMismatchError, match=r"unfinished run; resume it, or"):
        train(tiny_recipe, tiny_task, folder=tmp_path)
    other = replace(tiny_recipe, seed=4)
    with pytest.raises(CheckpointMismatchError, match=r"recipe.seed=0 \(here 4\)"):
        train(other, tiny_task, folder=tmp_path, resume=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_checkpoint_of_another_recipe_is_refused(
    tiny_recipe: Recipe, tiny_task: Task, tmp_path: Path
) -> None:
    for name, recipe in (("a", tiny_recipe), ("b", replace(tiny_recipe, seed=4))):
        with pytest.raises(InterruptionError):
            train(recipe, tiny_task, folder=tmp_path / name, progress=interrupt_at(6))
    (tmp_path / "a" / "checkpoint.pt").replace(tmp_path / "b" / "checkpoint.pt")
    with pytest.raises(CheckpointMismatchError, match=r"a checkpoint of another recip"):
        train(
            replace(tiny_recipe, seed=4), tiny_task, folder=tmp_path / "b", resume=True
        )


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "other", "gone"])
def test_a_damaged_checkpoint_is_a_data_error(
    tiny_recipe: Recipe, tiny_task: Task, tmp_path: Path, damage: str
) -> None:
    with pytest.raises(InterruptionError):
        train(tiny_recipe, tiny_task, folder=tmp_path, progress=interrupt_at(6))
    path = tmp_path / "checkpoint.pt"
    content = path.read_bytes()
    if damage == "other":
        torch.save({"step": 3}, path)
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {
                "truncated": content[: len(content) // 2],
                "empty": b"",
                "garbage": bytes(100),
            }[damage]
        )
    with pytest.raises(DataError, match=r"checkpoint.pt: got ") as caught:
        train(tiny_recipe, tiny_task, folder=tmp_path, resume=True)
    assert "need the whole" in str(caught.value) or "without the ent" in str(
        caught.value
    )


def test_a_checkpoint_of_another_format_is_refused(
    tiny_recipe: Recipe, tiny_task: Task, tmp_path: Path
) -> None:
    with pytest.raises(InterruptionError):
        train(tiny_recipe, tiny_task, folder=tmp_path, progress=interrupt_at(6))
    path = tmp_path / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    torch.save({**content, "format": 1}, path)
    with pytest.raises(CheckpointMismatchError, match=r"got format 1, need 2"):
        train(tiny_recipe, tiny_task, folder=tmp_path, resume=True)


def test_a_model_file_must_be_one(
    tiny_recipe: Recipe, tiny_task: Task, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"gone.*need the model file of a run"):
        load_model(tmp_path / "gone", tiny_task)
    (tmp_path / "text").write_text("text")
    with pytest.raises(DataError, match=r"text: got .*need the model file of a run"):
        load_model(tmp_path / "text", tiny_task)
    train(tiny_recipe, tiny_task, folder=tmp_path / "run")
    other = replace(tiny_task, n_classes=4)
    with pytest.raises(CheckpointMismatchError, match=r"head.weight has shape \(3, 5"):
        load_model(tmp_path / "run" / "model.safetensors", other)


def test_resuming_needs_a_run(
    tiny_recipe: Recipe, tiny_task: Task, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"resume=True without a folder"):
        train(tiny_recipe, tiny_task, resume=True)
    with pytest.raises(DataError, match=r"without a config.json"):
        train(tiny_recipe, tiny_task, folder=tmp_path, resume=True)
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_of_another_task_is_refused(
    tiny_recipe: Recipe, tiny_task: Task
) -> None:
    with pytest.raises(ValueError, match=r"recipe for 'smnist' and the task 'digits'"):
        train(replace(tiny_recipe, task="smnist"), tiny_task)


def test_divergence_is_an_error_and_not_a_result(
    tiny_recipe: Recipe, tiny_task: Task
) -> None:
    sequences = tiny_task.train.sequences
    values = sequences.values.clone()
    values[:, 3] = torch.inf
    train_part = replace(tiny_task.train, sequences=replace(sequences, values=values))
    damaged = replace(tiny_task, train=train_part)
    recipe = replace(tiny_recipe, cuts=None)
    with pytest.raises(ConvergenceError, match=r"diverged: got the loss nan at step 4"):
        train(recipe, damaged)


def test_progress_tells_every_cut_and_evaluation(
    tiny_recipe: Recipe, tiny_task: Task
) -> None:
    seen: list[Progress] = []
    result = train(tiny_recipe, tiny_task, progress=seen.append)
    assert [item.event for item in seen if item.event] == list(result.events)
    measured = [item.measurement for item in seen if item.measurement]
    assert measured == list(result.history)
    assert seen[0].accuracy is None
    assert seen[-1].accuracy == result.validation_accuracy
    assert seen[-1].step == seen[-1].steps == 14


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_run_on_a_gpu(tiny_recipe: Recipe, tiny_task: Task, tmp_path: Path) -> None:
    cuts = CutPlan("order", 5.0, every=3, until=9)
    recipe = replace(tiny_recipe, cuts=cuts)
    whole = train(recipe, tiny_task, device="cuda")
    assert set(whole.states.values()) == {5}
    with pytest.raises(InterruptionError):
        train(
            recipe,
            tiny_task,
            folder=tmp_path,
            device="cuda",
            progress=interrupt_at(6),
        )
    resumed = train(recipe, tiny_task, folder=tmp_path, resume=True, device="cuda")
    assert losses(resumed) == pytest.approx(losses(whole), rel=1e-4)
