"""Run the study and write docs/validation.md.

What is done is kept in runs/mutation-study.jsonl, by the sources that it depends on: a
study that was stopped goes on where it was.
"""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

from tests.mutation_study.defect import Defect
from tests.mutation_study.defects import DEFECTS
from tests.mutation_study.ledger import Ledger, Trials
from tests.mutation_study.page import PAGE, page
from tests.mutation_study.study import study

LEDGER = Path(__file__).parents[2] / "runs" / "mutation-study.jsonl"


def arguments() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation_study")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each defect")
    parser.add_argument("--examples", type=int, default=100, help="of each check")
    parser.add_argument("--only", default="", help="part of a title or of a subject")
    cores = os.cpu_count() or 1
    parser.add_argument("--workers", type=int, default=cores, help="processes")
    return parser.parse_args()


def main() -> None:
    """Try the references and every defect, and write the page."""
    options = arguments()
    chosen = [d for d in DEFECTS if options.only in f"{d.subject}: {d.title}"]
    subjects = dict.fromkeys(defect.subject for defect in chosen)
    tasks: list[tuple[str, Defect | None]] = [(subject, None) for subject in subjects]
    tasks += [(defect.subject, defect) for defect in chosen]
    ledger = Ledger(LEDGER, options.seeds, options.examples)
    results: dict[Defect, Trials] = {}
    blamed = []
    begun = time.perf_counter()
    for k, (subject, defect, trials) in enumerate(
        study(tasks, ledger, options.workers)
    ):
        caught = sum(finding is not None for finding in trials)
        title = "without a defect" if defect is None else defect.title
        checks = ", ".join(Counter(finding.check for finding in trials if finding))
        seconds = time.perf_counter() - begun
        head = f"[{k + 1}/{len(tasks)}, {seconds:.0f} s] {caught}/{len(trials)}"
        print(f"{head}  {subject}: {title} ({checks or 'no check fails'})", flush=True)
        if defect is not None:
            results[defect] = trials
        elif caught:
            blamed.append(subject)
    everything = sum(all(trials) for trials in results.values())
    print(f"{everything} of {len(results)} defects are caught with every seed")
    if blamed:
        sys.exit(f"checks fail for what is right: {', '.join(blamed)}; no page written")
    if not options.only:
        text = page(
            [(defect, results[defect]) for defect in DEFECTS],
            seeds=options.seeds,
            most=options.examples,
        )
        PAGE.write_text(text, encoding="utf-8")
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
