"""One pytest test per check."""

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from hankelcut._errors import MissingDependencyError
from hankelcut.lti.systems.time_domain import TimeDomain
from hankelcut.validation.adapter_properties import LayerSubject
from hankelcut.validation.composites.adapter_checks import (
    DEFAULT_LAYERS,
    adapter_checks,
    adapter_subject,
)
from hankelcut.validation.composites.check import (
    DEFAULT_EXAMPLES,
    BoundCheck,
    Check,
)
from hankelcut.validation.composites.hankel_value_checks import (
    HankelValueSubject,
    hankel_value_checks,
)
from hankelcut.validation.composites.lyapunov_checks import (
    LyapunovSubject,
    lyapunov_checks,
)
from hankelcut.validation.composites.norm_checks import NormSubject, norm_checks
from hankelcut.validation.composites.reduction_checks import (
    ReductionSubject,
    reduction_checks,
)
from hankelcut.validation.invariants.norms import Norm

__all__ = ["parametrize_with_checks"]


def parametrize_with_checks(
    *,
    reduction: Callable[..., Any] | None = None,
    lyapunov_solver: Callable[[Any, Any], Any] | None = None,
    norm_function: Callable[[Any], Any] | None = None,
    hankel_singular_values: Callable[[Any], Any] | None = None,
    adapter: LayerSubject | Callable[[], Any] | None = None,
    checks: str | Iterable[str] | None = None,
    systems: Any = None,
    time: TimeDomain | None = None,
    factored: bool = False,
    norm: Norm | None = None,
    rtol: float = 1e-6,
    max_examples: int | None = None,
    seed: int | None = None,
) -> Any:
    """Make one pytest test of every check of a function, or of an adapter.

    Put it above ``def test_mine(check): check()``. The option
    ``--hankelcut-examples N`` of pytest sets the number of examples.

    Parameters
    ----------
    reduction, lyapunov_solver, norm_function, hankel_singular_values : callable
        The function to try, as in `check_reduction`, `check_lyapunov_solver`,
        `check_norm` or `check_hankel_singular_values`; or else
    adapter : callable or LayerSubject
        What builds the layers of the adapter to try, as in `check_adapter`; a
        `LayerSubject` where the adapter is not registered, or the layer is called in
        another way. Exactly one of these five is needed.
    checks : str or iterable of str, optional
        Names of checks.
    systems : hypothesis.strategies.SearchStrategy, optional
        Other systems for a reduction.
    time : Continuous or Discrete
        Which equation a solver solves.
    factored : bool
        Whether a solver gets and returns factors.
    norm : {"hinf", "h2", "hankel"}
        Which norm a function of norms is.
    rtol : float
        Relative accuracy that a norm promises.
    max_examples : int, optional
        Number of examples of each check: by default 100, and 3 layers of an adapter.
    seed : int, optional
        Start of the random numbers; always the same ones by default.

    Returns
    -------
    pytest.MarkDecorator
        Parametrizes the argument ``check`` with functions without arguments.

    Raises
    ------
    MissingDependencyError
        If pytest, or for an adapter PyTorch, is not installed.
    ValueError
        If not exactly one subject is given, or `time` or `norm` is missing.

    Examples
    --------
    >>> import hankelcut as hc
    >>> @parametrize_with_checks(reduction=hc.balanced_truncation)
    ... def test_reduction(check):
    ...     check()
    """
    given = {
        "reduction": reduction,
        "lyapunov_solver": lyapunov_solver,
        "norm_function": norm_function,
        "hankel_singular_values": hankel_singular_values,
        "adapter": adapter,
    }
    if sum(subject is not None for subject in given.values()) != 1:
        msg = f"parametrize_with_checks: need exactly one of {', '.join(given)}"
        raise ValueError(msg)
    usual = DEFAULT_EXAMPLES if adapter is None else DEFAULT_LAYERS
    count = usual if max_examples is None else max_examples
    subject: Any
    chosen: list[Check]
    names = [checks] if isinstance(checks, str) else checks
    if reduction is not None:
        subject = ReductionSubject(reduction, systems)
        chosen = reduction_checks(names)
    elif lyapunov_solver is not None:
        subject = LyapunovSubject(lyapunov_solver, _given("time", time), factored)
        chosen = lyapunov_checks(subject, names)
    elif norm_function is not None:
        subject = NormSubject(norm_function, _given("norm", norm), rtol)
        chosen = norm_checks(subject, names)
    elif hankel_singular_values is not None:
        subject = HankelValueSubject(hankel_singular_values)
        chosen = hankel_value_checks(names)
    else:
        subject = adapter_subject(_given("adapter", adapter))
        chosen = adapter_checks(names)
    pytest = _pytest()
    bound = [
        pytest.param(BoundCheck(check, subject, count, seed), id=check.name)
        for check in chosen
    ]
    return pytest.mark.parametrize("check", bound)


def _given(name: str, value: Any) -> Any:
    if value is None:
        msg = f"parametrize_with_checks: need {name} for this kind of function"
        raise ValueError(msg)
    return value


def _pytest() -> Any:
    try:
        return importlib.import_module("pytest")
    except ImportError as error:
        msg = (
            "parametrize_with_checks needs pytest, which is not installed; "
            "pip install pytest"
        )
        raise MissingDependencyError(msg) from error
