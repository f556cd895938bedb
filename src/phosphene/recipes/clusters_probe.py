"""The probe ``clusters``: a map of features and the pictures they stand for, and a number."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.data.world.splits import swapped
from phosphene.evaluate.probes.clusters import k_means, mutual_information, principal_axes
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.incongruent import mean_scores
from phosphene.evaluate.score import Score
from phosphene.recipes.probe import Answer, Asked
from phosphene.report.model import Point, Scatter

_CLUSTERS: Final = 8
_DRAWN: Final = 48
_SIDE: Final = 44
_NOTE: Final = (
    "agreement of the clusters of one kind with those of the other: normalised mutual information "
    "of two k-means clusterings, 1 where they are the same; shuffled is what chance gives"
)


@dataclass(frozen=True)
class FeatureMap:
    """Features of two kinds, row by row about the same picture."""

    name: str
    kind: str
    """Of ``features``; those of ``pictured`` are the pictures' own."""
    features: Float[np.ndarray, "point feature"]
    pictured: Float[np.ndarray, "point feature"]
    labels: Sequence[str]
    """What each picture shows."""
    pictures: Sequence[bytes | None]
    """PNG files."""


def thumbnail(picture: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A small PNG file."""
    stream = io.BytesIO()
    small = Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    small.save(stream, format="PNG")
    return stream.getvalue()


def ask_clusters(maps: Sequence[FeatureMap], asked: Asked) -> Answer:
    """A finding and a map of each.

    Raises:
        InputError: there are too few pictures to form clusters.
    """
    usable = [each for each in maps if len(each.labels) >= 2 * _CLUSTERS]
    if not usable:
        raise InputError(f"clusters: expected at least {2 * _CLUSTERS} test examples with pictures")
    return Answer(
        tuple(_finding(each, asked.seeds) for each in usable), tuple(_map(each) for each in usable)
    )


def _finding(found: FeatureMap, seeds: int) -> Finding:
    own, shuffled = [], []
    for seed in range(1, seeds + 1):
        ours, theirs = (
            k_means(points - points.mean(axis=0), _CLUSTERS, seed)
            for points in (found.features, found.pictured)
        )
        order = np.array(swapped(len(ours), seed))
        own.append([_agreement(mutual_information(ours, theirs), len(ours))])
        shuffled.append([_agreement(mutual_information(ours[order], theirs), len(ours))])
    rows = {found.kind: tuple(mean_scores(own)), "shuffled": tuple(mean_scores(shuffled))}
    return Finding(f"{found.name}: {found.kind} and pictures", rows, _NOTE)


def _agreement(value: float, count: int) -> Score:
    return Score("agreement of clusters", value, f"NMI|clusters:{_CLUSTERS}|points:{count}")


def _map(found: FeatureMap) -> Scatter:
    """The first points on the pictures' first two principal components, each kind centred."""
    _, axes = principal_axes(found.pictured)
    points = []
    for kind, vectors, pictured in (
        ("picture", found.pictured, True),
        (found.kind, found.features, False),
    ):
        places = (vectors - vectors.mean(axis=0)) @ axes.T
        places /= max(float(places.std()), 1e-12)
        points += [
            Point(
                float(x), float(y), kind, found.labels[row],
                found.pictures[row] if pictured else None,
            )
            for row, (x, y) in enumerate(places[:_DRAWN].tolist())
        ]  # fmt: skip
    return Scatter(
        f"{found.name}: {found.kind} and pictures",
        tuple(points),
        "Principal components of the pictures' features; each kind centred and scaled by itself.",
    )


__all__ = ["FeatureMap", "ask_clusters", "thumbnail"]
