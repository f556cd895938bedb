"""Translate a stream of lines: a line in, a line out, as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import IO

from phosphene.core.errors import InputError
from phosphene.models.search import SearchConfig
from phosphene.serve.engine import Engine, Request, Translation, open_engine

_LINES = 256
"""At most so many lines are read ahead and translated together."""


def translate_stream(
    run: Path,
    file: str,
    *,
    beam: int,
    images: Path | None = None,
    remark: Callable[[str], None] = lambda line: None,
) -> Iterator[Translation]:
    """Translate a text file (or ``-``, standard input) line by line, as the lines come.

    With ``images`` a line may end with a tab and the name of a picture in that folder.

    Args:
        run: a run folder.
        file: what to translate.
        beam: width of the search.
        images: folder of the pictures.
        remark: told what the user should know, such as that a model missed its pictures.

    Raises:
        InputError: no such file, model or picture, or a line that is not UTF-8; what stands before
            that line is translated.
    """
    engine = open_engine(run, SearchConfig(beam=beam))
    name = "standard input" if file == "-" else file
    blind = 0
    try:
        for request, translation in _translated(engine, _opened(file), name, images):
            blind += request.picture is None and bool(request.source.strip())
            yield translation
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from error
    if blind and engine.pipeline.needs_pictures:
        remark(f"{blind} line(s) without a picture; this model was trained to look at one")


def _opened(file: str) -> IO[bytes]:
    """A file that whoever reads it has to close."""
    if file == "-":
        # Not sys.stdin: the interpreter cannot shut down while a thread waits for a line of it.
        return open(0, "rb", closefd=False)
    return Path(file).open("rb")


def _translated(
    engine: Engine, stream: IO[bytes], name: str, images: Path | None
) -> Iterator[tuple[Request, Translation]]:
    number = 0
    for part in _waiting(stream):
        requests: list[Request] = []
        wrong: InputError | None = None
        for line in part:
            number += 1
            try:
                requests.append(_request(_text(line, name, number), images, name, number))
            except InputError as error:
                wrong = error
                break
        yield from zip(requests, engine.translate(requests), strict=True)
        if wrong is not None:
            raise wrong


def _request(text: str, images: Path | None, name: str, number: int) -> Request:
    source, tab, picture = text.rpartition("\t")
    if images is None or not tab:
        return Request(text)
    path = images / picture.strip()
    if not path.is_file():
        raise InputError(f"{name}:{number}: no picture {path}, expected sentence, tab, file name")
    return Request(source, path)


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
