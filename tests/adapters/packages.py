"""Other people's packages, of which the adapters know only names and shapes."""

import warnings
from types import ModuleType

import pytest


def package(name: str) -> ModuleType:
    """Import a package of the extra `layers`, or skip; its own warnings aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)
