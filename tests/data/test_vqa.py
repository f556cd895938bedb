"""What is added to questions, how answers are scored, and splits by picture."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest

from phosphene.core.errors import InputError
from phosphene.data.pharaoh import read_pharaoh, write_pharaoh
from phosphene.data.vqa import (
    Question,
    leave_one_out,
    soft_scores,
    split_by_image,
    third,
    unique,
    with_alignments,
    with_noise,
    with_translations,
)

SHARES = {"train": 30.0, "validation": 1.0, "test": 19.0}


def asked(number: int, text: str = "what is it ?", image: str = "a") -> Question:
    return Question(f"q{number}", image, {"en": text}, {"cat": 1.0}, place=f"file.json:{number}")


def lines(path: Path, *rows: str) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_three_people_are_enough() -> None:
    answers = ["cat"] * 5 + ["dog"] * 3 + ["a cat", "fox"]
    assert soft_scores(answers) == {"cat": 1.0, "dog": 1.0, "a cat": 1 / 3, "fox": 1 / 3}
    assert next(iter(soft_scores(answers))) == "cat"


@pytest.mark.parametrize("votes", range(11))
def test_the_official_score_averages_over_nine_of_ten_people(votes: int) -> None:
    people = [True] * votes + [False] * (10 - votes)
    nine = [min(Fraction(sum(rest), 3), 1) for rest in combinations(people, 9)]
    assert leave_one_out(votes, 10) == pytest.approx(float(sum(nine) / 10))


def test_usual_targets_of_vqa() -> None:
    assert [round(leave_one_out(votes, 10), 6) for votes in range(6)] == [0, 0.3, 0.6, 0.9, 1, 1]
    assert leave_one_out(1, 1) == third(1, 1)


def test_best_answer() -> None:
    question = Question("1", "1", {}, {"cat": 0.3, "dog": 1.0, "fox": 1.0})
    assert question.best_answer == "dog"
    assert Question("1", "1", {}, {}).best_answer is None


def test_an_id_is_used_once() -> None:
    with pytest.raises(InputError, match=r"file\.json:1: question id 'q1' is already used in f"):
        unique([asked(1), asked(1)])


def test_translations(tmp_path: Path) -> None:
    path = lines(tmp_path / "ja.tsv", "q2\tこれは何ですか", "q1\t何ですか")
    first, second = with_translations([asked(1), asked(2)], path, "ja")
    assert first.text == {"en": "what is it ?", "ja": "何ですか"}
    assert second.text["ja"] == "これは何ですか"
    assert first.words_in("ja") == ("何", "ですか")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["q1\ta", "q2\tb", "q3\tc"], r"ja\.tsv:3: there is no question 'q3' among the 2"),
        (["q1\ta", "q1\tb"], r"ja\.tsv:2: question 'q1' is translated twice"),
        (["q1\ta"], r"ja\.tsv: no translation of question 'q2'"),
        (["q1\ta", "q2"], r"ja\.tsv:2: expected a question id, a tab and the translation"),
        (["q1\ta", "q2\t "], r"ja\.tsv:2: expected a question id"),
    ],
)
def test_translations_that_do_not_fit(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_translations([asked(1), asked(2)], lines(tmp_path / "ja.tsv", *rows), "ja")


def test_alignments(tmp_path: Path) -> None:
    path = lines(tmp_path / "en-ja.align", "0-0 2-1", "")
    questions = [Question(f"q{n}", "a", {"en": "what is it", "ja": "何ですか"}, {}) for n in (1, 2)]
    aligned = with_alignments(questions, path, "ja")
    assert [each.alignments["ja"] for each in aligned] == [{(0, 0), (2, 1)}, frozenset()]
    write_pharaoh(tmp_path / "copy", [each.alignments["ja"] for each in aligned])
    assert (tmp_path / "copy").read_text() == path.read_text()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0-0", "0-2"], r"align:2: link 0-2 is out of range: .* 3 words and its translation 2"),
        (["3-0", ""], r"align:1: link 3-0 is out of range"),
        (["0-0", "0:1"], r"align:2: '0:1' is no link; expected Pharaoh format"),
        (["0-0"], r"align: 1 lines of alignments for 2 sentence pairs"),
    ],
)
def test_alignments_that_do_not_fit(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pharaoh(lines(tmp_path / "align", *rows), [(3, 2), (3, 2)])


def test_parts_share_no_picture_and_keep_their_ratio() -> None:
    questions = [asked(n, image=f"image{n // 4}") for n in range(400)]
    parts = split_by_image(questions, SHARES)
    pictures = {name: {each.image_id for each in part} for name, part in parts.items()}
    assert {name: len(found) for name, found in pictures.items()} == {
        "train": 60,
        "validation": 2,
        "test": 38,
    }
    assert not pictures["train"] & pictures["test"]
    assert sum(map(len, parts.values())) == 400
    moved = split_by_image(questions, SHARES, seed=1)
    assert {each.image_id for each in moved["train"]} != pictures["train"]


def test_noise_replaces_words_and_keeps_their_number() -> None:
    questions = [asked(n, text=f"what is thing{n} ?") for n in range(200)]
    noisy = with_noise(questions, "en", 0.3, seed=1)
    pairs = [
        (old, new)
        for before, after in zip(questions, noisy, strict=True)
        for old, new in zip(before.words_in("en"), after.words_in("en"), strict=True)
    ]
    changed = sum(old != new for old, new in pairs) / len(pairs)
    assert 0.24 < changed < 0.36
    assert noisy == with_noise(questions, "en", 0.3, seed=1)
    assert noisy != with_noise(questions, "en", 0.3, seed=2)
    unchanged = with_noise(questions, "en", 0.0, seed=1)
    assert [each.words_in("en") for each in unchanged] == [
        each.words_in("en") for each in questions
    ]
