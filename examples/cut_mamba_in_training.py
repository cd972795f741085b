"""Train Mamba models of transformers, cut them as they learn, save and load them again.

A small Mamba and a small Mamba-2, built from their configurations, learn to predict the
next character of Python's own manual. Three times in the first half of the training the
states that matter least by their Gramians, on a few batches of the text, are removed;
the rest learns on. `save_pretrained` writes the smaller model with its configuration,
and `from_pretrained` builds it in a new process, where it is evaluated and writes a
line.

After 300 steps, seed 0, on a CPU (the uncut models trained as long beside them):

    Mamba    32 states 2.72 bits for each character    18 states 2.69 bits
    Mamba-2  64 states 2.64 bits                       31 states 2.65 bits

No cut moved the bits by more than 0.003.

Run: python examples/cut_mamba_in_training.py [--quick] [FOLDER]
Needs: pip install 'hankelcut[torch]' transformers mambapy
"""

import argparse
import math
import subprocess
import sys
import time
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from hankelcut.adapters import (
    Calibration,
    EnergyTolerance,
    InTrainingReducer,
    calibrate,
    state_sizes,
)

CHARACTERS = [chr(code) for code in (10, *range(32, 127))]
LENGTH, BATCH = 64, 16
SIZES = {
    "vocab_size": len(CHARACTERS),
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}


def built(kind: str) -> nn.Module:
    """Build a model from its configuration."""
    if kind == "mamba":
        config = transformers.MambaConfig(**SIZES, state_size=32, use_mambapy=True)
        return transformers.MambaForCausalLM(config)
    config = transformers.Mamba2Config(
        **SIZES, state_size=64, num_heads=4, head_dim=32, n_groups=1, chunk_size=32
    )
    return transformers.Mamba2ForCausalLM(config)


def encoded(text: str) -> Tensor:
    """Return numbers of the characters that the models know."""
    numbers = {character: k for k, character in enumerate(CHARACTERS)}
    return torch.tensor([numbers[c] for c in text if c in numbers])


def text_of_the_manual() -> tuple[Tensor, Tensor]:
    """Text to train on, and the last tenth to test with."""
    numbers = encoded("\n".join(topics[name] for name in sorted(topics)))
    return numbers[: len(numbers) * 9 // 10], numbers[len(numbers) * 9 // 10 :]


def sampled(text: Tensor, count: int) -> Tensor:
    """Return random pieces of a text, (count, length)."""
    starts = torch.randint(len(text) - LENGTH, (count, 1))
    return text[starts + torch.arange(LENGTH)]


def loss_of(model: nn.Module, pieces: Tensor) -> Tensor:
    """Return the mean negative logarithm of the chance of each next character."""
    loss: Tensor = model(pieces, labels=pieces, use_cache=False).loss
    return loss


def bits(model: nn.Module, text: Tensor) -> float:
    """Return the bits for each character of the beginning of a text."""
    pieces = text[: 128 * LENGTH].reshape(-1, LENGTH)
    model.eval()
    with torch.no_grad():
        found = float(loss_of(model, pieces)) / math.log(2)
    model.train()
    return found


def train(
    model: nn.Module, text: Tensor, test: Tensor, steps: int
) -> tuple[list[float], InTrainingReducer]:
    """Train with cuts after a quarter, three eighths and a half of the steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)

    def calibration() -> Calibration:
        return calibrate(model, [sampled(text, BATCH) for _ in range(4)], loss_of)

    reducer = InTrainingReducer(
        model,
        optimizer,
        EnergyTolerance(0.1),
        every=max(1, steps // 8),
        start=steps // 4,
        until=steps // 2,
        probe=lambda: bits(model, test),
        calibration=calibration,
    )
    seconds = []
    for step in range(1, steps + 1):
        begun = time.perf_counter()
        loss = loss_of(model, sampled(text, BATCH))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - begun)
        event = reducer.step()
        if event is None:
            continue
        print(f"step {step}: bits {event.loss_before:.3f} -> {event.loss_after:.3f}")
        for cut in event.layers:
            print(f"  {cut.name}: {cut.states_before} -> {cut.states_after} states")
    return seconds, reducer


def evaluate(kind: str, folder: Path, test: Tensor) -> None:
    """Load a reduced model as transformers does, evaluate it, and let it write."""
    loader = {"mamba": "MambaForCausalLM", "mamba2": "Mamba2ForCausalLM"}[kind]
    model = getattr(transformers, loader).from_pretrained(folder)
    print(f"states {state_sizes(model)}, bits {bits(model, test)!r}")
    torch.manual_seed(0)
    made = model.eval().generate(
        encoded("The ")[None], max_new_tokens=60, do_sample=True, temperature=0.7
    )
    print(repr("".join(CHARACTERS[k] for k in made[0])))


def main() -> None:
    """Train, cut, train on, save; load and evaluate in a new process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/mamba"))
    parser.add_argument("--quick", action="store_true", help="a few steps only")
    parser.add_argument("--steps", type=int, help="steps of training")
    parser.add_argument("--evaluate", help=argparse.SUPPRESS)
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    text, test = text_of_the_manual()
    if options.evaluate:
        evaluate(options.evaluate, options.folder, test)
        return
    steps = options.steps or (8 if options.quick else 300)
    for kind in ("mamba", "mamba2"):
        torch.manual_seed(0)
        model = built(kind)
        print(f"{kind}: states {state_sizes(model)}")
        seconds, reducer = train(model, text, test, steps)
        early, late = seconds[: steps // 4], seconds[steps // 2 + 1 :]
        print(f"a step took {np.median(early):.3f} s, takes {np.median(late):.3f} s")
        print(f"cuts took {sum(event.seconds for event in reducer.events):.2f} s")
        folder = options.folder / kind
        model.save_pretrained(folder)
        print(f"states {state_sizes(model)}, bits {bits(model, test)!r}")
        print("in a new process:", flush=True)
        again = [sys.executable, __file__, str(folder), "--evaluate", kind]
        subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
