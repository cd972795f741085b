"""Recompute what ctrlsys makes of the systems of `balanced_stochastic_truncation`.

``python -m tests.conformance.regenerate_balanced_stochastic_truncation`` needs the
package ctrlsys and the SLICOT files. Each call runs in a process of its own.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

import hankelcut as hc
from tests.conformance.balanced_stochastic_truncation import STORED, cases, points
from tests.helpers import dico, fields_of, fortran


def of_ctrlsys(system: hc.StateSpace, order: int, beta: float) -> dict[str, Any]:
    """Values and model of AB09HD."""
    import ctrlsys

    sizes = system.n_states, system.n_inputs, system.n_outputs
    matrices = fortran(*fields_of(system))
    boundary = 0.0 if dico(system) == "C" else 1.0
    A, B, C, D, r, n_stable, values, _, info = ctrlsys.ab09hd(
        dico(system), "B", "N", "F", *sizes, order, boundary, beta, *matrices, 0.0, 0.0
    )
    assert info == 0
    assert r == order
    found = {"values": [float(v) for v in values[:n_stable]]}
    if dico(system) == "D":
        return {**found, "polynomial": np.poly(A[:r, :r]).tolist()}
    model = hc.StateSpace(A[:r, :r], B[:r], C[:, :r], D, system.time)
    response = hc.frequency_response(model, points(system))
    return {**found, "real": response.real.tolist(), "imag": response.imag.tolist()}


def main() -> None:
    """Compute every case and write the file."""
    found = {}
    for name, system, order, beta in cases():
        with ProcessPoolExecutor(max_workers=1) as executor:
            job = executor.submit(of_ctrlsys, system, order, beta)
            found[f"{name}, order {order}"] = job.result()
    text = json.dumps(found, indent=1, sort_keys=True)
    STORED.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
