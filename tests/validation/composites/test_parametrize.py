import subprocess
import sys

import pytest

import hankelcut as hc
from hankelcut.lti import continuous_lyapunov, h2_norm, hankel_singular_values
from hankelcut.validation import (
    HANKEL_VALUE_CHECKS,
    LYAPUNOV_CHECKS,
    NORM_CHECKS,
    REDUCTION_GROUPS,
    parametrize_with_checks,
)


@parametrize_with_checks(hankel_singular_values=hankel_singular_values, max_examples=2)
def test_decorated_tests_run(check):
    check()


def names(mark):
    return [parameter.id for parameter in mark.args[1]]


def test_every_kind_has_its_checks():
    time = hc.Continuous()
    reduction = parametrize_with_checks(reduction=hc.balanced_truncation)
    assert names(reduction) == list(
        dict.fromkeys(REDUCTION_GROUPS["balanced_truncation"])
    )
    solver = parametrize_with_checks(lyapunov_solver=continuous_lyapunov, time=time)
    assert set(names(solver)) == set(LYAPUNOV_CHECKS) - {"refusal"}
    norm = parametrize_with_checks(norm_function=h2_norm, norm="h2")
    assert set(names(norm)) < set(NORM_CHECKS)
    values = parametrize_with_checks(hankel_singular_values=hankel_singular_values)
    assert names(values) == list(HANKEL_VALUE_CHECKS)
    one = parametrize_with_checks(norm_function=h2_norm, norm="h2", checks="value")
    assert names(one) == ["value"]


def test_missing_arguments_are_named():
    with pytest.raises(ValueError, match="need exactly one of reduction"):
        parametrize_with_checks()
    with pytest.raises(ValueError, match="need time"):
        parametrize_with_checks(lyapunov_solver=continuous_lyapunov)
    with pytest.raises(ValueError, match="need norm"):
        parametrize_with_checks(norm_function=h2_norm)


def test_missing_packages_are_named():
    code = (
        "import sys\n"
        "for name in ('hypothesis', 'hypothesis.strategies', 'pytest', 'mpmath'):\n"
        "    sys.modules[name] = None\n"
        "import hankelcut as hc, hankelcut.validation as v\n"
        "calls = [lambda: v.check_reduction(len),\n"
        "         lambda: v.parametrize_with_checks(reduction=len),\n"
        "         lambda: v.check_relative_accuracy(\n"
        "             hc.StateSpace([[-1.0]], [[1.0]], [[1.0]]), [0.5])]\n"
        "for call in calls:\n"
        "    try:\n"
        "        call()\n"
        "    except hc.MissingDependencyError as error:\n"
        "        assert 'pip install' in str(error), error\n"
        "    else:\n"
        "        sys.exit('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
