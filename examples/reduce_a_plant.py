"""Reduce a chain of masses, springs and dampers, and see what it costs.

Thirty carts in a row, coupled by springs and dampers, the first one tied to a wall: a
force pushes the last cart, its position and that of the middle one are measured. 60
states; the picture and the table show what fewer can do.

Run: python examples/reduce_a_plant.py [FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

import hankelcut as hc
from hankelcut.plotting import plot_reduction_values, plot_singular_value_response

CARTS = 30
STIFFNESS = 400.0  # N/m
DAMPING = 0.4  # N s/m
MASS = 1.0  # kg


def chain() -> hc.StateSpace:
    """Equations of motion, states [positions; velocities]."""
    tied = 2 * np.eye(CARTS) - np.eye(CARTS, k=1) - np.eye(CARTS, k=-1)
    tied[-1, -1] = 1.0  # the last cart has a neighbour on one side only
    nothing, identity = np.zeros((CARTS, CARTS)), np.eye(CARTS)
    A = np.block(
        [[nothing, identity], [-STIFFNESS / MASS * tied, -DAMPING / MASS * tied]]
    )
    B = np.zeros((2 * CARTS, 1))
    B[-1] = 1 / MASS
    C = np.zeros((2, 2 * CARTS))
    C[0, CARTS - 1] = C[1, CARTS // 2] = 1.0
    names = hc.SignalNames(inputs=("force",), outputs=("last", "middle"))
    return hc.StateSpace(A, B, C, names=names)


def main() -> None:
    """Reduce, compare, draw, and save plant and model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/plant"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    plant = chain()

    result = hc.balanced_truncation(plant, error_tol=0.01, relative=True)
    certificate = result.certify()
    error = certificate.hinf_error
    print(f"{plant.n_states} states -> {result.order}")
    print(f"bound {float(result.error_bound):.3g} m/N")
    print(f"error {float(error.upper):.3g} m/N at {float(error.frequency):.3g} rad/s")
    print(hc.compare(plant, orders=[result.order]))

    hc.save(plant, folder / "plant.npz")
    hc.save(result.system, folder / "reduced.npz")
    plot_reduction_values(result).savefig(folder / "values.png", dpi=120)
    figure = plot_singular_value_response(
        plant, result.system, bound=float(result.error_bound)
    )
    figure.savefig(folder / "response.png", dpi=120)
    print(f"pictures and files: {folder}")


if __name__ == "__main__":
    main()
