import subprocess
import sys
from dataclasses import replace

import pytest
from torch import nn

import hankelcut as hc
from hankelcut.adapters.layers.lru import LRUAdapter
from hankelcut.lti import continuous_lyapunov, h2_norm, hankel_singular_values
from hankelcut.nn import LRU
from hankelcut.validation import (
    ADAPTER_CHECKS,
    HANKEL_VALUE_CHECKS,
    LYAPUNOV_CHECKS,
    NORM_CHECKS,
    REDUCTION_GROUPS,
    InvariantViolationError,
    LayerSubject,
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
    adapter = parametrize_with_checks(adapter=layer)
    assert names(adapter) == list(ADAPTER_CHECKS)


def layer():
    return LRU(3, 6, 0.3, 0.95)


@pytest.mark.parametrize("given", [layer, LayerSubject(layer, LRUAdapter())])
def test_adapters_are_tried_on_a_few_layers(given):
    mark = parametrize_with_checks(adapter=given, checks=["extraction", "write"])
    for parameter in mark.args[1]:
        (check,) = parameter.values
        assert check.max_examples == 3
        check()


def test_failures_of_adapters_name_adapter_check_and_layer():
    class Conjugate(LRUAdapter):
        def read(self, layer):
            right = super().read(layer)
            system = replace(right.system, C=right.system.C.conj())
            return replace(right, system=system)

    subject = LayerSubject(layer, Conjugate())
    mark = parametrize_with_checks(adapter=subject, checks="extraction")
    (check,) = mark.args[1][0].values
    with pytest.raises(InvariantViolationError) as caught:
        check()
    text = str(caught.value)
    assert text.startswith("Conjugate fails the check 'extraction': the system that")
    assert "subject = LayerSubject(layer, adapter=" in text
    assert "seed=0)" in text
    assert ADAPTER_CHECKS["extraction"].usual_cause in text


def test_errors_of_adapters_are_violations_and_those_of_factories_are_not():
    class Broken(LRUAdapter):
        def write(self, layer, system):
            raise KeyError("gamma_log")

    mark = parametrize_with_checks(
        adapter=LayerSubject(layer, Broken()), checks=["write"]
    )
    (check,) = mark.args[1][0].values
    with pytest.raises(InvariantViolationError, match="raised KeyError: 'gamma_log'"):
        check()
    mark = parametrize_with_checks(adapter=lambda: nn.Linear(2, 3), checks=["write"])
    (check,) = mark.args[1][0].values
    with pytest.raises(hc.UnsupportedLayerError, match="no adapter recognises Linear"):
        check()


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
        "             hc.StateSpace([[-1.0]], [[1.0]], [[1.0]]), [0.5]),\n"
        "         lambda: (sys.modules.update(torch=None),\n"
        "                  v.parametrize_with_checks(adapter=len))]\n"
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
