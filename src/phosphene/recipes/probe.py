"""What the probes of all recipes share: what is asked, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.evaluate.probes.finding import Finding
from phosphene.report.model import Figure

Anything = TypeVar("Anything")
Option = Literal["seeds", "split", "lists", "images"]
"""What a probe may be told; each says which of them it heeds."""
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

    @property
    def given(self) -> frozenset[Option]:
        """The options that have a value of their own."""
        values: dict[Option, object] = {
            "seeds": None if self.seeds == SEEDS else self.seeds,
            "split": self.split,
            "lists": self.lists,
            "images": self.images,
        }
        return frozenset(option for option, value in values.items() if value is not None)

    def without(self, options: Collection[Option]) -> Asked:
        """The same without some of the options."""
        return replace(
            self,
            seeds=SEEDS if "seeds" in options else self.seeds,
            split=None if "split" in options else self.split,
            lists=None if "lists" in options else self.lists,
            images=None if "images" in options else self.images,
        )


@dataclass(frozen=True)
class Answer:
    """What a probe found, and what it drew."""

    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...] = ()


Probe = Callable[[Any, Any, Asked], Answer]
"""Of what a recipe's ``train`` leaves behind and its settings. Each recipe types its own."""
Fitting = Mapping[str, Probe | str]
"""By name: the probes that fit a run, and of those that its settings rule out why."""


def chosen(tests: Mapping[str, Anything], name: str | None) -> dict[str, Anything]:
    """The split called ``name``; all of them if it is None.

    Raises:
        InputError: there is none of this name, or none at all.
    """
    if not tests:
        raise InputError("no test split to probe: there is none with the pictures that are needed")
    if name is None:
        return dict(tests)
    if name not in tests:
        raise InputError(f"no split '{name}' to probe: expected one of {', '.join(tests)}")
    return {name: tests[name]}


__all__ = ["SEEDS", "Answer", "Asked", "Fitting", "Option", "Probe", "chosen"]
