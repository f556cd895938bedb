"""Labelled examples with what a teacher answered to them, view by view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import torch

from phosphene.core.types import Batch, Taught
from phosphene.data.classification_data import ClassificationData, ExampleBatches
from phosphene.data.loader import Position
from phosphene.data.teaching import States


@final
class TaughtBatches:
    """``size`` examples at a time in a seeded order, with the teacher's answers.

    Args:
        data: as the student reads it.
        answers: by example: ``logits``, and where features are compared ``states`` and ``pooled``.
        size: examples of a batch.
        seed: of the order.
    """

    def __init__(self, data: ClassificationData, answers: States, size: int, seed: int) -> None:
        self.batches = ExampleBatches(data, size, seed)
        self.answers = answers

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, Taught]]:
        """Batches from ``start`` on without end, each with the position after it."""
        for after, batch in self.batches.iterate(start, rank, processes):
            yield after, with_answers(batch, self.answers)


def with_answers(batch: Batch, answers: States) -> Taught:
    """A batch beside what the teacher answers to its examples."""
    entries = answers.read(batch.ids)
    states = pooled = None
    if "states" in entries[0]:
        states = torch.stack([entry["states"].float() for entry in entries])
        pooled = torch.cat([entry["pooled"].float() for entry in entries])
    logits = torch.stack([entry["logits"].float() for entry in entries])
    return Taught(batch, logits, states, pooled)


__all__ = ["TaughtBatches", "with_answers"]
