r"""S4 kernels with a low-rank part, as real dense systems in [Re x; Im x].

With :math:`p = [\mathrm{Re}\,P; \mathrm{Im}\,P]` the complex states and their
conjugates are the real system :math:`A_X - 2 p p^T`, where :math:`A_X` is that of the
diagonal modes. The bilinear rule and what the parameter C holds are functions of the
matrix E = step times that; they commute, so that all of them can be moved into C, and B
stays what the parameter holds, times the step.
"""

from dataclasses import replace

import torch
from torch import Tensor

from hankelcut.adapters.layers._s4_bank import KernelBank
from hankelcut.adapters.layers._s4_rules import BilinearRule
from hankelcut.adapters.protocol import LayerReading
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.lti import Continuous, DiagonalStateSpace, Discrete, StateSpace
from hankelcut.lti.systems.conversions import real_form

__all__ = ["dense_reading"]


def dense_reading(bank: KernelBank) -> LayerReading:
    """Return a kernel with a low-rank part as a dense bank, and how it is held.

    Parameters
    ----------
    bank : KernelBank
        The kernel without its low-rank part, which its `kernel` names.
    """
    kernel, diagonal = bank.kernel, bank.reading()
    assert kernel.P is not None  # noqa: S101 - narrows the types
    assert diagonal.inputs is not None  # noqa: S101
    assert diagonal.outputs is not None  # noqa: S101
    held = _as_held(bank, diagonal.inputs)
    low = torch.cat([kernel.P.real, kernel.P.imag], dim=-1).permute(1, 2, 0)
    A = held.A - 2 * low @ low.mT
    n = kernel.poles.shape[1]
    steps = kernel.step.expand(-1, n)
    parts = steps.repeat(1, 2)[..., None]
    E = parts * kernel.of_channels(A)
    identity = torch.eye(2 * n, dtype=E.dtype, device=E.device)
    pencil = identity - E / 2
    discrete = torch.linalg.solve(pencil, identity + E / 2)
    attuned = _attuned(bank, discrete)
    C = torch.linalg.solve(attuned, bank.by_channel(held.C), left=False)
    B = parts * kernel.of_channels(held.B)
    system = StateSpace(
        discrete,
        B,
        torch.linalg.solve(pencil, C, left=False),
        bank.feedthrough(),
        Discrete(),
    )
    ones = torch.ones_like(kernel.poles)
    reading = replace(diagonal, system=system, stored_as=diagonal.form)
    if not bank.is_shared:
        return replace(
            reading,
            inputs=replace(diagonal.inputs, scale=steps),
            outputs=replace(
                diagonal.outputs, scale=ones, mixing=(pencil @ attuned)[:, None]
            ),
        )
    mixing = torch.linalg.solve(pencil, attuned)[:, None]
    mixing = mixing.expand(-1, C.shape[1], -1, -1)
    return replace(
        reading,
        outputs=replace(diagonal.outputs, scale=ones, mixing=bank.by_group(mixing)),
        balanced=replace(held, A=A, C=bank.by_group(C @ pencil)),
    )


def _as_held(bank: KernelBank, inputs: StoredMatrix) -> StateSpace:
    """Diagonal modes of the groups with B and C as the parameters hold them."""
    kernel = bank.kernel
    diagonal = DiagonalStateSpace(
        kernel.poles,
        inputs.assemble(kernel.values),
        bank.by_group(bank.held_outputs()),
        bank.by_group(bank.feedthrough()),
        Continuous(),
        bank.rule.readout,
    )
    return real_form(diagonal)


def _attuned(bank: KernelBank, discrete: Tensor) -> Tensor:
    """I - A^L for the length that C is attuned to, else I."""
    identity = torch.eye(discrete.shape[-1], dtype=discrete.dtype).to(discrete.device)
    rule = bank.rule
    if not isinstance(rule, BilinearRule) or not rule.attuned_to:
        return identity.expand_as(discrete)
    remaining: Tensor = torch.linalg.matrix_power(discrete, rule.attuned_to)
    return identity - remaining
