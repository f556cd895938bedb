"""The states of a teacher that a student can be matched with, stored once or computed again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from torch import Tensor

from phosphene.core.runlog import RunLog
from phosphene.data.store import Producer, Store, StoreWriter
from phosphene.data.teaching import Lesson, Lessons, entry_of
from phosphene.models.answerer import Answerer
from phosphene.models.vlencoder import Spans

STATES: Final = "states"
_QUESTIONS_AT_ONCE: Final = 64


@final
class OnlineStates:
    """Computes a teacher's states whenever they are asked for.

    Args:
        teacher: in evaluation mode.
        parts: the questions that may be asked for; those of one reading are of one part.
        layers: of the teacher, from 1; 0 is the embedding output.
    """

    def __init__(self, teacher: Answerer, parts: Sequence[Lessons], layers: Sequence[int]) -> None:
        self.teacher = teacher
        self.parts = tuple(parts)
        self.layers = tuple(layers)
        self._places = {
            lesson.question.id: (lessons, row)
            for lessons in parts
            for row, lesson in enumerate(lessons.all)
        }

    @torch.no_grad()
    def read(self, ids: Iterable[str], names: Sequence[str] = ()) -> list[dict[str, Tensor]]:
        """Entries as in a store, in float32."""
        places = [self._places[name] for name in ids]
        part, rows = places[0][0], np.array([row for _, row in places])
        device = self.teacher.classifier.weight.device
        trace = self.teacher(part.teacher.batch(rows).to(device)).encoder
        chosen = torch.stack([trace.layers[layer] for layer in self.layers], dim=2).cpu().float()
        lessons = [part.all[row] for row in rows.tolist()]
        return [
            dict(entry_of(lesson, chosen[place, matched_rows(lesson, trace.spans)]))
            for place, lesson in enumerate(lessons)
        ]


def matched_rows(lesson: Lesson, spans: Spans) -> list[int]:
    """The rows of a trace that are kept of one question, in the order of an entry."""
    return [
        0,
        *(spans.tags.start + position for _, position in lesson.tags),
        *(spans.text.start + position for position in lesson.text),
        *range(spans.regions.start, spans.regions.start + lesson.regions),
    ]


def store_states(online: OnlineStates, folder: Path, log: RunLog, *, half: bool) -> Store:
    """Put the states of all questions into a store; what is there already is not computed again.

    Args:
        online: the teacher.
        folder: where the store is or will be.
        log: shows progress, and is told the bytes of a question.
        half: float16, which changes a value by less than 1e-3 of it.

    Raises:
        InputError: the store there is of another teacher or damaged.
    """
    with StoreWriter(
        folder, producer_of(online), half=[STATES] if half else [], wait=log.say
    ) as writer:
        for part in online.parts:
            _store(online, part, writer, log)
    store = Store(folder, producer_of(online))
    each = {name: round(size, 1) for name, size in store.bytes_per_entry().items()}
    log.event("cache", 0, "store", questions=len(store), bytes_per_question=each)
    log.say(f"teacher's states: {len(store):,} questions, {sum(each.values()):,.0f} bytes each")
    return store


def producer_of(online: OnlineStates) -> Producer:
    """Who computes the states: weights, layers, and both vocabularies, which decide the rows."""
    lessons = online.parts[0]
    readers = lessons.student_reader, lessons.teacher_reader
    settings = [online.layers, [each.wordpiece.entries() for each in readers]]
    lengths = [each.lengths.model_dump() for each in readers]
    return Producer.of(
        f"states of a teacher, layers {', '.join(map(str, online.layers))}",
        online.teacher.state_dict(),
        json.dumps([*settings, lengths]),
    )


def _store(source: OnlineStates, part: Lessons, writer: StoreWriter, log: RunLog) -> None:
    lessons = part.all
    missing = writer.missing(lesson.question.id for lesson in lessons)
    # Questions of similar length together: padding would be most of the work.
    row_of = {lesson.question.id: row for row, lesson in enumerate(lessons)}
    rows = sorted((row_of[name] for name in missing), key=lambda row: len(lessons[row].tokens))
    done = len(lessons) - len(missing)
    with log.progress("teacher's states", len(lessons), done) as advance:
        for first in range(0, len(rows), _QUESTIONS_AT_ONCE):
            names = [lessons[row].question.id for row in rows[first : first + _QUESTIONS_AT_ONCE]]
            for name, entry in zip(names, source.read(names), strict=True):
                writer.add(name, entry)
            advance(done + first + len(names))


__all__ = ["STATES", "OnlineStates", "matched_rows", "producer_of", "store_states"]
