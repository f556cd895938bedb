"""What a classifier answers to its examples in three views, stored once or computed again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.runlog import RunLog
from phosphene.core.types import Batch
from phosphene.data.classification_data import ClassificationData
from phosphene.data.store import Producer, Store, StoreWriter
from phosphene.data.views import Drop, DropSetting, views
from phosphene.models.answerer import Answerer, AnswererTrace

_HALF: Final = ("pooled", "states")
_EXAMPLES_AT_ONCE: Final = 64


def answer_views(
    model: Answerer, batch: Batch, drop: Drop
) -> tuple[AnswererTrace, Float[Tensor, "batch view label"]]:
    """The trace of both modalities together, and the logits of all views."""
    seen = views(batch, drop)
    trace: AnswererTrace = model(seen.both)
    logits = [trace.logits, model(seen.image).logits, model(seen.text).logits]
    return trace, torch.stack(logits, dim=1)


@final
class OnlineAnswers:
    """Computes a teacher's answers whenever they are asked for.

    Args:
        teacher: in evaluation mode.
        data: the examples that may be asked for, as the teacher reads them.
        drop: how a modality is left out.
        layers: whose [CLS] is wanted, from 1; without any neither states nor the pooled state are
            given.
    """

    def __init__(
        self, teacher: Answerer, data: ClassificationData, drop: Drop, layers: Sequence[int] = ()
    ) -> None:
        self.teacher = teacher
        self.data = data
        self.drop = drop
        self.layers = tuple(layers)
        self._rows = {example.id: row for row, example in enumerate(data.examples)}

    @torch.no_grad()
    def read(self, ids: Iterable[str], names: Sequence[str] = ()) -> list[dict[str, Tensor]]:
        """Entries as in a store, in float32."""
        rows = np.array([self._rows[name] for name in ids])
        device = self.teacher.classifier.weight.device
        trace, answered = answer_views(self.teacher, self.data.batch(rows).to(device), self.drop)
        logits = answered.cpu().float()
        if not self.layers:
            return [{"logits": each} for each in logits]
        first = [trace.encoder.layers[layer][:, 0] for layer in self.layers]
        states, pooled = torch.stack(first, dim=1).cpu().float(), trace.pooled.cpu().float()
        return [
            {"logits": logits[row], "states": states[row], "pooled": pooled[row : row + 1]}
            for row in range(len(rows))
        ]


def store_answers(online: OnlineAnswers, folder: Path, dropped: DropSetting, log: RunLog) -> Store:
    """Put the answers to all examples into a store; what is there already is not computed again.

    Logits are kept in float32, states in float16.

    Args:
        online: the teacher.
        folder: where the store is or will be.
        dropped: the name of ``online.drop``.
        log: shows progress, and is told the bytes of an example.

    Raises:
        InputError: the store there is of another teacher or other examples, or damaged.
    """
    producer = producer_of(online, dropped)
    ids = [example.id for example in online.data.examples]
    half = _HALF if online.layers else ()
    with StoreWriter(folder, producer, half=half, wait=log.say) as writer:
        missing = writer.missing(ids)
        done = len(ids) - len(missing)
        with log.progress("teacher's answers", len(ids), done) as advance:
            for first in range(0, len(missing), _EXAMPLES_AT_ONCE):
                names = missing[first : first + _EXAMPLES_AT_ONCE]
                for name, entry in zip(names, online.read(names), strict=True):
                    writer.add(name, entry)
                advance(done + first + len(names))
    store = Store(folder, producer)
    each = {name: round(size, 1) for name, size in store.bytes_per_entry().items()}
    log.event("cache", 0, "store", examples=len(store), bytes_per_example=each)
    log.say(f"teacher's answers: {len(store):,} examples, {sum(each.values()):,.0f} bytes each")
    return store


def producer_of(online: OnlineAnswers, dropped: DropSetting) -> Producer:
    """Who answers: weights, what it reads, and how a modality is left out."""
    settings = json.dumps([dropped, online.layers, online.data.digest()])
    return Producer.of("answers of a teacher in three views", online.teacher.state_dict(), settings)


__all__ = ["OnlineAnswers", "answer_views", "producer_of", "store_answers"]
