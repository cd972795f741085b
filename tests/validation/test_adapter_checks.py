"""Right adapters and layers pass; each defect is caught by the check that names it."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    LayerReading,
    Replacement,
    StoredMatrix,
    reduce_,
    registry,
)
from hankelcut.adapters.layers.lru import LRUAdapter
from hankelcut.nn import LRU
from hankelcut.validation import (
    ADAPTER_CHECKS,
    InvariantViolationError,
    LayerSubject,
    check_adapter,
)
from hankelcut.validation.adapter_properties import check_extraction


def make_lru(n=7, m=3, dtype=torch.float64):
    return LRU(m, n, 0.3, 0.95).to(dtype)


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize(
    ("dtype", "radii"),
    [
        (torch.float32, (0.3, 0.95)),
        (torch.float64, (0.0, 1.0)),
        (torch.float32, (0.99, 0.9999)),
    ],
)
def test_the_layers_of_this_package_pass(check, dtype, radii):
    def make():
        return LRU(3, 8, *radii).to(dtype)

    check_adapter(make, checks=[check], examples=1)


@pytest.mark.slow
@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_many_layers_of_many_sizes_pass(check, dtype):
    def make():
        m, n = (int(torch.randint(least, 9, ())) for least in (1, 2))
        return LRU(m, n, 0.5, 0.99).to(dtype)

    check_adapter(make, checks=[check], examples=2000)


@pytest.mark.slow
@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize("sizes", [(4, 24), (9, 40)])
def test_larger_layers_pass(check, sizes):
    check_adapter(lambda: LRU(*sizes, 0.5, 0.99), checks=[check], examples=6)


class Extracting(LRUAdapter):
    """Reads a system that is another in some of its fields."""

    def __init__(self, change):
        self.change = change

    def read(self, layer):
        reading = super().read(layer)
        change = self.change(layer, reading.system)
        return replace(reading, system=replace(reading.system, **change))


READ_WRONG = {
    "poles for their conjugates": lambda _, s: {"exponents": s.exponents.conj()},
    "2 Re for Re": lambda _, s: {"readout": "twice_real"},
    "half of Re": lambda _, s: {"C": s.C / 2},
    "no gamma": lambda layer, s: {"B": torch.complex(layer.B_re, layer.B_im).detach()},
    "gamma of the pole": lambda layer, s: {
        "B": (-torch.expm1(2 * s.exponents.real)).sqrt()[:, None]
        * torch.complex(layer.B_re, layer.B_im).detach()
    },
    "plus Im C": lambda _, s: {"C": s.C.conj()},
    "minus Im B": lambda _, s: {"B": s.B.conj()},
    "no D": lambda _, s: {"D": 0 * s.D},
    "decay per two steps": lambda _, s: {
        "exponents": torch.complex(2 * s.exponents.real, s.exponents.imag)
    },
    "modes in another order": lambda _, s: {"B": s.B.flip(0)},
    "state before the update": lambda _, s: {"C": s.C * s.exponents.exp()},
}


@pytest.mark.parametrize("defect", READ_WRONG)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wrong_reading_is_caught_by_the_layers_own_forward(defect, dtype):
    adapter = Extracting(READ_WRONG[defect])
    with pytest.raises(
        InvariantViolationError, match=r"check_extraction: sample .* of LRU: found"
    ):
        check_adapter(
            partial(make_lru, dtype=dtype), adapter=adapter, checks=["extraction"]
        )


def test_transposed_input_matrices_are_caught():
    adapter = Extracting(lambda _, s: {"B": s.B.mT})
    square = partial(make_lru, n=3)
    with pytest.raises(InvariantViolationError, match="check_extraction: sample"):
        check_adapter(square, adapter=adapter, checks=["extraction"])
    with pytest.raises(InvariantViolationError, match="build: read made no system"):
        check_adapter(make_lru, adapter=adapter)


class Forward(LRU):
    """A layer that computes something else than its parameters say."""

    change = staticmethod(lambda outputs, inputs: outputs)

    def forward(self, inputs):
        return self.change(super().forward(inputs), inputs)


def layer_with(change):
    def make():
        layer = Forward(3, 7, 0.3, 0.95).double()
        layer.change = change
        return layer

    return make


def delayed(outputs, inputs):
    return nn.functional.pad(outputs[:, :-1], (0, 0, 1, 0))


@pytest.mark.parametrize(
    "change",
    [
        delayed,
        lambda outputs, inputs: outputs.tanh(),
        lambda outputs, inputs: outputs - outputs.mean(dim=1, keepdim=True),
        lambda outputs, inputs: outputs.flip(0),
        lambda outputs, inputs: outputs + inputs,
    ],
    ids=["one-step delay", "nonlinear", "not causal", "batch mixed", "residual path"],
)
def test_layers_that_compute_something_else_are_caught(change):
    with pytest.raises(InvariantViolationError, match=r"forward of Forward|of Forward"):
        check_adapter(layer_with(change), checks=["extraction"])


def test_delayed_readout_passes_where_it_is_meant():
    def before_update(layer, inputs):
        feedthrough = layer.D * inputs
        return delayed(layer(inputs) - feedthrough, inputs) + feedthrough

    options = {"run": before_update, "checks": ["extraction", "write", "stored_cut"]}
    check_adapter(make_lru, reads="before update", examples=1, **options)
    with pytest.raises(InvariantViolationError, match="check_extraction"):
        check_adapter(make_lru, examples=1, **options)


class Writing(LRUAdapter):
    """Writes other values than the right ones."""

    def __init__(self, change, gauge=lambda gauge: gauge):
        self.change, self.gauge = change, gauge

    def write(self, layer, system):
        right = super().write(layer, system)
        values = dict(right.values)
        values.update(self.change(layer, system, values))
        return Replacement(values, self.gauge(right.gauge))


def single(values, name):
    return {name: values[name].float().double()}


WRITTEN_WRONG = {
    "poles for their conjugates": lambda layer, s, v: {"C_im": -v["C_im"]},
    "Im B for Re B": lambda layer, s, v: {"B_re": v["B_im"], "B_im": v["B_re"]},
    "2 Re stored as Re": lambda layer, s, v: (
        {k: v[k] / 2 for k in ("C_re", "C_im")} if s.readout == "twice_real" else {}
    ),
    "gamma as it was": lambda layer, s, v: {
        "gamma_log": layer.gamma_log.detach().clone()
    },
    "B as it was": lambda layer, s, v: {
        "B_re": layer.B_re.detach().clone(),
        "B_im": layer.B_im.detach().clone(),
    },
    "single precision inside": lambda layer, s, v: single(v, "C_re"),
}


@pytest.mark.parametrize("defect", WRITTEN_WRONG)
def test_wrong_writing_is_caught(defect):
    adapter = Writing(WRITTEN_WRONG[defect])
    with pytest.raises(InvariantViolationError, match="check_write: "):
        check_adapter(make_lru, adapter=adapter, checks=["write"], examples=2)


def test_phases_without_a_logarithm_are_caught():
    def phase_of_zero(layer, system, values):
        phase = torch.remainder(system.exponents.imag, 2 * torch.pi)
        return {"theta_log": phase.log()}

    with pytest.raises(
        InvariantViolationError, match=r"pole 0\.5, theta_log is \[-inf"
    ):
        check_adapter(
            make_lru, adapter=Writing(phase_of_zero), checks=["extreme_poles"]
        )


def test_forgotten_scalings_of_modes_are_caught():
    for gauge in (torch.ones_like, torch.conj, torch.reciprocal):
        adapter = Writing(lambda layer, s, v: {}, gauge)
        with pytest.raises(InvariantViolationError, match="stored, times the gauge"):
            check_adapter(make_lru, adapter=adapter, checks=["write"], examples=1)


class Declaring(LRUAdapter):
    """Declares other parameters than there are."""

    def __init__(self, change):
        self.change = change

    def state_parameters(self, layer):
        return tuple(self.change(list(super().state_parameters(layer))))


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (Declaring(lambda p: p[:2] + p[3:]), r"gamma_log of shape \(7,\) has 7 states"),
        (
            Declaring(lambda p: [replace(x, axis=0) for x in p]),
            r"C_re is declared to have 7 states on axis 0, its shape is \(3, 7\)",
        ),
        (
            Declaring(lambda p: [*p, replace(p[0], name="nu")]),
            "nu is declared .* its shape is None",
        ),
        (
            Writing(lambda layer, s, v: {"nu_log": v["nu_log"].float()}),
            r"write makes nu_log .*float32.* the layer has .*float64",
        ),
        (
            Writing(lambda layer, s, v: {"D": layer.D.detach()}),
            "write gives values of .*'D'",
        ),
        (
            Writing(lambda layer, s, v: layer.D.data.zero_() is None or {}),
            "read or write changed D of the layer",
        ),
        (Writing(lambda layer, s, v: {}, torch.zeros_like), "the gauge is .* none 0"),
        (
            Extracting(lambda layer, s: {"B": s.B * (layer.D[0] / layer.D[0])}),
            r"requires_grad\) of B is .*True\), need",
        ),
        (Extracting(lambda _, s: {"time": hc.Continuous()}), "a system in Continuous"),
    ],
)
def test_wrong_declarations_are_caught(adapter, message):
    with pytest.raises(
        InvariantViolationError, match=f"check_declaration: .*{message}"
    ):
        check_adapter(make_lru, adapter=adapter, checks=["declaration"], examples=1)


class Careless(LRUAdapter):
    """Takes whatever has the names of an LRU, or any system."""

    def read(self, layer):
        p = {name: value.detach().double() for name, value in layer.named_parameters()}
        gamma = p["gamma_log"].exp()
        system = hc.DiagonalStateSpace(
            torch.complex(-p["nu_log"].exp(), p["theta_log"].exp()),
            gamma[:, None] * torch.complex(p["B_re"], p["B_im"]),
            torch.complex(p["C_re"], p["C_im"]),
            torch.diag(p["D"]),
            hc.Discrete(),
            "real",
        )
        inputs = StoredMatrix(("B_re", "B_im"), "parts", gamma)
        outputs = StoredMatrix(("C_re", "C_im"), "parts", torch.ones_like(gamma))
        return LayerReading(system, inputs, outputs)


class Unscaled(Careless):
    """Says that stored rows of B are rows of B, which moments then follow."""

    def read(self, layer):
        reading = super().read(layer)
        inputs = replace(reading.inputs, scale=torch.ones_like(reading.inputs.scale))
        return replace(reading, inputs=inputs)


def test_moments_in_other_units_are_caught():
    with pytest.raises(
        InvariantViolationError, match="first moments of B and C differ"
    ):
        check_adapter(make_lru, adapter=Unscaled(), checks=["moment_transport"])


class Clamping(LRUAdapter):
    """Stores the nearest system that is stable."""

    def write(self, layer, system):
        exponents = system.exponents
        stable = torch.complex(exponents.real.clamp(max=-1e-3), exponents.imag)
        return super().write(layer, replace(system, exponents=stable))


class Matching(LRUAdapter):
    """Matches everything."""

    def matches(self, module):
        return True


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (Careless(), "read: nu_log with one state more: raised RuntimeError"),
        (
            Clamping(),
            "write: a system with a pole outside .* region: was taken",
        ),
        (Matching(), "the adapter matches a plain Module"),
    ],
)
def test_silent_acceptance_is_caught(adapter, message):
    with pytest.raises(InvariantViolationError, match=message):
        check_adapter(make_lru, adapter=adapter, checks=["refusals"], examples=1)


def claiming(**claims):
    def cut(model, policy, *, optimizer=None):
        event = reduce_(model, policy, optimizer=optimizer)
        layers = tuple(
            replace(c, **{key: change(c) for key, change in claims.items()})
            for c in event.layers
        )
        return replace(event, layers=layers)

    return cut


def without_optimizer(model, policy, *, optimizer=None):
    return reduce_(model, policy)


def rebuilding_groups(model, policy, *, optimizer=None):
    event = reduce_(model, policy, optimizer=optimizer)
    everything = [p for group in optimizer.param_groups for p in group["params"]]
    defaults = {**optimizer.param_groups[0], "params": everything}
    optimizer.param_groups[:] = [defaults]
    return event


def forgetting_settings(model, policy, *, optimizer=None):
    event = reduce_(model, policy, optimizer=optimizer)
    for group in optimizer.param_groups:
        group.update(lr=1e-3, weight_decay=0.1)
    return event


def clearing_all_state(model, policy, *, optimizer=None):
    event = reduce_(model, policy, optimizer=optimizer)
    optimizer.state.clear()
    return event


def restarting_counts(model, policy, *, optimizer=None):
    event = reduce_(model, policy, optimizer=optimizer)
    for state in optimizer.state.values():
        state["step"] = torch.zeros_like(state["step"])
    return event


def keeping_old_moments(model, policy, *, optimizer=None):
    old = {n: dict(optimizer.state[p]) for n, p in model.named_parameters()}
    event = reduce_(model, policy, optimizer=optimizer)
    for name, parameter in model.named_parameters():
        optimizer.state[parameter] = old[name]
    return event


def making_plain_parameters(model, policy, *, optimizer=None):
    event = reduce_(model, policy, optimizer=optimizer)
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            module._parameters[name] = nn.Parameter(parameter.detach().clone())
    return event


def changing_feedthrough(model, policy, *, optimizer=None):
    event = reduce_(model, policy, optimizer=optimizer)
    for module in model.modules():
        if isinstance(module, LRU):
            module.D.data.mul_(1.5)
    return event


def halving_precision(model, policy, *, optimizer=None):
    event = reduce_(model, policy, optimizer=optimizer)
    model.to(torch.float32)
    return event


def pruning_the_first(model, policy, *, optimizer=None):
    """Keep the first states, with the bound of balanced truncation."""
    layers = [module for module in model.modules() if isinstance(module, LRU)]
    old = [dict(layer._parameters) for layer in layers]
    event = reduce_(model, policy, optimizer=optimizer)
    adapter = LRUAdapter()
    for layer, parameters in zip(layers, old, strict=True):
        n = layer.d_state
        for p in adapter.state_parameters(layer):
            kept = parameters[p.name].detach().narrow(p.axis, 0, n).clone()
            layer.get_parameter(p.name).data = kept
    return event


def one_after_the_other(model, policy, *, optimizer=None):
    """Cut layer by layer: the first stays cut when the second fails."""
    events = [
        reduce_(module, policy, optimizer=optimizer)
        for module in model.modules()
        if isinstance(module, LRU)
    ]
    layers = tuple(cut for event in events for cut in event.layers)
    return replace(events[0], layers=layers)


def giving_up_silently(model, policy, *, optimizer=None):
    try:
        return reduce_(model, policy, optimizer=optimizer)
    except hc.HankelcutError:
        return None


CUT_WRONG = {
    "bound too small": (
        claiming(error_bound=lambda cut: cut.error_bound / 100),
        "cut_bound",
        "inputs.* change the outputs by .* from 7 to 3 states is",
    ),
    "states kept by their place": (
        pruning_the_first,
        "cut_bound",
        "inputs.* change the outputs by",
    ),
    "no cut": (
        lambda model, policy, optimizer=None: reduce_(
            model, policy, optimizer=optimizer, minimum_saving=0.9
        ),
        "cut_bound",
        "no layer was cut .*too little to save",
    ),
    "another number of states told": (
        claiming(states_after=lambda cut: cut.states_after - 1),
        "stored_cut",
        "nu_log is .* need",
    ),
    "another feedthrough": (
        changing_feedthrough,
        "stored_cut",
        "D has no state axis and is another",
    ),
    "another precision": (halving_precision, "stored_cut", "float32.* need .*float64"),
    "moments cut off": (
        partial(reduce_, optimizer_state="slice"),
        "moment_transport",
        "first moments of B and C differ by",
    ),
    "moments dropped": (
        partial(reduce_, optimizer_state="reset"),
        "moment_transport",
        "steps counted are",
    ),
    "counts restarted": (
        restarting_counts,
        "moment_transport",
        "steps counted are",
    ),
    "moments of the old size": (
        keeping_old_moments,
        "optimizer_groups",
        r"exp_avg of .* has shape \(7,\), need \(3,\)",
    ),
    "optimizer left alone": (
        without_optimizer,
        "optimizer_groups",
        "the optimizer lacks .*nu_log.* and holds 14 that",
    ),
    "one group for all": (rebuilding_groups, "optimizer_groups", "the groups hold"),
    "settings of groups lost": (
        forgetting_settings,
        "optimizer_groups",
        "settings .* became",
    ),
    "state of others lost": (
        clearing_all_state,
        "optimizer_groups",
        "there are .* before",
    ),
    "attributes lost": (
        making_plain_parameters,
        "parameter_attributes",
        "of nu_log became",
    ),
    "layer by layer": (
        one_after_the_other,
        "failed_cut",
        "there are|is not what it was after a NaN",
    ),
    "silent failure": (giving_up_silently, "failed_cut", "a NaN .*: was taken"),
}


@pytest.mark.parametrize("defect", CUT_WRONG)
def test_wrong_cuts_are_caught(defect):
    cut, check, message = CUT_WRONG[defect]
    with pytest.raises(InvariantViolationError, match=f"check_{check}: .*{message}"):
        check_adapter(make_lru, cut=cut, checks=[check], examples=2)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (lambda p: vars(p).pop("_optim", None), "_optim, _no_weight_decay"),
        (lambda p: p.requires_grad_(True), "requires_grad of C_im is True"),
        (lambda p: p._backward_hooks and p._backward_hooks.clear(), "hooks were call"),
    ],
)
def test_lost_attributes_are_caught_one_by_one(lost, message):
    def cut(model, policy, *, optimizer=None):
        event = reduce_(model, policy, optimizer=optimizer)
        for parameter in model.parameters():
            lost(parameter)
        return event

    with pytest.raises(InvariantViolationError, match=message):
        check_adapter(make_lru, cut=cut, checks=["parameter_attributes"], examples=1)


def test_lost_sharing_is_caught():
    def cut(model, policy, *, optimizer=None):
        return reduce_(model["layer"], policy, optimizer=optimizer)

    with pytest.raises(InvariantViolationError, match="nu_log is no longer shared"):
        check_adapter(make_lru, cut=cut, checks=["parameter_attributes"], examples=1)


def test_one_bit_of_a_failed_cut_is_caught():
    def cut(model, policy, *, optimizer=None):
        next(model.parameters()).data.flatten()[0] *= 1 + 2**-52
        return reduce_(model, policy, optimizer=optimizer)

    with pytest.raises(InvariantViolationError, match=r"first\.nu_log is not what it"):
        check_adapter(make_lru, cut=cut, checks=["failed_cut"], examples=1)


def test_message_rebuilds_the_layer():
    adapter = Extracting(READ_WRONG["half of Re"])
    with pytest.raises(InvariantViolationError) as caught:
        check_adapter(make_lru, adapter=adapter, checks=["extraction"], seed=11)
    message = str(caught.value)
    assert "Orvieto et al. 2023" in message
    assert "subject.build() rebuilds it" in message
    assert "LayerSubject(make_lru, adapter=" in message
    assert "seed=11)" in message
    with pytest.raises(InvariantViolationError) as again:
        check_extraction(LayerSubject(make_lru, adapter, seed=11))
    assert str(again.value) in message
    assert message.startswith("Extracting fails the check 'extraction': ")
    assert ADAPTER_CHECKS["extraction"].usual_cause in message


def test_subject_builds_the_same_layer_and_keeps_the_generator():
    torch.manual_seed(3)
    expected = torch.randn(4)
    torch.manual_seed(3)
    first, second = (LayerSubject(make_lru, seed=5).build() for _ in range(2))
    assert torch.equal(torch.randn(4), expected)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    other = LayerSubject(make_lru, seed=6).build()
    assert not torch.equal(first.nu_log, other.nu_log)


def test_registered_adapters_are_as_before():
    before = registry.ADAPTERS
    with pytest.raises(InvariantViolationError, match="check_write"):
        check_adapter(
            make_lru, adapter=Writing(WRITTEN_WRONG["B as it was"]), checks=["write"]
        )
    assert registry.ADAPTERS is before


def test_factories_with_other_random_numbers_are_refused():
    scales = iter(range(1, 9))

    def make():
        layer = make_lru()
        layer.D.data *= next(scales)
        return layer

    with pytest.raises(ValueError, match=r"two values of D for one torch seed"):
        check_adapter(make)


def test_layers_without_an_adapter_are_refused():
    with pytest.raises(hc.UnsupportedLayerError, match="no adapter recognises Linear"):
        check_adapter(lambda: nn.Linear(2, 3))


def test_layers_that_return_more_need_a_run():
    change = lambda outputs, inputs: (outputs, None)  # noqa: E731
    with pytest.raises(hc.UnsupportedLayerError, match=r"tuple .* pass run="):
        check_adapter(layer_with(change))
    check_adapter(
        layer_with(change),
        run=lambda layer, inputs: layer(inputs)[0],
        checks=["extraction", "cut_bound"],
        examples=1,
    )


@pytest.mark.parametrize("options", [{"checks": ["bounds"]}, {"examples": 0}])
def test_arguments_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="check_adapter: got checks="):
        check_adapter(make_lru, **options)


@pytest.mark.parametrize("missing", ["", "torch"])
def test_import_needs_no_torch(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import hankelcut, hankelcut.validation as validation\n"
        "assert sys.modules.get('torch') is None\n"
        "if 'torch' in sys.modules:\n"
        "    try:\n"
        "        validation.check_adapter(lambda: None)\n"
        "    except hankelcut.MissingDependencyError as error:\n"
        "        assert 'hankelcut[torch]' in str(error)\n"
        "    else:\n"
        "        sys.exit(1)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
