"""Which kinds of systems a function can take."""

from hankelcut._errors import InvalidSystemError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["require_dense_or_diagonal"]


def require_dense_or_diagonal(caller: str, system: object) -> None:
    """Raise `InvalidSystemError` unless a system is dense or diagonal.

    Parameters
    ----------
    caller : str
        Name of the public function, for the message.
    system : object
        What the function was given.
    """
    if isinstance(system, StateSpace | DiagonalStateSpace):
        return
    kind = f"{type(system).__module__.split('.')[0]} {type(system).__name__}"
    advice = "from_control, from_scipy or load make one of other systems"
    if isinstance(system, SparseStateSpace):
        kind = "SparseStateSpace"
        advice = "its to_dense() makes one, low_rank_balanced_truncation a smaller one"
    msg = f"{caller}: got a {kind}, need a StateSpace or DiagonalStateSpace; {advice}"
    raise InvalidSystemError(msg)
