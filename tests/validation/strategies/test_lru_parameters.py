import numpy as np
import pytest

from hankelcut.lti import impulse_response, stability_margin
from hankelcut.validation import lru_parameters
from tests.helpers import strategies_may_draw
from tests.validation.strategies.drawing import drawn, exists, minimal

pytestmark = strategies_may_draw


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_have_the_shapes_of_the_layer(dtype):
    for parameters in drawn(lru_parameters(dtype=dtype, max_states=4), 50):
        n, m = parameters.B_re.shape
        shapes = {name: array.shape for name, array in parameters._asdict().items()}
        assert 1 <= n <= 4
        assert 1 <= m <= 3
        for name in ("nu_log", "theta_log", "gamma_log"):
            assert shapes[name] == (n,)
        assert shapes["B_im"] == (n, m)
        assert shapes["C_re"] == shapes["C_im"] == (m, n)
        assert shapes["D"] == (m,)
        assert {array.dtype for array in parameters} == {np.dtype(dtype)}
        assert float(stability_margin(parameters.system())) > 0


def test_layer_with_the_parameters_has_the_response_of_the_system():
    torch = pytest.importorskip("torch")
    from hankelcut.nn import LRU

    for parameters in drawn(lru_parameters(dtype=np.float64), 20):
        system = parameters.system()
        n, m = parameters.B_re.shape
        layer = LRU(m, n).double()
        tensors = {k: torch.tensor(v) for k, v in parameters._asdict().items()}
        layer.load_state_dict(tensors)
        impulses = torch.zeros(m, 10, m, dtype=torch.float64)
        impulses[:, 0] = torch.eye(m, dtype=torch.float64)
        outputs = layer(impulses).detach().numpy().transpose(1, 2, 0)
        expected = impulse_response(system, n_samples=11)[1:]
        expected[0] += system.D
        np.testing.assert_allclose(outputs, expected, rtol=1e-10, atol=1e-12)


def test_system_is_what_the_adapter_extracts():
    torch = pytest.importorskip("torch")
    from hankelcut.adapters.layers.lru import LRUAdapter
    from hankelcut.nn import LRU

    for parameters in drawn(lru_parameters(normalized=False), 10):
        n, m = parameters.B_re.shape
        layer = LRU(m, n)
        layer.load_state_dict(
            {k: torch.tensor(v) for k, v in parameters._asdict().items()}
        )
        extracted, system = LRUAdapter().read(layer).system, parameters.system()
        assert extracted.readout == system.readout
        for field in ("B", "C", "D", "exponents"):
            np.testing.assert_allclose(
                np.asarray(getattr(extracted, field).detach()),
                getattr(system, field),
                rtol=1e-6,
            )


@pytest.mark.parametrize("normalized", [True, False])
def test_normalization_is_as_chosen(normalized):
    found = drawn(lru_parameters(normalized=normalized, dtype=np.float64), 50)
    norms = [1 - abs(p.system().poles) ** 2 for p in found]
    gammas = [np.exp(2 * p.gamma_log) for p in found]
    equal = [np.allclose(g, k, rtol=1e-9) for g, k in zip(gammas, norms, strict=True)]
    assert all(equal) if normalized else not all(equal)


@pytest.mark.parametrize(
    "condition",
    [
        lambda p: float(stability_margin(p.system())) < 1e-3,
        lambda p: (np.exp(p.theta_log) > np.pi).any(),
        lambda p: (abs(p.system().poles) < 0.1).any(),
        lambda p: len(set(p.nu_log.tolist())) < len(p.nu_log),
    ],
    ids=["slow", "beyond pi", "fast", "equal"],
)
def test_every_corner_is_drawn(condition):
    assert exists(lru_parameters(), condition)


def test_failures_shrink_to_ones_and_zeros():
    smallest = minimal(lru_parameters(dtype=np.float64), lambda p: p.C_im.any())
    assert smallest.nu_log.tolist() == smallest.theta_log.tolist() == [0.0]
    assert smallest.gamma_log.tolist() == [0.0]
    assert abs(smallest.C_im).tolist() == [[0.01]]
    assert not any(x.any() for x in (smallest.B_re, smallest.B_im, smallest.D))


@pytest.mark.parametrize(
    "options",
    [{"dtype": np.complex64}, {"min_states": 7}, {"max_channels": 0}],
)
def test_options_without_parameters_are_refused(options):
    with pytest.raises(ValueError, match=r"lru_parameters: got dtype=.* need float32"):
        lru_parameters(**options)
