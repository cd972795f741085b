import warnings

import numpy as np
import pytest

from hankelcut import NumericalWarning, UnstableSystemError
from hankelcut.lti import Continuous, Discrete
from hankelcut.lti.equations._pole_checks import (
    require_regular,
    require_stable_poles,
    warn_if_close,
)

CHECKS = [require_stable_poles, require_regular]


def complex_poles(*values):
    return np.array(values, dtype=complex)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("time", [Continuous(), Discrete()])
def test_stable_poles_pass(check, time):
    check("here", complex_poles(-0.5, -0.3 + 0.4j, -0.3 - 0.4j), time)
    check("here", complex_poles(), time)


@pytest.mark.parametrize(
    ("time", "poles"),
    [
        (Continuous(), (-0.5, 0.25, -1)),
        (Continuous(), (-0.5, 0.0, -1)),
        (Continuous(), (-0.5, -1e-17 + 1j, -1)),
        (Discrete(), (-0.5, 1.25, 0)),
        (Discrete(), (-0.5, -1.0, 0)),
        (Discrete(), (-0.5, 0.6 + 0.8j, 0)),
    ],
)
def test_unstable_poles_are_named(time, poles):
    with pytest.raises(
        UnstableSystemError, match=r"here: pole .* \(state 1 of it\) is n"
    ):
        require_stable_poles("here", complex_poles(*poles), time, " of it")


@pytest.mark.parametrize(
    ("time", "poles", "partner"),
    [
        (Continuous(), (2, -1 + 1j, 1 + 1j), r"1\+1j"),
        (Continuous(), (2, 3j, -5), "itself"),
        (Continuous(), (0, 0), "itself"),
        (Discrete(), (0.5, 4, 2), r"2\+0j"),
        (Discrete(), (0.5, 0.6 + 0.8j), "itself"),
        (Discrete(), (0.5, 1e8, 2), r"2\+0j"),
        # Rounding of the largest pole moves the others anywhere.
        (Discrete(), (0.5, 1e200), "itself"),
    ],
)
def test_mirror_images_are_named(time, poles, partner):
    with pytest.raises(UnstableSystemError, match=f"mirror image of {partner} in the"):
        require_regular("here", complex_poles(*poles), time)


@pytest.mark.parametrize(
    ("time", "poles"),
    [
        (Continuous(), (2, 1, 3j - 1)),
        (Discrete(), (2, 0.4, 3j, 0)),
        # A large pole does not make slow ones next to it singular.
        (Discrete(), (0.5, 1e9)),
        (Discrete(), (0.5, 1e9, -1e9, 0.1)),
        # Nor do squares and sums that overflow.
        (Discrete(), (1e200, -1e199)),
        (Continuous(), (1e300, 1.7e308)),
    ],
)
def test_regular_equations_pass(time, poles):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", NumericalWarning)
        require_regular("here", complex_poles(*poles), time)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    ("time", "pole"), [(Continuous(), -1e-12), (Discrete(), 1 - 1e-12)]
)
def test_poles_next_to_the_boundary_are_warned_of(check, time, pole):
    with pytest.warns(NumericalWarning, match=r"here: pole \S* of it makes.*12 digits"):
        check("here", complex_poles(-0.5, pole), time, " of it")


@pytest.mark.parametrize("check", CHECKS)
def test_precision_decides(check):
    poles = complex_poles(-0.5, -1e-9)
    check("here", poles, Continuous())
    with pytest.warns(NumericalWarning, match="pole -1e-09.*up to 9 digits"):
        check("here", poles.astype(np.complex64), Continuous())


@pytest.mark.parametrize("check", CHECKS)
def test_slow_poles_of_stiff_systems_are_stable(check):
    with pytest.warns(NumericalWarning, match=r"pole -1\+0j .*up to 17 digits"):
        check("here", complex_poles(-1, -1e17), Continuous())


def test_warnings_depend_on_the_precision():
    warn_if_close("here", "it", 1e-9, np.dtype(np.float64))
    with pytest.warns(NumericalWarning, match="here: it makes .* up to 9 digits"):
        warn_if_close("here", "it", 1e-9, np.dtype(np.float32))
