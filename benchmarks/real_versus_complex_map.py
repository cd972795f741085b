"""Real against complex map at equal stored states: certified H-infinity errors.

20 random LRU systems at initialisation, n = 64, 8 inputs, 8 outputs, max_phase 6.28.
Each is cut to the same number of stored states by balancing the real input-output map
and by balancing the complex states; the error of the real map of the layer is bracketed
to 1 %. Also: stored states at an equal discarded share of the Hankel singular values.

Run: python benchmarks/real_versus_complex_map.py
"""

import numpy as np

import hankelcut as hc
from hankelcut.validation import random_lru_system

N_SYSTEMS, N_STATES, N_CHANNELS = 20, 64, 8


def main() -> None:
    """Print the table of errors and the table of sizes."""
    systems = [
        random_lru_system(np.random.default_rng(k), N_STATES, N_CHANNELS, N_CHANNELS)
        for k in range(N_SYSTEMS)
    ]
    print(
        f"{N_SYSTEMS} random LRU systems, n = {N_STATES}, {N_CHANNELS} x {N_CHANNELS}"
    )
    print("certified H-infinity error at equal stored states (median [least, largest])")
    print(f"{'states':>6}  {'real map':>25}  {'complex map':>25}  {'wins':>5}  ratio")
    for order in (8, 16, 32, 48):
        errors = {
            map: np.array([hinf_error(system, order, map) for system in systems])
            for map in ("real", "complex")
        }
        # Disjoint brackets only: the one's upper end below the other's lower end.
        wins = int(np.sum(errors["real"][:, 1] < errors["complex"][:, 0]))
        ratio = np.median(errors["complex"][:, 0] / errors["real"][:, 0])
        print(
            f"{order:6d}  {spread(errors['real']):>25}  "
            f"{spread(errors['complex']):>25}  {wins:2d}/{N_SYSTEMS}  {ratio:.1f}"
        )
    print("\nstored states at an equal discarded share of the values (mean)")
    print(f"{'share':>6}  {'real map':>9}  {'complex map':>11}")
    for share in (0.02, 0.05, 0.1, 0.15):
        sizes = {
            map: np.mean(
                [
                    hc.balanced_truncation(s, energy_tol=share, map=map).order
                    for s in systems
                ]
            )
            for map in ("real", "complex")
        }
        print(f"{share:6.2f}  {sizes['real']:9.1f}  {sizes['complex']:11.1f}")


def hinf_error(
    system: hc.DiagonalStateSpace, order: int, map: str
) -> tuple[float, float]:
    """Certified bracket of the error of a cut."""
    bracket = hc.balanced_truncation(system, order=order, map=map).certify().hinf_error
    return float(bracket.lower), float(bracket.upper)


def spread(errors: np.ndarray) -> str:
    """Median and range of the lower ends."""
    lower = errors[:, 0]
    return f"{np.median(lower):.4f} [{lower.min():.4f}, {lower.max():.4f}]"


if __name__ == "__main__":
    main()
