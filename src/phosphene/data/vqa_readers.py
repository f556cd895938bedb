"""Readers of visual question answering in JSON: VQA v1 and v2, Japanese Visual Genome, mVQA, own.

A picture is looked for only where its folder is given; then every question must have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from phosphene.core.errors import InputError
from phosphene.data.image import existing_picture
from phosphene.data.lines import read_lines
from phosphene.data.pharaoh import Alignment, check_link
from phosphene.data.records import json_array, json_object, member, member_text, parse_json
from phosphene.data.vqa import Question, Scoring, soft_scores, third, unique
from phosphene.data.words import split_words

_IMAGE_NAMES: Final = {
    "mscoco": "COCO_{subtype}_{number:012d}.jpg",
    "abstract_v002": "abstract_v002_{subtype}_{number:012d}.png",
}


def read_vqa(
    questions: Path,
    annotations: Path | None = None,
    images: Path | None = None,
    scoring: Scoring = third,
) -> tuple[Question, ...]:
    """VQA v1 (Antol et al., 2015) and v2 (Goyal et al., 2017), which share a format.

    The type of a question is its answer type: ``yes/no``, ``number`` or ``other``.

    Args:
        questions: ``*_questions.json``.
        annotations: ``*_annotations.json``; test sets have none, and their answers stay empty.
        images: the folder of the pictures, such as ``train2014``.
        scoring: from the ten people's answers to scores.

    Raises:
        InputError: not the format, an id twice, questions and annotations of different sets, a
            picture that is missing.
    """
    asked = json_object(questions)
    subtype = member(asked, "data_subtype", str, f"{questions}")
    name = _IMAGE_NAMES.get(member(asked, "data_type", str, f"{questions}"))
    if name is None:
        raise InputError(f"{questions}: 'data_type' must be one of {', '.join(_IMAGE_NAMES)}")
    answered = {} if annotations is None else _annotations(annotations)
    found = []
    for number, row in enumerate(member(asked, "questions", list, f"{questions}"), start=1):
        place = f"{questions}, question {number}"
        identifier = member(row, "question_id", int, place)
        image_number = member(row, "image_id", int, place)
        if annotations is not None and identifier not in answered:
            raise InputError(f"{place}: question {identifier} has no annotation in {annotations}")
        given, kind = answered.pop(identifier, ([], ""))
        found.append(
            Question(
                id=str(identifier),
                image_id=str(image_number),
                text={"en": member_text(row, "question", place)},
                answers=soft_scores(given, scoring),
                type=kind,
                image=_picture(images, name.format(subtype=subtype, number=image_number), place),
                place=place,
            )
        )
    result = unique(found)
    for identifier in answered:
        raise InputError(f"{annotations}: annotation of question {identifier}, not in {questions}")
    return result


def read_visual_genome(
    path: Path, language: str = "ja", images: Path | None = None
) -> tuple[Question, ...]:
    """Visual Genome question answers; in Japanese those of Shimizu et al. (2018).

    A full stop at the end of an answer is dropped. The cViL paper splits by picture 30 : 1 : 19
    (:func:`phosphene.data.vqa.split_by_image`) and takes the 3,000 most frequent answers, which
    cover 74.39 %.

    Raises:
        InputError: not the format, an id twice, a picture that is missing.
    """
    found = []
    for entry, picture in enumerate(json_array(path), start=1):
        rows = member(picture, "qas", list, f"{path}, picture {entry}")
        for number, row in enumerate(rows, start=1):
            place = f"{path}, picture {entry}, question {number}"
            image_number = member(row, "image_id", int, place)
            answer = member_text(row, "answer", place).rstrip("。.")
            found.append(
                Question(
                    id=str(member(row, "qa_id", int, place)),
                    image_id=str(image_number),
                    text={language: member_text(row, "question", place)},
                    answers={answer: 1.0},
                    image=_picture(images, f"{image_number}.jpg", place),
                    place=place,
                )
            )
    return unique(found)


def read_cvil(
    path: Path, labels: Sequence[str], images: Path | None = None
) -> tuple[Question, ...]:
    """The cViL authors' ``*_qla_*.json``: parallel questions with tags, soft labels, alignments.

    A row has ``q_id``, ``img_id``, ``o`` (tags joined by ``;``), ``an`` (label numbers), ``s``
    (their scores), the question under each language code, and under ``ja-en`` or ``hi-en`` one
    entry per translated word: ``[word]`` or ``[word, English word, its index]``.

    Args:
        path: the file.
        labels: the answer of each label number (published as a pickle; turn it into JSON once).
        images: the folder of the pictures, named ``IMG_ID.jpg``.

    Raises:
        InputError: not the format, an id twice, a label outside ``labels``, an alignment that does
            not fit the English question, a picture that is missing.
    """
    found = []
    for number, row in enumerate(json_array(path), start=1):
        place = f"{path}, question {number}"
        numbers = member(row, "an", list, place)
        scores = member(row, "s", list, place)
        if len(numbers) != len(scores):
            raise InputError(f"{place}: {len(numbers)} labels 'an', but {len(scores)} scores 's'")
        image_id = str(member(row, "img_id", (int, str), place))
        languages = {code for code in row if len(code) == 2 and code != "an"} | {"en"}
        text = {code: member_text(row, code, place) for code in sorted(languages)}
        words, alignments = {"en": split_words(text["en"], "en")}, {}
        for code in sorted(languages - {"en"}):
            if f"{code}-en" in row:
                entries = member(row, f"{code}-en", list, place)
                words[code], alignments[code] = _aligned_words(entries, words["en"], place)
        found.append(
            Question(
                id=str(member(row, "q_id", (int, str), place)),
                image_id=image_id,
                text=text,
                answers={
                    _label(labels, label, place): _score(score, place)
                    for label, score in zip(numbers, scores, strict=True)
                },
                image=_picture(images, f"{image_id}.jpg", place),
                tags=tuple(tag for tag in member(row, "o", str, place).split(";") if tag),
                words=words,
                alignments=alignments,
                place=place,
            )
        )
    return unique(found)


_KEYS: Final = ("id", "image", "question", "answer", "type", "tags")


def read_vqa_jsonl(path: Path) -> tuple[Question, ...]:
    """A user's own questions: one JSON object a line.

    Keys: ``question``, an object from language code to text; ``answer``, optional: a string, an
    object from answer to score, or the list of what people answered; ``image``, optional, a file
    relative to the folder of ``path``; ``id``, ``type`` and ``tags`` (a list), optional.

    Raises:
        InputError: bad JSON, a missing, unknown or ill-typed key, an id twice, a missing picture.
    """
    found = []
    for number, line in enumerate(read_lines(path), start=1):
        place = f"{path}:{number}"
        row = parse_json(line, place)
        if not isinstance(row, dict):
            raise InputError(f"{place}: expected a JSON object with the key 'question'")
        unknown = sorted(row.keys() - set(_KEYS))
        if unknown:
            raise InputError(f"{place}: unknown key {unknown[0]!r}, expected {', '.join(_KEYS)}")
        languages = member(row, "question", dict, place)
        if not languages:
            raise InputError(f'{place}: \'question\' is empty; expected {{"en": "..."}}')
        name = member(row, "image", str, place) if row.get("image") is not None else None
        tags = member(row, "tags", list, place) if "tags" in row else []
        identifier = member_text(row, "id", place) if "id" in row else f"{path.name}:{number}"
        found.append(
            Question(
                id=identifier,
                image_id=identifier if name is None else name,
                text={code: member_text(languages, code, place) for code in languages},
                answers=_own_answers(row.get("answer", {}), place),
                type=member(row, "type", str, place) if "type" in row else "",
                image=None if name is None else _picture(path.parent, name, place),
                tags=tuple(str(tag) for tag in tags),
                place=place,
            )
        )
    return unique(found)


def _own_answers(value: object, place: str) -> dict[str, float]:
    if isinstance(value, str) and value.strip():
        return {value.strip(): 1.0}
    if isinstance(value, list) and value and all(isinstance(answer, str) for answer in value):
        return soft_scores(value)
    if isinstance(value, dict):
        return {answer: _score(score, place) for answer, score in value.items()}
    raise InputError(
        f"{place}: 'answer' must be a string, an object from answer to score, or a list of strings"
    )


def _annotations(path: Path) -> dict[int, tuple[list[str], str]]:
    """What people answered and the answer type, by question."""
    found: dict[int, tuple[list[str], str]] = {}
    for number, row in enumerate(
        member(json_object(path), "annotations", list, f"{path}"), start=1
    ):
        place = f"{path}, annotation {number}"
        identifier = member(row, "question_id", int, place)
        if identifier in found:
            raise InputError(f"{place}: question {identifier} is annotated twice")
        given = [member_text(each, "answer", place) for each in member(row, "answers", list, place)]
        found[identifier] = given, member(row, "answer_type", str, place)
    return found


def _aligned_words(
    entries: Sequence[Any], english: tuple[str, ...], place: str
) -> tuple[tuple[str, ...], Alignment]:
    """Translated words and their links.

    The index counts words as NLTK splits them; where it is not at the named word (quotation marks,
    abbreviations), the nearest occurrence of that word is meant.
    """
    words, links = [], set()
    for position, entry in enumerate(entries):
        match entry:
            case [str(translated)]:
                words.append(translated)
                continue
            case [str(translated), str(word), int(index)]:
                words.append(translated)
            case _:
                raise InputError(
                    f"{place}: alignment {entry!r}; expected [word] or [word, English word, index]"
                )
        check_link((index, position), len(english), len(entries), place)
        same = [at for at, each in enumerate(english) if each.lower() == word.lower()]
        if not same:
            raise InputError(f"{place}: aligned word {word!r} is not in the English question")
        links.add((min(same, key=lambda at: abs(at - index)), position))
    return tuple(words), frozenset(links)


def _label(labels: Sequence[str], label: object, place: str) -> str:
    if not isinstance(label, int) or not 0 <= label < len(labels):
        raise InputError(f"{place}: label {label!r} is outside the {len(labels):,} answers")
    return labels[label]


def _score(score: object, place: str) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 < score <= 1:
        raise InputError(f"{place}: score {score!r}; expected a number in (0, 1]")
    return float(score)


def _picture(folder: Path | None, name: str, place: str) -> Path | None:
    if folder is None:
        return None
    return existing_picture(folder / name, place)


__all__ = ["read_cvil", "read_visual_genome", "read_vqa", "read_vqa_jsonl"]
