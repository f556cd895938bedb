"""What the probes of all recipes share: what is asked, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phosphene.core.runlog import RunLog
from phosphene.evaluate.probes.finding import Finding
from phosphene.report.model import Figure

SEEDS: Final = 3
"""Draws where nobody says how many."""


@dataclass(frozen=True)
class Asked:
    """How a probe is to be run."""

    log: RunLog
    seeds: int = SEEDS
    """Draws of whatever is drawn: swapped pictures, shuffled captions, untrained controls."""
    split: str | None = None
    """One test split instead of all."""
    lists: Path | None = None
    """``lexical``: a list of ambiguous words in the MLT format."""
    images: Path | None = None
    """``contrastive``: the folder of the CoMMuTE images."""
    examples: int = 1
    """``attention``: sentences that are drawn."""


@dataclass(frozen=True)
class Answer:
    """What a probe found, and what it drew."""

    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...] = ()


Probe = Callable[[Any, Any, Asked], Answer]
"""Of what a recipe's ``train`` leaves behind and its settings. Each recipe types its own."""
Fitting = Mapping[str, Probe | str]
"""By name: the probes that fit a run, and of those that its settings rule out why."""

__all__ = ["SEEDS", "Answer", "Asked", "Fitting", "Probe"]
