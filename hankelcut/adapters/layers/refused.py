"""Kinds of state-space layers that are recognised, and why no cut of them is right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from hankelcut.adapters.tensors import find_tensor, has_tensors

__all__ = ["REFUSED", "RefusedKind"]


@dataclass(frozen=True)
class RefusedKind:
    """A kind of layer that no adapter serves, with the reason.

    Parameters
    ----------
    name : str
        Kind of layer, for messages.
    reason : str
        What stands against a cut, and what can be done instead.
    matches : callable
        Whether a module is of this kind, by the names of its tensors or by settings.
    """

    name: str
    reason: str
    matches: Callable[[nn.Module], bool]


def _with_tensors(*kinds: tuple[str, ...]) -> Callable[[nn.Module], bool]:
    """Recognise modules with all the tensors of one of some kinds."""
    return lambda module: any(has_tensors(module, *paths) for paths in kinds)


def _with_setting(name: str, linear: Any) -> Callable[[nn.Module], bool]:
    """Recognise layers of s5-pytorch that have another setting than the linear one."""

    def matches(module: nn.Module) -> bool:
        for layer in (module, module._modules.get("seq")):
            if layer is not None and has_tensors(layer, "Lambda", "log_step"):
                return bool(getattr(layer, name, linear) != linear)
        return False

    return matches


def _is_rational(*, single: bool) -> Callable[[nn.Module], bool]:
    """Recognise operators of dynonet: of several channels, or of uneven lengths."""

    def matches(module: nn.Module) -> bool:
        if not has_tensors(module, "a_coeff", "b_coeff") or not hasattr(module, "n_k"):
            return False
        a, b = find_tensor(module, "a_coeff"), find_tensor(module, "b_coeff")
        if (a.shape[:2] == (1, 1)) != single:
            return False
        return not single or b.shape[2] != a.shape[2] + (module.n_k == 0)

    return matches


REFUSED: tuple[RefusedKind, ...] = (
    RefusedKind(
        "RG-LRU",
        "its channels have one state each and share none, so that fewer states would "
        "be fewer channels, and its poles depend on the inputs; prune channels instead",
        _with_tensors(
            ("recurrent_param", "recurrent_gate_weight", "input_gate_weight"),
            ("a_param", "a_gate.w", "input_gate.w"),
            ("a_log", "recurrent_gate_proj.weight", "input_gate_proj.weight"),
        ),
    ),
    RefusedKind(
        "layer with a prescribed gain",
        "its parameters pass through a normalisation that couples all of them to keep "
        "the gain below a limit: a reduced system has no parameters of this kind, and "
        "would be without that certificate; `bounded_real_truncation` of the layer's "
        "matrices keeps the gain, for a model that is not trained on",
        _with_tensors(
            ("S", "rho_raw", "theta", "K12_raw", "K21_raw", "K22_raw"),
            ("S", "K_raw", "log_gamma"),
            ("X11_params", "X22_params", "X21", "C", "Dt"),
            ("nu_log", "theta_log", "X2b", "Dp"),
            ("a_raw", "X.values_raw", "Y.values_raw", "Z.values_raw"),
            ("alpha_log", "delta_bias", "log_gamma"),
        ),
    ),
    RefusedKind(
        "liquid S5",
        "its poles depend on the inputs (liquid=True): it is no linear system, and no "
        "truncation of one state matrix bounds its error",
        _with_setting("liquid", False),
    ),
    RefusedKind(
        "S5 of another degree",
        "it takes powers of the entries of its input matrix (degree other than 1), "
        "which other coordinates of the states do not keep",
        _with_setting("degree", 1),
    ),
    RefusedKind(
        "rational operator of several channels",
        "each of its pairs of an input and an output has states of its own, so that no "
        "system is reduced as one; use an operator for each pair",
        _is_rational(single=False),
    ),
    RefusedKind(
        "rational operator of uneven lengths",
        "a reduced one takes as many coefficients b as a, one more where there is no "
        "delay; append zeros to the shorter, which changes nothing",
        _is_rational(single=True),
    ),
)
"""All kinds that are refused; they come before the adapters."""
