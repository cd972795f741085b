"""The result of a reduction and the certificate that measures it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.norms.h2_norm import h2_norm
from hankelcut.lti.norms.hinf_norm import HinfBracket, hinf_norm
from hankelcut.lti.responses.peak_gain import peak_gain
from hankelcut.lti.responses.sampled_peak import sampled_peak
from hankelcut.lti.structure.stability import poles_of, stability_margin
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["Certificate", "ReductionResult", "storage_tolerance"]


def storage_tolerance(eps: float) -> float:
    """Relative error accepted from storing a model in arithmetic of precision eps.

    2.4e-5 in single and 3.7e-11 in double precision: a third of the digits is left for
    the condition of the diagonal form.
    """
    return float(eps ** (2 / 3))


@dataclass(frozen=True, eq=False)
class Certificate:
    """Measured errors of a reduced model, next to the bound that promised them.

    Parameters
    ----------
    hinf_error : HinfBracket
        H-infinity norm of G - G_r: lower and upper end and the peak frequency.
    upper_end : {"certified", "a priori", "sampled"}
        What the upper end is: certified over all frequencies, or the a-priori bound
        (where no certificate was found, and for dense systems on an accelerator, whose
        lower end is then searched on a grid); or, for sparse systems, the estimate that
        stands in for that bound, with a lower end sampled on a grid.
    h2_error : (...) array
        H2 norm of G - G_r.
    error_bound : (...) array
        The a-priori bound of the reduction.
    stability_margin : (...) array
        Of the reduced model.
    bound_holds : (...) bool array
        Whether the measured lower end stays within the bound, up to rounding.
    """

    hinf_error: HinfBracket
    upper_end: Literal["certified", "a priori", "sampled"]
    h2_error: Array
    error_bound: Array
    stability_margin: Array
    bound_holds: Array


@dataclass(frozen=True, eq=False)
class ReductionResult:
    r"""A reduced system and everything that is known about its error.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The reduced system, of the kind, array library and dtype of the full one; dense
        for a sparse one.
    order : int
        Its number of states (stored complex states of a diagonal system).
    hankel_singular_values : (..., N) array
        All values of the full system, descending; N = n, or 2 n for the real map of a
        diagonal system with a real readout. Of a sparse system those that were
        computed, fewer than n.
    error_bound : (...) array
        Bound on the H-infinity norm of G - G_r: twice the sum, with multiplicity, of
        the discarded values (Enns 1984, Glover 1984; discrete: Al-Saggaf & Franklin,
        IEEE TAC 32, 1987, p. 815), the uncertainty of the computed values included. Of
        a sparse system an estimate: see `low_rank_balanced_truncation`.
    left_projection, right_projection : (..., N, order) arrays
        W and T. Dense and complex readout: :math:`x \approx T x_r`,
        :math:`x_r = W^H x`. Real readouts: the same with
        :math:`[\mathrm{Re}\,x; \mathrm{Im}\,x] \approx \mathrm{Re}(T x_r)`. Sparse:
        :math:`x_r = W^H E x`.
    method : str
        Name of the method.
    full : StateSpace, DiagonalStateSpace or SparseStateSpace
        The system that was reduced.
    warnings : tuple of str
        What was noticed on the way: ties, ranks, changed orders.
    """

    system: StateSpace | DiagonalStateSpace
    order: int
    hankel_singular_values: Array
    error_bound: Array
    left_projection: Array
    right_projection: Array
    method: str
    full: StateSpace | DiagonalStateSpace | SparseStateSpace
    warnings: tuple[str, ...] = ()

    def certify(self, *, rtol: float = 0.01) -> Certificate:
        """Measure the error: H-infinity bracket, H2 norm, stability margin.

        Parameters
        ----------
        rtol : float
            Relative width wanted of the H-infinity bracket; sparse systems, whose lower
            end is sampled, ignore it.

        Returns
        -------
        Certificate
            The measured errors beside the a-priori bound.
        """
        if isinstance(self.full, SparseStateSpace):
            return self._sampled_certificate(self.full)
        error = error_system(self.full, self.system)
        if isinstance(error, DiagonalStateSpace) or _array.on_host(error.A):
            bracket = hinf_norm(error, rtol=rtol)
        else:
            lower, frequency = peak_gain(error)
            upper = _array.namespace(lower).maximum(lower, self.error_bound)
            bracket = HinfBracket(lower, upper, frequency, certified=False)
        largest = self.hankel_singular_values[..., :1]
        xp = _array.namespace(largest)
        slack = xp.sum(largest, axis=-1) * storage_tolerance(_array.eps(largest))
        return Certificate(
            bracket,
            "certified" if bracket.certified else "a priori",
            h2_norm(error),
            self.error_bound,
            stability_margin(self.system),
            bracket.lower <= self.error_bound + slack,
        )

    def _sampled_certificate(self, full: SparseStateSpace) -> Certificate:
        """Measure the error of a sparse system on a grid of frequencies."""
        error = error_system(full, self.system)
        peak, at = sampled_peak(error, _array.to_numpy(poles_of(self.system)))
        gain = np.asarray(peak)
        upper = np.maximum(gain, self.error_bound)
        bracket = HinfBracket(gain, upper, np.asarray(at), certified=False)
        slack = storage_tolerance(_array.eps(gain)) * self.hankel_singular_values[:1]
        return Certificate(
            bracket,
            "sampled",
            h2_norm(error),
            self.error_bound,
            stability_margin(self.system),
            gain <= self.error_bound + slack.sum(),
        )
