"""What a probe finds: the same scores under several conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from phosphene.evaluate.score import Score, Unavailable


@dataclass(frozen=True)
class Finding:
    """A table of scores. A condition that lacks a score has none of that name.

    Attributes:
        title: what was asked of what, such as ``ambiguous: which picture is shown``.
        rows: condition (right, swapped, blank ...) to its scores, in the order of reading.
        note: how to read the numbers: what is chance, what a model that does not look would get.
    """

    title: str
    rows: Mapping[str, tuple[Score | Unavailable, ...]]
    note: str = ""

    def score(self, condition: str, name: str) -> Score:
        """One of the scores.

        Raises:
            KeyError: there is none of this name.
        """
        for score in self.rows[condition]:
            if score.name == name and isinstance(score, Score):
                return score
        raise KeyError(f"{self.title}: no {name!r} under {condition!r}")

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "title": self.title,
            "rows": {name: [asdict(score) for score in row] for name, row in self.rows.items()},
            "note": self.note,
        }

    @classmethod
    def restore(cls, record: Mapping[str, Any]) -> Finding:
        """What :meth:`record` made."""
        return cls(
            record["title"],
            {name: tuple(map(_score, row)) for name, row in record["rows"].items()},
            record["note"],
        )


def _score(record: Mapping[str, Any]) -> Score | Unavailable:
    return Unavailable(**record) if "reason" in record else Score(**record)


__all__ = ["Finding"]
