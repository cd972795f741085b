"""Defects of Hankel singular values."""

from tests.mutation_study.defect import FIELD, Defect

__all__ = ["HANKEL_VALUES"]

HANKEL_VALUES = (
    Defect(
        "values from the eigenvalues of P Q",
        "python-control, LRU-reduction, CompreSSM",
        "Hankel singular values",
        "hankel_singular_values",
        "values = np.linalg.svd(adjoint(Lo) @ Lc, compute_uv=False)",
        "product = Lc @ adjoint(Lc) @ Lo @ adjoint(Lo)\n"
        "    values = np.sqrt(np.abs(np.linalg.eigvals(product)))\n"
        "    values = np.sort(values)[::-1]",
    ),
    Defect(
        "NaN among the values, from roots of negative eigenvalues",
        "python-control, CompreSSM",
        "Hankel singular values",
        "hankel_singular_values",
        "values = np.linalg.svd(adjoint(Lo) @ Lc, compute_uv=False)",
        "product = Lc @ adjoint(Lc) @ Lo @ adjoint(Lo)\n"
        "    with np.errstate(invalid='ignore'):\n"
        "        values = np.sqrt(np.linalg.eigvals(product).real)\n"
        "    values = np.sort(values)[::-1]",
    ),
    Defect(
        "values below the root of the rounding unit set to 0",
        "ControlSystems.jl",
        "Hankel singular values",
        "hankel_singular_values",
        "np.concatenate([values, np.zeros(missing)])",
        "np.concatenate(\n"
        "        [values * (values > 1.5e-8 * np.max(values, initial=0)), "
        "np.zeros(missing)]\n    )",
    ),
    Defect(
        "values of the observability Gramian alone",
        FIELD,
        "Hankel singular values",
        "hankel_singular_values",
        "adjoint(Lo) @ Lc, compute_uv=False",
        "adjoint(Lo) @ Lo, compute_uv=False",
    ),
    Defect(
        "squared values",
        "CompreSSM: documentation and code differ",
        "Hankel singular values",
        "hankel_singular_values",
        "np.concatenate([values, np.zeros(missing)])",
        "np.concatenate([values**2, np.zeros(missing)])",
    ),
    Defect(
        "values that are zero left out",
        "ControlSystems.jl issue 925",
        "Hankel singular values",
        "hankel_singular_values",
        "np.concatenate([values, np.zeros(missing)])",
        "values[values > 1e-13 * np.max(values, initial=0)]",
    ),
)
