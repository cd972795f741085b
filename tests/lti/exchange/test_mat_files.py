import io
import random
from dataclasses import replace

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from scipy import sparse

from hankelcut import InvalidSystemError, NumericalWarning
from hankelcut.lti import Continuous, Discrete, SignalNames, StateSpace
from hankelcut.lti.exchange.mat_files import decode_mat, encode_mat
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import strategies_may_draw
from tests.lti.exchange.stored_systems import assert_same, dense_systems

A, B, C = np.array([[0.5, 2.0], [0.0, 0.25]]), np.ones((2, 3)), np.ones((1, 2))


def mat(*, compressed=False, **variables):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables, do_compression=compressed)
    return buffer.getvalue()


def cell(*items):
    array = np.empty((len(items), 1), dtype=object)
    array[:, 0] = items
    return array


@strategies_may_draw
@given(dense_systems(stacks=False))
def test_systems_survive(system):
    assert_same(decode_mat(encode_mat(system)), system)


@strategies_may_draw
@given(dense_systems(stacks=False))
def test_scipy_reads_what_is_written(system):
    content = scipy.io.loadmat(io.BytesIO(encode_mat(system)))
    for name in "ABCD":
        np.testing.assert_array_equal(content[name], getattr(system, name))
    dt = system.time.dt if isinstance(system.time, Discrete) else 0.0
    assert content["Ts"].item() == dt
    if system.names.inputs is not None:
        stored = ["".join(entry) for entry in content["InputName"][:, 0]]
        assert stored == list(system.names.inputs)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "c8", "c16"]
)
def test_every_class_of_numbers_is_read(dtype, compressed):
    values = np.array([[1, 2], [3, 100]]).astype(dtype)
    if values.dtype.kind == "c":
        values = values + np.array(0.5j, dtype)
    system = decode_mat(mat(A=values, B=values, C=values, compressed=compressed))
    wanted = values.dtype if values.dtype.kind in "fc" else np.dtype(float)
    assert system.A.dtype == wanted
    np.testing.assert_array_equal(system.A, values)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [bool, float, complex])
def test_sparse_matrices_become_dense(dtype, compressed, rng):
    dense = (rng.random((5, 5)) < 0.3) * rng.standard_normal((5, 5))
    dense = dense.astype(dtype) * dtype(2j if dtype is complex else 1)
    content = mat(
        A=sparse.csc_array(dense),
        B=sparse.csc_array(dense[:, :2]),
        C=sparse.csc_array((3, 5)),
        compressed=compressed,
    )
    system = decode_mat(content)
    np.testing.assert_array_equal(system.A, dense)
    np.testing.assert_array_equal(system.B, dense[:, :2])
    assert not system.C.any()
    assert system.C.shape == (3, 5)


def test_other_byte_order_is_read():
    # A 1 x 1 double "A" = 1.5 in the big-endian layout, spelled out by the format.
    def element(kind, data):
        padding = bytes(-len(data) % 8)
        return kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data + padding

    def variable(name, value):
        flags = (6).to_bytes(4, "big") + bytes(4)
        shape = (1).to_bytes(4, "big") * 2
        number = np.array(value, ">f8").tobytes()
        return element(
            14,
            element(6, flags)
            + element(5, shape)
            + element(1, name.encode())
            + element(9, number),
        )

    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    content = header + b"".join(
        variable(k, v) for k, v in zip("ABC", (1.5, 2, 3), strict=True)
    )
    np.testing.assert_array_equal(decode_mat(content).A, [[1.5]])
    np.testing.assert_array_equal(decode_mat(content).C, [[3.0]])


