"""Readers of published formats, each on five rows made up here, and what they refuse."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from phosphene.core.errors import InputError
from phosphene.data.vqa import leave_one_out
from phosphene.data.vqa_readers import read_cvil, read_visual_genome, read_vqa, read_vqa_jsonl

QUESTIONS: dict[str, Any] = {
    "info": {"description": "made up", "version": "2.0"},
    "task_type": "Open-Ended",
    "data_type": "mscoco",
    "data_subtype": "train2014",
    "license": {"name": "none"},
    "questions": [
        {"image_id": 9, "question": "Is the cat asleep?", "question_id": 9000},
        {"image_id": 9, "question": "How many cats are there?", "question_id": 9001},
        {"image_id": 25, "question": "What's on the mat?", "question_id": 25000},
        {"image_id": 25, "question": "Where is the mat?", "question_id": 25001},
        {"image_id": 30, "question": "Who is reading?", "question_id": 30000},
    ],
}
GIVEN = {
    9000: ("yes/no", ["yes"] * 9 + ["no"]),
    9001: ("number", ["2"] * 5 + ["3"] * 3 + ["two"] * 2),
    25000: ("other", ["cat"] * 10),
    25001: ("other", ["floor"] * 4 + ["on floor"] * 6),
    30000: ("other", ["woman"] * 7 + ["girl", "lady", "mother"]),
}
ANNOTATIONS: dict[str, Any] = {
    "data_type": "mscoco",
    "data_subtype": "train2014",
    "annotations": [
        {
            "question_id": number,
            "image_id": number // 1000,
            "question_type": "made up",
            "answer_type": kind,
            "multiple_choice_answer": given[0],
            "answers": [
                {"answer": answer, "answer_confidence": "yes", "answer_id": position}
                for position, answer in enumerate(given, start=1)
            ],
        }
        for number, (kind, given) in GIVEN.items()
    ],
}


def dump(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def pictures(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"picture")
    return folder


def test_vqa(tmp_path: Path) -> None:
    images = pictures(
        tmp_path / "train2014", *(f"COCO_train2014_{n:012d}.jpg" for n in (9, 25, 30))
    )
    questions = read_vqa(
        dump(tmp_path / "q.json", QUESTIONS), dump(tmp_path / "a.json", ANNOTATIONS), images
    )
    assert [question.id for question in questions] == ["9000", "9001", "25000", "25001", "30000"]
    second = questions[1]
    assert second.text == {"en": "How many cats are there?"}
    assert (second.image_id, second.type) == ("9", "number")
    assert second.answers == {"2": 1.0, "3": 1.0, "two": 2 / 3}
    assert second.image == images / "COCO_train2014_000000000009.jpg"
    assert questions[3].best_answer == "on floor"


def test_vqa_with_the_official_scores_and_without_annotations(tmp_path: Path) -> None:
    path = dump(tmp_path / "q.json", QUESTIONS)
    questions = read_vqa(path, dump(tmp_path / "a.json", ANNOTATIONS), scoring=leave_one_out)
    assert questions[1].answers["3"] == pytest.approx(0.9)
    assert all(not question.answers for question in read_vqa(path))


def test_the_drawn_scenes_of_vqa_v1(tmp_path: Path) -> None:
    drawn = QUESTIONS | {"data_type": "abstract_v002", "data_subtype": "train2015"}
    names = (f"abstract_v002_train2015_{n:012d}.png" for n in (9, 25, 30))
    images = pictures(tmp_path / "scenes", *names)
    question = read_vqa(dump(tmp_path / "q.json", drawn), images=images)[0]
    assert question.image == images / "abstract_v002_train2015_000000000009.png"


def without(record: dict[str, Any], *keys: str | int) -> dict[str, Any]:
    """A copy of ``record`` without the entry at the path ``keys``."""
    changed = copy.deepcopy(record)
    inner: Any = changed
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    return changed


@pytest.mark.parametrize(
    ("questions", "annotations", "message"),
    [
        (
            QUESTIONS | {"questions": QUESTIONS["questions"] + QUESTIONS["questions"][:1]},
            None,
            r"q\.json, question 6: question id '9000' is already used in .*q\.json, question 1$",
        ),
        (
            QUESTIONS,
            without(ANNOTATIONS, "annotations", 2),
            r"q\.json, question 3: question 25000 has no annotation in .*a\.json",
        ),
        (
            without(QUESTIONS, "questions", 4),
            ANNOTATIONS,
            r"a\.json: annotation of question 30000, not in .*q\.json",
        ),
        (
            QUESTIONS,
            {"annotations": ANNOTATIONS["annotations"] * 2},
            r"a\.json, annotation 6: question 9000 is annotated twice",
        ),
        (
            without(QUESTIONS, "questions", 1, "image_id"),
            None,
            r"q\.json, question 2: key 'image_id' is missing",
        ),
        (
            QUESTIONS,
            without(ANNOTATIONS, "annotations", 0, "answers", 3, "answer"),
            r"a\.json, annotation 1: key 'answer' is missing",
        ),
        (QUESTIONS | {"data_type": "gqa"}, None, r"'data_type' must be one of mscoco, abstract"),
        ([], None, r"q\.json: expected a JSON object"),
    ],
)
def test_vqa_files_that_do_not_fit(
    tmp_path: Path, questions: object, annotations: object, message: str
) -> None:
    second = None if annotations is None else dump(tmp_path / "a.json", annotations)
    with pytest.raises(InputError, match=message):
        read_vqa(dump(tmp_path / "q.json", questions), second)


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    images = pictures(tmp_path / "train2014", "COCO_train2014_000000000009.jpg")
    with pytest.raises(InputError, match=r"question 3: picture .*0025\.jpg does not exist"):
        read_vqa(dump(tmp_path / "q.json", QUESTIONS), images=images)


def genome() -> list[dict[str, Any]]:
    rows = [
        (1, 101, "犬の色は何色ですか？", "茶色"),
        (1, 102, "犬は何匹いますか？", "2匹"),
        (2, 201, "だれがいますか？", "女性。"),
        (2, 202, "どこにいますか？", "公園"),
        (2, 203, "なぜ笑っているのですか？", "楽しいから"),
    ]
    return [
        {
            "id": image,
            "qas": [
                {
                    "qa_id": number,
                    "image_id": image,
                    "question": question,
                    "answer": answer,
                    "q_objects": [],
                    "a_objects": [],
                }
                for owner, number, question, answer in rows
                if owner == image
            ],
        }
        for image in (1, 2)
    ]


def test_japanese_visual_genome(tmp_path: Path) -> None:
    images = pictures(tmp_path / "VG_100K", "1.jpg", "2.jpg")
    questions = read_visual_genome(dump(tmp_path / "qa.json", genome()), images=images)
    assert len(questions) == 5
    third = questions[2]
    assert (third.id, third.image_id, third.text) == ("201", "2", {"ja": "だれがいますか？"})
    assert third.answers == {"女性": 1.0}
    assert third.image == images / "2.jpg"


def test_japanese_visual_genome_that_does_not_fit(tmp_path: Path) -> None:
    rows = genome()
    rows[1]["qas"][0]["qa_id"] = 102
    with pytest.raises(InputError, match=r"picture 2, question 1: question id '102' is already"):
        read_visual_genome(dump(tmp_path / "qa.json", rows))
    del rows[1]["qas"][1]["answer"]
    with pytest.raises(InputError, match=r"picture 2, question 2: key 'answer' is missing"):
        read_visual_genome(dump(tmp_path / "qa.json", rows))


LABELS = ["yes", "no", "red", "2"]


def cvil() -> list[dict[str, Any]]:
    return [
        {
            "q_id": 1,
            "img_id": 9,
            "o": "cat;traffic light;mat",
            "an": [0, 1],
            "s": [1.0, 0.3],
            "en": "Isn't the cat red?",
            "ja": "猫は赤いですか",
            "ja-en": [["猫", "cat", 3], ["は"], ["赤い", "red", 4], ["です"], ["か", "?", 5]],
            "hi": "क्या बिल्ली लाल है?",
            "hi-en": [["क्या"], ["बिल्ली", "cat", 3], ["लाल", "red", 4], ["है"], ["?", "?", 5]],
        },
        {"q_id": 2, "img_id": 9, "o": "", "an": [3], "s": [1], "en": "How many?", "ja": "何匹"},
        {"q_id": 3, "img_id": 9, "o": "cat", "an": [], "s": [], "en": "Why?", "ja": "なぜ"},
        {
            "q_id": 4,
            "img_id": 25,
            "o": "mat",
            "an": [2],
            "s": [0.6],
            "en": 'Which "color" is the color?',
            "ja": "色",
            "ja-en": [["色", "color", 6]],
        },
        {
            "q_id": "5a",
            "img_id": "25",
            "o": "mat",
            "an": [1],
            "s": [0.9],
            "en": "Is it?",
            "ja": "か",
        },
    ]


def test_the_authors_files(tmp_path: Path) -> None:
    questions = read_cvil(dump(tmp_path / "train2014_qla_mrcnn.json", cvil()), LABELS)
    first = questions[0]
    assert first.words["en"] == ("Is", "n't", "the", "cat", "red", "?")
    assert first.words_in("ja") == ("猫", "は", "赤い", "です", "か")
    assert first.alignments["ja"] == {(3, 0), (4, 2), (5, 4)}
    assert first.alignments["hi"] == {(3, 1), (4, 2), (5, 4)}
    assert first.tags == ("cat", "traffic light", "mat")
    assert first.answers == {"yes": 1.0, "no": 0.3}
    assert set(first.text) == {"en", "ja", "hi"}
    assert questions[2].answers == {}
    assert questions[3].alignments["ja"] == {(6, 0)}  # not the quoted occurrence
    assert questions[4].id == "5a"


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        (0, {"an": [0, 4]}, r"question 1: label 4 is outside the 4 answers"),
        (0, {"an": [0]}, r"question 1: 1 labels 'an', but 2 scores 's'"),
        (0, {"s": [1.0, 1.5]}, r"question 1: score 1\.5; expected a number in \(0, 1\]"),
        (3, {"ja-en": [["色", "color", 8]]}, r"question 4: link 8-0 is out of range"),
        (3, {"ja-en": [["色", "colour", 3]]}, r"question 4: aligned word 'colour' is not in"),
        (3, {"ja-en": [["色", "color"]]}, r"question 4: alignment .*expected \[word\] or \[word,"),
        (1, {"q_id": 1}, r"question 2: question id '1' is already used in .*question 1$"),
        (1, {"o": None}, r"question 2: 'o' must be str, not NoneType"),
        (4, {"en": " "}, r"question 5: 'en' is empty"),
    ],
)
def test_authors_files_that_do_not_fit(
    tmp_path: Path, row: int, change: dict[str, Any], message: str
) -> None:
    rows = cvil()
    rows[row] |= change
    with pytest.raises(InputError, match=message):
        read_cvil(dump(tmp_path / "qla.json", rows), LABELS)


OWN = [
    {"question": {"en": "what is it?", "ja": "これは何ですか"}, "answer": "cat", "image": "1.jpg"},
    {"question": {"en": "who?"}, "answer": ["me", "me", "you"], "id": "second", "type": "person"},
    {"question": {"hi": "कौन?"}, "answer": {"मैं": 1, "तुम": 0.5}, "tags": ["cat", "mat"]},
    {"question": {"en": "why?"}},
    {"question": {"en": "how?"}, "answer": "so", "image": None},
]


def write_own(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "1.jpg").write_bytes(b"picture")
    path = folder / "own.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_own_questions(tmp_path: Path) -> None:
    questions = read_vqa_jsonl(write_own(tmp_path, OWN))
    assert [each.id for each in questions[:2]] == ["own.jsonl:1", "second"]
    assert questions[0].image == tmp_path / "1.jpg"
    assert questions[0].text == {"en": "what is it?", "ja": "これは何ですか"}
    assert questions[1].answers == {"me": 2 / 3, "you": 1 / 3}
    assert questions[2].answers == {"मैं": 1.0, "तुम": 0.5}
    assert questions[2].tags == ("cat", "mat")
    assert questions[3].answers == {}
    assert questions[4].image is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "what?"}, r"own\.jsonl:6: 'question' must be dict, not str"),
        ({"question": {}}, r"own\.jsonl:6: 'question' is empty"),
        ({"answer": "cat"}, r"own\.jsonl:6: key 'question' is missing"),
        ({"question": {"en": "a"}, "answers": "b"}, r"own\.jsonl:6: unknown key 'answers'"),
        ({"question": {"en": "a"}, "answer": 3}, r"own\.jsonl:6: 'answer' must be a string"),
        ({"question": {"en": "a"}, "image": "2.jpg"}, r"own\.jsonl:6: picture .*2\.jpg does not"),
        ({"question": {"en": "a"}, "id": "second"}, r"own\.jsonl:6: question id 'second' is alr"),
    ],
)
def test_own_questions_that_do_not_fit(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_vqa_jsonl(write_own(tmp_path, [*OWN, row]))


def test_a_line_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"question": {"en": "a"}}\n{"question": \n')
    with pytest.raises(InputError, match=r"own\.jsonl:2: expected JSON, but"):
        read_vqa_jsonl(path)
