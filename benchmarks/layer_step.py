"""Forward and backward pass of a recurrent layer: time and memory against s5-pytorch.

The peer is the layer `S5` of s5-pytorch 0.2.1, with as many complex states, inputs and
outputs; it scans by an associative scan under autograd. One step is the outputs of a
batch of random sequences and the gradients of their sum with random weights, for the
inputs and all parameters. Each side gets its best of one and two threads, and of the
repetitions, which take turns. Memory is by how much the resident set of a new process
grows at most in its first step of full length, after a short one (Linux only). The
second table is the step of the sMNIST recipe by states, of the layer alone and of the
classifier with its optimizer; the third, by steps in a block, is what chose them.

Run: python benchmarks/layer_step.py
"""

import multiprocessing
import re
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from hankelcut.nn import LRU, SequenceClassifier
from hankelcut.nn.diagonal_outputs import _best_block, diagonal_outputs

Step = Callable[[], object]

BATCH, LENGTH, N_CHANNELS, N_STATES = 8, 784, 64, 256
RECIPE_BATCH, RECIPE_CHANNELS = 50, 8
SECONDS = 1.5


def best_times(steps: dict[str, Step], seconds: float = SECONDS) -> dict[str, float]:
    """Least seconds of each step over repetitions and numbers of threads."""
    best = dict.fromkeys(steps, float("inf"))
    for threads in (1, 2):
        torch.set_num_threads(threads)
        until = time.perf_counter() + seconds * len(steps)
        for step in steps.values():
            step()
        while time.perf_counter() < until:
            for name, step in steps.items():
                begun = time.perf_counter()
                step()
                best[name] = min(best[name], time.perf_counter() - begun)
    return best


def layer_step(layer: nn.Module, batch: int, length: int, n_channels: int) -> Step:
    """Return the forward and backward pass of a layer on random sequences."""
    inputs = torch.randn(batch, length, n_channels, requires_grad=True)
    weights = torch.randn(batch, length, n_channels)

    def step() -> None:
        layer.zero_grad()
        inputs.grad = None
        layer(inputs).backward(weights)

    return step


def s5(n_channels: int, n_states: int) -> nn.Module:
    """Make the peer's layer."""
    from s5 import S5

    return S5(n_channels, n_states)


LAYERS = {"s5-pytorch": s5, "hankelcut": LRU}


