"""Recompute what ctrlsys makes of the systems of `hankel_norm_approximation`.

``python -m tests.conformance.regenerate_hankel_norm_approximation`` needs the package
ctrlsys and the SLICOT files. Each call runs in a process of its own.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

import hankelcut as hc
from tests.conformance.hankel_norm_approximation import (
    STORED,
    cases,
    error_of,
    points,
    responses,
)
from tests.helpers import dico, fields_of, fortran


def of_ctrlsys(system: hc.StateSpace, order: int, unstable: bool) -> dict[str, Any]:
    """Model of AB09CD, or of AB09ED for unstable systems: responses and feedthrough."""
    import ctrlsys

    n, m, p = system.n_states, system.n_inputs, system.n_outputs
    matrices = fortran(*fields_of(system))
    head = (dico(system), "N", "F", n, m, p, order)
    if unstable:
        boundary = 0.0 if dico(system) == "C" else 1.0
        found = ctrlsys.ab09ed(*head, boundary, *matrices, 0.0, 0.0)
        *arrays, r, n_stable, values, _, _, info = found
    else:
        found = ctrlsys.ab09cd(*head, *matrices, 0.0, 0.0)
        *arrays, r, values, _, _, info = found
        n_stable = n
    assert info == 0
    A, B, C, D = arrays
    model = hc.StateSpace(A[:r, :r], B[:r], C[:, :r], D, system.time)
    response = responses(model, points(system))
    return {
        "kept": int(r) - (n - int(n_stable)),
        "values": [float(v) for v in values[:n_stable][: order + 2]],
        "feedthrough": np.asarray(D).tolist(),
        "real": response.real.tolist(),
        "imag": response.imag.tolist(),
        "error": None if unstable else error_of(system, model),
    }


def main() -> None:
    """Compute every case and write the file."""
    found = {}
    for name, system, order, unstable in cases():
        with ProcessPoolExecutor(max_workers=1) as executor:
            job = executor.submit(of_ctrlsys, system, order, unstable)
            found[f"{name}, order {order}"] = job.result()
    text = json.dumps(found, indent=1, sort_keys=True)
    STORED.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
