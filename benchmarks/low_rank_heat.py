"""Heat conduction on a 300 x 300 grid, n = 90,000: low-rank balanced truncation.

Five-point differences of the Laplacian on the unit square, held at 0 at its edge;
three heated patches, two measured points and one measured mean. Times, and the peak of
the process's memory so far, of every stage: Gramian factors, Hankel singular values and
a model of order 20, the error of that model on a grid of frequencies and in the H2
norm. The floor of the first stage is one sparse factorization per shift.

Run: python benchmarks/low_rank_heat.py [--side 300] [--order 20]
"""

import argparse
import resource
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import scipy.sparse
from threadpoolctl import threadpool_limits

import hankelcut as hc
from hankelcut.reduction import OrderTarget
from hankelcut.reduction.methods.low_rank_balanced_truncation import truncate_sparse

# What the package itself uses for sparse factorizations.
N_THREADS = 1
PATCHES = [(0.2, 0.3), (0.5, 0.7), (0.8, 0.4)]
POINTS = [(0.33, 0.33), (0.7, 0.8)]
PATCH_RADIUS = 0.1


def heat_system(side: int) -> hc.SparseStateSpace:
    """Heat equation on a side x side grid of inner points of the unit square."""
    step = 1 / (side + 1)
    second = scipy.sparse.diags_array(
        [1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(side, side)
    )
    identity = scipy.sparse.eye_array(side)
    laplacian = scipy.sparse.kron(second, identity) + scipy.sparse.kron(
        identity, second
    )
    x, y = np.meshgrid(*2 * [np.arange(1, side + 1) * step], indexing="ij")
    B = np.stack([_near(x, y, at, PATCH_RADIUS) for at in PATCHES], axis=1)
    points = [_near(x, y, at, step / np.sqrt(2)) for at in POINTS]
    outputs = np.stack([*points, np.ones(side**2)])
    C = outputs / outputs.sum(axis=1, keepdims=True)
    return hc.SparseStateSpace(laplacian / step**2, B, C)


def _near(
    x: np.ndarray, y: np.ndarray, at: tuple[float, float], radius: float
) -> np.ndarray:
    """Mark the grid points in a circle."""
    return (np.hypot(x - at[0], y - at[1]).ravel() <= radius).astype(float)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Print the seconds of a stage and the peak memory so far."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:44}{seconds:8.1f} s{peak:8.2f} GiB")


def main() -> None:
    """Print the table of stages and what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=300)
    parser.add_argument("--order", type=int, default=20)
    arguments = parser.parse_args()
    started = time.perf_counter()
    with threadpool_limits(N_THREADS):
        with stage("system"):
            system = heat_system(arguments.side)
        with stage("both Gramian factors"):
            factors = hc.low_rank_gramian_factors(system)
        with stage(f"Hankel singular values, order {arguments.order}"):
            target = OrderTarget(order=arguments.order)
            result, _ = truncate_sparse(system, factors, target, "benchmark")
        with stage("error on a grid of frequencies, H2 error"):
            certificate = result.certify()
    print(f"{'all':44}{time.perf_counter() - started:8.1f} s")
    for name, factor in vars(factors).items():
        print(
            f"{name}: rank {factor.factor.shape[1]}, {factor.iterations} shifts, "
            f"relative residual {factor.relative_residual:.1e}"
        )
    values = result.hankel_singular_values
    shown = ", ".join(f"{value / values[0]:.1e}" for value in values[::5])
    print(f"every fifth Hankel singular value, relative: {shown}")
    print(f"order {result.order}: estimated bound {float(result.error_bound):.3e}, ")
    print(
        f"measured error {float(certificate.hinf_error.lower):.3e} at "
        f"{float(certificate.hinf_error.frequency):.3g} rad/s, "
        f"H2 error {float(certificate.h2_error):.1e}, sigma_1 {values[0]:.3e}"
    )


if __name__ == "__main__":
    warnings.simplefilter("default")
    main()
