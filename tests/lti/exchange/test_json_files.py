import copy
import json

import numpy as np
import pytest
from hypothesis import given

from hankelcut import InvalidSystemError
from hankelcut.lti import DiagonalStateSpace, Discrete, SignalNames, StateSpace
from hankelcut.lti.exchange.json_files import decode_json, encode_json
from hankelcut.validation import random_stable_system
from tests.helpers import strategies_may_draw
from tests.lti.exchange.stored_systems import (
    assert_same,
    dense_systems,
    diagonal_systems,
)

DOCUMENT = {
    "format": "hankelcut-system",
    "version": 1,
    "kind": "dense",
    "time": {"domain": "discrete", "dt": 0.25},
    "names": {"inputs": ["Kraft"], "system": "Anlage"},
    "A": {"dtype": "float64", "shape": [2, 2], "values": [[0.5, 1], [0, 0.25]]},
    "B": {"dtype": "float64", "shape": [2, 1], "values": [[1], [2.5]]},
    "C": {"dtype": "complex128", "shape": [1, 2], "values": [[[1, 0], [0, -1.5]]]},
    "D": {"dtype": "float32", "shape": [1, 1], "values": [[0.1]]},
}
DIAGONAL = {
    "format": "hankelcut-system",
    "version": 1,
    "kind": "diagonal",
    "time": {"domain": "continuous"},
    "readout": "real",
    "exponents": {"dtype": "complex64", "shape": [1], "values": [[-1, 2]]},
    "B": {"dtype": "complex64", "shape": [1, 1], "values": [[[1, 0]]]},
    "C": {"dtype": "complex64", "shape": [1, 1], "values": [[[1, 0]]]},
    "D": {"dtype": "float32", "shape": [1, 1], "values": [[0]]},
}


def encoded(document, **changes):
    return json.dumps({**document, **changes}).encode()


@strategies_may_draw
@given(dense_systems(finite=True))
def test_dense_systems_survive(system):
    assert_same(decode_json(encode_json(system)), system)


@strategies_may_draw
@given(diagonal_systems(finite=True))
def test_diagonal_systems_survive(system):
    assert_same(decode_json(encode_json(system)), system)


def test_half_a_surrogate_pair_survives():
    names = SignalNames(system='\ud800 and \\ and "')
    system = StateSpace([[0.5]], [[1.0]], [[1.0]], names=names)
    assert decode_json(encode_json(system)).names == names


def test_people_can_read_it():
    names = SignalNames(inputs=("Störung", "u"))
    system = StateSpace(
        [[0.5]], [[1.0, 0.1]], [[1.0]], [[1j, 0]], Discrete(0.1), names=names
    )
    expected = """{
  "format": "hankelcut-system",
  "version": 1,
  "kind": "dense",
  "time": {"domain": "discrete", "dt": 0.1},
  "names": {"inputs": ["Störung", "u"]},
  "A": {"dtype": "complex128", "shape": [1, 1], "values": [
    [[0.5, 0.0]]
  ]},
  "B": {"dtype": "complex128", "shape": [1, 2], "values": [
    [[1.0, 0.0], [0.1, 0.0]]
  ]},
  "C": {"dtype": "complex128", "shape": [1, 1], "values": [
    [[1.0, 0.0]]
  ]},
  "D": {"dtype": "complex128", "shape": [1, 2], "values": [
    [[0.0, 1.0], [0.0, 0.0]]
  ]}
}
"""
    assert encode_json(system).decode() == expected


def test_other_programs_can_write_it():
    system = decode_json(encoded(DOCUMENT))
    assert (system.time, system.names.system) == (Discrete(0.25), "Anlage")
    np.testing.assert_array_equal(system.A, [[0.5, 1.0], [0.0, 0.25]])
    np.testing.assert_array_equal(system.C, [[1.0, -1.5j]])
    assert np.float32(0.1) == system.D
    diagonal = decode_json(encoded(DIAGONAL))
    assert isinstance(diagonal, DiagonalStateSpace)
    np.testing.assert_array_equal(diagonal.exponents, np.complex64([-1 + 2j]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_json_cannot_hold_is_not_written(bad):
    system = StateSpace([[0.5]], [[bad]], [[1.0]])
    with pytest.raises(
        InvalidSystemError, match=r"save: B of shape .* NaN or infinite"
    ):
        encode_json(system)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_are_none_are_refused(text):
    content = encoded(DOCUMENT).replace(b"2.5", text.encode())
    with pytest.raises(ValueError, match=r"is not a number of JSON|too large"):
        decode_json(content)


def test_number_beyond_the_precision_is_refused():
    content = encoded(DOCUMENT).replace(b"0.1", b"1e39")
    with pytest.raises(ValueError, match="number in D that is too large for float32"):
        decode_json(content)


def test_any_truncation_is_noticed(rng):
    content = encode_json(random_stable_system(rng, 2, 1, 3))
    for size in range(0, len(content) - 2, 11):
        with pytest.raises(ValueError, match="no complete JSON"):
            decode_json(content[:size])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe{}", "no complete JSON in UTF-8"),
        (b"[" * 100_000, "no complete JSON"),
        (b"[]", 'got no "format"'),
        (b"3", 'got no "format"'),
        (b"{}", 'got no "format"'),
    ],
)
def test_other_content_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        decode_json(content)


