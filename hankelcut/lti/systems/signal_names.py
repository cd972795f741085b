"""Names of the inputs, outputs and states of a system, and of the system itself."""

from dataclasses import dataclass, replace
from typing import TypeAlias

from hankelcut._errors import InvalidSystemError

__all__ = ["SignalNames"]

_Names: TypeAlias = tuple[str, ...] | None


@dataclass(frozen=True)
class SignalNames:
    """What the signals of a system are called; None where they have no names.

    Parameters
    ----------
    inputs, outputs, states : tuple of str, optional
        One name for each signal. An empty name is that of a signal without one; a tuple
        of nothing else becomes None.
    system : str, optional
        Name of the whole system; an empty one becomes None.

    Raises
    ------
    InvalidSystemError
        If signal names are not a tuple of strings, or that of the system is no string.
    """

    inputs: _Names = None
    outputs: _Names = None
    states: _Names = None
    system: str | None = None

    def __post_init__(self) -> None:
        for kind in ("inputs", "outputs", "states"):
            names = getattr(self, kind)
            if names is None:
                continue
            if not (
                isinstance(names, tuple) and all(isinstance(n, str) for n in names)
            ):
                msg = f"SignalNames: got {kind}={names!r}, need a tuple of strings"
                raise InvalidSystemError(msg)
            if not any(names):
                object.__setattr__(self, kind, None)
        if not isinstance(self.system, str | None):
            msg = f"SignalNames: got system={self.system!r}, need a string"
            raise InvalidSystemError(msg)
        object.__setattr__(self, "system", self.system or None)

    def without_states(self) -> "SignalNames":
        """Return the same names but for the states, whose meaning a map changed."""
        return replace(self, states=None)

    def require_fit(
        self, owner: str, *, n_states: int, n_inputs: int, n_outputs: int
    ) -> None:
        """Raise unless there is one name for each signal, where there are names.

        Parameters
        ----------
        owner : str
            Name of the class of the system, for the message.
        n_states, n_inputs, n_outputs : int
            Sizes of the system.

        Raises
        ------
        InvalidSystemError
            If there are more or fewer names than signals.
        """
        sizes = {"states": n_states, "inputs": n_inputs, "outputs": n_outputs}
        for kind, size in sizes.items():
            names = getattr(self, kind)
            if names is not None and len(names) != size:
                msg = (
                    f"{owner}: got {len(names)} names {names} for {size} {kind}, need "
                    f"{size} (or none)"
                )
                raise InvalidSystemError(msg)