def heat(n, time):
    """A rod of n cells with two heaters, by finite elements."""
    stiffness = sparse.diags_array(
        [np.ones(n - 1), -2 * np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1]
    )
    mass = sparse.diags_array(np.linspace(1.0, 2.0, n))
    B, C = np.zeros((n, 2)), np.zeros((3, n))
    B[[0, n // 2], [0, 1]] = C[[0, 1, 2], [0, n // 3, n - 1]] = 1.0
    return SparseStateSpace(stiffness, B, C, None, mass, time)


@pytest.mark.parametrize("time", [Continuous(), Discrete(0.1)])
@pytest.mark.parametrize("factor", [1.0, 1j])
def test_sparse_systems_survive(time, factor):
    system = heat(30, time)
    system = replace(system, A=factor * system.A)
    loaded = decode_mat(encode_mat(system), sparse=True)
    assert isinstance(loaded, SparseStateSpace)
    assert loaded.time == time
    for name in "ABCDE":
        ours, theirs = getattr(loaded, name), getattr(system, name)
        assert ours.dtype == theirs.dtype
        assert abs(ours - theirs).max() == 0
        assert sparse.issparse(ours) == (name in "AE")


def test_only_large_sparse_systems_stay_sparse():
    content = encode_mat(heat(20, Continuous()))
    kinds = {k: type(decode_mat(content, sparse=k)) for k in (None, True, False)}
    assert kinds == {None: StateSpace, True: SparseStateSpace, False: StateSpace}
    large = encode_mat(heat(2001, Continuous()))
    assert isinstance(decode_mat(large), SparseStateSpace)
    full = mat(A=A, B=B, C=C)
    assert isinstance(decode_mat(full), StateSpace)
    assert isinstance(decode_mat(full, sparse=True), SparseStateSpace)


def test_dense_form_of_a_sparse_system_is_the_same():
    system = heat(30, Discrete(0.1))
    dense = decode_mat(encode_mat(system))
    np.testing.assert_allclose(dense.A, system.to_dense().A, rtol=1e-14)
    np.testing.assert_allclose(dense.B, system.to_dense().B, rtol=1e-14)


def test_sparse_system_says_that_it_drops_names():
    content = mat(A=A, B=B, C=C, OutputName="y")
    with pytest.warns(NumericalWarning, match=r"no names, .* dropped: .*\('y',\)"):
        decode_mat(content, sparse=True)


def test_descriptor_matrix_is_brought_to_the_other_side():
    E = np.array([[2.0, 1.0], [0.0, 4.0]])
    for stored in (E, sparse.csc_array(E)):
        system = decode_mat(mat(A=sparse.csc_array(A), B=B, C=C, E=stored))
        np.testing.assert_allclose(E @ system.A, A, rtol=1e-15)
        np.testing.assert_allclose(E @ system.B, B, rtol=1e-15)
    system = decode_mat(mat(A=A, B=B, C=C, E=np.zeros((0, 0))))
    np.testing.assert_array_equal(system.A, A)


def test_singular_descriptor_matrix_is_refused():
    with pytest.raises(InvalidSystemError, match="need a nonsingular one"):
        decode_mat(mat(A=A, B=B, C=C, E=np.diag([1.0, 0.0])))


def test_ill_conditioned_descriptor_matrix_warns():
    E = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-10]])
    with pytest.warns(NumericalWarning, match="condition number"):
        decode_mat(mat(A=A, B=B, C=C, E=E))


def test_vectors_take_the_shape_that_fits():
    system = decode_mat(mat(A=A, B=np.array([1.0, 2.0]), C=np.array([[3.0], [4.0]])))
    np.testing.assert_array_equal(system.B, [[1.0], [2.0]])
    np.testing.assert_array_equal(system.C, [[3.0, 4.0]])
    D = np.array([[5.0], [6.0], [7.0]])
    system = decode_mat(mat(A=A, B=B, C=C, D=D))
    np.testing.assert_array_equal(system.D, D.T)


@pytest.mark.parametrize("D", [np.zeros((0, 0)), 0.0, np.zeros((1, 3))])
def test_missing_feedthrough_is_zero(D):
    for given_ in ({}, {"D": D}):
        system = decode_mat(mat(A=A, B=B, C=C, **given_))
        np.testing.assert_array_equal(system.D, np.zeros((1, 3)))


