r"""How parameters hold the input and the output matrix of a system.

A stored matrix is a rearrangement of the entries of one or two parameters, followed by
a factor for each state: :math:`B_{ij} = s_i \tilde B_{ij}`. The rearrangement takes
gradients and moments of the parameters to those of :math:`\tilde B` in the same way.
Of a layer that is not diagonal, rows of C may be held times a real matrix.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

__all__ = ["StoredForm", "StoredMatrix"]

StoredForm: TypeAlias = Literal["complex", "parts", "pairs", "real"]
"""A complex parameter, one for each part, one with (re, im) last, or a real one."""


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True, eq=False)
class StoredMatrix:
    """B, (..., n, m), or C, (..., p, n), as parameters hold it.

    Parameters
    ----------
    names : tuple of str
        Paths of the parameters: two for the form ``"parts"``, else one.
    form : {"complex", "parts", "pairs", "real"}
        How complex numbers are held.
    scale : (..., n) tensor, or (..., p, n) for C
        Factor between what is stored and the matrix of the system, for each state; of C
        also one for each entry.
    to_system : callable, optional
        Takes a tensor with the axes of the parameter to the axes of the matrix.
    to_stored : callable, optional
        Its inverse.
    mixing : (..., p, 2 n, 2 n) tensor, optional
        Real matrices K with [Re c, -Im c] = [Re r, -Im r] K for what is stored, c, and
        the row r of C of the system, which is dense in [Re x; Im x].
    """

    names: tuple[str, ...]
    form: StoredForm
    scale: Tensor
    to_system: Callable[[Tensor], Tensor] = _as_it_is
    to_stored: Callable[[Tensor], Tensor] = _as_it_is
    mixing: Tensor | None = None

    def assemble(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return what is stored as one complex128 matrix, without the scale.

        Parameters
        ----------
        values : mapping of str to tensor
            Parameters, or their moments, by path; missing ones count as zeros.
        """
        present = next(values[name] for name in self.names if name in values)
        parts = [values.get(name, torch.zeros_like(present)) for name in self.names]
        first = parts[0].detach()
        if self.form == "complex":
            matrix = first.to(torch.complex128)
        elif self.form == "pairs":
            matrix = torch.view_as_complex(first.double().contiguous())
        elif self.form == "real":
            matrix = first.double().to(torch.complex128)
        else:
            matrix = torch.complex(first.double(), parts[1].detach().double())
        return self.to_system(matrix)

    def split(self, matrix: Tensor) -> dict[str, Tensor]:
        """Return the parameters that hold a matrix, in double precision.

        Parameters
        ----------
        matrix : (..., n, m) or (..., p, n) complex tensor
            The matrix without the scale.
        """
        stored = self.to_stored(matrix)
        if self.form == "complex":
            return {self.names[0]: stored}
        if self.form == "pairs":
            return {self.names[0]: torch.view_as_real(stored.resolve_conj())}
        if self.form == "real":
            return {self.names[0]: stored.real}
        return {self.names[0]: stored.real, self.names[1]: stored.imag}
