"""Defects of an adapter of a layer, and of a cut in training."""

from tests.mutation_study.defect import FIELD, Defect

__all__ = ["ADAPTERS"]

ADAPTERS = (
    Defect(
        "readout factor 2 lost",
        "S4D layers, read as those of S5",
        "adapter",
        "write",
        "2 * system.C if",
        "system.C if",
    ),
    Defect(
        "gauge of the stored modes lost",
        "LRU layers with the input scale of other poles",
        "adapter",
        "write",
        "B = system.B / gamma[:, None]",
        "B = system.B",
    ),
    Defect(
        "poles on the real axis lost: logarithm of the phase 0",
        "CompreSSM",
        "adapter",
        "write",
        "phase = torch.where(phase == 0, 2 * math.pi, phase)",
        "phase = phase.clone()",
    ),
    Defect(
        "poles for their conjugates in a layer",
        "LRU-reduction, the torch copy",
        "adapter",
        "write",
        "torch.remainder(system.exponents.imag, 2 * math.pi)",
        "torch.remainder(-system.exponents.imag, 2 * math.pi)",
    ),
    Defect(
        "real and imaginary part of B swapped",
        FIELD,
        "adapter",
        "write",
        '"B_re": B.real,\n            "B_im": B.imag,',
        '"B_re": B.imag,\n            "B_im": B.real,',
    ),
    Defect(
        "decay per step taken for its square",
        FIELD,
        "adapter",
        "write",
        '"nu_log": decay.log(),',
        '"nu_log": (2 * decay).log(),',
    ),
    Defect(
        "input scale without its logarithm",
        FIELD,
        "adapter",
        "read",
        'scale = p["gamma_log"].exp()',
        'scale = p["gamma_log"]',
    ),
    Defect(
        "feedthrough dropped from the extracted system",
        "CompreSSM",
        "adapter",
        "read",
        'torch.diag(p["D"])',
        "None",
    ),
    Defect(
        "parameter with a state axis not declared: its moments stay as they are",
        "CompreSSM: moments cut off in the old basis",
        "adapter",
        "state_parameters",
        "for name, rest in STATE_AXES.items())",
        'for name, rest in STATE_AXES.items() if name != "gamma_log")',
    ),
    Defect(
        "moments of B moved with the imaginary part for the real one",
        "CompreSSM: moments attached to other modes",
        "adapter",
        "read",
        '("B_re", "B_im"), "parts"',
        '("B_im", "B_re"), "parts"',
    ),
    Defect(
        "moments cut off in the old basis",
        "CompreSSM",
        "cut in training",
        "cut",
        'optimizer_state="transport"',
        'optimizer_state="slice"',
    ),
    Defect(
        "optimizer left with the old parameters",
        FIELD,
        "cut in training",
        "cut",
        "optimizer=optimizer, ",
        "",
    ),
)
