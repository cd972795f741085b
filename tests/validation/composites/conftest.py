"""Fixtures of the tests that let checks fail."""

import pytest

from hankelcut.validation.composites import check


@pytest.fixture
def quick_shrinking(monkeypatch):
    """Look for a smaller example a few times only."""
    monkeypatch.setattr(check, "_MOST_ATTEMPTS", 3)