def peak_memory(name: str) -> float:
    """MiB that one step takes, in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, (name,))


def _growth(name: str) -> float:
    torch.set_num_threads(2)
    layer = LAYERS[name](N_CHANNELS, N_STATES)
    layer_step(layer, BATCH, 2, N_CHANNELS)()
    step = layer_step(layer, BATCH, LENGTH, N_CHANNELS)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _resident("VmRSS")
    step()
    return _resident("VmHWM") - before


def _resident(name: str) -> float:
    """Resident set of this process or its peak, in MiB."""
    found = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        msg = f"/proc/self/status has no {name}"
        raise RuntimeError(msg)
    return int(found[1]) / 2**10


def compare_with_peer() -> None:
    """Print times and memory of both layers."""
    print(f"batch {BATCH}, length {LENGTH}, H = {N_CHANNELS}, n = {N_STATES}, float32")
    steps = {
        name: layer_step(make(N_CHANNELS, N_STATES), BATCH, LENGTH, N_CHANNELS)
        for name, make in LAYERS.items()
    }
    times = best_times(steps)
    memory = {name: peak_memory(name) for name in LAYERS}
    print(f"{'':12}{'ms':>8}{'ratio':>8}{'MiB':>8}{'ratio':>8}")
    for name in LAYERS:
        ratios = times[name] / times["s5-pytorch"], memory[name] / memory["s5-pytorch"]
        print(
            f"{name:12}{1e3 * times[name]:8.1f}{ratios[0]:8.2f}"
            f"{memory[name]:8.0f}{ratios[1]:8.2f}"
        )


def print_floor() -> None:
    """Print the time of the flops and of the bytes that every form of the layer needs.

    The bytes are those of inputs, outputs and the gradients of both, each once: a copy
    of half as many moves as many.
    """
    rows, width = BATCH * LENGTH, 2 * N_STATES
    inputs, driven = torch.randn(rows, N_CHANNELS), torch.randn(rows, width)
    weights = torch.randn(N_CHANNELS, width)

    def products() -> None:
        for _ in range(2):  # B and C, each with the gradients of both factors
            torch.mm(inputs, weights)
            torch.mm(driven, weights.t())
            torch.mm(inputs.t(), driven)

    source = torch.randn(rows, 2 * N_CHANNELS)
    target = torch.empty_like(source)
    steps = {"flops": products, "bytes": lambda: target.copy_(source)}
    times = best_times(steps)
    flops = 12 * rows * N_CHANNELS * width
    print(
        f"floor by flops: the six products of B and C, {flops / 1e9:.2f} Gflop: "
        f"{1e3 * times['flops']:.1f} ms, {flops / times['flops'] / 1e9:.0f} Gflop/s"
    )
    mebibytes = 2 * source.nbytes / 2**20
    print(
        f"floor by bytes: {mebibytes:.1f} MiB: {1e3 * times['bytes']:.2f} ms; "
        f"the states of all steps would be {4 * rows * width / 2**20:.0f} MiB"
    )


def classifier_step(n_states: int) -> Step:
    """Return a training step of the sMNIST recipe."""
    model = SequenceClassifier(
        1, 10, d_model=RECIPE_CHANNELS, d_state=n_states, dropout=0.1
    )
    optimizer = torch.optim.AdamW(model.parameters())
    inputs = torch.rand(RECIPE_BATCH, LENGTH, 1)
    targets = torch.randint(10, (RECIPE_BATCH,))

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()

    return step


def by_states() -> None:
    """Print the step of the recipe for fewer and fewer states, which take turns."""
    print(f"\nbatch {RECIPE_BATCH}, length {LENGTH}, H = {RECIPE_CHANNELS}")
    counts = (256, 128, 64, 28, 13)
    sizes = (RECIPE_BATCH, LENGTH, RECIPE_CHANNELS)
    columns = {
        "layer": best_times(
            {str(n): layer_step(LRU(RECIPE_CHANNELS, n), *sizes) for n in counts}
        ),
        "classifier": best_times({str(n): classifier_step(n) for n in counts}),
    }
    print(
        f"{'states':8}"
        + "".join(f"{f'{name}, ms':>16}{'ratio':>8}" for name in columns)
    )
    for n in map(str, counts):
        cells = (
            f"{1e3 * times[n]:16.1f}{times[n] / times[str(counts[0])]:8.2f}"
            for times in columns.values()
        )
        print(f"{n:8}" + "".join(cells))


def block_step(sizes: tuple[int, int, int], block: int) -> Step:
    """Return the forward and backward pass of a layer with a given block."""
    batch, n_channels, n_states = sizes
    inputs = torch.randn(batch, LENGTH, n_channels)
    shapes = (n_states, n_channels), (n_channels, n_states)
    B, C = (torch.randn(*shape, dtype=torch.complex64) for shape in shapes)
    exponents = torch.complex(-torch.rand(n_states), 6 * torch.rand(n_states))
    leaves = [t.requires_grad_() for t in (inputs, exponents, B, C)]
    weights = torch.randn(batch, LENGTH, n_channels)

    def step() -> None:
        torch.autograd.grad(diagonal_outputs(*leaves, block=block), leaves, weights)

    return step


def by_block() -> None:
    """Print the time of a step for every number of steps in a block."""
    blocks = (1, 2, 4, 8, 16, 32, 64)
    print("\nms by steps in a block; * is the default")
    print(f"{'batch, H, n':16}" + "".join(f"{block:>8} " for block in blocks))
    for sizes in (
        (50, 8, 256),
        (50, 8, 28),
        (50, 16, 64),
        (50, 4, 16),
        (8, 8, 28),
        (8, 32, 128),
        (8, 64, 256),
        (8, 64, 28),
        (8, 128, 256),
        (4, 256, 256),
    ):
        batch, n_channels, n_states = sizes
        default = _best_block(batch, LENGTH, n_states, n_channels, n_channels)
        tried = [block for block in blocks if block * n_channels <= 1024]
        times = best_times({str(b): block_step(sizes, b) for b in tried}, 0.3)
        marks = {str(b): "*" if b == default else " " for b in tried}
        cells = [f"{1e3 * times[b]:8.1f}{marks[b]}" for b in times]
        print(f"{', '.join(map(str, sizes)):16}" + "".join(cells))


def main() -> None:
    """Print the tables."""
    torch.manual_seed(0)
    compare_with_peer()
    print_floor()
    by_states()
    by_block()


if __name__ == "__main__":
    main()
