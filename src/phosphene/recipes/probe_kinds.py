"""Which probes there are, whom each asks, and what it may be told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from phosphene.core.errors import InputError
from phosphene.recipes.probe import Asked, Fitting, Option, Probe


@dataclass(frozen=True)
class Kind:
    """A question to a finished run."""

    asks: str
    """In a line."""
    subject: str
    """Whom it asks: why it fits no run of the other recipes."""
    takes: frozenset[Option] = frozenset({"split"})
    """The options that it heeds; one that asks about no test split takes none of them."""


_DRAWS: Final = frozenset[Option]({"seeds", "split"})
"""What a probe takes that draws something: as many times as it is told."""
_TRANSLATOR: Final = "a translator"
_FEATURES: Final = "features that stand for pictures"
_CLASSIFIER: Final = "a classifier of pictures with texts"
PROBES: Final[Mapping[str, Kind]] = {
    "incongruent": Kind(
        "is the picture used? right, swapped, blank and no picture beside each other",
        "a system that may be shown pictures",
        _DRAWS,
    ),
    "retrieval": Kind(
        "does a generated feature find its own photo? R@K, chance and binomial limits",
        _FEATURES,
        _DRAWS,
    ),
    "contrastive": Kind(
        "CoMMuTE: does the picture's translation cost less than the other one?",
        _TRANSLATOR,
        frozenset({"images"}),
    ),
    "degrade": Kind(
        "what is lost without colours, depicted things, nouns, people, or random words",
        _TRANSLATOR,
        _DRAWS,
    ),
    "lexical": Kind(
        "are words translated rightly that have several translations (MLT lists)?",
        _TRANSLATOR,
        frozenset({"split", "lists"}),
    ),
    "attention": Kind(
        "heat maps of who attends to which regions, by layer and head",
        "a system that attends to regions",
    ),
    "clusters": Kind(
        "a map of features with their pictures, and how well they cluster",
        _FEATURES,
        _DRAWS,
    ),
    "lambda": Kind(
        "where the learned weight of the modality loss is high, by class of word",
        "the weight of a modality loss",
    ),
    "alignment": Kind(
        "how alike a picture's and its sentence's vectors are, before and after training",
        "vectors that pictures and sentences share",
        frozenset(),
    ),
    "tokens": Kind(
        "do the student's words lie where the teacher's do? nearest centroid",
        "a student of questions and its teacher",
        frozenset(),
    ),
    "consistency": Kind(
        "how often student and teacher say the same, and beyond chance",
        _CLASSIFIER,
        _DRAWS,
    ),
    "density": Kind(
        "how probabilities are distributed, over examples of one kind of answer",
        _CLASSIFIER,
    ),
    "density-all": Kind(
        "how probabilities are distributed, over all examples",
        _CLASSIFIER,
    ),
    "divergence": Kind(
        "KL from the teacher's answers to the student's, view by view",
        _CLASSIFIER,
    ),
    "views": Kind(
        "how good the classifier is with one modality alone",
        _CLASSIFIER,
    ),
    "weights": Kind(
        "how much weight each view has, example by example",
        _CLASSIFIER,
        frozenset(),
    ),
}


def fitting_of(recipe: str, settings: Any) -> Fitting:
    """What a recipe says of probes to runs with ``settings``."""
    fitting: Fitting = import_module(f"phosphene.recipes.{recipe}_probes").fitting(settings)
    return fitting


def fitting_probes(fitting: Fitting) -> dict[str, Probe]:
    """Those that fit."""
    return {name: each for name, each in fitting.items() if not isinstance(each, str)}


def fitted(name: str, recipe: str, fitting: Fitting, where: str) -> Probe:
    """The probe called ``name``, one of ``PROBES``, of a run of ``recipe``.

    Args:
        name: of the probe.
        recipe: of the run.
        fitting: what the recipe says of probes to this run.
        where: it is asked, for the error.

    Raises:
        InputError: it does not fit; says why, and names those that do.
    """
    found = fitting.get(name, f"it asks {PROBES[name].subject}")
    if isinstance(found, str):
        raise InputError(
            f"{where}: probe '{name}' does not fit this run of {recipe}: {found}; "
            f"these do: {', '.join(sorted(fitting_probes(fitting)))}"
        )
    return found


def check_options(name: str, asked: Asked) -> None:
    """See that a probe heeds every option that was given.

    Raises:
        InputError: it does not; names the probes that do.
    """
    for option in sorted(asked.given - PROBES[name].takes):
        heeding = ", ".join(other for other, kind in PROBES.items() if option in kind.takes)
        raise InputError(f"--{option}: probe '{name}' does not take it; these do: {heeding}")


def share_of(name: str, names: Collection[str], asked: Asked) -> Asked:
    """What is asked of one of several probes: what only another one heeds is not for it."""
    read = frozenset[Option]().union(*(PROBES[other].takes for other in names)) - {"split"}
    return asked.without(read - PROBES[name].takes)


__all__ = [
    "PROBES",
    "Kind",
    "check_options",
    "fitted",
    "fitting_of",
    "fitting_probes",
    "share_of",
]
