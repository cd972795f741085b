"""Configuration of Sphinx; build with `make docs`."""

import hankelcut

project = "hankelcut"
author = "the hankelcut developers"
copyright = f"2026, {author}"
release = hankelcut.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"  # `name` in a docstring links to its entry where there is one
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give types and shapes
numpydoc_show_class_members = False  # autodoc lists them

html_theme = "alabaster"
html_title = f"hankelcut {release}"
