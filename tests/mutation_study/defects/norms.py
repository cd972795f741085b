"""Defects of the H2, Hankel and H-infinity norms."""

from tests.mutation_study.defect import FIELD, Defect

__all__ = ["NORMS"]

NORMS = (
    Defect(
        "H2 norm not a root",
        "CompreSSM: the squared sum that is not squared, and back",
        "H2 norm",
        "h2_norm",
        "float(np.sqrt(energy + feedthrough))",
        "float(energy + feedthrough)",
    ),
    Defect(
        "feedthrough not in the H2 norm of a discrete system",
        FIELD,
        "H2 norm",
        "h2_norm",
        "np.sqrt(energy + feedthrough)",
        "np.sqrt(energy)",
    ),
    Defect(
        "finite H2 norm of a continuous system with feedthrough",
        "python-control issue 729",
        "H2 norm",
        "h2_norm",
        'if feedthrough == 0 else float("inf")',
        "",
    ),
    Defect(
        "half of the square by precedence: (a + b) / 2 ** 2",
        "LAST",
        "H2 norm",
        "h2_norm",
        "energy = np.linalg.norm(dense.C @ Lc) ** 2",
        "energy = 2 * np.linalg.norm(dense.C @ Lc) ** 2 / 2**2",
    ),
    Defect(
        "sum of the values for the largest",
        "nuclear norm and Hankel norm confused",
        "Hankel norm",
        "hankel_norm",
        "adjoint(Lo) @ Lc, 2)",
        'adjoint(Lo) @ Lc, "nuc")',
    ),
    Defect(
        "Hankel norm without the adjoint",
        "LRU-reduction, CompreSSM",
        "Hankel norm",
        "hankel_norm",
        "adjoint(Lo) @ Lc, 2)",
        "Lo.T @ Lc, 2)",
    ),
    Defect(
        "only positive frequencies of complex systems",
        "toolboxes for real systems",
        "H-infinity norm",
        "hinf_norm",
        "np.linspace(-np.pi, np.pi, GRID, endpoint=False)",
        "np.linspace(0, np.pi, GRID)",
    ),
    Defect(
        "peak only on a grid",
        "sampled norms of published tables",
        "H-infinity norm",
        "hinf_norm",
        "refined_peak(dense, angle) for _, angle in highest",
        "value for value, _ in highest",
    ),
    Defect(
        "Frobenius norm for the largest singular value",
        "circular tests of MIMO norms: python-control PR 729",
        "H-infinity norm",
        "response_gains",
        "responses, 2, axis",
        "responses, axis",
    ),
    Defect(
        "feedthrough not in the response",
        FIELD,
        "H-infinity norm",
        "response_gains",
        "dense.C @ resolvents @ dense.B + dense.D",
        "dense.C @ resolvents @ dense.B",
    ),
    Defect(
        "response of a discrete system at i w for e^(i w)",
        "python-control: balred takes discrete systems for continuous ones",
        "H-infinity norm",
        "response_gains",
        "np.exp(1j * angles)",
        "1j * angles",
    ),
    Defect(
        "argmax over False: the first point for the peaks",
        "pyMOR, CompreSSM",
        "H-infinity norm",
        "hinf_norm",
        "peaks = (gains >= np.roll(gains, 1)) & (gains >= np.roll(gains, -1))",
        "peaks = np.arange(GRID) == np.argmax(gains > 2 * gains.max())",
    ),
)
