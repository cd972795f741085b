import subprocess
import sys

from hankelcut import MissingDependencyError


def test_missing_hypothesis_is_said_when_it_is_needed():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "sys.modules['hypothesis.strategies'] = None\n"
        "import hankelcut.validation as v\n"
        "import hankelcut as hc\n"
        "import numpy as np\n"
        "system = v.random_stable_system(np.random.default_rng(0), 2, 1, 3)\n"
        "makers = [v.stable_systems, v.diagonal_systems, v.unstable_systems]\n"
        "makers += [v.nasty_systems, v.lru_parameters, lambda: v.input_signals(2)]\n"
        "makers += [lambda: v.orders(system), lambda: v.frequencies(hc.Discrete())]\n"
        "for make in makers:\n"
        "    try:\n"
        "        make()\n"
        "    except hc.MissingDependencyError as error:\n"
        "        assert 'hankelcut[validation]' in str(error), error\n"
        "    else:\n"
        "        sys.exit('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert issubclass(MissingDependencyError, ImportError)


def test_import_needs_no_optional_package():
    code = (
        "import sys, hankelcut.validation\n"
        "loaded = {'torch', 'hypothesis', 'slycot', 'control', 'mpmath'} & "
        "set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