@pytest.mark.parametrize(
    ("document", "changes", "message"),
    [
        (DOCUMENT, {"version": 2}, "got version 2 .* need 1; upgrade"),
        (DOCUMENT, {"kind": "sparse"}, 'need "dense" or "diagonal"'),
        (DOCUMENT, {"nmaes": {}}, "entries .*'nmaes'.* and perhaps"),
        (DOCUMENT, {"time": {"domain": "discrete"}}, 'got "time"'),
        (DOCUMENT, {"time": {"domain": "continuous", "dt": 0.1}}, 'got "time"'),
        (DOCUMENT, {"time": {"domain": ["discrete"], "dt": 0.1}}, 'got "time"'),
        (DOCUMENT, {"time": None}, 'got "time"'),
        (DOCUMENT, {"time": {"domain": "discrete", "dt": -1.0}}, 'got "dt": -1.0'),
        (DOCUMENT, {"time": {"domain": "discrete", "dt": True}}, 'got "dt": True'),
        (DOCUMENT, {"time": {"domain": "discrete", "dt": 10**400}}, 'got "dt": 1000'),
        (DOCUMENT, {"names": {"in": ["u"]}}, 'got "names"'),
        (DOCUMENT, {"names": {"inputs": "u"}}, 'got the names "inputs"'),
        (DOCUMENT, {"names": {"inputs": [1]}}, 'got the names "inputs"'),
        (DOCUMENT, {"names": {"system": ["x"]}}, 'got the names "system"'),
        (DOCUMENT, {"names": {"inputs": ["u", "v"]}}, "got 2 names"),
        (DOCUMENT, {"exponents": DOCUMENT["A"]}, "got the arrays"),
        (DIAGONAL, {"readout": "imaginary"}, 'got "readout"'),
        (DIAGONAL, {"names": {}}, "got the entries .*'names'"),
        (DIAGONAL, {"D": DIAGONAL["C"]}, "got a complex D"),
    ],
)
def test_entries_that_do_not_fit_are_refused(document, changes, message):
    with pytest.raises(ValueError, match=message):
        decode_json(encoded(document, **changes))


@pytest.mark.parametrize("name", ["format", "version", "kind", "time", "A", "D"])
def test_no_entry_may_be_missing(name):
    document = copy.deepcopy(DOCUMENT)
    del document[name]
    with pytest.raises(ValueError, match="need"):
        decode_json(encoded(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "int64"}, "got B of dtype 'int64'"),
        ({"dtype": ["float64"]}, "got B of dtype"),
        (
            {"dtype": "complex128"},
            r"values of B of shape \(2, 1\) .* shape \(2, 1, 2\)",
        ),
        ({"shape": [1, 2]}, r"values of B of shape \(2, 1\)"),
        ({"shape": 2}, "got B of shape 2"),
        ({"shape": [2, -1]}, "got B of shape"),
        ({"shape": [True, 1]}, "got B of shape"),
        ({"values": [["1"], ["2"]]}, "values of B .* dtype <U1"),
        ({"values": [[True], [False]]}, "values of B .* dtype bool"),
        ({"values": [[None], [1]]}, "values of B .* dtype object"),
        ({"values": [[10**30], [1]]}, "values of B .* dtype object"),
        ({"values": [[1], [2, 3]]}, "inhomogeneous"),
        ({"values": {"0": 1}}, "values of B"),
        ({"shape": [0, 1]}, "values of B"),
        ({"note": "x"}, "got B without exactly"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        decode_json(encoded(DOCUMENT, B={**DOCUMENT["B"], **change}))
