"""Defects of balanced truncation and of singular perturbation."""

from tests.mutation_study.defect import FIELD, Defect

__all__ = ["REDUCTIONS"]

REDUCTIONS = (
    Defect(
        "plain transpose for the adjoint in a projection",
        "LRU-reduction, CompreSSM",
        "balanced truncation",
        "balanced_truncation",
        "A = adjoint(W) @ dense.A @ T",
        "A = W.T @ dense.A @ T",
    ),
    Defect(
        "observability Gramian with the poles for their conjugates",
        "LRU-reduction, the torch copy",
        "balanced truncation",
        "gramian_factors",
        "factor(adjoint(dense.A), adjoint(dense.C))",
        "factor(dense.A.T, adjoint(dense.C))",
    ),
    Defect(
        "projections swapped",
        "SHARPy PR 73: T and its inverse",
        "balanced truncation",
        "balanced_truncation",
        "values, T, W = ",
        "values, W, T = ",
    ),
    Defect(
        "B and C swapped",
        FIELD,
        "balanced truncation",
        "balanced_truncation",
        "B = adjoint(W) @ dense.B",
        "B = adjoint(dense.C @ T)[:, : dense.n_inputs]\n"
        "    B = np.pad(B, ((0, 0), (0, dense.n_inputs - B.shape[1])))",
    ),
    Defect(
        "feedthrough dropped",
        "CompreSSM, and a dimension bug of ControlSystems.jl (issue 479)",
        "balanced truncation",
        "balanced_truncation",
        "hc.StateSpace(A, B, C, dense.D, dense.time)",
        "hc.StateSpace(A, B, C, None, dense.time)",
    ),
    Defect(
        "sampling period dropped",
        "python-control: balred returns dt = 0",
        "balanced truncation",
        "balanced_truncation",
        "dense.D, dense.time)",
        "dense.D)",
    ),
    Defect(
        "one state more than asked for",
        "python-control: balred of 2 unstable poles",
        "balanced truncation",
        "balanced_truncation",
        "order = min(order, T.shape[1])",
        "order = min(order + 1, T.shape[1])",
    ),
    Defect(
        "order ignored",
        "modred issue 25",
        "balanced truncation",
        "balanced_truncation",
        "order = min(order, T.shape[1])",
        "order = T.shape[1]",
    ),
    Defect(
        "argmax over False as the numerical rank",
        "pyMOR: BTReductor, CompreSSM",
        "balanced truncation",
        "balancing",
        "rank = len(values) - np.count_nonzero(small)",
        "rank = int(np.argmax(small)) if len(small) else 0",
    ),
    Defect(
        "division by values that are zero",
        "ControlSystems.jl issue 925: order above the minimal one",
        "balanced truncation",
        "balancing",
        "rank = len(values) - np.count_nonzero(small)",
        "rank = len(values)",
    ),
    Defect(
        "values for their square roots in the projections",
        FIELD,
        "balanced truncation",
        "balancing",
        "roots = np.sqrt(values[:rank])",
        "roots = values[:rank]",
    ),
    Defect(
        "smallest values kept",
        "python-control: NaN sorted first",
        "balanced truncation",
        "balanced_truncation",
        "T[:, :order], W[:, :order]",
        "T[:, T.shape[1] - order :], W[:, T.shape[1] - order :]",
    ),
    Defect(
        "values in ascending order",
        FIELD,
        "balanced truncation",
        "balanced_truncation",
        "order, values, bound",
        "order, values[::-1], bound",
    ),
    Defect(
        "only the values that are kept",
        "LRU-reduction, ControlSystems.jl",
        "balanced truncation",
        "balanced_truncation",
        "order, values, bound",
        "order, values[:order], bound",
    ),
    Defect(
        "tail of the bound off by one",
        "RobustAndOptimalControl.jl: the last state is free",
        "balanced truncation",
        "balanced_truncation",
        "values[order:]",
        "values[order + 1 :]",
    ),
    Defect(
        "factor 2 of the bound missing",
        FIELD,
        "balanced truncation",
        "balanced_truncation",
        "2 * np.sum(values[order:])",
        "np.sum(values[order:])",
    ),
    Defect(
        "bound from squared values",
        "CompreSSM: energy and error confused",
        "balanced truncation",
        "balanced_truncation",
        "2 * np.sum(values[order:])",
        "2 * np.sum(values[order:] ** 2)",
    ),
    Defect(
        "bound from distinct values, ties decided by a tolerance",
        FIELD,
        "balanced truncation",
        "balanced_truncation",
        "2 * np.sum(values[order:])",
        "2 * np.sum(np.unique(np.round(values[order:], 1)))",
    ),
    Defect(
        "unstable poles not refused: roots of an indefinite solution",
        "pyMOR: BTReductor of unstable systems",
        "balanced truncation",
        "discrete_factor",
        "    require_stable(A, discrete=True)\n",
        "    if np.any(np.abs(np.linalg.eigvals(A)) >= 1):\n"
        "        n = len(A)\n"
        "        equation = np.kron(A, A.conj()) - np.eye(n * n)\n"
        "        X = np.linalg.solve(equation, -np.ravel(B @ adjoint(B)))\n"
        "        values, V = np.linalg.eigh(X.reshape(n, n))\n"
        "        return V * np.sqrt(np.abs(values))\n",
    ),
    Defect(
        "continuous equations for a discrete system",
        "python-control: dico='C' is hard-coded",
        "balanced truncation",
        "gramian_factors",
        "    factor = discrete_factor if discrete else continuous_factor\n",
        "    def factor(A, B):\n"
        "        X = scipy.linalg.solve_sylvester(A, adjoint(A), -B @ adjoint(B))\n"
        "        values, V = np.linalg.eigh((X + adjoint(X)) / 2)\n"
        "        return V * np.sqrt(np.abs(values))\n",
    ),
    Defect(
        "residualization of a discrete system at z = 0",
        "python-control: matchdc is not for discrete systems",
        "singular perturbation approximation",
        "singular_perturbation",
        "1.0 if isinstance(dense.time, hc.Discrete) else 0.0",
        "0.0",
    ),
    Defect(
        "sign of the residualized states",
        FIELD,
        "singular perturbation approximation",
        "singular_perturbation",
        "A[kept, kept] + A[kept, cut]",
        "A[kept, kept] - A[kept, cut]",
    ),
    Defect(
        "feedthrough of the residualized states dropped",
        FIELD,
        "singular perturbation approximation",
        "singular_perturbation",
        "dense.D + C[:, cut] @ K @ B[cut]",
        "dense.D",
    ),
)
