"""The page about a reduction: every number, its pictures, nothing from elsewhere."""

import base64
import dataclasses
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import scipy.sparse

from hankelcut import DataError, balanced_truncation, low_rank_balanced_truncation
from hankelcut.lti import DiagonalStateSpace, Discrete, SparseStateSpace
from hankelcut.reports import ReductionSummary, write_reduction_report


def pictures(text):
    """The pictures of a page, parsed."""
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    return [ElementTree.fromstring(base64.b64decode(data)) for data in found]


def without_pictures(text):
    return re.sub(r'src="data:[^"]+"', "", text)


def test_the_page_holds_the_numbers_and_stands_alone(plant, tmp_path):
    result = balanced_truncation(plant, order=2)
    summary = ReductionSummary(result, result.certify())
    path = tmp_path / "report.html"
    write_reduction_report(path, summary, title="A <plant>", introduction="On & on.")
    text = path.read_text(encoding="utf-8")
    assert "<h1>A &lt;plant&gt;</h1>" in text
    assert "On &amp; on." in text
    assert f"{float(result.error_bound):.4g}" in text
    for value in result.hankel_singular_values:
        assert f"<td>{value:.4g}</td>" in text
    for pole in np.linalg.eigvals(result.system.A.astype(complex)):
        assert f"<td>{pole.real:.8g}</td><td>{pole.imag:.8g}</td>" in text
    assert len(pictures(text)) == 5
    assert all(picture.tag.endswith("svg") for picture in pictures(text))
    rest = without_pictures(text)
    for foreign in ("http", "<script", "url(", "@import", "src=", "href="):
        assert foreign not in rest
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("plant", ["continuous"], indirect=True)
def test_notes_are_on_the_page(plant, tmp_path):
    result = balanced_truncation(plant, order=2)
    noted = dataclasses.replace(result, warnings=("a <note> of its own",))
    write_reduction_report(tmp_path / "a.html", ReductionSummary(noted), title="Noted")
    assert "<li>a &lt;note&gt; of its own</li>" in (tmp_path / "a.html").read_text(
        "utf8"
    )


def test_diagonal_systems_have_a_page(rng, tmp_path):
    poles = 0.9 * np.exp(1j * rng.uniform(0.1, 2, 5))
    B, C = np.ones((5, 1), dtype=complex), np.ones((1, 5), dtype=complex)
    full = DiagonalStateSpace.from_poles(poles, B, C, time=Discrete(), readout="real")
    summary = ReductionSummary(balanced_truncation(full, order=2))
    write_reduction_report(tmp_path / "a.html", summary, title="Layer")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "5 states, 1 input, 1 output, diagonal, discrete time" in text
    assert len(pictures(text)) == 5


def test_sparse_systems_have_no_responses_in_time(tmp_path):
    rod = [1.0, -2.0, 1.0]
    A = scipy.sparse.diags_array(rod, offsets=[-1, 0, 1], shape=(50, 50))
    end = np.eye(50)[:, :1]
    result = low_rank_balanced_truncation(SparseStateSpace(A, end, end.T), order=4)
    summary = ReductionSummary(result, result.certify())
    write_reduction_report(tmp_path / "a.html", summary, title="Rod")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert len(pictures(text)) == 3
    assert "Step responses" not in text


@pytest.mark.parametrize("plant", ["continuous"], indirect=True)
def test_a_folder_that_is_missing_is_a_data_error(plant, tmp_path):
    summary = ReductionSummary(balanced_truncation(plant, order=2))
    with pytest.raises(DataError, match=r"need a file that can be written"):
        write_reduction_report(tmp_path / "no" / "a.html", summary, title="Nowhere")
