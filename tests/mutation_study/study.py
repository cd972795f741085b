"""Trying the references and every defect, on several processes."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import torch

from tests.mutation_study.defect import Defect
from tests.mutation_study.ledger import Ledger, Trials
from tests.mutation_study.subjects import FEW, found

__all__ = ["study"]


def tried(subject: str, defect: Defect | None, seeds: int, most: int) -> Trials:
    """Try a defect with every seed; references get all examples of all checks."""
    few = most if defect is None else FEW
    return [found(subject, defect, seed, most, few) for seed in range(seeds)]


def quiet() -> None:
    """Prepare a process: one thread, and no warnings of what defects do."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def study(
    tasks: list[tuple[str, Defect | None]], ledger: Ledger, workers: int
) -> Iterator[tuple[str, Defect | None, Trials]]:
    """Yield what was found for each task, in the order in which they are done."""
    left = []
    for subject, defect in tasks:
        known = ledger.get(subject, defect)
        if known is None:
            left.append((subject, defect))
        else:
            yield subject, defect, known
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=quiet
    ) as pool:
        running = {
            pool.submit(tried, *task, ledger.seeds, ledger.examples): task
            for task in left
        }
        for done in as_completed(running):
            subject, defect = running[done]
            ledger.put(subject, defect, done.result())
            yield subject, defect, done.result()
