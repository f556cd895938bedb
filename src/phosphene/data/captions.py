"""English sentences with a picture, for vision-language pre-training.

A reader for each corpus of Kong and Fan (section 4.1) in the format of its publisher, and for the
five captions of every Multi30K photo. All return plain caption pairs; of a question corpus the
question is the sentence. Pictures are named, not opened: their features come from elsewhere.

What a model is tested on must not be here: :func:`without_leaks` takes out the pictures and the
sentences of evaluation sets. All 461 pictures of ``test_2017_mscoco`` are COCO pictures, and their
English sentences are COCO captions.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from phosphene.core.errors import InputError
from phosphene.data.lines import parallel, read_lines


@dataclass(frozen=True)
class CaptionPair:
    """A sentence and the name of the picture it is about."""

    id: str
    """Unique within a corpus; says where the sentence stands."""
    sentence: str
    picture: str
    """A file name, a number or an address, as the corpus has it."""


@dataclass(frozen=True)
class Leaks:
    """How many pairs were taken out, and why."""

    pictures: int
    """Their picture is one of an evaluation set."""
    sentences: int
    """Their sentence is, though the picture is not."""
    kept: int

    def __str__(self) -> str:
        return (
            f"{self.kept:,} pairs kept; {self.pictures:,} left out for a picture and "
            f"{self.sentences:,} for a sentence of an evaluation set"
        )


def coco(path: Path) -> list[CaptionPair]:
    """COCO captions: ``captions_train2014.json`` and its kin.

    Raises:
        InputError: not such a file, or a caption's picture is not in it.
    """
    record = _object(path)
    names = {
        _field(image, "id", int, f"{path}: images[{row}]"): _field(
            image, "file_name", str, f"{path}: images[{row}]"
        )
        for row, image in enumerate(_rows(record, "images", path))
    }
    pairs = []
    for row, caption in enumerate(_rows(record, "annotations", path)):
        place = f"{path}: annotations[{row}]"
        image = _field(caption, "image_id", int, place)
        if image not in names:
            raise InputError(f"{place}: image_id {image} is not among the images")
        sentence = _field(caption, "caption", str, place)
        pairs.append(_pair(path, row, sentence, names[image], place))
    return pairs


def sbu(path: Path) -> list[CaptionPair]:
    """Im2text (SBU captioned photos): ``..._captions.txt`` beside ``..._urls.txt``.

    Args:
        path: the captions, one a line; the addresses stand line by line in the file whose name
            has ``urls`` in place of ``captions``.

    Raises:
        InputError: a file is missing, or they differ in length.
    """
    addresses = path.with_name(path.name.replace("captions", "urls"))
    if addresses == path:
        raise InputError(f"{path}: expected 'captions' in the name, beside a file with 'urls'")
    return [
        _pair(path, row, caption, address, f"{path}:{row + 1}")
        for row, (caption, address) in enumerate(zip(*parallel(path, addresses), strict=True))
    ]


def visual7w(path: Path) -> list[CaptionPair]:
    """Visual7W, telling questions: ``dataset_v7w_telling.json``; the questions of its ``train``.

    Raises:
        InputError: not such a file.
    """
    pairs: list[CaptionPair] = []
    for row, image in enumerate(_rows(_object(path), "images", path)):
        place = f"{path}: images[{row}]"
        if _field(image, "split", str, place) != "train":
            continue
        picture = _field(image, "filename", str, place)
        for number, question in enumerate(_rows(image, "qa_pairs", path)):
            where = f"{place}.qa_pairs[{number}]"
            sentence = _field(question, "question", str, where)
            pairs.append(_pair(path, len(pairs), sentence, picture, where))
    return pairs


def vqa(path: Path) -> list[CaptionPair]:
    """VQA 2.0: ``v2_OpenEnded_mscoco_train2014_questions.json``; pictures are COCO's.

    Raises:
        InputError: not such a file.
    """
    record = _object(path)
    subtype = _field(record, "data_subtype", str, str(path))
    pairs = []
    for row, question in enumerate(_rows(record, "questions", path)):
        place = f"{path}: questions[{row}]"
        picture = f"COCO_{subtype}_{_field(question, 'image_id', int, place):012d}.jpg"
        sentence = _field(question, "question", str, place)
        pairs.append(_pair(path, row, sentence, picture, place))
    return pairs


def conceptual_captions(path: Path) -> list[CaptionPair]:
    """Conceptual Captions: ``Train_GCC-training.tsv``, a caption, a tab, an address.

    Raises:
        InputError: a line has not two columns.
    """
    pairs = []
    for row, line in enumerate(read_lines(path)):
        place = f"{path}:{row + 1}"
        columns = line.split("\t")
        if len(columns) != 2:
            raise InputError(f"{place}: expected a caption, a tab and an address")
        pairs.append(_pair(path, row, columns[0], columns[1], place))
    return pairs


def gqa(path: Path) -> list[CaptionPair]:
    """GQA: ``train_balanced_questions.json``; pictures are those of Visual Genome.

    Raises:
        InputError: not such a file.
    """
    pairs = []
    for row, (name, question) in enumerate(_object(path).items()):
        place = f"{path}: question {name}"
        picture = f"{_field(question, 'imageId', str, place)}.jpg"
        sentence = _field(question, "question", str, place)
        pairs.append(_pair(path, row, sentence, picture, place))
    return pairs


READERS: Final[Mapping[str, Callable[[Path], list[CaptionPair]]]] = MappingProxyType(
    {
        "coco": coco,
        "sbu": sbu,
        "visual7w": visual7w,
        "vqa": vqa,
        "conceptual_captions": conceptual_captions,
        "gqa": gqa,
    }
)
"""The corpora of the paper by the names that configurations use."""


def multi30k_captions(root: Path) -> list[CaptionPair]:
    """The five independent English captions of every training photo (Multi30K, task 2).

    Those of validation and test photos are never read.

    Args:
        root: the data root: it holds ``multi30k/task2/tok`` and ``multi30k/task2/image_splits``.

    Raises:
        InputError: a file is missing, or two differ in length.
    """
    task = root / "multi30k" / "task2"
    names = task / "image_splits" / "train_images.txt"
    files = [task / "tok" / f"train.lc.norm.tok.{number}.en" for number in range(1, 6)]
    pictures, *columns = parallel(names, *files)
    return [
        _pair(file, row, html.unescape(sentence), picture.partition("#")[0], f"{file}:{row + 1}")
        for file, column in zip(files, columns, strict=True)
        for row, (sentence, picture) in enumerate(zip(column, pictures, strict=True))
    ]


def without_leaks(
    pairs: Sequence[CaptionPair], pictures: Iterable[str], sentences: Iterable[str]
) -> tuple[list[CaptionPair], Leaks]:
    """``pairs`` without the ``pictures`` and ``sentences`` of evaluation sets.

    Pictures are compared by :func:`picture_key`, sentences by their words.
    """
    seen, said = set(map(picture_key, pictures)), set(map(sentence_key, sentences))
    kept: list[CaptionPair] = []
    by_picture = by_sentence = 0
    for pair in pairs:
        if picture_key(pair.picture) in seen:
            by_picture += 1
        elif sentence_key(pair.sentence) in said:
            by_sentence += 1
        else:
            kept.append(pair)
    return kept, Leaks(by_picture, by_sentence, len(kept))


_COCO_NAME: Final = re.compile(r"(?:COCO_\w+?_)?(\d{12})")
_FLICKR_NAME: Final = re.compile(r"(\d+)_[0-9a-f]+(?:_[a-z])?")


def picture_key(name: str) -> str:
    """What the names of one picture in different corpora have in common.

    >>> picture_key("COCO_train2014_000000000042.jpg#1") == picture_key("000000000042.jpg")
    True
    >>> picture_key("http://static.flickr.com/1/4385058960_b0f291553e.jpg")
    '4385058960'
    """
    stem = name.partition("#")[0].rstrip("/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if coco_name := _COCO_NAME.fullmatch(stem):
        return f"coco {int(coco_name[1])}"
    flickr_name = _FLICKR_NAME.fullmatch(stem)
    return flickr_name[1] if flickr_name else stem


def sentence_words(sentence: str) -> list[str]:
    """The words of a sentence, however it was tokenised and cased.

    >>> sentence_words("A man &apos;s T @-@ shirt .")
    ['a', 'man', 's', 't', 'shirt']
    """
    return re.findall(r"\w+", html.unescape(sentence).lower())


def sentence_key(sentence: str) -> str:
    """What different spellings of a sentence have in common: its words without any gaps.

    >>> sentence_key("A man &apos;s dog .") == sentence_key("A man's dog.")
    True
    """
    return "".join(sentence_words(sentence))


def _pair(path: Path, row: int, sentence: str, picture: str, place: str) -> CaptionPair:
    text = " ".join(sentence.split())
    if not text or not picture.strip():
        raise InputError(f"{place}: expected a sentence and a picture, one is empty")
    return CaptionPair(f"{path.name}:{row + 1}", text, picture.strip())


def _object(path: Path) -> dict[str, Any]:
    try:
        record = json.loads("\n".join(read_lines(path)))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(record, dict):
        raise InputError(f"{path}: expected a JSON object")
    return record


def _rows(record: dict[str, Any], key: str, path: Path) -> list[Any]:
    rows = record.get(key)
    if not isinstance(rows, list):
        raise InputError(f"{path}: expected a list '{key}'")
    return rows


def _field(record: Any, key: str, kind: type, place: str) -> Any:
    if not isinstance(record, dict) or not isinstance(record.get(key), kind):
        raise InputError(f"{place}: expected '{key}', of type {kind.__name__}")
    return record[key]


__all__ = [
    "READERS",
    "CaptionPair",
    "Leaks",
    "coco",
    "conceptual_captions",
    "gqa",
    "multi30k_captions",
    "picture_key",
    "sbu",
    "sentence_key",
    "sentence_words",
    "visual7w",
    "vqa",
    "without_leaks",
]
