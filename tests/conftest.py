"""Fixtures of every test: random numbers, array libraries, the data folder."""

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from tests.helpers import DATA_FOLDER

# No deadline: the first example of a test pays for imports and BLAS start-up.
settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
# Hypothesis also draws numbers that it reads in the modules that happen to be imported:
# what a test draws would depend on which tests its process ran before.
providers._get_local_constants = lambda: providers._local_constants


class Backend:
    """An array namespace whose `asarray` makes that backend's arrays from NumPy's.

    Every other name is the namespace's own: `xp.float32`, `xp.linalg.qr`.
    """

    def __init__(self, name: str, module: str) -> None:
        self.name = name
        self.namespace = importlib.import_module(module)

    def asarray(self, values: Any, *, dtype: Any = None) -> Any:
        """Copy the values; NumPy's are made read-only for `numpy-readonly`."""
        array = self.namespace.asarray(np.array(values), dtype=dtype)
        if self.name == "numpy-readonly":
            array.flags.writeable = False
        return array

    def to_numpy(self, array: Any) -> np.ndarray:
        """Fetch an array of this backend to compare it with NumPy's."""
        if self.name == "torch":
            array = array.detach().resolve_conj().resolve_neg()
        return np.asarray(array)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.namespace, name)

    def __repr__(self) -> str:
        return f"Backend({self.name})"


BACKENDS = {
    "numpy": "array_api_compat.numpy",
    "numpy-readonly": "array_api_compat.numpy",
    "array-api-strict": "array_api_strict",
    "torch": "array_api_compat.torch",
}


@pytest.fixture(params=BACKENDS)
def xp(request: pytest.FixtureRequest) -> Backend:
    """Run the test once with each array library."""
    return Backend(request.param, BACKENDS[request.param])


@pytest.fixture
def rng() -> np.random.Generator:
    """Generate the same numbers in every run of a test."""
    return np.random.default_rng(2718281828)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder with the data sets mnist/ and slicot/; skips where there is none."""
    if not DATA_FOLDER.is_dir():
        pytest.skip(f"no data at {DATA_FOLDER}: set HANKELCUT_DATA to their folder")
    return DATA_FOLDER
