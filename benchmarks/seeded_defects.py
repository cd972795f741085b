"""Defects for the mutation study: one change each to a reference that is right.

The kinds are those found in code that people rely on; `seen` says where. A change is a
piece of the source of one function and what it becomes.
"""

import ast
import inspect
from dataclasses import dataclass
from types import ModuleType

__all__ = ["DEFECTS", "Defect", "mutant"]

FIELD = "a mistake of the field"


@dataclass(frozen=True)
class Defect:
    """One seeded defect.

    Parameters
    ----------
    title : str
        What is wrong.
    seen : str
        Where this kind of defect was found.
    subject : str
        What is checked: a key of `mutation_study.SUBJECTS`.
    function : str
        Function, or method, of the references that is changed.
    old, new : str
        A piece of its source that occurs once, and what takes its place.
    """

    title: str
    seen: str
    subject: str
    function: str
    old: str
    new: str


def mutant(module: ModuleType, defect: Defect | None) -> ModuleType:
    """Copy of a module with one defect, or without any.

    Parameters
    ----------
    module : module
        The references.
    defect : Defect or None
        The change.

    Raises
    ------
    ValueError
        If the piece of source does not occur once in its function.
    """
    source = inspect.getsource(module)
    if defect is not None:
        start, stop = _extent(source, defect.function)
        body = source[start:stop]
        if body.count(defect.old) != 1:
            msg = f"{defect.title}: {defect.old!r} is not once in {defect.function}"
            raise ValueError(msg)
        source = source[:start] + body.replace(defect.old, defect.new) + source[stop:]
    copy = ModuleType(f"{module.__name__}_copy")
    exec(compile(source, str(module.__file__), "exec"), copy.__dict__)
    return copy


