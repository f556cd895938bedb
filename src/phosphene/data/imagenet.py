"""What the published classifiers name: the 1,000 classes of ImageNet (ILSVRC 2012)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from phosphene.data.lines import read_lines


@cache
def imagenet_classes() -> tuple[str, ...]:
    """A WordNet name of each class, in the order of every published network's output.

    Two classes are called *crane*: the bird (134) and the machine (517).
    """
    return tuple(read_lines(Path(__file__).with_name("imagenet.txt")))


__all__ = ["imagenet_classes"]