def test_empty_matrices_take_the_shape_that_fits():
    nothing = np.zeros((0, 0))
    gain = decode_mat(mat(A=nothing, B=nothing, C=nothing, D=np.ones((4, 3))))
    assert (gain.n_states, gain.n_inputs, gain.n_outputs) == (0, 3, 4)
    autonomous = decode_mat(mat(A=A, B=nothing, C=C))
    assert (autonomous.n_states, autonomous.n_inputs) == (2, 0)


@pytest.mark.parametrize(
    ("variables", "time", "expected"),
    [
        ({}, None, Continuous()),
        ({"Ts": 0.0}, None, Continuous()),
        ({"Ts": 0}, Continuous(), Continuous()),
        ({"Ts": 0.1}, None, Discrete(0.1)),
        ({"dt": 2}, None, Discrete(2.0)),
        ({"Ts": 0.1}, Discrete(0.1), Discrete(0.1)),
        ({"Ts": -1.0}, Discrete(0.5), Discrete(0.5)),
        ({}, Discrete(0.5), Discrete(0.5)),
    ],
)
def test_time_domain_is_that_of_the_sampling_period(variables, time, expected):
    assert decode_mat(mat(A=A, B=B, C=C, **variables), time=time).time == expected


@pytest.mark.parametrize(
    ("variables", "time", "message"),
    [
        ({"Ts": -1.0}, None, r"unknown sampling period .*pass time=Discrete\(dt\)"),
        ({"Ts": -1.0}, Continuous(), "unknown sampling period"),
        ({"Ts": 0.1}, Discrete(0.2), "got time=.* says"),
        ({"Ts": 0.0}, Discrete(0.2), "got time=.* says"),
        ({"Ts": -3.0}, None, "need a positive number of seconds"),
        ({"Ts": np.nan}, None, "need a positive number of seconds"),
        ({"Ts": np.array([0.1, 0.2])}, None, "got the sampling period"),
        ({"Ts": "fast"}, None, "got the sampling period"),
        ({"Ts": 0.1, "dt": 0.1}, None, "got both Ts and dt"),
    ],
)
def test_time_domain_that_is_not_clear_is_refused(variables, time, message):
    with pytest.raises(ValueError, match=message):
        decode_mat(mat(A=A, B=B, C=C, **variables), time=time)


def test_names_may_be_cells_or_rows_of_text():
    system = decode_mat(
        mat(
            A=A,
            B=B,
            C=C,
            InputName=np.array(["Kraft", "u", "v"]),
            OutputName="Störung",
            StateName=cell("x", ""),
            Name="",
        )
    )
    expected = SignalNames(("Kraft", "u", "v"), ("Störung",), ("x", ""))
    assert system.names == expected


