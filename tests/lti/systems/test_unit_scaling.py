import numpy as np

from hankelcut.lti.systems._unit_scaling import signal_units, state_units


def spread(matrix):
    sizes = abs(matrix[matrix != 0])
    return sizes.max() / sizes.min()


def test_units_are_powers_of_two(rng):
    A, B, C = rng.standard_normal((3, 5, 5))
    for units in (
        state_units(A, B * 1e9, C),
        signal_units(1e5 * B, axis=0),
        signal_units(1e-7 * C, axis=1),
    ):
        np.testing.assert_array_equal(np.log2(units), np.round(np.log2(units)))


def test_bad_units_of_states_are_undone(rng):
    A, B, C = (rng.uniform(1, 2, shape) for shape in ((6, 6), (6, 2), (3, 6)))
    bad = 10.0 ** rng.uniform(-12, 12, 6)
    scaled = bad[:, None] * A / bad, bad[:, None] * B, C / bad
    t = state_units(*scaled)
    even = scaled[0] / t[:, None] * t
    assert spread(even) < 100 < 1e6 < spread(scaled[0])


def test_one_way_states_are_left_alone():
    A = np.array([[-1.0, 1e9], [0.0, -2.0]])
    np.testing.assert_array_equal(state_units(A, np.zeros((2, 1)), np.zeros((1, 2))), 1)


def test_silent_signals_have_unit_one():
    np.testing.assert_array_equal(signal_units(np.zeros((3, 2)), axis=0), [1, 1])
    np.testing.assert_array_equal(signal_units(np.zeros((0, 2)), axis=0), [1, 1])
