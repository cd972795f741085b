"""Six LRU layers of n = 384, H = 512: Hankel singular values and a cut to 93 states.

The peer is the algorithm of the code published with Chahine et al. (ICLR 2026), written
anew from its description: complex64 Gramians of the complex states in closed form,
values from eig(PQ), a balancing transform from the matrix square root of P, its
inverse, a slice, an eigendecomposition; one layer at a time on the CPU. hankelcut takes
all six layers in one batch, in double precision, with the real map (twice the order)
and with the complex map. BLAS threads are pinned alike; each side gets its best number.

Floor of the real map, per layer of N = 768 real states: one SVD (about 22 N^3 flops, of
which the bidiagonalisation is bound by memory) and about 8 N^3 flops of products.

Run: python benchmarks/layer_reduction.py [--device cuda]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import torch
from threadpoolctl import threadpool_limits

import hankelcut as hc
from hankelcut.lti import sampled_gain
from hankelcut.validation import random_lru_system

N_LAYERS, N_STATES, N_CHANNELS, ORDER = 6, 384, 512, 93
REPETITIONS = 3


def published_reduction(system: hc.DiagonalStateSpace) -> hc.DiagonalStateSpace:
    """Cut one layer as the published code does; its faults are its own."""
    poles = np.exp(system.exponents).astype(np.complex64)
    B, C = system.B.astype(np.complex64), system.C.astype(np.complex64)
    P = (B @ B.conj().T) / (1 - np.outer(poles, poles.conj()))
    Q = (C.conj().T @ C) / (1 - np.outer(poles.conj(), poles))
    np.sqrt(np.linalg.eigvals(P @ Q).real)  # the values that choose the order
    root = scipy.linalg.sqrtm(P + 1e-9 * np.eye(system.n_states))
    U, squares, _ = scipy.linalg.svd(root @ Q @ root)
    T = root @ U @ np.diag(squares**-0.25)
    inverse = np.linalg.inv(T)
    A = inverse @ np.diag(poles) @ T
    reduced, X = scipy.linalg.eig(A[:ORDER, :ORDER])
    return hc.DiagonalStateSpace.from_poles(
        reduced,
        np.linalg.inv(X) @ (inverse @ B)[:ORDER],
        (C @ T)[:, :ORDER] @ X,
        system.D,
        readout="real",
    )


def best_time(function: Callable[[], object], threads: tuple[int, ...]) -> float:
    """Least seconds over repetitions and numbers of BLAS threads."""
    times = []
    for limit in threads:
        with threadpool_limits(limits=limit):
            for _ in range(REPETITIONS):
                begun = time.perf_counter()
                function()
                times.append(time.perf_counter() - begun)
    return min(times)


def hinf_errors(full: hc.DiagonalStateSpace, cut: hc.DiagonalStateSpace) -> list[float]:
    """Largest gain of each layer's error found on a grid of 60 frequencies."""
    frequencies = np.linspace(0, np.pi, 60)
    return [
        float(
            sampled_gain(
                hc.error_system(full[k], cut[k]), frequencies, n_iterations=8
            ).max()
        )
        for k in range(N_LAYERS)
    ]


def stacked(systems: list[hc.DiagonalStateSpace]) -> hc.DiagonalStateSpace:
    """One system with a batch axis."""
    fields = [
        np.stack([getattr(s, k) for s in systems]) for k in ("exponents", "B", "C", "D")
    ]
    return hc.DiagonalStateSpace(*fields, time=systems[0].time, readout="real")


def on_device(system: hc.DiagonalStateSpace, device: str) -> hc.DiagonalStateSpace:
    """Return the system as torch tensors on a device."""
    fields = [
        torch.from_numpy(np.ascontiguousarray(getattr(system, k))).to(device)
        for k in ("exponents", "B", "C", "D")
    ]
    return hc.DiagonalStateSpace(*fields, time=system.time, readout=system.readout)


def cut(system: hc.DiagonalStateSpace, map: str) -> hc.DiagonalStateSpace:
    """Cut the stack of layers; waits for the accelerator."""
    result = hc.balanced_truncation(
        system, order=ORDER, map=map, gramians="closed_form"
    )
    if isinstance(system.B, torch.Tensor) and system.B.is_cuda:
        torch.cuda.synchronize()
    return result.system


def on_host(
    system: hc.DiagonalStateSpace, D: np.ndarray[Any, Any]
) -> hc.DiagonalStateSpace:
    """Return the system as NumPy arrays, with a given feedthrough."""
    if not isinstance(system.B, torch.Tensor):
        return system
    fields = (getattr(system, k).cpu().numpy() for k in ("exponents", "B", "C"))
    return hc.DiagonalStateSpace(*fields, D, system.time, system.readout)


def print_row(name: str, seconds: float, ratio: float, errors: list[float]) -> None:
    """Print one line of the table."""
    print(
        f"{name:24}{seconds:9.3f}{ratio:8.2f}{np.mean(errors):18.4f}{max(errors):9.4f}"
    )


def main() -> None:
    """Print times, ratios and errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu (NumPy) or cuda (torch)")
    device = parser.parse_args().device
    rng = np.random.default_rng(0)
    systems = [
        random_lru_system(rng, N_STATES, N_CHANNELS, N_CHANNELS)
        for _ in range(N_LAYERS)
    ]
    full = stacked(systems)
    moved = full if device == "cpu" else on_device(full, device)
    published = stacked([published_reduction(system) for system in systems])
    peer = best_time(lambda: [published_reduction(s) for s in systems], (1, 2))
    peer_errors = hinf_errors(full, published)
    print(f"{N_LAYERS} layers, n = {N_STATES}, H = {N_CHANNELS}, cut to {ORDER}")
    print(f"hankelcut on {device}; best of {REPETITIONS} runs with 1 and 2 threads")
    heads = ("seconds", "ratio", "Hinf error, mean", "worst")
    print(" " * 24 + "{:>9}{:>8}{:>18}{:>9}".format(*heads))
    print_row("published, layer-wise", peer, 1, peer_errors)
    for map in ("real", "complex"):
        errors = hinf_errors(full, on_host(cut(moved, map), full.D))
        seconds = best_time(lambda map=map: cut(moved, map), (1, 2))
        print_row(f"hankelcut, {map} map", seconds, peer / seconds, errors)
        lower = sum(e < p for e, p in zip(errors, peer_errors, strict=True))
        print(f"{'':24}error lower than the published one in {lower} of {N_LAYERS}")


if __name__ == "__main__":
    main()
