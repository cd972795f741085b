"""The norm is the sum of the values; its gradient is the one differences find."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from hankelcut._errors import InvalidSystemError, UnstableSystemError
from hankelcut.adapters import hankel_nuclear_norm
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    hankel_singular_values,
    to_dense,
)
from hankelcut.validation import check_gradient, check_gradient_euler

PER_SAMPLE = Discrete()
KINDS = [
    (PER_SAMPLE, "complex"),
    (PER_SAMPLE, "real"),
    (PER_SAMPLE, "twice_real"),
    (Continuous(), "complex"),
    (Continuous(), "real"),
]
FIELDS = ("exponents", "B", "C")


def a_system(time=PER_SAMPLE, readout="real", *, batch=(), n=6, m=2, p=3, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*batch, *shape, dtype=torch.complex128, generator=generator)

    rates = torch.rand(*batch, n, dtype=torch.float64, generator=generator)
    phases = torch.rand(*batch, n, dtype=torch.float64, generator=generator)
    exponents = torch.complex(-0.05 - rates, 3 * phases)
    return DiagonalStateSpace(
        exponents, normal(n, m), normal(p, n), time=time, readout=readout
    )


def with_gradients(system: DiagonalStateSpace, **options: str):
    """Value and gradients by exponents, B and C."""
    tensors = [getattr(system, name).clone().requires_grad_() for name in FIELDS]
    watched = dataclasses.replace(system, **dict(zip(FIELDS, tensors, strict=True)))
    norm = hankel_nuclear_norm(watched, **options)
    return norm.detach(), torch.autograd.grad(norm.sum(), tensors)


def of_field(system: DiagonalStateSpace, name: str) -> Callable[[np.ndarray], float]:
    def function(array: np.ndarray) -> float:
        changed = dataclasses.replace(system, **{name: torch.from_numpy(array)})
        return float(hankel_nuclear_norm(changed))

    return function


def check_all_gradients(system: DiagonalStateSpace, rng: np.random.Generator) -> None:
    for k, name in enumerate(FIELDS):
        point = getattr(system, name).numpy()
        direction = rng.standard_normal(point.shape) + 1j * rng.standard_normal(
            point.shape
        )
        check_gradient(
            of_field(system, name),
            lambda x, name=name, k=k: with_gradients(
                dataclasses.replace(system, **{name: torch.from_numpy(x)})
            )[1][k].numpy(),
            point,
            direction / np.linalg.norm(direction),
            step=1e-3,
        )


def all_pass(n: int = 4) -> DiagonalStateSpace:
    """A product of n Blaschke factors: all n values are 1."""
    poles = torch.tensor([0.5, -0.3 + 0.6j, 0.1 - 0.8j, 0.7 + 0.2j])[:n]
    poles = poles.to(torch.complex128)
    residues = []
    for k, pole in enumerate(poles):
        others = torch.cat([poles[:k], poles[k + 1 :]])
        factors = (1 - others.conj() * pole) / (pole - others)
        residues.append((1 - abs(pole) ** 2) * factors.prod())
    B = torch.ones(n, 1, dtype=torch.complex128)
    return DiagonalStateSpace(poles.log(), B, torch.stack(residues)[None])


@pytest.mark.parametrize(("time", "readout"), KINDS)
@pytest.mark.parametrize("gramians", ["structured", "closed_form"])
def test_it_is_the_sum_of_the_values_of_the_dense_system(time, readout, gramians):
    system = a_system(time, readout)
    dense = to_dense(
        dataclasses.replace(
            system, **{name: getattr(system, name).numpy() for name in FIELDS}, D=None
        )
    )
    expected = hankel_singular_values(dense).sum()
    found = hankel_nuclear_norm(system, gramians=gramians)
    assert found.dtype == torch.float64
    assert float(found) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("time", "readout"), KINDS)
def test_gradients_match_differences(time, readout, rng):
    check_all_gradients(a_system(time, readout), rng)


@pytest.mark.parametrize("readout", ["complex", "real"])
def test_gradients_match_differences_where_all_values_tie(readout, rng):
    system = dataclasses.replace(all_pass(), D=None, readout=readout)
    if readout == "complex":
        values = hankel_singular_values(system)
        assert values.tolist() == pytest.approx([1.0] * 4, abs=1e-12)
    check_all_gradients(system, rng)


def test_gradients_match_differences_for_two_equal_channels(rng):
    one = a_system(readout="complex", n=2, m=1, p=1)
    double = DiagonalStateSpace(
        torch.cat([one.exponents, one.exponents]),
        torch.block_diag(one.B, one.B),
        torch.block_diag(one.C, one.C),
    )
    values = hankel_singular_values(double)
    assert values[0::2].tolist() == pytest.approx(values[1::2].tolist(), rel=1e-12)
    check_all_gradients(double, rng)


@pytest.mark.parametrize(("time", "readout"), KINDS)
@pytest.mark.parametrize("gramians", ["structured", "closed_form"])
def test_the_norm_is_homogeneous_in_both_matrices(time, readout, gramians):
    system = a_system(time, readout)
    norm, (_, of_B, of_C) = with_gradients(system, gramians=gramians)
    rtol = 1e-10 if gramians == "structured" else 1e-6
    check_gradient_euler(float(norm), system.B, of_B, rtol=rtol)
    check_gradient_euler(float(norm), system.C, of_C, rtol=rtol)


def test_scales_go_into_the_norm_and_the_other_gradient():
    system = a_system()
    norm, (of_exponents, of_B, of_C) = with_gradients(system)
    larger = dataclasses.replace(system, C=4 * system.C)
    assert float(hankel_nuclear_norm(larger)) == pytest.approx(
        4 * float(norm), rel=1e-15
    )
    _, scaled = with_gradients(larger)
    torch.testing.assert_close(scaled[0], 4 * of_exponents, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(scaled[1], 4 * of_B, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(scaled[2], of_C, rtol=1e-10, atol=1e-10)


def test_scaling_of_states_changes_nothing():
    """Along B_i to t_i B_i, c_i to c_i / t_i the norm is constant, for complex t."""
    system = a_system()
    _, (_, of_B, of_C) = with_gradients(system)
    along = (of_B.conj() * system.B).sum(1) - (of_C.conj() * system.C).sum(0)
    assert along.abs().max() < 1e-9 * (of_B.abs().max() * system.B.abs().max())


@pytest.mark.parametrize("readout", ["complex", "real"])
def test_silent_states_get_finite_gradients(readout):
    system = a_system(readout=readout)
    C = system.C.clone()
    C[:, 2] = 0
    norm, gradients = with_gradients(dataclasses.replace(system, C=C))
    kept = [0, 1, 3, 4, 5]
    smaller = dataclasses.replace(
        system, exponents=system.exponents[kept], B=system.B[kept], C=C[:, kept]
    )
    assert norm == pytest.approx(float(hankel_nuclear_norm(smaller)), rel=1e-12)
    for own, other, axis in zip(
        gradients, with_gradients(smaller)[1], (0, 0, 1), strict=True
    ):
        assert torch.isfinite(own.abs()).all()
        index = torch.tensor(kept)
        torch.testing.assert_close(own.index_select(axis, index), other)


def test_equal_poles_with_one_input_get_finite_gradients():
    system = a_system(readout="complex", m=1)
    exponents = system.exponents[:1].expand(6).clone()
    equal = dataclasses.replace(system, exponents=exponents)
    norm, gradients = with_gradients(equal)
    assert norm == pytest.approx(float(hankel_singular_values(equal)[0]), rel=1e-12)
    assert all(torch.isfinite(item.abs()).all() for item in gradients)


@pytest.mark.parametrize("readout", ["complex", "real"])
def test_the_zero_system_pulls_at_nothing(readout):
    system = a_system(readout=readout)
    zero = dataclasses.replace(system, B=0 * system.B, C=0 * system.C)
    norm, gradients = with_gradients(zero)
    assert norm == 0
    assert all((item == 0).all() for item in gradients)


def test_a_batch_is_its_items():
    system = a_system(batch=(2, 3))
    norms, gradients = with_gradients(system)
    assert norms.shape == (2, 3)
    for index in np.ndindex(2, 3):
        norm, own = with_gradients(system[index])
        assert norms[index] == pytest.approx(float(norm), rel=1e-12)
        for batched, single in zip(gradients, own, strict=True):
            torch.testing.assert_close(batched[index], single, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("gramians", ["structured", "closed_form"])
def test_single_precision_is_close_to_double(gramians):
    system = a_system()
    single = dataclasses.replace(
        system,
        D=system.D.float(),
        **{name: getattr(system, name).to(torch.complex64) for name in FIELDS},
    )
    norm, gradients = with_gradients(single, gramians=gramians)
    assert norm.dtype == torch.float32
    expected, others = with_gradients(system)
    assert norm == pytest.approx(float(expected), rel=1e-4)
    for own, other in zip(gradients, others, strict=True):
        assert own.dtype == torch.complex64
        error = (own.to(torch.complex128) - other).norm() / other.norm()
        assert error < (1e-3 if gramians == "structured" else 5e-2)


def test_gradients_flow_to_the_parameters_behind_the_system(rng):
    """Decay and phase per step, of which the exponent is made."""
    system = a_system()
    exponents = system.exponents.numpy()
    point = np.log(np.stack([-exponents.real, exponents.imag]))

    def norm(parameters: Tensor) -> Tensor:
        nu, theta = parameters.exp()
        return hankel_nuclear_norm(
            dataclasses.replace(system, exponents=torch.complex(-nu, theta))
        )

    def gradient(array: np.ndarray) -> np.ndarray:
        parameters = torch.from_numpy(array).requires_grad_()
        return torch.autograd.grad(norm(parameters), parameters)[0].numpy()

    check_gradient(
        lambda x: float(norm(torch.from_numpy(x))),
        gradient,
        point,
        rng.standard_normal(point.shape),
    )


def test_a_second_derivative_is_refused():
    system = a_system()
    C = system.C.clone().requires_grad_()
    norm = hankel_nuclear_norm(dataclasses.replace(system, C=C))
    (gradient,) = torch.autograd.grad(norm, C, create_graph=True)
    with pytest.raises(NotImplementedError, match="second derivative"):
        gradient.abs().sum().backward()


def test_what_is_no_stable_torch_system_is_refused():
    system = a_system()
    arrays = {name: getattr(system, name).numpy() for name in FIELDS}
    with pytest.raises(InvalidSystemError, match="of torch tensors"):
        hankel_nuclear_norm(DiagonalStateSpace(**arrays))
    with pytest.raises(UnstableSystemError):
        hankel_nuclear_norm(dataclasses.replace(system, exponents=system.exponents + 5))
    with pytest.raises(InvalidSystemError, match="B"):
        hankel_nuclear_norm(dataclasses.replace(system, B=system.B * torch.nan))
