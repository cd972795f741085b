"""Small selective layers, and cuts of them."""

import itertools
import warnings

import torch
from torch import nn

from hankelcut.adapters import calibrate, find_adapter, reduce_
from hankelcut.adapters.tensors import find_tensor
from tests.adapters.stand_ins.fla import Mamba

INPUTS = torch.randn(3, 9, 4, generator=torch.Generator().manual_seed(2))


def cut(model, policy, batches=(INPUTS,), **options):
    """Calibrate and cut; the caveat of norms, which has a test, aside."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*normalises over its states")
        return reduce_(model, policy, calibration=calibrate(model, batches), **options)


def silence(layer, states, vectors="B"):
    """Make some entries of B, or of B and C, of a selective layer 0 for all inputs."""
    with torch.no_grad():
        for p in find_adapter(layer).state_parameters(layer):
            if p.blocks == 1 or p.name == "mup_vector":
                continue
            tensor = find_tensor(layer, p.name)
            blocks = p.blocks if vectors == "BC" else p.blocks // 2
            for block, state in itertools.product(range(blocks), states):
                row = p.before + block * p.n_states(tensor) + state
                tensor.narrow(p.axis, row, 1).zero_()


def stack(kind=Mamba, n=6, layers=2):
    """Layers one after the other, each on its own."""
    torch.manual_seed(1)
    return nn.Sequential(*(kind(4, n) for _ in range(layers)))
