"""Defects of solvers of Lyapunov and Stein equations, and of their factors."""

from tests.mutation_study.defect import FIELD, Defect

__all__ = ["EQUATIONS"]

EQUATIONS = (
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
