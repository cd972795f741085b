"""Runs side by side, each in a process of its own, in an order that they allow.

**Why processes.** Measured on two cores with sMNIST (batch 50, length 784, 8 channels),
steps a second of several seeds: two processes of one thread each 1.5 times (256 states)
and 1.7 times (28 states) those of one process; one process with two threads 1.2 and
1.0 times; three seeds stacked into one batch 0.9 and 1.2 times. Cuts leave every seed
with its own number of states, too.
"""

import functools
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from hankelcut._errors import HankelcutError, WorkerError
from hankelcut.experiments.methods import RunId
from hankelcut.experiments.perform_run import Workplace, perform_run
from hankelcut.experiments.tasks import Task, load_task
from hankelcut.experiments.training import Progress, ProgressCallback

__all__ = ["Failure", "perform_runs"]

RunProgress = Callable[[str, Progress | None], None]
"""Called with the name of a run and where it is; None once it is over."""


@dataclass(frozen=True)
class Failure:
    """A run that could not be finished.

    Parameters
    ----------
    run : RunId
        Which one.
    reason : str
        Why.
    """

    run: RunId
    reason: str


@dataclass(eq=False)
class _Worker:
    """A process, the connection to it, and the run that it is at."""

    process: BaseProcess
    connection: Connection
    run: RunId | None = None


@dataclass(eq=False)
class _Queue:
    """Runs that are not done, and what became of those that are."""

    waiting: list[RunId]
    progress: RunProgress | None
    done: set[RunId] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)

    def next(self) -> RunId | None:
        """Take the first run whose needs are finished; drop those that cannot be."""
        failed = {failure.run for failure in self.failures}
        for run in list(self.waiting):
            lost = [other for other in run.needs if other in failed]
            if lost:
                self.waiting.remove(run)
                self.finish(run, f"needs {lost[0].name}, which could not be finished")
                return self.next()
            if all(other in self.done for other in run.needs):
                self.waiting.remove(run)
                return run
        return None

    def tell(self, run: RunId, where: Progress | None) -> None:
        """Tell where a run is."""
        if self.progress is not None:
            self.progress(run.name, where)

    def finish(self, run: RunId, reason: str | None) -> None:
        """Note that a run is done, or why it could not be."""
        if reason is None:
            self.done.add(run)
        else:
            self.failures.append(Failure(run, reason))
        self.tell(run, None)


def perform_runs(
    runs: Sequence[RunId],
    place: Workplace,
    *,
    n_workers: int,
    progress: RunProgress | None = None,
) -> list[Failure]:
    """Finish runs, several at once.

    Parameters
    ----------
    runs : sequence of RunId
        The runs, each behind what it needs.
    place : Workplace
        Where they are.
    n_workers : int
        Number of processes, with one thread each; 1 takes this process as it is.
    progress : callable, optional
        Takes the name of a run and its `Progress`, None once it is over.

    Returns
    -------
    list of Failure
        The runs that could not be finished, for a reason of their own, such as a
        divergence, and those that need them.

    Raises
    ------
    DataError
        If the task's data are missing or damaged.
    WorkerError
        If a process dies. What is finished stays, and so do the checkpoints.
    """
    queue = _Queue(list(runs), progress)
    # Here too, so that missing files are told before anything begins.
    task = load_task(place.recipe.task, data=place.data, pooling=place.recipe.pooling)
    if n_workers > 1:
        with _workers(n_workers, place) as workers:
            _serve(queue, workers)
        return queue.failures
    while (run := queue.next()) is not None:
        queue.finish(
            run, _attempt(run, place, task, functools.partial(queue.tell, run))
        )
    return queue.failures


def _attempt(
    run: RunId, place: Workplace, task: Task, progress: ProgressCallback
) -> str | None:
    """Perform a run; return why it could not be finished, if so."""
    try:
        perform_run(run, place, task, progress)
    except (HankelcutError, ValueError) as error:
        # ValueError: a method that the recipe's layer or data cannot have.
        return str(error)
    return None


@contextmanager
def _workers(count: int, place: Workplace) -> Iterator[list[_Worker]]:
    """Start processes, and end them whatever happens."""
    context = multiprocessing.get_context("spawn")
    workers = []
    try:
        for _ in range(count):
            own, other = context.Pipe()
            process = context.Process(target=_work, args=(other, place), daemon=True)
            process.start()
            other.close()
            workers.append(_Worker(process, own))
        yield workers
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.join()
            worker.connection.close()


def _serve(queue: _Queue, workers: list[_Worker]) -> None:
    """Give runs to idle workers and take their messages until nothing is left."""
    while True:
        for worker in workers:
            if worker.run is None and (run := queue.next()) is not None:
                worker.run = run
                worker.connection.send(run)
        busy = [worker for worker in workers if worker.run is not None]
        if not busy:
            return
        ready = wait([worker.connection for worker in busy])
        for worker in busy:
            if worker.connection in ready:
                _take_message(queue, worker)


def _take_message(queue: _Queue, worker: _Worker) -> None:
    """Take one message of a worker: where its run is, or what became of it."""
    run = worker.run
    assert run is not None  # noqa: S101 - only busy workers send
    try:
        message = worker.connection.recv()
    except (EOFError, ConnectionResetError) as error:
        worker.process.join()
        msg = (
            f"the process of the run {run.name} ended with exit code "
            f"{worker.process.exitcode}; start again to go on where it was"
        )
        raise WorkerError(msg) from error
    if isinstance(message, Progress):
        queue.tell(run, message)
        return
    worker.run = None
    queue.finish(run, message)


def _work(connection: Connection, place: Workplace) -> None:
    """Perform the runs that come, in a process of its own."""
    # An interruption from the keyboard is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    task = load_task(place.recipe.task, data=place.data, pooling=place.recipe.pooling)
    while True:
        try:
            run = connection.recv()
        except EOFError:
            return
        connection.send(_attempt(run, place, task, connection.send))
