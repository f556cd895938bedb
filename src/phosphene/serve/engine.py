"""Translate with a run's model folder: no training code, and no picture where none is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from phosphene.core.errors import InputError
from phosphene.models.folder import load_translator, model_kind
from phosphene.models.pipeline import Pipeline
from phosphene.models.search import SearchConfig
from phosphene.models.search import translate as search
from phosphene.models.vlfolder import KIND as VL_TRANSLATOR
from phosphene.models.vlfolder import load_vl_translator

_CHARACTERS = 16_384
"""Padded source characters of one batch, at the least some thousand tokens."""

LOADERS: dict[str, Callable[[Path], Pipeline]] = {
    "translator": load_translator,
    VL_TRANSLATOR: load_vl_translator,
}
"""How to load each kind of model folder."""


@dataclass(frozen=True)
class Request:
    """A sentence to translate."""

    source: str
    picture: Path | None = None


@dataclass(frozen=True)
class Translation:
    """A source line and its translation."""

    source: str
    translation: str
    score: float
    """Length-normalised log-probability; 0 for an empty line."""

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Engine:
    """A loaded model folder that translates."""

    def __init__(self, pipeline: Pipeline, config: SearchConfig) -> None:
        self.pipeline = pipeline
        self.config = config

    def translate(self, requests: Sequence[Request]) -> list[Translation]:
        """Translate sentences, in order. An empty one stays empty.

        Raises:
            InputError: a picture is missing or damaged.
        """
        found = {row: Translation(one.source, "", 0.0) for row, one in enumerate(requests)}
        lengths = [len(request.source.strip()) for request in requests]
        for rows in _batches(lengths):
            batch = self.pipeline.batch(
                [requests[row].source for row in rows], [requests[row].picture for row in rows]
            )
            hypotheses = search(self.pipeline.model, batch, self.config)
            for row, best in zip(rows, hypotheses, strict=True):
                text = self.pipeline.text(best[0].ids)
                found[row] = Translation(requests[row].source, text, best[0].score)
        return [found[row] for row in range(len(requests))]


def open_engine(run: Path, config: SearchConfig) -> Engine:
    """The engine of a run folder, or of a model folder itself.

    Raises:
        InputError: there is no model, or it does not translate.
    """
    folder = run / "model" if (run / "model").is_dir() else run
    kind = model_kind(folder)
    if kind not in LOADERS:
        raise InputError(f"{folder}: a model of kind '{kind}' does not translate")
    return Engine(LOADERS[kind](folder), config)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows that are not empty in order of length, as many together as fit."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if batch and (len(batch) + 1) * lengths[row] > _CHARACTERS:
            yield batch
            batch = []
        if lengths[row]:
            batch.append(row)
    if batch:
        yield batch
