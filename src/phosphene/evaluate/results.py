"""Results on disk: ``results.json`` for programs, ``translations/`` for people and other tools.

``translations/SPLIT.tsv`` has a line per sentence: source, reference, hypothesis, log-likelihood.
For systems that answer it is ``answers/SPLIT.tsv``: question, gold answer, answer, log-likelihood.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.core.runlog import Signature
from phosphene.data.lines import read_lines
from phosphene.evaluate.score import Score, Unavailable
from phosphene.evaluate.system import Kind, Line, Results, SplitResult

_AGAIN: Final = "the same 'train' command scores the run again"


def write_results(folder: Path, results: Results) -> None:
    """Write ``results`` into a run folder; ``results.json`` comes last and vouches for the rest."""
    for split in results.splits:
        rows = ["\t".join([*_cells(line), repr(line.likelihood)]) for line in split.lines]
        if rows:
            text = "\n".join(rows) + "\n"
            write_atomically(folder / split.kind / f"{split.split}.tsv", text.encode())
    text = json.dumps(results_record(results), ensure_ascii=False, indent=1)
    write_atomically(folder / "results.json", text.encode())


def read_results(folder: Path) -> Results:
    """The results of a finished run.

    Raises:
        InputError: there are none, or they are damaged.
    """
    path = folder / "results.json"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a file, expected the folder of a finished run")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Results(
            record["system"],
            record["language"],
            Signature(**record["signature"]),
            tuple(
                _read_split(folder, name, {"language": record["language"], **split})
                for name, split in record["splits"].items()
            ),
        )
    except FileNotFoundError as error:
        raise InputError(f"{folder}: no results.json; expected a finished run") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged, expected the results of a run; {_AGAIN}") from error


def finished_results(folder: Path) -> Results | None:
    """The results of a run; none where it is not finished, or they are damaged."""
    try:
        return read_results(folder)
    except InputError:
        return None


def holds_results(path: Path) -> bool:
    """Whether a run's ``results.json`` is there, and it and what it vouches for can be read."""
    return finished_results(path.parent) is not None


def results_record(results: Results) -> dict[str, Any]:
    """Names, values and signatures as JSON."""
    return {
        "system": results.system,
        "language": results.language,
        "signature": results.signature.record(),
        "splits": {
            split.split: {
                "kind": split.kind,
                "language": split.language,
                "tokenised": split.tokenised,
                "sentences": split.sentences,
                "lines": len(split.lines),
                "scores": [asdict(score) for score in split.scores],
            }
            for split in results.splits
        },
    }


def _cells(line: Line) -> list[str]:
    """The texts of a line, each without the characters that separate cells and lines."""
    texts = (line.source, line.reference, line.hypothesis)
    return [text.translate({ord(character): " " for character in "\t\n\r"}) for text in texts]


def _read_split(folder: Path, name: str, record: dict[str, Any]) -> SplitResult:
    scores = tuple(
        Unavailable(**score) if "reason" in score else Score(**score) for score in record["scores"]
    )
    kind: Kind = "answers" if record.get("kind") == "answers" else "translations"
    path = folder / kind / f"{name}.tsv"
    lines: list[Line] = []
    for number, row in enumerate(read_lines(path) if path.exists() else [], start=1):
        fields = row.split("\t")
        if len(fields) != 4:
            raise InputError(f"{path}:{number}: expected 4 tab-separated fields; {_AGAIN}")
        try:
            lines.append(Line(fields[0], fields[1], fields[2], float(fields[3])))
        except ValueError as error:
            raise InputError(f"{path}:{number}: expected a number, got {fields[3]!r}") from error
    if len(lines) != record.get("lines", len(lines)):
        raise InputError(f"{path}: {len(lines)} lines, expected {record['lines']}; {_AGAIN}")
    return SplitResult(
        name,
        int(record["sentences"]),
        scores,
        tuple(lines),
        kind,
        str(record["language"]),
        bool(record.get("tokenised", True)),
    )
