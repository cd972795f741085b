"""HTML pages that need nothing else: pictures inside, no addresses of other files."""

import base64
import importlib.metadata
import io
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from hankelcut import __version__
from hankelcut.lti.exchange._atomic_write import write_atomically

__all__ = ["Picture", "embed", "environment", "write_page"]

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Picture:
    """A picture as a data address, with what it shows in words."""

    address: str
    title: str
    caption: str


def embed(figure: Figure, title: str, caption: str) -> Picture:
    """Draw a figure as SVG inside an address.

    Parameters
    ----------
    figure : Figure
        The figure.
    title, caption : str
        Heading of the picture, and what it shows.

    Returns
    -------
    Picture
        With an address that holds the whole drawing.
    """
    with io.BytesIO() as file:
        figure.savefig(file, format="svg", metadata={"Date": None})
        data = base64.b64encode(file.getvalue()).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{data}", title, caption)


def environment(packages: Sequence[str]) -> dict[str, str]:
    """Return versions of Python, of this package and others, and the machine.

    Parameters
    ----------
    packages : sequence of str
        Installed distributions to name.
    """
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {
        "hankelcut": __version__,
        "python": platform.python_version(),
        **versions,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def write_page(
    path: Path | str,
    template: str,
    values: Mapping[str, Any],
    *,
    templates: Path = _TEMPLATES,
) -> None:
    """Write a page from a template, whole or not at all.

    Parameters
    ----------
    path : path
        The file; one that exists is replaced.
    template : str
        Name of the template; what HTML must not hold is escaped in ``*.html``.
    values : mapping of str to object
        What it shows; templates that extend ``page.html`` need title, introduction,
        pictures and environment.
    templates : path
        Folder of the template.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    loader = jinja2.FileSystemLoader([templates, _TEMPLATES])
    pages = jinja2.Environment(
        loader=loader,
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = pages.get_template(template).render(values)
    write_atomically(Path(path), page.encode("utf-8"))
