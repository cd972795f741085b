"""The checks catch seeded defects, and pass what is right."""

import importlib
import sys
from pathlib import Path

import pytest

from tests.helpers import strategies_may_draw

pytest.importorskip("hypothesis", reason="hypothesis is not installed")
pytest.importorskip("torch", reason="PyTorch is not installed")

pytestmark = strategies_may_draw

FOLDER = Path(__file__).parents[2] / "benchmarks"
FEW = 5
# Defects that a few examples of fast checks find.
QUICK = {
    "continuous Lyapunov": "plain transpose for the adjoint in a Lyapunov equation",
    "discrete factor": "unstable state matrix not refused",
    "Hankel singular values": "values that are zero left out",
    "H2 norm": "finite H2 norm of a continuous system with feedthrough",
}


@pytest.fixture(scope="module")
def study():
    """The study, a script beside its references."""
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("mutation_study")
    sys.path.remove(str(FOLDER))


def test_every_defect_changes_its_reference_once(study):
    titles = {(defect.subject, defect.title) for defect in study.DEFECTS}
    assert len(titles) == len(study.DEFECTS) >= 30
    assert {defect.subject for defect in study.DEFECTS} == set(study.SUBJECTS)
    for defect in study.DEFECTS:
        module, _ = study.SUBJECTS[defect.subject]
        assert study.mutant(module, defect) is not module


def test_defects_that_fit_nowhere_are_refused(study):
    module, _ = study.SUBJECTS["H2 norm"]
    wrong = study.Defect("a", "b", "H2 norm", "h2_norm", "no such text", "x")
    with pytest.raises(ValueError, match="is not once in h2_norm"):
        study.mutant(module, wrong)
    wrong = study.Defect("a", "b", "H2 norm", "h3_norm", "energy", "x")
    with pytest.raises(ValueError, match="there is no function h3_norm"):
        study.mutant(module, wrong)


@pytest.mark.parametrize("subject", QUICK)
def test_references_pass_and_defects_are_caught(subject, study):
    assert study.found(subject, None, 0, FEW) is None
    (defect,) = [d for d in study.DEFECTS if d.title == QUICK[subject]]
    finding = study.found(subject, defect, 0, FEW)
    assert 1 <= finding.examples <= FEW


def test_rows_say_what_was_found(study):
    defect = study.DEFECTS[0]
    finding = study.Finding("residual", 3)
    assert study.row(defect, [finding] * 2).endswith("| `residual` | 3 | yes |")
    assert study.row(defect, [finding, None]).endswith("| `residual` | 3 | 1/2 |")
    assert study.row(defect, [None, None]).endswith("| - | - | **no** |")


@pytest.mark.slow
def test_all_defects_are_caught(study):
    missed = [
        defect.title
        for defect in study.DEFECTS
        if study.found(defect.subject, defect, 0, 100) is None
    ]
    assert missed == []
