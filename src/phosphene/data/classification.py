"""What a picture with a sentence is called: examples, their labels, and what may be wrong.

The readers are in :mod:`phosphene.data.classification_readers`, the embedded world's tasks in
:mod:`phosphene.data.classification_world`, batches in :mod:`phosphene.data.classification_data`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from phosphene.core.errors import InputError

Row = TypeVar("Row")


@dataclass(frozen=True)
class LabelSet:
    """What an example may be called: exactly one of ``names``, or with ``many`` any number."""

    names: tuple[str, ...]
    many: bool = False


@dataclass(frozen=True)
class Example:
    """A picture, a sentence or both, and what they are called.

    Attributes:
        id: unique within a data set.
        text: empty where there is none.
        labels: in the order of the label set; exactly one unless any number may hold.
        image: the picture; ``None`` where there is none, or where it is drawn.
        place: the file and row it was read from, for messages.
    """

    id: str
    text: str
    labels: tuple[str, ...]
    image: Path | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class Examples:
    """What was read, and one line for every row that was left out."""

    examples: tuple[Example, ...]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)


def collect(
    rows: Iterable[tuple[Row, str]],
    parse: Callable[[Row, str], Example],
    labels: LabelSet,
    path: Path,
    keep_going: bool,
) -> Examples:
    """Every row of a file as an example.

    Args:
        rows: each with its place, for messages.
        parse: from a row and its place to an example.
        labels: what examples may be called.
        path: of the file.
        keep_going: leave out rows that are wrong instead of ending with the first.

    Raises:
        InputError: a row that is wrong, an id that is used twice, no example at all.
    """
    found: dict[str, Example] = {}
    skipped: list[str] = []
    for row, place in rows:
        try:
            example = _checked(parse(row, place), labels)
            if example.id in found:
                raise InputError(
                    f"{place}: id {example.id!r} is already used in {found[example.id].place}"
                )
        except InputError as error:
            if not keep_going:
                raise
            skipped.append(str(error))
            continue
        found[example.id] = example
    if not found:
        raise InputError(f"{path}: no example that can be used ({len(skipped)} left out)")
    return Examples(tuple(found.values()), tuple(skipped))


def check_classes(examples: Examples, labels: LabelSet, path: Path) -> None:
    """A class without a training example cannot be learned.

    Raises:
        InputError: there is one.
    """
    seen = {label for example in examples.examples for label in example.labels}
    empty = [name for name in labels.names if name not in seen]
    if empty:
        raise InputError(f"{path}: class {empty[0]!r} has no example ({len(empty)} such classes)")


def _checked(example: Example, labels: LabelSet) -> Example:
    if not example.text and example.image is None:
        raise InputError(f"{example.place}: an example with neither text nor image")
    for label in example.labels:
        if label not in labels.names:
            known = ", ".join(labels.names[:8]) + (", ..." if len(labels.names) > 8 else "")
            raise InputError(
                f"{example.place}: label {label!r} is outside the set, expected one of {known}"
            )
    if len(set(example.labels)) < len(example.labels):
        raise InputError(f"{example.place}: a label is given twice")
    if not labels.many and len(example.labels) != 1:
        raise InputError(
            f"{example.place}: {len(example.labels)} labels, but the task has exactly one per "
            "example"
        )
    return example


__all__ = ["Example", "Examples", "LabelSet", "check_classes", "collect"]
