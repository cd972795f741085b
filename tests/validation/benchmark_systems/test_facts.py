"""Every fact of every benchmark system, against the library and other definitions."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.optimize

from hankelcut import DataError, NumericalWarning
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    conjugate_closure,
    frequency_response,
    h2_norm,
    hankel_singular_values,
    hinf_norm,
    is_stable,
    peak_gain,
    to_dense,
)
from hankelcut.reduction import balanced_truncation
from hankelcut.validation import (
    BenchmarkSystem,
    Fact,
    all_pass_system,
    benchmark_systems,
    heat_equation,
    hilbert_system,
    jordan_chain,
    load_slicot_collection,
    lru_layer,
    mass_spring_chain,
    penzl_model,
    rc_ladder,
)
from tests.exact import exact_hankel_singular_values
from tests.helpers import quietly

mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")

SMALL = list(benchmark_systems())
# Other parameters than the defaults, and other sizes.
VARIANTS = [
    heat_equation(5),
    heat_equation(11),
    rc_ladder(3, resistance=10.0, capacitance=0.01),
    rc_ladder(7),
    hilbert_system(4),
    mass_spring_chain(1, stiffness=4.0, damping=0.5),
    mass_spring_chain(4, stiffness=100.0, damping=0.01),
    all_pass_system(1, gain=0.3),
    all_pass_system(5, gain=1e-3, time=Discrete(0.1)),
    jordan_chain(1, pole=0.0),
    jordan_chain(4, pole=0.5, coupling=3.0),
    lru_layer(5, n_channels=3, seed=1),
    penzl_model(7),
]
ALL = SMALL + VARIANTS


def with_fact(quantity, systems=ALL):
    """Parametrize a test by the systems of which something is known."""
    cases = [
        pytest.param(b.system, b.facts[quantity], id=b.name)
        for b in systems
        if quantity in b.facts
    ]
    assert len(cases) > 1
    return pytest.mark.parametrize(("system", "fact"), cases)


def is_diagonal(system):
    return isinstance(system, DiagonalStateSpace)


def assert_close(found, fact):
    expected = np.array(fact.values)
    assert np.max(abs(found - expected)) <= 10 * fact.rtol * np.max(abs(expected))


@with_fact("poles")
def test_poles(system, fact):
    if is_diagonal(system):
        found = np.asarray(system.poles)
    else:
        found = scipy.linalg.eigvals(system.A)
    assert len(found) == len(fact.values)
    pairs = abs(found[:, None] - np.array(fact.values))
    rows, columns = scipy.optimize.linear_sum_assignment(pairs)
    assert pairs[rows, columns].max() <= 10 * fact.rtol * abs(found).max()


@with_fact("hankel_singular_values")
def test_hankel_singular_values(system, fact):
    expected = np.array(fact.values).real
    values = hankel_singular_values(system)[: len(expected)]
    assert (np.diff(expected) <= 0).all()
    # Dense systems keep digits relative to the largest value.
    slack = 0.0 if is_diagonal(system) else 1e-12 * expected[0]
    np.testing.assert_allclose(values, expected, rtol=10 * fact.rtol, atol=slack)


def test_hilbert_values_in_multiple_precision():
    benchmark = hilbert_system()
    values = np.array(benchmark.facts["hankel_singular_values"].values).real
    np.testing.assert_allclose(
        values, exact_hankel_singular_values(benchmark.system), rtol=1e-14
    )


@with_fact("hankel_sum")
def test_sum_of_the_hankel_singular_values(system, fact):
    assert_close(np.sum(hankel_singular_values(system)), fact)


# Above this norm of 1e52, no arithmetic in double precision can prove an upper end.
UNPROVEN = 1e40


@with_fact("hinf_norm")
def test_hinf_norm(system, fact):
    with warnings.catch_warnings():
        if fact.value > UNPROVEN:
            warnings.simplefilter("ignore", NumericalWarning)
        bracket = hinf_norm(system)
    slack = 1 + 10 * fact.rtol
    assert float(bracket.lower) <= fact.value * slack
    assert fact.value <= float(bracket.upper) * slack
    assert fact.value <= float(bracket.lower) * (1 + 1e-5)
    if fact.value < UNPROVEN:
        assert float(bracket.upper) <= fact.value * (1 + 1e-5)


@with_fact("peak_frequency")
def test_gain_at_the_peak_frequency(system, fact):
    norm = peak_gain(to_dense(system) if is_diagonal(system) else system)[0]
    response = frequency_response(system, np.array(fact.values).real)
    gains = np.linalg.svd(response, compute_uv=False)[:, 0]
    np.testing.assert_allclose(gains, float(norm), rtol=1e-6)


@with_fact("h2_norm")
def test_h2_norm(system, fact):
    assert_close(float(h2_norm(system)), fact)


def squared_h2_integral(system):
    """Integral of the squared gain over the boundary, by the definition."""
    edge = np.pi if isinstance(system.time, Discrete) else np.inf

    def squared_gain(w):
        return float(np.linalg.norm(frequency_response(system, np.array([w]))) ** 2)

    half, _ = scipy.integrate.quad(squared_gain, 0, edge, limit=500, epsrel=1e-10)
    return half / np.pi


@pytest.mark.parametrize(
    "benchmark",
    [
        heat_equation(5),
        rc_ladder(7),
        hilbert_system(4),
        mass_spring_chain(2, damping=0.5),
        jordan_chain(4, pole=0.5, coupling=3.0),
        all_pass_system(3, time=Discrete()),
        lru_layer(3),
    ],
    ids=lambda benchmark: benchmark.name,
)
def test_h2_norm_is_the_integral(benchmark):
    system = benchmark.system
    if is_diagonal(system) and system.readout == "complex":
        system = to_dense(system)
    integral = np.sqrt(squared_h2_integral(system))
    assert integral == pytest.approx(benchmark.facts["h2_norm"].value, rel=1e-6)


@with_fact("static_gain")
def test_gain_at_frequency_zero(system, fact):
    gain = np.linalg.norm(frequency_response(system, np.zeros(1))[0], 2)
    assert gain == pytest.approx(fact.value, rel=1e-10, abs=1e-10)


@with_fact("all_pass")
def test_gain_is_the_same_everywhere(system, fact):
    points = np.linspace(-3, 3, 13)
    gains = np.linalg.svd(frequency_response(system, points), compute_uv=False)
    np.testing.assert_allclose(gains, fact.value, rtol=1e-11)


@with_fact("passive")
def test_passive_systems_have_a_positive_real_part(system, fact):
    assert fact.value == 1
    points = np.concatenate([-np.geomspace(1e-3, 1e3, 50), np.geomspace(1e-3, 1e3, 50)])
    response = frequency_response(system, points)
    hermitian = response + response.conj().swapaxes(-1, -2)
    scale = np.linalg.norm(response, axis=(1, 2)).max()
    assert np.linalg.eigvalsh(hermitian).min() >= -1e-12 * scale


@with_fact("symmetric")
def test_symmetric_systems_equal_their_adjoints(system, fact):
    dense = to_dense(system) if is_diagonal(system) else system
    np.testing.assert_array_equal(dense.A, dense.A.conj().T)
    np.testing.assert_array_equal(dense.C, dense.B.conj().T)
    assert fact.value == 1


@with_fact("tight_orders")
def test_bound_is_attained(system, fact):
    for order in fact.values:
        result = quietly(system, order=int(order.real))
        error = float(result.certify().hinf_error.lower)
        values = hankel_singular_values(system)
        twice = 2 * float(values[result.order :].sum())
        assert error == pytest.approx(twice, rel=1e-6, abs=1e-12 * values[0])


@pytest.mark.slow
@with_fact("tight_orders", [penzl_model(), heat_equation()])
def test_bound_is_attained_by_large_systems(system, fact):
    for order in fact.values:
        result = balanced_truncation(system, order=int(order.real))
        at_zero = frequency_response(system, np.zeros(1))
        at_zero = abs(at_zero - frequency_response(result.system, np.zeros(1))).item()
        twice = 2 * float(result.hankel_singular_values[result.order :].sum())
        assert at_zero == pytest.approx(twice, rel=2e-5)


@pytest.mark.slow
def test_published_values_of_penzls_model():
    benchmark = penzl_model()
    for quantity in ("hankel_singular_values",):
        fact = benchmark.facts[quantity]
        values = hankel_singular_values(benchmark.system)[: len(fact.values)]
        np.testing.assert_allclose(values, np.array(fact.values).real, rtol=fact.rtol)
    assert_close(float(h2_norm(benchmark.system)), benchmark.facts["h2_norm"])


def test_published_norm_of_penzls_model_in_multiple_precision():
    benchmark = penzl_model()
    facts = benchmark.facts

    def gain(frequency):
        s = mpmath.mpc(0, frequency)
        total = sum(1 / (s + k) for k in range(1, 1001))
        pairs = sum(200 * (s + 1) / ((s + 1) ** 2 + w**2) for w in (100, 200, 400))
        return abs(total + pairs)

    with mpmath.workdps(30):
        peak = facts["peak_frequency"].value
        points = [peak + k * 1e-4 for k in range(-20, 21)]
        gains = [gain(point) for point in points]
        assert float(max(gains)) == pytest.approx(facts["hinf_norm"].value, rel=5e-6)
        best = points[gains.index(max(gains))]
        assert best == pytest.approx(peak, rel=facts["peak_frequency"].rtol)
        at_zero = float(gain(0))
    assert at_zero == pytest.approx(facts["static_gain"].value, rel=1e-12)


@pytest.mark.parametrize("benchmark", ALL, ids=lambda benchmark: benchmark.name)
def test_systems_are_stable_and_say_what_they_are(benchmark):
    assert bool(is_stable(benchmark.system))
    assert benchmark.facts
    assert benchmark.source
    assert repr(benchmark).startswith(f"BenchmarkSystem({benchmark.name!r}, fa")
    for fact in benchmark.facts.values():
        assert 0 < fact.rtol < 1e-4
        assert fact.reason


def test_collection_has_names_of_its_own_and_sizes_as_asked():
    names = [benchmark.name for benchmark in benchmark_systems(max_states=2000)]
    assert len(set(names)) == len(names) == len(SMALL) + 1
    for benchmark in benchmark_systems(max_states=10):
        assert benchmark.system.n_states <= 10
    assert {type(b.system.time) for b in SMALL} == {Continuous, Discrete}


def test_facts_cannot_be_changed():
    benchmark = BenchmarkSystem("one", jordan_chain(1).system, {})
    with pytest.raises(TypeError, match="does not support item assignment"):
        benchmark.facts["hinf_norm"] = Fact((1.0,), 1e-9, "a wish")
    with pytest.raises(ValueError, match="too many values"):
        _ = Fact((1.0, 2.0), 1e-9, "two").value


def test_layer_is_real_and_its_seed_counts():
    first, again, other = (lru_layer(6, seed=seed).system for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.exponents, again.exponents)
    assert (first.exponents != other.exponents).all()
    assert conjugate_closure(first).n_states == 12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: heat_equation(4), "heat_equation: got n_states=4, need at least 5"),
        (lambda: rc_ladder(2), "rc_ladder: got n_states=2, need at least 3"),
        (lambda: hilbert_system(2), "hilbert_system: got n_states=2, need at least 3"),
        (lambda: mass_spring_chain(0), "mass_spring_chain: got n_masses=0, need at"),
        (lambda: all_pass_system(0), "all_pass_system: got n_states=0, need at least"),
        (lambda: jordan_chain(0), "jordan_chain: got n_states=0, need at least 1"),
        (lambda: jordan_chain(pole=1.0), "jordan_chain: got pole=1, need 0 <= pole <"),
        (lambda: lru_layer(0), "lru_layer: got n_states=0, need at least 1"),
        (lambda: penzl_model(6), "penzl_model: got n_states=6, need at least 7"),
    ],
)
def test_impossible_sizes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_slicot_files_have_their_published_facts(data_folder):
    folder = data_folder / "slicot"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    found = {b.name: b for b in load_slicot_collection(folder)}
    known = [b for b in found.values() if b.facts]
    assert len(known) >= 1
    for benchmark in known:
        system, facts = benchmark.system, benchmark.facts
        bracket, fact = hinf_norm(system), facts["hinf_norm"]
        assert float(bracket.lower) == pytest.approx(fact.value, rel=fact.rtol)
        peak = facts["peak_frequency"]
        assert float(bracket.frequency) == pytest.approx(
            peak.value, rel=peak.rtol, abs=1e-6
        )
        fact = facts["h2_norm"]
        assert float(h2_norm(system)) == pytest.approx(fact.value, rel=fact.rtol)
        fact = facts["hankel_singular_values"]
        values = hankel_singular_values(system)[: len(fact.values)]
        np.testing.assert_allclose(values, np.array(fact.values).real, rtol=fact.rtol)


def test_other_files_have_no_facts(tmp_path: Path):
    from hankelcut.lti import save

    save(jordan_chain(2).system, tmp_path / "mine.mat")
    (only,) = load_slicot_collection(tmp_path)
    assert (only.name, dict(only.facts)) == ("mine", {})
    assert only.system.time == Discrete()


def test_empty_folders_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"got .*, need a folder of \.mat files"):
        list(load_slicot_collection(tmp_path))