def _extent(source: str, function: str) -> tuple[int, int]:
    """Return where the source of a function or method starts and ends."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            start = sum(len(line) for line in lines[: node.lineno - 1])
            return start, sum(len(line) for line in lines[: node.end_lineno])
    msg = f"there is no function {function}"
    raise ValueError(msg)


_EQUATIONS = (
    Defect(
        "plain transpose for the adjoint in a Lyapunov equation",
        "LRU-reduction, CompreSSM",
        "continuous Lyapunov",
        "continuous_lyapunov",
        "(A, adjoint(A), -Q)",
        "(A, A.T, -Q)",
    ),
    Defect(
        "equation with the opposite sign of Q",
        "callers of SciPy, whose equation is A X + X A^H = Q",
        "continuous Lyapunov",
        "continuous_lyapunov",
        "adjoint(A), -Q",
        "adjoint(A), Q",
    ),
    Defect(
        "wrong sign in the Sylvester equation",
        FIELD,
        "continuous Lyapunov",
        "continuous_lyapunov",
        "(A, adjoint(A), -Q)",
        "(A, -adjoint(A), -Q)",
    ),
    Defect(
        "missing factor 2 in the Hermitian part",
        FIELD,
        "continuous Lyapunov",
        "continuous_lyapunov",
        "(X + adjoint(X)) / 2",
        "(X + adjoint(X))",
    ),
    Defect(
        "imaginary part of the solution dropped",
        "python-control: complex systems become real ones",
        "continuous Lyapunov",
        "continuous_lyapunov",
        "return (X + adjoint(X)) / 2",
        "return (X + adjoint(X)).real / 2",
    ),
    Defect(
        "intermediate result in single precision",
        "Slycot: eigenvalues as complex64",
        "continuous Lyapunov",
        "continuous_lyapunov",
        "return (X + adjoint(X)) / 2",
        "return ((X + adjoint(X)) / 2).astype(np.complex64).astype(X.dtype)",
    ),
    Defect(
        "poles for their conjugates in a Stein equation",
        "LRU-reduction, the torch copy",
        "discrete Lyapunov",
        "discrete_lyapunov",
        "np.kron(A, A.conj())",
        "np.kron(A.conj(), A)",
    ),
    Defect(
        "the dual Stein equation A^H X A - X + Q = 0",
        "SciPy issue 12145: which side is transposed",
        "discrete Lyapunov",
        "discrete_lyapunov",
        "np.kron(A, A.conj())",
        "np.kron(adjoint(A), A.T)",
    ),
    Defect(
        "wrong sign of X in a Stein equation",
        FIELD,
        "discrete Lyapunov",
        "discrete_lyapunov",
        "- np.eye(n * n)",
        "+ np.eye(n * n)",
    ),
    Defect(
        "jitter on the diagonal of a Gramian",
        "CompreSSM: 1e-9",
        "discrete Lyapunov",
        "discrete_lyapunov",
        "return (X + adjoint(X)) / 2",
        "return (X + adjoint(X)) / 2 + 1e-9 * np.eye(n)",
    ),
    Defect(
        "unstable state matrix not refused",
        "Gramians of unstable systems as finite sums",
        "discrete factor",
        "discrete_factor",
        "    require_stable(A, discrete=True)\n",
        "",
    ),
    Defect(
        "triangular factor on the wrong side: L^H L for L L^H",
        "python-control PR 1123: a Cholesky Gramian of the transposed matrix",
        "discrete factor",
        "compressed",
        'return adjoint(np.linalg.qr(adjoint(L), mode="r"))',
        'return np.linalg.qr(adjoint(L), mode="r") if len(L) <= L.shape[1] else L',
    ),
    Defect(
        "series of a Gramian cut short",
        "fixed numbers of Smith steps",
        "discrete factor",
        "discrete_factor",
        "range(MAX_DOUBLINGS)",
        "range(3)",
    ),
    Defect(
        "plain transpose in the compression of a factor",
        "LRU-reduction: Cholesky balancing",
        "discrete factor",
        "compressed",
        'adjoint(np.linalg.qr(adjoint(L), mode="r"))',
        'np.linalg.qr(adjoint(L), mode="r").T',
    ),
    Defect(
        "bilinear map without the root of 2",
        FIELD,
        "continuous factor",
        "bilinear_image",
        "np.sqrt(2) * R @ B",
        "R @ B",
    ),
    Defect(
        "Cholesky factor of a Gramian that is not definite, NaN made 0",
        "CompreSSM",
        "continuous factor",
        "continuous_factor",
        "return discrete_factor(A, B)",
        "L = discrete_factor(A, B)\n"
        "    w, V = np.linalg.eigh(L @ adjoint(L) - 1e-8 * np.eye(len(A)))\n"
        "    with np.errstate(invalid='ignore'):\n"
        "        return np.nan_to_num(V * np.sqrt(w))",
    ),
)

_VALUES = (
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

_REDUCTIONS = (
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
        "unstable poles not refused",
        "python-control issue 1166: stability misjudged",
        "balanced truncation",
        "discrete_factor",
        "    require_stable(A, discrete=True)\n",
        "",
    ),
    Defect(
        "continuous equations for a discrete system",
        "python-control: dico='C' is hard-coded",
        "balanced truncation",
        "gramian_factors",
        "discrete = isinstance(dense.time, hc.Discrete)",
        "discrete = False",
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

_NORMS = (
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

_ADAPTERS = (
    Defect(
        "readout factor 2 lost",
        "S4D layers, read as those of S5",
        "adapter",
        "write",
        "2 * system.C if",
        "system.C if",
    ),
    Defect(
        "gauge of the stored modes lost",
        "LRU layers with the input scale of other poles",
        "adapter",
        "write",
        "B = system.B / gamma[:, None]",
        "B = system.B",
    ),
    Defect(
        "poles on the real axis lost: logarithm of the phase 0",
        "CompreSSM",
        "adapter",
        "write",
        "phase = torch.where(phase == 0, 2 * math.pi, phase)",
        "phase = phase.clone()",
    ),
    Defect(
        "poles for their conjugates in a layer",
        "LRU-reduction, the torch copy",
        "adapter",
        "write",
        "torch.remainder(system.exponents.imag, 2 * math.pi)",
        "torch.remainder(-system.exponents.imag, 2 * math.pi)",
    ),
    Defect(
        "real and imaginary part of B swapped",
        FIELD,
        "adapter",
        "write",
        '"B_re": B.real,\n            "B_im": B.imag,',
        '"B_re": B.imag,\n            "B_im": B.real,',
    ),
    Defect(
        "decay per step taken for its square",
        FIELD,
        "adapter",
        "write",
        '"nu_log": decay.log(),',
        '"nu_log": (2 * decay).log(),',
    ),
    Defect(
        "input scale without its logarithm",
        FIELD,
        "adapter",
        "read",
        'scale = p["gamma_log"].exp()',
        'scale = p["gamma_log"]',
    ),
    Defect(
        "feedthrough dropped from the extracted system",
        "CompreSSM",
        "adapter",
        "read",
        'torch.diag(p["D"])',
        "None",
    ),
    Defect(
        "parameter with a state axis not declared: its moments stay as they are",
        "CompreSSM: moments cut off in the old basis",
        "adapter",
        "state_parameters",
        "for name, rest in STATE_AXES.items())",
        'for name, rest in STATE_AXES.items() if name != "gamma_log")',
    ),
    Defect(
        "moments of B moved with the imaginary part for the real one",
        "CompreSSM: moments attached to other modes",
        "adapter",
        "read",
        '("B_re", "B_im"), "parts"',
        '("B_im", "B_re"), "parts"',
    ),
)

_CUTS = (
    Defect(
        "moments cut off in the old basis",
        "CompreSSM",
        "cut in training",
        "cut",
        'optimizer_state="transport"',
        'optimizer_state="slice"',
    ),
    Defect(
        "optimizer left with the old parameters",
        FIELD,
        "cut in training",
        "cut",
        "optimizer=optimizer, ",
        "",
    ),
)

DEFECTS = (*_EQUATIONS, *_VALUES, *_REDUCTIONS, *_NORMS, *_ADAPTERS, *_CUTS)
"""All defects, by what they are checked as."""
