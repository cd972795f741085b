"""What was tried already, kept in a file, so that a study can be stopped and go on."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import hankelcut
from tests.mutation_study.defect import Defect, mutated_source
from tests.mutation_study.subjects import SUBJECTS, Finding

__all__ = ["Ledger", "Trials"]

Trials = list[Finding | None]
"""What caught a defect, seed by seed."""


class Ledger:
    """Findings by the sources and options that they depend on, one JSON line each."""

    def __init__(self, path: Path, seeds: int, examples: int) -> None:
        self.seeds, self.examples = seeds, examples
        self._path = path
        self._options = f"{seeds} seeds, {examples} examples"
        package = sorted(Path(str(hankelcut.__file__)).parent.rglob("*.py"))
        own = sorted(Path(__file__).parent.glob("*.py"))
        self._package = _digest(
            *(source.read_text("utf-8") for source in package + own)
        )
        self._known: dict[str, Trials] = {}
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        for line in lines:
            self._read(line)

    def get(self, subject: str, defect: Defect | None) -> Trials | None:
        """Return what is known of a defect, or of the references, if anything."""
        return self._known.get(self._key(subject, defect))

    def put(self, subject: str, defect: Defect | None, trials: Trials) -> None:
        """Keep what was found."""
        key = self._key(subject, defect)
        self._known[key] = trials
        found = [asdict(finding) if finding else None for finding in trials]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            # The first line break ends what a study may have left unfinished.
            file.write("\n" + json.dumps({"key": key, "found": found}) + "\n")

    def _read(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            # A study that was stopped while it wrote.
            return
        self._known[entry["key"]] = [
            Finding(**found) if found else None for found in entry["found"]
        ]

    def _key(self, subject: str, defect: Defect | None) -> str:
        source = mutated_source(SUBJECTS[subject][0], defect)
        return _digest(self._package, self._options, subject, source)


def _digest(*texts: str) -> str:
    whole = hashlib.sha256()
    for text in texts:
        whole.update(text.encode() + b"\0")
    return whole.hexdigest()
