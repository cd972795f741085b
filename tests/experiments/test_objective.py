"""The loss is what its definition says, and the teacher and the penalty act."""

import dataclasses

import numpy as np
import pytest
import torch

from hankelcut.adapters import extract
from hankelcut.experiments import Distillation, HankelPenalty, Recipe, Task, train
from hankelcut.experiments.objective import Objective, differentiable_system
from hankelcut.experiments.training_state import build_model
from hankelcut.lti import hankel_singular_values
from hankelcut.nn import SequenceClassifier

CHOSEN = torch.tensor([3, 0, 17])


@pytest.fixture
def plain(tiny_recipe: Recipe) -> Recipe:
    return dataclasses.replace(tiny_recipe, cuts=None, dropout=0.0)


@pytest.fixture
def model(plain: Recipe, tiny_task: Task) -> SequenceClassifier:
    torch.manual_seed(2)
    return build_model(plain, tiny_task).eval()


@pytest.fixture
def teacher(plain: Recipe, tiny_task: Task) -> SequenceClassifier:
    return train(dataclasses.replace(plain, steps=60), tiny_task).model


def logits(model: SequenceClassifier, task: Task) -> np.ndarray:
    with torch.no_grad():
        return model.eval()(task.train.sequences.values[CHOSEN]).double().numpy()


def softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores)
    return exponentials / exponentials.sum(-1, keepdims=True)


def test_it_is_the_cross_entropy(
    plain: Recipe, tiny_task: Task, model: SequenceClassifier
) -> None:
    objective, loss = Objective(plain, tiny_task.train, None)(model, CHOSEN, 1)
    shares = softmax(logits(model, tiny_task))
    classes = tiny_task.train.targets[CHOSEN]
    expected = -np.log(shares[range(3), classes]).mean()
    assert objective.item() == loss.item() == pytest.approx(expected, rel=1e-5)
    assert not loss.requires_grad


def test_distillation_adds_the_divergence_from_the_teacher(
    plain: Recipe,
    tiny_task: Task,
    model: SequenceClassifier,
    teacher: SequenceClassifier,
) -> None:
    recipe = dataclasses.replace(plain, distillation=Distillation(3.0, 0.25))
    objective, loss = Objective(recipe, tiny_task.train, teacher)(model, CHOSEN, 1)
    p = softmax(logits(teacher, tiny_task) / 3)
    q = softmax(logits(model, tiny_task) / 3)
    divergence = (p * np.log(p / q)).sum(-1).mean()
    expected = 0.75 * loss.item() + 0.25 * 9 * divergence
    assert objective.item() == pytest.approx(expected, rel=1e-5)


def test_the_penalty_is_the_sum_of_the_layers_values(
    plain: Recipe, tiny_task: Task, model: SequenceClassifier
) -> None:
    recipe = dataclasses.replace(plain, penalty=HankelPenalty(0.125, every=4))
    objective = Objective(recipe, tiny_task.train, None)
    assert objective(model, CHOSEN, 3)[0] == objective(model, CHOSEN, 3)[1]
    total, loss = objective(model, CHOSEN, 4)
    norms = sum(
        float(hankel_singular_values(extract(block.layer)).sum())
        for block in model.blocks
    )
    assert (total - loss).item() == pytest.approx(0.5 * norms, rel=1e-5)
    total.backward()
    for block in model.blocks:
        for name in ("nu_log", "theta_log", "gamma_log", "B_im", "C_re"):
            assert block.layer.get_parameter(name).grad.abs().sum() > 0


def test_systems_with_gradients_are_those_that_adapters_read(
    model: SequenceClassifier,
) -> None:
    layer = model.blocks[0].layer
    own, read = differentiable_system(layer), extract(layer)
    for name in ("exponents", "B", "C", "D"):
        torch.testing.assert_close(getattr(own, name).detach(), getattr(read, name))
    assert own.readout == read.readout
    assert own.time == read.time


def test_a_penalty_shrinks_the_values(plain: Recipe, tiny_task: Task) -> None:
    def total(recipe: Recipe) -> float:
        recipe = dataclasses.replace(recipe, steps=60, learning_rate=3e-2)
        model = train(recipe, tiny_task).model
        return sum(
            float(hankel_singular_values(extract(block.layer)).sum())
            for block in model.blocks
        )

    penalised = dataclasses.replace(plain, penalty=HankelPenalty(0.1))
    assert total(penalised) < 0.5 * total(plain)


def test_a_student_learns_from_its_teacher_alone(
    plain: Recipe, tiny_task: Task, teacher: SequenceClassifier
) -> None:
    """With share 1 the classes do not enter, and yet they are learnt."""
    recipe = dataclasses.replace(
        plain,
        steps=60,
        d_state=4,
        learning_rate=3e-2,
        distillation=Distillation(share=1.0),
    )
    wrong = dataclasses.replace(
        tiny_task.train, targets=torch.zeros_like(tiny_task.train.targets)
    )
    blind = dataclasses.replace(tiny_task, train=wrong)
    result = train(recipe, blind, teacher=teacher)
    assert result.test_accuracy > 0.7
    assert set(result.states.values()) == {4}


def test_teacher_and_distillation_need_each_other(
    plain: Recipe, tiny_task: Task, model: SequenceClassifier
) -> None:
    with pytest.raises(ValueError, match=r"distillation=None and a teacher, need both"):
        train(plain, tiny_task, teacher=model)
    recipe = dataclasses.replace(plain, distillation=Distillation())
    with pytest.raises(ValueError, match=r"and no teacher, need both or neither"):
        train(recipe, tiny_task)
