"""Translate with a run's model folder: no teacher, no training code, no picture needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import IO, Any

import torch

from phosphene.core.errors import InputError
from phosphene.core.types import Tokens
from phosphene.models.kinds import load_pipeline
from phosphene.models.pipeline import Pipeline
from phosphene.models.search import SearchConfig
from phosphene.models.search import translate as search

_LINES = 256
"""At most so many lines are read ahead and translated together."""
_WORDS = 2048
"""Padded source words of one batch."""


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
    """A loaded translator."""

    def __init__(self, pipeline: Pipeline, config: SearchConfig) -> None:
        self.pipeline = pipeline
        self.config = config

    def translate(self, lines: list[str]) -> list[Translation]:
        """Translate tokenised sentences, in order. An empty line stays empty."""
        found = {row: Translation(line, "", 0.0) for row, line in enumerate(lines)}
        words = [len(line.split()) for line in lines]
        rows = sorted((row for row, count in enumerate(words) if count), key=words.__getitem__)
        for batch_rows in _batches(rows, [count + 1 for count in words]):
            texts = [lines[row] for row in batch_rows]
            with torch.inference_mode():
                batch = self.pipeline.batch(texts, [None] * len(texts))
                forced = Tokens.pad([self.pipeline.forced] * len(texts))
                hypotheses = search(self.pipeline.model, batch, self.config, forced)
            for row, best in zip(batch_rows, hypotheses, strict=True):
                text = self.pipeline.text(best[0].ids)
                found[row] = Translation(lines[row], text, best[0].score)
        return [found[row] for row in range(len(lines))]


def open_engine(run: Path, config: SearchConfig) -> Engine:
    """The engine of a run folder, or of a model folder itself.

    Raises:
        InputError: there is no model, or it needs pictures.
    """
    folder = run / "model" if (run / "model").is_dir() else run
    loaded = load_pipeline(folder)
    if loaded.needs_pictures:
        raise InputError(f"{folder}: this translator needs pictures; expected an image-free one")
    return Engine(loaded, config)


def translate_stream(run: Path, file: str, *, beam: int) -> Iterator[Translation]:
    """Translate a text file (or ``-``, standard input) line by line, as the lines come.

    Raises:
        InputError: no such file, no such model, or a line that is not UTF-8; what stands before
            that line is translated.
    """
    engine = open_engine(run, SearchConfig(beam=beam))
    name = "standard input" if file == "-" else file
    try:
        yield from _translated(engine, _opened(file), name)
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from error


def _opened(file: str) -> IO[bytes]:
    """A file that whoever reads it has to close."""
    if file == "-":
        # Not sys.stdin: the interpreter cannot shut down while a thread waits for a line of it.
        return open(0, "rb", closefd=False)
    return Path(file).open("rb")


def _translated(engine: Engine, stream: IO[bytes], name: str) -> Iterator[Translation]:
    number = 0
    for part in _waiting(stream):
        texts: list[str] = []
        try:
            for line in part:
                number += 1
                texts.append(_text(line, name, number))
        except InputError:
            yield from engine.translate(texts)
            raise
        yield from engine.translate(texts)


def _waiting(stream: IO[bytes]) -> Iterator[list[bytes]]:
    """Lines as they come: at least one, and with it those that are waiting already.

    Reading goes on while a batch is translated, so a file is translated in full batches and a
    slow pipe line by line. Only the thread that reads ``stream`` may close it: while it waits for
    a line, closing would wait too.
    """
    lines: Queue[bytes | OSError | None] = Queue(maxsize=_LINES)
    left = Event()

    def read() -> None:
        with stream:
            try:
                for line in stream:
                    lines.put(line.removesuffix(b"\n").removesuffix(b"\r"))
                    if left.is_set():
                        return
            except OSError as error:
                lines.put(error)
        lines.put(None)

    Thread(target=read, daemon=True).start()
    part: list[bytes] = []
    try:
        while isinstance(line := lines.get(), bytes):
            part.append(line)
            if len(part) == _LINES or lines.empty():
                yield part
                part = []
        if part:
            yield part
    finally:  # also where whoever takes the lines leaves early
        left.set()
        while not lines.empty():
            lines.get()
    if line is not None:
        raise line


def _text(line: bytes, name: str, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")  # without a byte order mark
    except UnicodeDecodeError as error:
        raise InputError(f"{name}:{number}: not UTF-8 (byte {error.start + 1})") from error


def _batches(rows: Iterable[int], lengths: list[int]) -> Iterator[list[int]]:
    """Rows in order of length, as many together as fit."""
    batch: list[int] = []
    for row in rows:
        if batch and (len(batch) + 1) * lengths[row] > _WORDS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
