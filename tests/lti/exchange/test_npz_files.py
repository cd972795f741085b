import io
import json

import numpy as np
import pytest
from hypothesis import given

from hankelcut.lti import Discrete, StateSpace
from hankelcut.lti.exchange.npz_files import decode_npz, encode_npz
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import strategies_may_draw
from tests.lti.exchange.stored_systems import (
    assert_same,
    dense_systems,
    diagonal_systems,
)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@strategies_may_draw
@given(dense_systems())
def test_dense_systems_survive(system):
    assert_same(decode_npz(encode_npz(system)), system)


@strategies_may_draw
@given(diagonal_systems())
def test_diagonal_systems_survive(system):
    assert_same(decode_npz(encode_npz(system)), system)


def test_other_byte_order_is_converted(rng):
    system = random_stable_system(rng, 3, 2, 4)
    with np.load(io.BytesIO(encode_npz(system))) as stored:
        arrays = dict(stored)
    big = {k: arrays[k].astype(">f8") for k in "ABCD"}
    loaded = decode_npz(npz(**arrays | big))
    assert_same(loaded, system)
    assert loaded.A.dtype.isnative


def test_nothing_is_pickled(rng):
    encoded = encode_npz(random_diagonal_system(rng, 3, 2, 4))
    with np.load(io.BytesIO(encoded), allow_pickle=False) as stored:
        assert set(stored) == {"exponents", "B", "C", "D", "header"}


def test_objects_are_never_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("touched").touch, ())

    content = npz(A=np.array([Evil()], dtype=object))
    with pytest.raises(ValueError, match=r"no complete \.npz file of plain arrays"):
        decode_npz(content)
    assert not tmp_path.joinpath("touched").exists()


def test_any_truncation_is_noticed(rng):
    content = encode_npz(random_stable_system(rng, 2, 1, 3))
    for size in range(0, len(content), 7):
        with pytest.raises(ValueError, match=r"no complete \.npz"):
            decode_npz(content[:size])


def test_any_changed_number_is_noticed(rng):
    content = encode_npz(random_stable_system(rng, 2, 1, 3))
    position = content.index(b"NUMPY") + 128
    damaged = content[:position] + b"\xff" + content[position + 1 :]
    with pytest.raises(ValueError, match="Bad CRC-32"):
        decode_npz(damaged)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no complete .npz"),
        (b"PK\x03\x04 nonsense", "no complete .npz"),
        (b"nothing of the kind", "no complete .npz"),
        (npz(A=np.eye(2)), "without the string 'header'"),
        (npz(A=np.eye(2), header=np.eye(2)), "without the string 'header'"),
        (npz(A=np.eye(2, dtype=int), header=np.array("{}")), "got A of dtype int64"),
        (npz(A=np.array(["x"]), header=np.array("{}")), "got A of dtype <U1"),
        (npz(header=np.array("{}")), 'got no "format"'),
        (npz(header=np.array("[")), "Expecting value"),
    ],
)
def test_other_content_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        decode_npz(content)


def test_a_single_array_is_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.eye(2))
    with pytest.raises(ValueError, match="a single array"):
        decode_npz(buffer.getvalue())


def test_arrays_must_fit_to_the_header():
    header = json.dumps(
        {
            "format": "hankelcut-system",
            "version": 1,
            "kind": "dense",
            "time": {"domain": "continuous"},
        }
    )
    one = np.eye(1)
    with pytest.raises(ValueError, match=r"arrays \['A', 'B', 'C'\], need"):
        decode_npz(npz(A=one, B=one, C=one, header=np.array(header)))
    with pytest.raises(ValueError, match=r"arrays .*'X'\], need"):
        decode_npz(npz(A=one, B=one, C=one, D=one, X=one, header=np.array(header)))
    with pytest.raises(ValueError, match="got 2 states with"):
        decode_npz(npz(A=np.eye(2), B=one, C=one, D=one, header=np.array(header)))


def test_periods_are_exact():
    system = StateSpace([[0.5]], [[1.0]], [[1.0]], time=Discrete(0.1 + 2**-56))
    assert decode_npz(encode_npz(system)).time.dt == 0.1 + 2**-56
