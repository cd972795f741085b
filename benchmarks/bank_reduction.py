"""Six S4D layers of 256 channels and 64 states each: one call against loops.

Every channel is a system of its own, with 32 stored conjugate pairs. hankelcut reads,
balances, cuts, checks and writes all 1536 of them in one call of `reduce_`. The peers
loop over the channels in NumPy, from the parameters to the reduced modes, and neither
check nor write anything:

- the same algorithm: structured factors of the Gramians, a singular value
  decomposition, square-root projections, eigenvectors of the reduced matrix;
- the textbook's: Gramians in closed form and their eigenvalues in place of the factors,
  which loses all Hankel singular values below about 1e-8 of the largest. `reduce_` is
  shown with closed forms, too.

Floor of the time: the singular value decompositions and the products of the factors,
one core each, without anything else. Floor of the memory: two factors and two matrices
of singular vectors of 64 x 64 for each channel.

Run: python benchmarks/bank_reduction.py
"""

import copy
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

import hankelcut as hc
from hankelcut._parallel import map_in_threads
from hankelcut.adapters import TargetOrder, reduce_
from hankelcut.lti.gramians.gramian_factors import GramianMethod
from hankelcut.nn import S4D

N_LAYERS, N_CHANNELS, N_PAIRS, N_KEPT = 6, 256, 32, 8
REPETITIONS = 3

Array = np.ndarray[Any, np.dtype[Any]]


def make_model() -> nn.Module:
    """Layers whose poles have moved from their start as training moves them."""
    torch.manual_seed(0)
    layers = nn.ModuleList(S4D(N_CHANNELS, N_PAIRS) for _ in range(N_LAYERS))
    with torch.no_grad():
        for layer in layers:
            layer.log_A_real += 0.1 * torch.randn_like(layer.log_A_real)
            layer.A_imag += 0.1 * torch.randn_like(layer.A_imag)
    return layers


def read_channel(layer: S4D, k: int) -> tuple[Array, Array]:
    """Poles and residues of one channel, from the parameters."""
    a = -np.exp(layer.log_A_real[k].double().numpy())
    a = a + 1j * layer.A_imag[k].double().numpy()
    step = np.exp(layer.log_dt[k].double().numpy())
    C = layer.C[k].double().numpy() @ np.array([1, 1j])
    return step * a, C * np.expm1(step * a) / a


def cut_alike(layer: S4D, k: int) -> hc.DiagonalStateSpace:
    """Cut one channel by the same algorithm."""
    exponents, residues = read_channel(layer, k)
    ones = np.ones((N_PAIRS, 1), complex)
    D = layer.D[k].double().numpy()[None, None]
    system = hc.DiagonalStateSpace(
        exponents, ones, residues[None], D, hc.Discrete(), "twice_real"
    )
    return hc.balanced_truncation(system, order=N_KEPT).system


def cut_by_eigenvalues(layer: S4D, k: int) -> tuple[Array, Array]:
    """Cut one channel by Gramians in closed form; poles and residues."""
    exponents, residues = read_channel(layer, k)
    poles = np.exp(exponents)
    b = np.concatenate([np.ones(N_PAIRS), np.zeros(N_PAIRS)])
    c = 2 * np.concatenate([residues.real, -residues.imag])
    P = _real_gramian(poles, np.ones(N_PAIRS)) / 2
    Q = 2 * _real_gramian(poles.conj(), residues.conj())
    Lc, Lo = _factor(P), _factor(Q)
    U, values, Vh = np.linalg.svd(Lo.T @ Lc)
    scale = values[: 2 * N_KEPT] ** -0.5
    T = Lc @ (Vh[: 2 * N_KEPT].T * scale)
    W = Lo @ (U[:, : 2 * N_KEPT] * scale)
    a, w = poles.real[:, None], poles.imag[:, None]
    top, low = T[:N_PAIRS], T[N_PAIRS:]
    A = W.T @ np.concatenate([a * top - w * low, w * top + a * low])
    reduced, X = np.linalg.eig(A)
    return reduced, np.linalg.solve(X, W.T @ b) * (c @ T @ X)


def _real_gramian(poles: Array, g: Array) -> Array:
    """Twice the sum of the squares of [Re v; Im v] for v = poles^k g, k = 0, 1, ..."""
    hermitian = np.outer(g, g.conj()) / (1 - np.outer(poles, poles.conj()))
    plain = np.outer(g, g) / (1 - np.outer(poles, poles))
    plus, minus = hermitian + plain, hermitian - plain
    return np.block([[plus.real, -minus.imag], [plus.imag, minus.real]])


def _factor(gramian: Array) -> Array:
    values, vectors = np.linalg.eigh((gramian + gramian.T) / 2)
    return vectors * np.sqrt(np.maximum(values, 0))


def bare_decompositions(matrices: Array) -> None:
    """Do what no algorithm by factors can do without, on all cores."""
    map_in_threads(lambda M: np.linalg.svd(M.mT @ M), np.array_split(matrices, 24))


def best_time(function: Callable[[], object]) -> float:
    """Least seconds over repetitions."""
    times = []
    for _ in range(REPETITIONS):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return min(times)


def loop(model: nn.Module, cut: Callable[[S4D, int], object]) -> list[object]:
    """Cut all channels of all layers, one after the other, on one BLAS thread."""
    with torch.no_grad(), threadpool_limits(limits=1):
        return [cut(layer, k) for layer in model for k in range(N_CHANNELS)]


def peak_memory() -> float:
    """Most resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def time_of_reduction(model: nn.Module, gramians: GramianMethod) -> float:
    """Least seconds of one call for the whole model."""
    copies = [copy.deepcopy(model) for _ in range(REPETITIONS)]
    return best_time(
        lambda: reduce_(copies.pop(), TargetOrder(N_KEPT), gramians=gramians)
    )


def main() -> None:
    """Print times, ratios and memory."""
    model = make_model()
    warm = make_model()
    reduce_(warm[:1], TargetOrder(N_KEPT))
    before = peak_memory()
    ours = time_of_reduction(model, "structured")
    used = peak_memory() - before
    closed = time_of_reduction(model, "closed_form")
    alike = best_time(lambda: loop(model, cut_alike))
    textbook = best_time(lambda: loop(model, cut_by_eigenvalues))
    n = 2 * N_PAIRS
    rng = np.random.default_rng(0)
    matrices = rng.standard_normal((N_LAYERS * N_CHANNELS, n, n))
    floor = best_time(lambda: bare_decompositions(matrices))
    print(f"{N_LAYERS} layers, {N_CHANNELS} channels, {n} states, {N_KEPT} pairs kept")
    for name, seconds in (
        ("reduce_, structured", ours),
        ("loop, same algorithm", alike),
        ("reduce_, closed form", closed),
        ("loop, textbook", textbook),
        ("floor", floor),
    ):
        print(f"{name:24}{seconds:9.3f} s{seconds / ours:8.2f}{seconds / closed:8.2f}")
    least = 4 * matrices.nbytes / 2**20
    print(f"peak memory {used:.0f} MB, floor {least:.0f} MB")


if __name__ == "__main__":
    main()
