"""The checks catch seeded defects, and pass what is right."""

import pytest

from tests.helpers import strategies_may_draw

pytest.importorskip("hypothesis", reason="hypothesis is not installed")
pytest.importorskip("torch", reason="PyTorch is not installed")

from tests.mutation_study import ledger
from tests.mutation_study.defect import Defect, mutant
from tests.mutation_study.defects import DEFECTS
from tests.mutation_study.page import PAGE, page, row
from tests.mutation_study.subjects import SUBJECTS, Finding, found

pytestmark = strategies_may_draw

FEW = 5
# Defects that a few examples of fast checks find.
QUICK = {
    "continuous Lyapunov": "plain transpose for the adjoint in a Lyapunov equation",
    "discrete factor": "unstable state matrix not refused",
    "Hankel singular values": "values that are zero left out",
    "H2 norm": "finite H2 norm of a continuous system with feedthrough",
}


def test_every_defect_changes_its_reference_once():
    titles = {(defect.subject, defect.title) for defect in DEFECTS}
    assert len(titles) == len(DEFECTS) >= 30
    assert {defect.subject for defect in DEFECTS} == set(SUBJECTS)
    for defect in DEFECTS:
        module, _ = SUBJECTS[defect.subject]
        assert mutant(module, defect) is not module


def test_defects_that_fit_nowhere_are_refused():
    module, _ = SUBJECTS["H2 norm"]
    wrong = Defect("a", "b", "H2 norm", "h2_norm", "no such text", "x")
    with pytest.raises(ValueError, match="is not once in h2_norm"):
        mutant(module, wrong)
    wrong = Defect("a", "b", "H2 norm", "h3_norm", "energy", "x")
    with pytest.raises(ValueError, match="there is no function h3_norm"):
        mutant(module, wrong)


@pytest.mark.parametrize("subject", QUICK)
def test_references_pass_and_defects_are_caught(subject):
    assert found(subject, None, 0, FEW) is None
    (defect,) = [d for d in DEFECTS if d.title == QUICK[subject]]
    finding = found(subject, defect, 0, FEW)
    assert 1 <= finding.examples <= FEW


def test_rows_say_what_was_found():
    defect, finding = DEFECTS[0], Finding("residual", 3)
    assert row(defect, [finding] * 2).endswith("| `residual` | 3 | yes |")
    assert row(defect, [finding, None]).endswith("| `residual` | 3 | 1/2 |")
    assert row(defect, [None, None]).endswith("| - | - | **no** |")


def test_page_counts():
    results = [
        (DEFECTS[0], [Finding("residual", 1), Finding("residual", 3)]),
        (DEFECTS[1], [Finding("residual", 8), None]),
        (DEFECTS[2], [None, None]),
    ]
    text = page(results, seeds=2, most=9)
    assert "**1 of 3 defects are caught with every seed**, 2 with at least" in text
    assert "catching check needs: 5.**" in text
    assert f"8, for: {DEFECTS[1].title}" in text


def test_page_has_every_defect():
    text = PAGE.read_text(encoding="utf-8")
    for defect in DEFECTS:
        assert f"| {defect.subject} | {defect.title} | {defect.seen} |" in text


def test_what_was_found_is_kept(tmp_path):
    first, second = DEFECTS[:2]
    trials = [Finding("residual", 3), None]
    path = tmp_path / "new" / "ledger.jsonl"
    book = ledger.Ledger(path, 2, 9)
    assert book.get(first.subject, first) is None
    book.put(first.subject, first, trials)
    assert book.get(first.subject, first) == trials
    again = ledger.Ledger(path, 2, 9)
    assert again.get(first.subject, first) == trials
    assert again.get(first.subject, None) is None
    assert again.get(second.subject, second) is None
    assert ledger.Ledger(path, 3, 9).get(first.subject, first) is None


def test_stopped_writing_loses_one_entry_only(tmp_path):
    path = tmp_path / "ledger.jsonl"
    first = DEFECTS[0]
    ledger.Ledger(path, 1, 1).put(first.subject, first, [None])
    with path.open("a", encoding="utf-8") as file:
        file.write('{"key": "0a')
    assert ledger.Ledger(path, 1, 1).get(first.subject, first) == [None]


@pytest.mark.slow
def test_all_defects_are_caught():
    missed = [
        defect.title
        for defect in DEFECTS
        if found(defect.subject, defect, 0, 100) is None
    ]
    assert missed == []
