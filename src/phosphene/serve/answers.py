"""Answer questions about pictures with a run's model folder: one, or a file of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn import functional as F

from phosphene.core.errors import InputError
from phosphene.data.image import existing_picture
from phosphene.data.lines import read_lines
from phosphene.data.records import member, member_text, parse_json
from phosphene.models.answerer_folder import AnswererFolder, Request, load_answerer

_TOGETHER: Final = 32
_KEYS: Final = ("id", "question", "image", "boxes", "tags")


@dataclass(frozen=True)
class Answer:
    """A question and its answer."""

    question: str
    answer: str
    probability: float

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class AnswerEngine:
    """A loaded model folder that answers."""

    def __init__(self, folder: AnswererFolder) -> None:
        self.folder = folder

    @torch.inference_mode()
    def answer(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Answer questions, in order.

        Raises:
            InputError: a picture is missing or damaged, or a box lies outside it.
        """
        for first in range(0, len(requests), _TOGETHER):
            part = requests[first : first + _TOGETHER]
            shares = F.softmax(self.folder.model(self.folder.batch(part)).logits, dim=1)
            best, label = shares.max(dim=1)
            for request, share, row in zip(part, best.tolist(), label.tolist(), strict=True):
                yield Answer(request.question, self.folder.vocabulary.answers[row], share)


def open_answers(run: Path) -> AnswerEngine:
    """The engine of a run folder, or of a model folder itself.

    Raises:
        InputError: there is no model, or it does not answer questions.
    """
    return AnswerEngine(load_answerer(run / "model" if (run / "model").is_dir() else run))


def one_request(question: str, image: Path | None) -> Request:
    """A question from the command line.

    Raises:
        InputError: it is empty, or there is no such picture.
    """
    if not question.strip():
        raise InputError("--question: expected a question")
    return Request(question, None if image is None else existing_picture(image, "--image"))


def read_requests(path: Path) -> list[Request]:
    """Questions as JSON lines.

    Keys: ``question``; optional are ``image`` (a file, relative to the folder of ``path``),
    ``boxes``, ``tags`` and ``id``.

    Raises:
        InputError: bad JSON, a missing, unknown or ill-typed key, an id twice, a missing picture.
    """
    requests: list[Request] = []
    places: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        place = f"{path}:{number}"
        row = parse_json(line, place)
        if not isinstance(row, dict):
            raise InputError(f"{place}: expected a JSON object with the key 'question'")
        unknown = sorted(row.keys() - set(_KEYS))
        if unknown:
            raise InputError(f"{place}: unknown key {unknown[0]!r}, expected {', '.join(_KEYS)}")
        if "id" in row:
            identifier = member_text(row, "id", place)
            if identifier in places:
                raise InputError(f"{place}: id {identifier!r} is already in {places[identifier]}")
            places[identifier] = place
        requests.append(_request(row, path.parent, place))
    return requests


def _request(row: Mapping[str, Any], folder: Path, place: str) -> Request:
    image = None
    if row.get("image") is not None:
        image = existing_picture(folder / member_text(row, "image", place), place)
    boxes = member(row, "boxes", list, place) if "boxes" in row else []
    for number, box in enumerate(boxes, start=1):
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
            raise InputError(f"{place}: box {number}: expected [x1, y1, x2, y2]")
    tags = member(row, "tags", list, place) if "tags" in row else []
    if not all(isinstance(tag, str) for tag in tags):
        raise InputError(f"{place}: 'tags': expected a list of words")
    return Request(
        member_text(row, "question", place),
        image,
        tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in boxes),
        tuple(tags),
        place,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


__all__ = ["Answer", "AnswerEngine", "one_request", "open_answers", "read_requests"]
