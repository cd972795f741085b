import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import scipy.io
from scipy import sparse

import hankelcut
from hankelcut import DataError, InvalidSystemError
from hankelcut.lti import (
    Continuous,
    Discrete,
    SignalNames,
    StateSpace,
    hankel_singular_values,
    load,
    save,
)
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import on
from tests.lti.exchange.stored_systems import assert_same

SUFFIXES = [".mat", ".npz", ".json"]
NAMES = SignalNames(("Kraft", "u"), ("x", "v", "a", "T"), ("1", "2", "3"), "Anlage")


def plant(rng, **options):
    system = random_stable_system(rng, 3, 2, 4, Discrete(0.1), **options)
    return replace(system, names=NAMES)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize("suffix", [*SUFFIXES, ".JSON"])
def test_files_hold_arrays_of_every_library(xp, suffix, dtype, tmp_path, rng):
    system = plant(rng, dtype=dtype)
    tensors = replace(on(xp, system), names=NAMES)
    save(tensors, tmp_path / f"plant{suffix}")
    assert_same(load(str(tmp_path / f"plant{suffix}")), system)
    for name in "ABCD":
        np.testing.assert_array_equal(
            xp.to_numpy(getattr(tensors, name)), getattr(system, name)
        )


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_files_hold_stacks_and_diagonal_systems(suffix, tmp_path, rng):
    path = tmp_path / f"plant{suffix}"
    for system in (
        plant(rng, batch=(2, 3)),
        random_diagonal_system(rng, 3, 2, 4, Continuous(), "twice_real", batch=(5,)),
    ):
        save(system, path)
        assert_same(load(path), system)


def test_mat_files_alone_hold_sparse_systems(tmp_path):
    system = SparseStateSpace(sparse.eye_array(4), np.ones((4, 2)), np.ones((3, 4)))
    path = tmp_path / "plant.mat"
    save(system, path)
    assert abs(load(path, sparse=True).A - system.A).max() == 0
    for suffix in (".npz", ".json"):
        with pytest.raises(InvalidSystemError, match=r"need a \.mat file for it"):
            save(system, tmp_path / f"plant{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tensors_with_gradients_are_saved_as_values(suffix, tmp_path, rng):
    torch = pytest.importorskip("torch")
    system = plant(rng)
    tensor = torch.tensor(system.A, requires_grad=True)
    save(
        replace(
            system, A=tensor, **{k: torch.tensor(getattr(system, k)) for k in "BCD"}
        ),
        tmp_path / f"x{suffix}",
    )
    assert_same(load(tmp_path / f"x{suffix}"), system)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_replaces_the_file_and_leaves_nothing_else(suffix, tmp_path, rng):
    path = tmp_path / f"plant{suffix}"
    path.write_bytes(b"something else, and longer than what comes after it" * 100)
    save(plant(rng), path)
    assert_same(load(path), plant(np.random.default_rng(2718281828)))
    assert list(tmp_path.iterdir()) == [path]


def test_system_that_a_file_cannot_hold_leaves_it_as_it_is(tmp_path, rng):
    path = tmp_path / "plant.json"
    save(plant(rng), path)
    before = path.read_bytes()
    with pytest.raises(InvalidSystemError, match="NaN or infinite"):
        save(StateSpace([[np.nan]], [[1.0]], [[1.0]]), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_interrupted_writing_leaves_the_file_as_it_is(tmp_path, rng, monkeypatch):
    path = tmp_path / "plant.npz"
    save(plant(rng), path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(
        DataError, match=r"No space left .* need a file that can be written"
    ):
        save(plant(rng), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_is_not_there_is_an_error(tmp_path, rng):
    with pytest.raises(DataError, match="need a file that can be written"):
        save(plant(rng), tmp_path / "nowhere" / "plant.npz")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_file_is_an_error(suffix, tmp_path):
    for path in (tmp_path / f"none{suffix}", tmp_path / f"folder{suffix}"):
        if "folder" in path.name:
            path.mkdir()
        with pytest.raises(DataError, match=re.escape(str(path)) + ".*can be read"):
            load(path)


@pytest.mark.parametrize("name", ["plant", "plant.txt", "plant.hdf5", ".mat"])
def test_unknown_suffix_is_refused(name, tmp_path, rng):
    message = "got the suffix .* need one of .mat, .npz, .json"
    with pytest.raises(DataError, match=message):
        save(plant(rng), tmp_path / name)
    with pytest.raises(DataError, match=message):
        load(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("suffix", "other"), list(itertools.permutations(SUFFIXES, 2)))
def test_content_of_another_kind_is_refused(suffix, other, tmp_path, rng):
    path = tmp_path / f"plant{suffix}"
    save(plant(rng), path)
    disguised = path.rename(tmp_path / f"plant{other}")
    with pytest.raises(DataError, match=re.escape(str(disguised)) + ": got .*need"):
        load(disguised)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_file_is_refused(suffix, tmp_path, rng):
    path = tmp_path / f"plant{suffix}"
    save(plant(rng), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=re.escape(str(path))):
        load(path)


def test_options_of_mat_files_are_passed_on(tmp_path):
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"F": 0.5, "B": 1.0, "C": 2.0})
    system = load(path, variables={"A": "F"}, time=Discrete(0.2))
    assert (system.A.item(), system.time) == (0.5, Discrete(0.2))


@pytest.mark.parametrize(
    "option", [{"variables": {"A": "F"}}, {"time": Continuous()}, {"sparse": False}]
)
@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_options_of_mat_files_are_refused_for_others(suffix, option, tmp_path, rng):
    path = tmp_path / f"plant{suffix}"
    save(plant(rng), path)
    with pytest.raises(ValueError, match=r"need a \.mat file; leave them out"):
        load(path, **option)


def test_unknown_variables_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"got \['a'\] in variables, need some of A, B"
    ):
        load(tmp_path / "x.mat", variables={"a": "A"})


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("build", (48, 1, 1)), ("CDplayer", (120, 2, 2)), ("heat-cont", (200, 1, 1))],
)
def test_benchmark_files_are_read(name, sizes, data_folder):
    path = data_folder / "slicot" / f"{name}.mat"
    if not path.is_file():
        pytest.skip(f"no {path}")
    system = load(path)
    assert (system.n_states, system.n_inputs, system.n_outputs) == sizes
    assert system.time == Continuous()
    content = scipy.io.loadmat(path)
    for matrix in "ABC":
        stored = content[matrix]
        dense = stored.toarray() if sparse.issparse(stored) else stored
        np.testing.assert_array_equal(getattr(system, matrix), dense)
        assert getattr(system, matrix).dtype == np.float64
    assert np.isfinite(hankel_singular_values(system)).all()


def test_top_level_names_are_those_of_the_module():
    for name in (
        "load",
        "save",
        "from_control",
        "to_control",
        "from_scipy",
        "to_scipy",
    ):
        assert getattr(hankelcut, name) is getattr(hankelcut.lti.exchange, name)
