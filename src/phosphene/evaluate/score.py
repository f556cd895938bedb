"""A number and how it was computed, which belong together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Score:
    """One number of one system. Two scores may be compared when their signatures are equal."""

    name: str
    """What a table calls it, such as ``BLEU tokenised``."""
    value: float
    """On the metric's usual scale: BLEU, chrF and METEOR from 0 to 100."""
    signature: str
    """Everything the value depends on besides the texts: references, case, tokeniser, version."""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a score needs a name")
        if not self.signature.strip():
            raise ValueError(f"{self.name}: a number without a signature is not a score")
        if not math.isfinite(self.value):
            raise ValueError(f"{self.name}: {self.value} is not a number that can be reported")


@dataclass(frozen=True)
class Unavailable:
    """A score that could not be computed here, and why: a report says so instead of leaving it out.

    ``reason`` reads after a colon, such as ``unavailable: java is not installed``.
    """

    name: str
    reason: str


def as_record(score: Score) -> Mapping[str, str | float]:
    """The score as a mapping for JSON."""
    return asdict(score)


__all__ = ["Score", "Unavailable", "as_record"]
