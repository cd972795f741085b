"""A cut keeps its bound on the layer's own forward, or changes nothing."""

import math

import numpy as np

from hankelcut._errors import HankelcutError
from hankelcut.validation.adapter_properties._model_under_test import (
    Snapshot,
    cut_once,
    trained_model,
)
from hankelcut.validation.adapter_properties._responses import (
    ROUNDING_UNITS,
    require_healthy,
    require_reproduced,
)
from hankelcut.validation.adapter_properties._systems import rounding
from hankelcut.validation.adapter_properties._tensors import (
    identical,
    named_tensors,
    rounding_unit,
)
from hankelcut.validation.adapter_properties.layer_subject import LayerSubject
from hankelcut.validation.invariants._host import Matrix
from hankelcut.validation.invariants.violation import Property

__all__ = ["check_cut_bound", "check_failed_cut", "check_stored_cut"]

# Samples of the inputs that show the error of a cut.
_LENGTH = 256


def check_cut_bound(subject: LayerSubject) -> None:
    r"""Check the error bound of a cut on the layer's own forward.

    Parameters
    ----------
    subject : LayerSubject
        The layer; half of its states are removed (or a quarter, or three).

    Raises
    ------
    InvariantViolationError
        If nothing can be cut, the event reports other numbers of states than the layer
        has, or for random inputs or the worst input found the change of the outputs
        has more than `error_bound` times the norm of the inputs: up to the rounding of
        `check_extraction` in both layers.
    """
    prop = Property(
        "check_cut_bound", "|y - y_r| <= 2 tail |u|, Enns 1984, Glover 1984"
    )
    full, layer = subject.build(), subject.build()
    system = subject.read(full).system
    cut = cut_once(subject, prop, layer)
    bound = math.inf if cut.error_bound is None else cut.error_bound
    subject.require(prop, bound < math.inf, "the event has no error bound, need one")
    m = subject.n_inputs(full)
    responses = [subject.impulse_response(x, m, _LENGTH) for x in (full, layer)]
    worst = _worst_input(responses[1] - responses[0])
    doubt = rounding(system, rounding_unit(layer), _LENGTH, 2 * ROUNDING_UNITS)
    slack = float(np.linalg.norm(np.sum(doubt, axis=0)))
    for what, inputs in (
        ("random inputs", subject.noise(1, _LENGTH, m)),
        ("the worst inputs found", worst),
    ):
        change = subject.response(layer, inputs) - subject.response(full, inputs)
        gain = float(np.linalg.norm(change) / np.linalg.norm(inputs))
        fact = (
            f"{what} change the outputs by {gain:.6g} of their norm, the bound of the "
            f"cut from {cut.states_before} to {cut.states_after} states is "
            f"{bound:.6g}, allowed rounding {slack:.3g}"
        )
        subject.require(prop, gain <= bound + slack, fact)


def check_stored_cut(subject: LayerSubject) -> None:
    """Check the parameters that a cut leaves.

    Parameters
    ----------
    subject : LayerSubject
        The layer; half of its states are removed (or a quarter, or three).

    Raises
    ------
    InvariantViolationError
        If a state axis has another length than the event says, or another axis another
        than before; a dtype or device changes; a tensor without a state axis is not the
        same object with the same values; a parameter is not finite or a pole not
        stable; or the forward is not that of the extracted system, to the rounding of
        `check_extraction`.
    """
    prop = Property("check_stored_cut", "a cut layer is a layer of fewer states")
    layer = subject.build()
    adapter = subject.adapter_of(layer)
    before = named_tensors(layer)
    # A parameter may have several names: what is declared holds for all of them.
    declared = {id(before[p.name]): p for p in adapter.state_parameters(layer)}
    values = {name: tensor.detach().clone() for name, tensor in before.items()}
    cut = cut_once(subject, prop, layer)
    after = named_tensors(layer)
    names = (sorted(after), sorted(before))
    fact = f"the layer holds {names[0]}, before {names[1]}"
    subject.require(prop, names[0] == names[1], fact)
    for name, tensor in after.items():
        old, parameter = values[name], declared.get(id(before[name]))
        shape, dtype = tuple(old.shape), old.dtype
        if parameter is not None:
            shape = parameter.shape(shape, cut.states_after)
            one = tensor is after[parameter.name]
            fact = f"{name} is no longer the same as {parameter.name}"
            subject.require(prop, one, fact)
            # A real matrix of a complex system becomes a complex one.
            dtype = dtype.to_complex() if tensor.is_complex() else dtype
        forms = (
            (tuple(tensor.shape), tensor.dtype, tensor.device),
            (shape, dtype, old.device),
        )
        fact = f"{name} is {forms[0]}, need {forms[1]}"
        subject.require(prop, forms[0] == forms[1], fact)
        if parameter is None:
            same = tensor is before[name] and identical(tensor, old)
            subject.require(prop, same, f"{name} has no state axis and is another")
    require_healthy(subject, prop, layer, "after a cut")
    reading = subject.read(layer)
    found = reading.form.n_states
    fact = f"read finds {found} states, the event {cut.states_after}"
    subject.require(prop, found == cut.states_after, fact)
    require_reproduced(subject, prop, layer, reading.system)


def check_failed_cut(subject: LayerSubject) -> None:
    """Check that a cut that fails leaves everything as it was.

    A model of two layers is cut with a NaN in the second one, by a policy that would
    remove every state, and with an optimizer of another model.

    Parameters
    ----------
    subject : LayerSubject
        The layer.

    Raises
    ------
    InvariantViolationError
        If a cut does not raise a `HankelcutError`, or if after it any parameter,
        buffer, optimizer group or state is another object or has another bit.
    """
    import torch

    from hankelcut.adapters import ErrorTolerance, FixedFraction
    from hankelcut.adapters.tensors import find_tensor

    prop = Property("check_failed_cut", "a cut is a transaction: all of it, or nothing")
    half = FixedFraction(0.5)
    for what, policy in (
        ("a NaN in the second layer", half),
        ("a policy that removes every state", ErrorTolerance(1e30)),
        ("an optimizer of another model", half),
    ):
        model, optimizer = trained_model(subject)
        if what.startswith("a NaN"):
            second = model.get_submodule("second")
            name = subject.adapter_of(second).state_parameters(second)[-1].name
            find_tensor(second, name).detach().view(-1)[0] = math.nan
        if what.startswith("an optimizer"):
            optimizer = torch.optim.Adam(model.get_submodule("linear").parameters())
        before = Snapshot.of(model, optimizer)
        try:
            subject.reduce(model, policy, optimizer)
        except HankelcutError:
            before.require_same(subject, prop, model, optimizer, f" after {what}")
            continue
        subject.require(prop, False, f"{what}: was taken, need a HankelcutError")


def _worst_input(difference: Matrix) -> Matrix:
    """Sine at the largest gain of a response, (1, length, m)."""
    transfer = np.fft.fft(difference, axis=0)
    _, gains, adjoint = np.linalg.svd(transfer)
    k = int(np.argmax(gains[:, 0])) if gains.size else 0
    phase = 2 * np.pi * k / len(difference) * np.arange(len(difference))
    wave = np.exp(1j * phase)[:, None] * adjoint[k, 0].conj()
    return np.asarray(wave.real[None])
