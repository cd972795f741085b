"""The report: one file with every figure, and nothing from elsewhere."""

import base64
import dataclasses
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.records import RunResult
from hankelcut.experiments.report import write_report
from hankelcut.experiments.summary import LabelledRun, summarise
from hankelcut.experiments.tasks import Task
from hankelcut.experiments.training import train

VOID = {"meta", "img", "br", "hr", "link"}


class Page(HTMLParser):
    """Text, pictures and addresses of a page whose tags must be balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href")
        ]
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "td":
            self.rows[-1][-1] += " ".join(data.split())
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def made_up(result: RunResult, accuracy: float, seconds: float) -> RunResult:
    return dataclasses.replace(
        result, test_accuracy=accuracy, train_seconds=seconds, states={"a": 3, "b": 4}
    )


@pytest.fixture(scope="module")
def runs(tiny_recipe: Recipe, tiny_task: Task) -> list[LabelledRun]:
    full = dataclasses.replace(tiny_recipe, cuts=None)
    return [
        LabelledRun(label, train(dataclasses.replace(recipe, seed=seed), tiny_task))
        for seed in (3, 4)
        for label, recipe in (("full <size>", full), ("cut", tiny_recipe))
    ]


def test_summary_is_mean_and_deviation(runs: list[LabelledRun]) -> None:
    result = runs[0].result
    rows = summarise(
        [
            LabelledRun("slow", made_up(result, 0.9, 6.0)),
            LabelledRun("fast", made_up(result, 0.5, 1.5)),
            LabelledRun("slow", made_up(result, 0.8, 3.0)),
        ]
    )
    assert [row.label for row in rows] == ["slow", "fast"]
    assert [row.n_runs for row in rows] == [2, 1]
    assert rows[0].test_accuracy == pytest.approx(0.85)
    # Of a sample: sqrt((0.05^2 + 0.05^2) / (2 - 1)).
    assert rows[0].test_deviation == pytest.approx(0.0707106781)
    assert rows[1].test_deviation == 0
    assert rows[0].states == 7
    assert rows[0].layer_states == ((3, 4), (3, 4))
    assert [row.speedup for row in rows] == pytest.approx([1.0, 3.0])
    assert rows[0].to_dict() == {
        "states": 7,
        "parameters": result.parameters,
        "test_accuracy": pytest.approx(0.85),
        "train_seconds": pytest.approx(4.5),
    }
    assert summarise([]) == []


def test_report_holds_every_figure_and_stands_alone(
    runs: list[LabelledRun], tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    write_report(path, runs, title="A <title>", introduction="On & on.")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.headings[0] == "A <title>"
    assert {"Result", "State sizes", "What the cuts changed", "Cuts"} <= set(
        page.headings
    )
    assert len(page.addresses) == 4
    for address in page.addresses:
        kind, _, data = address.partition(";base64,")
        assert kind == "data:image/svg+xml"
        drawing = ElementTree.fromstring(base64.b64decode(data))
        assert drawing.tag.endswith("svg")
    for foreign in ("<script", "url(", "@import"):
        assert foreign not in text
    rows = [row for row in page.rows if row]
    full = summarise(runs)[0]
    assert rows[0][:4] == ["full <size>", "2", "24", f"{full.parameters:,.0f}"]
    assert rows[0][4].startswith(f"{100 * full.test_accuracy:.2f}")
    cuts = [row for row in rows if len(row) == 9]
    events = [event for run in runs for event in run.result.events]
    assert len(cuts) == sum(len(event.layers) for event in events)
    first = events[0].layers[0]
    assert cuts[0][:4] == [
        "cut, seed 3",
        "3",
        "blocks.0.layer",
        f"{first.states_before} → {first.states_after}",
    ]
    assert cuts[0][4] == f"{first.error_bound:.3g}"
    assert cuts[0][5] == f"{first.measured_error:.3g}"
    assert ["cuts: policy", "energy"] in rows
    assert ["seed", "3"] in rows


def test_report_of_runs_without_cuts(runs: list[LabelledRun], tmp_path: Path) -> None:
    write_report(tmp_path / "a.html", runs[:1], title="One", introduction="Run.")
    page = Page((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "Cuts" not in page.headings
    assert len(page.addresses) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


def test_no_runs_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got no runs, need at least one"):
        write_report(tmp_path / "a.html", [], title="", introduction="")
