"""Write what SLICOT's AB09ID, as ctrlsys has it, makes of weighted problems.

``python -m tests.conformance.regenerate_frequency_weighted_truncation`` needs the
package ctrlsys, which the tests do not. It runs in a process of its own: wrong shapes
crash the interpreter.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.weighted_problems import CASES, Case

RESULTS = Path(__file__).with_name("ctrlsys_frequency_weighted_truncation.json")


def reduced_by_slicot(case: Case) -> dict[str, Any]:
    """Weighted values and the reduced matrices."""
    import ctrlsys

    system, before, after = case.systems()
    pairs = (after, before)
    (nv, pv), (nw, mw) = (
        (pairs[0].n_states, pairs[0].n_outputs),
        (pairs[1].n_states, pairs[1].n_inputs),
    )
    matrices = [
        np.array(getattr(s, k), order="F", dtype=float)
        for s in (system, *pairs)
        for k in "ABCD"
    ]
    n, m, p = system.n_states, system.n_inputs, system.n_outputs
    # The limit of stability: 0, or 1 in discrete time.
    alpha = 0.0 if case.dico == "C" else 1.0
    found = ctrlsys.ab09id(
        case.dico, "S", "S", "B", case.weight, "N", "F", n, m, p, nv, pv, nw, mw,
        case.order, alpha, 0.0, 0.0, *matrices, 0.0, 0.0,
    )  # fmt: skip
    A, B, C, D = found[:4]
    values, nr, info = found[11], found[12], found[14]
    assert info == 0, (case, info)
    assert nr == case.order, (case, nr)
    reduced = {"A": A[:nr, :nr], "B": B[:nr], "C": C[:, :nr], "D": D}
    return {"values": values[:n].tolist()} | {k: v.tolist() for k, v in reduced.items()}


def main() -> None:
    """Compute every case, the first time in a process of its own."""
    if "--here" not in sys.argv:
        command = [sys.executable, "-m", __spec__.name, "--here"]
        subprocess.run(command, check=True)
        return
    found = {case.name: reduced_by_slicot(case) for case in CASES}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
