"""Reduced models of pyMOR that are optimal in the H2 norm."""

import numpy as np
from pymor.models.iosys import LTIModel

import hankelcut as hc

__all__ = ["reduced_by_pymor"]


def reduced_by_pymor(
    reductor: type, system: hc.StateSpace, order: int
) -> hc.StateSpace:
    """What an iteration of pyMOR makes of the balanced truncation of a system."""
    model, start = (
        LTIModel.from_matrices(s.A, s.B, s.C, D=s.D)
        for s in (system, hc.balanced_truncation(system, order=order).system)
    )
    reduced = reductor(model).reduce(start, tol=1e-9, maxit=200)
    A, B, C, _, E = reduced.to_matrices()
    E = np.eye(order) if E is None else E
    return hc.StateSpace.from_descriptor(E, A, B, C, system.D)