def test_matlab_has_empty_names_where_there_are_none():
    content = mat(A=A, B=B, C=C, InputName=cell("", "", ""), StateName=np.zeros((0, 0)))
    assert decode_mat(content).names == SignalNames()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"InputName": cell("u")}, "got 1 names"),
        ({"InputName": cell(1.0, 2.0, 3.0)}, "got the names of the inputs as"),
        ({"InputName": np.ones(3)}, "got the names of the inputs as"),
        ({"Name": np.array(["a", "b"])}, "names .* of the system, need one"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        decode_mat(mat(A=A, B=B, C=C, **names))


def test_variables_may_have_other_names():
    content = mat(F=A, G=B, H=C, h=0.5, A=np.eye(3), u=cell("1", "2", "3"))
    chosen = {"A": "F", "B": "G", "C": "H", "dt": "h", "inputs": "u"}
    system = decode_mat(content, variables=chosen)
    np.testing.assert_array_equal(system.A, A)
    assert (system.time, system.names.inputs) == (Discrete(0.5), ("1", "2", "3"))


@pytest.mark.parametrize(
    ("variables", "chosen", "message"),
    [
        ({"M": A}, {}, r"no variable 'A' \(but \['M'\]\).* variables=\{\"A\": name\}"),
        ({"A": A, "B": B, "C": C}, {"D": "J"}, "no variable 'J'"),
        ({"A": np.ones((2, 2, 2)), "B": B, "C": C}, {}, r"array of shape \(2, 2, 2\)"),
        ({"A": "text", "B": B, "C": C}, {}, "got text for A"),
        ({"A": {"a": 1}, "B": B, "C": C}, {}, "got a struct for A"),
        ({"A": cell(A), "B": B, "C": C}, {}, "got a cell array of other .* for A"),
        (
            {"A": A, "B": B.T, "C": C},
            {},
            r"got B of shape \(3, 2\), need \(2, 2\)|need",
        ),
        ({"A": np.ones((2, 3)), "B": B, "C": C}, {}, r"A of shape \(2, 3\)"),
        ({"A": A, "B": B, "C": C, "D": 1.0}, {}, r"got D of shape \(1, 1\), need \(1"),
        ({"A": A, "B": B, "C": C, "E": np.eye(3)}, {}, r"got E of shape \(3, 3\)"),
    ],
)
def test_other_content_is_refused(variables, chosen, message):
    with pytest.raises(ValueError, match=message):
        decode_mat(mat(**variables), variables=chosen)


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header of a Level 5 MAT-file"),
        (b"some text of no meaning " * 20, "no header of a Level 5 MAT-file"),
        (HDF5, r"version 7.3 \(HDF5\).*save it again with the option -v7"),
        (b"MATLAB 7.3 MAT-file".ljust(512) + HDF5, r"version 7.3 \(HDF5\)"),
    ],
)
def test_other_versions_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        decode_mat(content)


def test_oldest_version_is_refused():
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"A": A, "B": B, "C": C}, format="4")
    with pytest.raises(ValueError, match="no header of a Level 5 MAT-file"):
        decode_mat(buffer.getvalue())


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_is_an_error_and_nothing_worse(compressed):
    content = mat(
        A=sparse.csc_array(A),
        B=B * 1j,
        C=C.astype(np.float32),
        E=np.eye(2),
        InputName=cell("a", "bé", "c"),
        OutputName="y",
        Ts=0.1,
        compressed=compressed,
    )
    whole = decode_mat(content)
    generator = random.Random(0)
    refused = 0
    for _ in range(800):
        damaged = bytearray(content)
        for _ in range(generator.choice([1, 1, 2, 5])):
            position = generator.randrange(124, len(content))
            damaged[position] ^= 1 << generator.randrange(8)
        try:
            system = decode_mat(bytes(damaged))
        except ValueError:
            refused += 1
        else:
            assert isinstance(system, StateSpace)
            if compressed:  # only what nobody reads may have changed
                assert_same(replace(system, names=whole.names), whole)
    assert refused > 400


@pytest.mark.parametrize("compressed", [False, True])
def test_any_truncation_is_noticed(compressed):
    content = mat(A=A, B=B, C=C, compressed=compressed)
    for size in range(0, len(content) - 8, 7):
        with pytest.raises(ValueError, match="got"):
            decode_mat(content[:size])


def test_what_matlab_cannot_hold_is_not_written(rng):
    dense = random_stable_system(rng, 3, 2, 4, batch=(2,))
    with pytest.raises(InvalidSystemError, match=r"a stack of systems .* a .mat file"):
        encode_mat(dense)
    diagonal = random_diagonal_system(rng, 3, 2, 4)
    with pytest.raises(InvalidSystemError, match=r"diagonal .*save to_dense\(system\)"):
        encode_mat(diagonal)
    for name in ("a\0b", "\ud800"):
        named = replace(dense[0], names=SignalNames(inputs=(name, "u")))
        with pytest.raises(InvalidSystemError, match=r"got the name .* cannot hold it"):
            encode_mat(named)
