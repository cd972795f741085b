"""Outputs of a diagonal system over whole sequences, from products of blocks of steps.

The states of all steps are never formed: only those at the ends of blocks are.
"""

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor
from torch.nn import functional

from hankelcut.nn.scan import linear_scan

__all__ = ["diagonal_outputs"]

# What the recurrence between blocks costs, in multiplications of a matrix product: for
# each state of each sequence, and at once for all sequences. Measured on a CPU, see
# docs/benchmarks.md.
_PRODUCTS_PER_STATE = 120
_PRODUCTS_PER_LAUNCH = 32_000

# Compilers cannot follow `dtype.to_complex`.
_COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}


def diagonal_outputs(
    inputs: Inexact[Tensor, "..."],
    exponents: Inexact[Tensor, "..."],
    B: Inexact[Tensor, "..."],
    C: Inexact[Tensor, "..."],
    D: Inexact[Tensor, "..."] | None = None,
    *,
    initial_state: Inexact[Tensor, "..."] | None = None,
    block: int | None = None,
) -> Float[Tensor, "*groups batch length p"]:
    r"""Compute the outputs of diagonal systems over whole sequences.

    .. math::

        x_k = e^\mu x_{k-1} + B u_k, \qquad y_k = \mathrm{Re}(C x_k) + D u_k.

    Parameters
    ----------
    inputs : (..., batch, length, m) tensor
        The sequences. Leading axes are groups of sequences, each with a system of its
        own: the channels of a bank of systems with one input and one output,
        ``(channels, batch, length, 1)``, or several models side by side. Real.
    exponents : (..., n) complex tensor
        Logarithms of the poles, of the inputs' precision or in double precision.
    B : (..., n, m) complex tensor
        Input matrices.
    C : (..., p, n) complex tensor
        Output matrices.
    D : (..., p) tensor, optional
        Feedthrough of each channel, where there are as many outputs as inputs. Real.
    initial_state : (..., batch, n) complex tensor, optional
        The state before the first step; zero by default.
    block : int, optional
        Steps in a block; 1 forms the states of all steps. The result does not depend
        on it beyond rounding. By default a power of 2 that the sizes decide.

    Returns
    -------
    (..., batch, length, p) tensor
        The outputs.

    Raises
    ------
    ValueError
        If the shapes, dtypes or the number of steps in a block do not fit.

    Notes
    -----
    **Method.** In a block of T steps the outputs are a real matrix times the inputs,
    block Toeplitz of :math:`\mathrm{Re}(C e^{k\mu} B)`, plus one times the state that
    the block starts from, of :math:`\mathrm{Re}(C e^{(k+1)\mu})`; the state at its end
    is a third one times its inputs plus :math:`e^{T\mu}` times its start. All blocks
    of all sequences are rows of the same three products, and the recurrence of
    `linear_scan` runs over blocks.
    **Numerical aspects.** Each step takes 2 n (m + p) + T m p multiplications and the
    T-th part of a state. T is the power of 2 nearest to the square root of
    (120 n + 32000 / batch) / (m p), where that costs least on a CPU. Kept for the
    backward pass are the inputs, one state for each block, and the matrices. Powers of
    poles are formed in double precision.

    References
    ----------
    Dao and Gu, Transformers are SSMs, 2024, section 6: this split of a sequence, for
    multipliers that depend on time.
    """
    _check(inputs, exponents, B, C, D, initial_state, block)
    *batch, length, m = inputs.shape
    p, n = C.shape[-2:]
    if block is None:
        block = _best_block(batch[-1], length, n, m, p)
    reaches = _multiples(exponents, block)
    powers = reaches.exp().to(B.dtype)
    to_state = _parts(_input_maps(powers, B))
    from_state = _parts(_output_maps(powers, C).conj())
    if block == 1:
        driven = _rows_times(inputs, to_state)
        states = _scan_blocks(driven, reaches, initial_state, exclusive=False)
        outputs = _rows_times(states, from_state[..., :p, :].mT)
        return outputs if D is None else outputs + D[..., None, None, :] * inputs

    n_blocks = -(-length // block)
    if length % block:
        inputs = functional.pad(inputs, (0, 0, 0, n_blocks * block - length))
    rows = inputs.reshape(*batch, n_blocks, block * m)
    outputs = _rows_times(rows, _toeplitz(from_state, B, D, block))
    if n_blocks > 1 or initial_state is not None:
        driven = _rows_times(rows, to_state)
        starts = _scan_blocks(driven, reaches, initial_state, exclusive=True)
        outputs = outputs + _rows_times(starts, from_state[..., p:, :].mT)
    return outputs.reshape(*batch, n_blocks * block, p)[..., :length, :]


def _check(
    inputs: Tensor,
    exponents: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    initial_state: Tensor | None,
    block: int | None,
) -> None:
    """Raise ValueError where the arguments of `diagonal_outputs` do not fit."""
    if inputs.ndim < 3 or B.ndim < 2 or C.ndim < 2:
        msg = (
            f"got inputs of shape {tuple(inputs.shape)}, B of {tuple(B.shape)} and C "
            f"of {tuple(C.shape)}, need (..., batch, length, m), (..., n, m) and "
            "(..., p, n)"
        )
        raise ValueError(msg)
    if inputs.dtype not in _COMPLEX:
        msg = (
            f"got inputs of {inputs.dtype}, need real numbers in single or double "
            "precision"
        )
        raise ValueError(msg)
    *groups, batch, _, m = inputs.shape
    n, p = B.shape[-2], C.shape[-2]
    real, imaginary = inputs.dtype, _COMPLEX[inputs.dtype]
    for name, value, shape, dtypes in (
        ("exponents", exponents, (n,), (imaginary, torch.complex128)),
        ("B", B, (n, m), (imaginary,)),
        ("C", C, (p, n), (imaginary,)),
        ("D", D, (m if m == p else f"m = p, not {m} and {p}",), (real,)),
        ("initial_state", initial_state, (batch, n), (imaginary,)),
    ):
        if value is None:
            continue
        if tuple(value.shape) != (*groups, *shape):
            msg = (
                f"got {name} of shape {tuple(value.shape)} with inputs of "
                f"{tuple(inputs.shape)}, need {(*groups, *shape)}"
            )
            raise ValueError(msg)
        if value.dtype not in dtypes:
            msg = f"got {name} of {value.dtype} with inputs of {real}, need {dtypes[0]}"
            raise ValueError(msg)
    if block is not None and block < 1:
        msg = f"got block={block}, need at least 1 (or None for the default)"
        raise ValueError(msg)


def _best_block(batch: int, length: int, n: int, m: int, p: int) -> int:
    """Power of 2 nearest to the number of steps that costs least."""
    batch = max(1, batch)
    cost = _PRODUCTS_PER_STATE * n * batch + _PRODUCTS_PER_LAUNCH
    block = 1
    # Comparisons only: compilers turn them into conditions on the sizes.
    while block < length and 2 * block**2 * m * p * batch <= cost:
        block *= 2
    return block


def _multiples(
    exponents: Complex[Tensor, "*groups n"], block: int
) -> Complex[Tensor, "*groups steps n"]:
    """Exponents of 1, 2, ... steps, in double precision."""
    # Real products: a complex one makes NaN of the infinite exponent of a pole at 0.
    pairs = torch.view_as_real(exponents.to(torch.complex128).resolve_conj())
    steps = torch.arange(1, block + 1, dtype=torch.float64, device=pairs.device)
    return torch.view_as_complex(steps[:, None, None] * pairs[..., None, :, :])


def _input_maps(
    powers: Complex[Tensor, "*groups steps n"], B: Complex[Tensor, "*groups n m"]
) -> Complex[Tensor, "*groups inputs n"]:
    """From the inputs of a block to its end: B, driven by each step to the last."""
    last = B.mT
    until_end = powers[..., :-1, :].flip(-2)
    others = until_end[..., None, :] * last[..., None, :, :]
    return torch.cat((others.flatten(-3, -2), last), dim=-2)


def _output_maps(
    powers: Complex[Tensor, "*groups steps n"], C: Complex[Tensor, "*groups p n"]
) -> Complex[Tensor, "*groups outputs n"]:
    """From a state to the outputs 0, 1, ... steps later."""
    later = powers[..., None, :] * C[..., None, :, :]
    return torch.cat((C, later.flatten(-3, -2)), dim=-2)


def _parts(values: Complex[Tensor, "*any n"]) -> Float[Tensor, "*any parts"]:
    """Real and imaginary parts side by side."""
    return torch.view_as_real(values.resolve_conj()).flatten(-2)


def _toeplitz(
    from_state: Float[Tensor, "*groups later_outputs parts"],
    B: Complex[Tensor, "*groups n m"],
    D: Float[Tensor, "*groups p"] | None,
    block: int,
) -> Float[Tensor, "*groups inputs outputs"]:
    """From the inputs of a block to its outputs: zero before the input, D at it."""
    *groups, _, m = B.shape
    responses = from_state @ _parts(B.mT).mT
    responses = responses.view(*groups, block + 1, -1, m)[..., :block, :, :]
    # Copies of the responses and as many zeros, read in rows that are shorter by one:
    # each row starts a step later than the one before it.
    padded = torch.cat((responses, torch.zeros_like(responses)), dim=-3)
    copies = padded.unsqueeze(-4).expand(*groups, block, *padded.shape[-3:])
    rows = copies.flatten(-4, -3)[..., : block * (2 * block - 1), :, :]
    shifted = rows.view(*groups, block, 2 * block - 1, -1, m)[..., :block, :, :]
    matrix = shifted.movedim(-1, -3).reshape(*groups, block * m, -1)
    if D is None:
        return matrix
    repeated = D[..., None, :].expand(*groups, block, m)
    return matrix + torch.diag_embed(repeated.flatten(-2))


def _rows_times(
    sequences: Float[Tensor, "*groups batch length k"],
    matrix: Float[Tensor, "*groups k j"],
) -> Float[Tensor, "*groups batch length j"]:
    """One product for all steps of all sequences of a group."""
    product = sequences.flatten(-3, -2) @ matrix
    return product.view(*sequences.shape[:-1], matrix.shape[-1])


def _scan_blocks(
    driven: Float[Tensor, "*groups batch length parts"],
    reaches: Complex[Tensor, "*groups steps n"],
    initial_state: Complex[Tensor, "*groups batch n"] | None,
    *,
    exclusive: bool,
) -> Float[Tensor, "*groups batch length parts"]:
    """States of the recurrence along the axis before the last, a block in each step."""
    pairs = driven.view(*driven.shape[:-1], reaches.shape[-1], 2)
    states = linear_scan(
        torch.view_as_complex(pairs).movedim(-2, 0),
        reaches[..., -1:, :],
        initial_state=initial_state,
        exclusive=exclusive,
    )
    return _parts(states.movedim(0, -2))
