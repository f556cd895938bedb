"""easy-VQA and DAQUAR in their published layout, and the world; real files where there are."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from phosphene.core.errors import InputError
from phosphene.data.answers import AnswerVocabulary, refuse_uncovered
from phosphene.data.vqa_sets import (
    daquar_answers,
    daquar_by_photo,
    read_daquar,
    read_easy_vqa,
    world_questions,
)
from phosphene.data.world.splits import Part, Split, World
from phosphene.evaluate.answering import question_prior

EASY = [
    ["what is the blue shape?", "rectangle", 0],
    ["what color is the shape?", "blue", 0],
    ["is there not a circle in the image?", "yes", 0],
    ["does the image contain a red shape?", "no", 1],
    ["what shape is present?", "triangle", 1],
]


def write_easy(folder: Path, rows: list[list[object]] | None = None) -> Path:
    for part in ("train", "test"):
        (folder / part / "images").mkdir(parents=True, exist_ok=True)
        (folder / part / "questions.json").write_text(json.dumps(rows or EASY))
        for number in (0, 1):
            (folder / part / "images" / f"{number}.png").write_bytes(b"picture")
    return folder


def test_easy_vqa_translated(tmp_path: Path) -> None:
    questions = read_easy_vqa("train", ("en", "ja", "hi"), folder=write_easy(tmp_path))
    assert [question.text["en"] for question in questions] == [row[0] for row in EASY]
    third = questions[2]
    assert third.text["ja"] == "画像の中に円はないのですか"
    assert third.text["hi"] == "क्या चित्र में कोई वृत्त नहीं है?"
    assert third.words["ja"] == ("画像", "の", "中", "に", "円", "は", "ない", "の", "です", "か")
    assert (third.id, third.image_id, third.type) == ("easy-vqa:train:3", "train:0", "yes/no")
    assert third.answers == {"yes": 1.0}
    assert third.image == tmp_path / "train" / "images" / "0.png"


def test_easy_vqa_in_wordings_of_its_own(tmp_path: Path) -> None:
    folder = write_easy(tmp_path, [*EASY] * 20)
    native = read_easy_vqa("train", ("hi",), answers="hi", wordings="native", folder=folder)
    held_out = read_easy_vqa("test", ("hi",), answers="hi", wordings="test", folder=folder)
    assert native[0].answers == {"आयत": 1.0}
    assert len({question.text["hi"] for question in native[::5]}) == 3
    seen, unseen = ({question.text["hi"] for question in part} for part in (native, held_out))
    assert not seen & unseen
    assert native == read_easy_vqa("train", ("hi",), answers="hi", wordings="native", folder=folder)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["what is it?", "circle", 0], r"question 6: 'what is it\?' is not a question of easy-VQA"),
        (["what shape is present?", "square", 0], r"question 6: answer 'square' is outside the 13"),
        (["what shape is present?", "circle", 7], r"question 6: picture .*7\.png does not exist"),
        (["what shape is present?"], r"question 6: expected \[question, answer, picture\]"),
    ],
)
def test_easy_vqa_that_does_not_fit(tmp_path: Path, row: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_easy_vqa("train", folder=write_easy(tmp_path, [*EASY, row]))


DAQUAR = [
    "question,answer,image_id",
    "what is on the desk,lamp,image3",
    "how many chairs are there,2,image3",
    'what is on the shelf,"bottle, vase",image5',
    "what is beside the door,window,image7",
    "what colour is the bed,white,image8",
]


def write_daquar(root: Path, rows: list[str]) -> Path:
    folder = root / "daquar"
    (folder / "images").mkdir(parents=True)
    for part in ("train", "eval"):
        (folder / f"data_{part}.csv").write_text("".join(f"{row}\n" for row in rows))
    (folder / "answer_space.txt").write_text("2\nlamp\nwhite\nwindow\n")
    for number in (3, 5, 7, 8):
        (folder / "images" / f"image{number}.jpg").write_bytes(b"picture")
    return root


def test_daquar(tmp_path: Path) -> None:
    root = write_daquar(tmp_path, DAQUAR)
    questions = read_daquar(root, "eval")
    assert len(questions) == 5
    assert questions[2].answers == {"bottle, vase": 1.0}
    assert (questions[0].id, questions[0].image_id) == ("daquar:eval:2", "image3")
    assert daquar_answers(root) == ("2", "lamp", "white", "window")
    with pytest.raises(InputError, match=r"data_eval\.csv:4: answer 'bottle, vase' is outside the"):
        refuse_uncovered(questions, AnswerVocabulary(daquar_answers(root)))
    parts = daquar_by_photo(root)
    assert sum(map(len, parts.values())) == 10
    photos = [{each.image_id for each in part} for part in parts.values()]
    assert sum(map(len, photos)) == len(set().union(*photos)) == 4


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("what is it,cup", r"data_train\.csv:7: expected question,answer,image_id, none"),
        ("what is it,,image3", r"data_train\.csv:7: expected question,answer,image_id, none"),
        ("what is it,cup,image4", r"data_train\.csv:7: picture .*image4\.jpg does not exist"),
    ],
)
def test_daquar_that_does_not_fit(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_daquar(write_daquar(tmp_path, [*DAQUAR, row]), "train")


def test_daquar_without_its_header(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data_train\.csv:1: expected the columns question,answ"):
        read_daquar(write_daquar(tmp_path, DAQUAR[1:]), "train")


def test_the_world_asks_in_three_languages() -> None:
    world = World(1)
    train = world_questions(world, Split.ORDINARY, Part.TRAIN, 30, ("en", "ja", "hi"))
    test = world_questions(
        world, Split.ORDINARY, Part.TRAIN, 30, ("ja",), answers="ja", wordings="test"
    )
    assert len(train) == len(test)
    assert [each.image_id for each in train] == [each.image_id for each in test]
    assert all(a.text["ja"] != b.text["ja"] for a, b in zip(train, test, strict=True))
    assert len({each.id for each in train}) == len(train)
    assert all(each.tags and set(each.text) == {"en", "ja", "hi"} for each in train)
    assert {each.type for each in train} >= {"what", "colour", "yes-no"}
    yes = next(each for each in test if each.type == "yes-no")
    assert yes.best_answer in ("はい", "いいえ")


@pytest.mark.pretrained
@pytest.mark.skipif(find_spec("easy_vqa") is None, reason="easy-vqa is not installed")
def test_real_easy_vqa_needs_no_picture_for_two_thirds() -> None:
    train, test = read_easy_vqa("train"), read_easy_vqa("test")
    assert (len(train), len(test)) == (38_575, 9_673)
    assert len({each.text["en"] for each in train}) == 107
    assert {each.text["en"] for each in test} <= {each.text["en"] for each in train}
    guesses = question_prior(train, test, "en")
    right = sum(a == each.best_answer for a, each in zip(guesses, test, strict=True)) / len(test)
    assert round(100 * right, 1) == 67.0


@pytest.mark.realdata
@pytest.mark.skipif("PHOSPHENE_DATA" not in os.environ, reason="PHOSPHENE_DATA is not set")
def test_real_daquar_needs_no_picture_for_a_fifth() -> None:
    root = Path(os.environ["PHOSPHENE_DATA"])
    train, test = read_daquar(root, "train"), read_daquar(root, "eval")
    assert (len(train), len(test), len(daquar_answers(root))) == (9_974, 2_494, 582)
    shared = {each.image_id for each in train} & {each.image_id for each in test}
    assert len(shared) > 1_000
    guesses = question_prior(train, test, "en")
    right = sum(a == each.best_answer for a, each in zip(guesses, test, strict=True)) / len(test)
    assert round(100 * right, 1) == 20.6
    parts = daquar_by_photo(root)
    photos = {name: {each.image_id for each in part} for name, part in parts.items()}
    assert not photos["train"] & photos["test"]
    guesses = question_prior(parts["train"], parts["test"], "en")
    right = sum(
        a == each.best_answer for a, each in zip(guesses, parts["test"], strict=True)
    ) / len(parts["test"])
    assert 0.15 < right < 0.206  # a little less: no photo is seen in training
