"""The report of a reduction: one HTML file that needs nothing else."""

from pathlib import Path
from typing import Any

import numpy as np

from hankelcut import plotting
from hankelcut.lti.structure.stability import poles_of
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reports.page import Picture, embed, environment, write_page
from hankelcut.reports.reduction_summary import ReductionSummary
from hankelcut.reports.wording import number

__all__ = ["write_reduction_report"]

_TEMPLATE = "reduction.html"
_PACKAGES = ("numpy", "scipy")


def write_reduction_report(
    path: Path | str, summary: ReductionSummary, *, title: str, introduction: str = ""
) -> None:
    """Write a self-contained HTML page about the reduction of one system.

    Parameters
    ----------
    path : path
        The file; replaced as a whole.
    summary : ReductionSummary
        The reduction and what was measured of it.
    title, introduction : str
        Heading, and a sentence or two before the result.

    Raises
    ------
    InvalidSystemError
        If the system has no input or no output.
    DataError
        If the file cannot be written.

    Notes
    -----
    The page holds the bound, the measured errors, all characteristic values, the poles
    of the reduced model, and pictures: values, frequency response with error and bound,
    poles, and, of dense and diagonal systems, responses to steps and impulses.
    """
    result = summary.result
    rows = summary.values()
    continuous = isinstance(result.full.time, Continuous)
    values: dict[str, Any] = {
        "title": title,
        "introduction": introduction,
        "facts": summary.facts(),
        "notes": result.warnings,
        "pictures": _pictures(summary),
        "values_name": result.values_name,
        "has_bounds": bool(rows) and rows[0].bound is not None,
        "values": [
            {
                "number": row.number,
                "value": number(row.value),
                "bound": "" if row.bound is None else number(row.bound),
                "kept": row.kept,
            }
            for row in rows
        ],
        "poles": np.asarray(poles_of(result.system)).tolist(),
        "pole_unit": "rad/s" if continuous else "per sample",
        "environment": environment(_PACKAGES),
    }
    write_page(path, _TEMPLATE, values)


def _pictures(summary: ReductionSummary) -> list[Picture]:
    """Draw all that can be drawn of a reduction."""
    result = summary.result
    full, reduced = result.full, result.system
    pictures = []
    if result.characteristic_values.shape[-1]:
        pictures.append(
            embed(
                plotting.plot_reduction_values(result),
                result.values_name,
                "What each state contributes: the values that were kept and those that "
                "were discarded, with the bound that they give.",
            )
        )
    response = plotting.plot_singular_value_response(
        full, reduced, bound=summary.plain_bound
    )
    pictures += [
        embed(
            response,
            "Frequency response",
            "Singular values of the full system, of the reduced model, and of their "
            "difference over frequency.",
        ),
        embed(
            plotting.plot_poles(full, reduced),
            "Poles",
            "Poles of the full system and of the reduced model.",
        ),
    ]
    if isinstance(full, SparseStateSpace):
        return pictures
    for draw, name in (
        (plotting.plot_step_responses, "Step responses"),
        (plotting.plot_impulse_responses, "Impulse responses"),
    ):
        caption = f"{name} of the full system and of the reduced model."
        pictures.append(embed(draw(full, reduced), name, caption))
    return pictures
