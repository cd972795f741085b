"""Train a model of s5-pytorch layers, cut it as it learns, save it, and load it again.

The model is as people build it: two `S5Block`s, the second in both directions of time,
that read handwritten digits pixel by pixel (those of scikit-learn, 64 pixels, or MNIST,
784). Three times in the first half of the training the states that matter least are
removed; the rest learns on. A cut needs stable poles, which nothing in the package sees
to: `keep_stable` does. The smaller model is saved, loaded into a freshly built one in a
new process, and evaluated there.

Run: python examples/cut_s5_in_training.py [--quick] [--data MNIST_FOLDER] [FOLDER]
Needs: pip install 'hankelcut[torch]' s5-pytorch scikit-learn
"""

import argparse
import gzip
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from s5 import S5Block
from torch import Tensor, nn

from hankelcut.adapters import (
    EnergyTolerance,
    InTrainingReducer,
    load_reduced,
    state_sizes,
)

CHANNELS, STATES, CLASSES = 24, 64, 10
BATCH = 32
SLOW = ("Lambda", "B", "log_step")


class DigitReader(nn.Module):
    """Pixels one after the other, two S5 blocks, the mean over time, a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(1, CHANNELS)
        self.forwards = S5Block(CHANNELS, STATES, bidir=False)
        self.both_ways = S5Block(CHANNELS, STATES, bidir=True)
        self.head = nn.Linear(CHANNELS, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        """Score the digits for (batch, length, 1) pixels."""
        hidden = self.both_ways(self.forwards(self.encoder(pixels)))
        scores: Tensor = self.head(hidden.mean(dim=1))
        return scores


def digits(folder: Path | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sequences and classes to train on, and to test with."""
    if folder is None:
        from sklearn.datasets import load_digits

        images, classes = load_digits(return_X_y=True)
        train = np.arange(len(classes)) % 5 > 0
        parts = [(images[k] / 16, classes[k]) for k in (train, ~train)]
    else:
        parts = [
            (idx(folder / f"{k}-images-idx3-ubyte.gz", 16) / 255, labels)
            for k in ("train", "t10k")
            for labels in (idx(folder / f"{k}-labels-idx1-ubyte.gz", 8),)
        ]
    (inputs, targets), (test_inputs, test_targets) = (
        (
            torch.as_tensor(images).float().reshape(len(classes), -1, 1),
            torch.as_tensor(classes).long(),
        )
        for images, classes in parts
    )
    return inputs, targets, test_inputs, test_targets


def idx(path: Path, header: int) -> np.ndarray:
    """Bytes of a gzipped IDX file after its header."""
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def accuracy(model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """Return the share of the sequences whose digit is found."""
    model.eval()
    with torch.no_grad():
        found = [model(part).argmax(dim=1) for part in inputs.split(200)]
    model.train()
    return float((torch.cat(found) == targets).double().mean())


def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Return what S5 trains slowly and without decay, and the rest."""
    slow = [p for k, p in model.named_parameters() if k.split(".")[-1] in SLOW]
    fast = [p for k, p in model.named_parameters() if k.split(".")[-1] not in SLOW]
    return [
        {"params": slow, "lr": 1e-3, "weight_decay": 0.0},
        {"params": fast, "lr": 4e-3, "weight_decay": 0.01},
    ]


def keep_stable(model: nn.Module) -> None:
    """Keep the poles in the left half-plane, as the authors' `clip_eigs` does."""
    with torch.no_grad():
        for name, Lambda in model.named_parameters():
            if name.endswith("Lambda"):
                Lambda.real.clamp_(max=-1e-4)


def train(
    model: nn.Module, data: tuple[Tensor, ...], steps: int
) -> tuple[list[float], InTrainingReducer]:
    """Train with cuts after a quarter, three eighths and a half of the steps."""
    inputs, targets, test_inputs, test_targets = data
    optimizer = torch.optim.AdamW(parameter_groups(model))
    reducer = InTrainingReducer(
        model,
        optimizer,
        EnergyTolerance(0.03),
        every=max(1, steps // 8),
        start=steps // 4,
        until=steps // 2,
        probe=lambda: 1 - accuracy(model, test_inputs, test_targets),
    )
    seconds = []
    for step in range(1, steps + 1):
        chosen = torch.randint(len(targets), (BATCH,))
        begun = time.perf_counter()
        loss = nn.functional.cross_entropy(model(inputs[chosen]), targets[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        keep_stable(model)
        seconds.append(time.perf_counter() - begun)
        event = reducer.step()
        if event is None:
            continue
        print(f"step {step}: errors {event.loss_before:.1%} -> {event.loss_after:.1%}")
        for cut in event.layers:
            print(
                f"  {cut.name}: {cut.states_before} -> {cut.states_after} states, "
                f"error {cut.measured_error:.2g}, bound {cut.error_bound:.2g}"
            )
    return seconds, reducer


def evaluate(file: Path, data: tuple[Tensor, ...]) -> None:
    """Load a reduced model into a freshly built one, and evaluate it."""
    model = DigitReader()
    load_reduced(model, torch.load(file))
    print(f"states {state_sizes(model)}, accuracy {accuracy(model, *data[2:])!r}")


def main() -> None:
    """Train, cut, train on, save; load and evaluate in a new process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/s5"))
    parser.add_argument("--quick", action="store_true", help="a few steps only")
    parser.add_argument("--data", type=Path, help="folder with the files of MNIST")
    parser.add_argument("--steps", type=int, help="steps of training")
    parser.add_argument("--evaluate", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    data = digits(options.data)
    if options.evaluate:
        evaluate(options.evaluate, data)
        return
    torch.manual_seed(0)
    model = DigitReader()
    steps = options.steps or (8 if options.quick else 600)
    print(f"states {state_sizes(model)}")
    seconds, reducer = train(model, data, steps)
    early, late = seconds[: steps // 4], seconds[steps // 2 + 1 :]
    print(f"a step took {np.median(early):.3f} s, takes {np.median(late):.3f} s")
    print(f"cuts took {sum(event.seconds for event in reducer.events):.2f} s")

    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "reduced.pt"
    torch.save(model.state_dict(), file)
    print(f"states {state_sizes(model)}, accuracy {accuracy(model, *data[2:])!r}")
    again = [sys.executable, __file__, "--evaluate", str(file)]
    again += ["--data", str(options.data)] if options.data else []
    print("in a new process:", flush=True)
    subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
