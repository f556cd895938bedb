"""Questions as ids, their batches, and pieces that are hidden in training."""

from __future__ import annotations

import pytest
import torch

from phosphene.core.errors import InputError
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.loader import Position
from phosphene.data.questions import (
    Lengths,
    QuestionBatches,
    QuestionData,
    Reader,
    encode_questions,
    in_order,
    labelled,
)
from phosphene.data.regions import PictureRegions, RegionTable
from phosphene.data.vqa import Question
from phosphene.data.wordpiece import WordPiece

PIECES = WordPiece.learn(["何色 です か", "誰 が い ます か", "cat dog"] * 2, 40, 1)
TABLE = RegionTable({"p": PictureRegions(torch.ones(2, 3), torch.zeros(2, 4), ("cat",))})


def question(number: int, answer: str = "赤", image: str = "p") -> Question:
    words = ("何色", "です", "か") if number % 2 else ("誰", "が", "い", "ます", "か")
    return Question(
        f"q{number}", image, {"ja": "".join(words)}, {answer: 1.0}, words={"ja": words},
        place=f"file:{number}",
    )  # fmt: skip


def reader(**lengths: int) -> Reader:
    asked = [question(1), question(2)]
    return Reader.learn("ja", PIECES, Lengths(**lengths), asked)


def data(count: int = 7) -> QuestionData:
    vocabulary = AnswerVocabulary(("赤", "青"))
    asked = [question(number, "赤" if number % 3 else "青") for number in range(count)]
    return labelled(encode_questions(asked, reader(), TABLE), vocabulary, soft=False)


def test_running_text_reads_as_the_words_that_training_had() -> None:
    asked = [question(1), question(2)]
    given, used = (
        encode_questions(asked, reader(), TABLE, as_used=as_used) for as_used in (False, True)
    )
    assert given.sources == used.sources
    assert given.tags == [PIECES.encode("cat")] * 2
    assert all(
        len(source) <= 2 for source in encode_questions(asked, reader(question=2), TABLE).sources
    )


def test_an_epoch_has_every_question_once_and_starts_anywhere() -> None:
    batches = QuestionBatches(data(), 3, 1)
    walk = batches.iterate(Position())
    parts = [next(walk) for _ in range(3)]
    assert sorted(name for _, batch in parts for name in batch.ids) == [f"q{n}" for n in range(7)]
    assert parts[-1][0] == Position(1, 0)
    _, again = next(batches.iterate(parts[0][0]))
    assert again.ids == parts[1][1].ids
    assert torch.equal(again.source.ids, parts[1][1].source.ids)
    for _, batch in parts:
        gold = [0 if int(name[1:]) % 3 else 1 for name in batch.ids]
        assert isinstance(batch.labels, torch.Tensor) and batch.labels.tolist() == gold
    assert sorted(name for _, batch in in_order(data(), 3) for name in batch.ids) == [
        f"q{n}" for n in range(7)
    ]


def test_questions_about_one_picture_stay_together() -> None:
    asked = [question(number, image=f"p{number % 4}") for number in range(12)]
    table = RegionTable(
        {f"p{n}": PictureRegions(torch.ones(1, 3), torch.zeros(1, 4)) for n in range(4)}
    )
    encoded = encode_questions(asked, reader(), table)
    walk = QuestionBatches(encoded, 3, 1, together=True).iterate(Position())
    batches = [next(walk)[1] for _ in range(8)]
    numbers = [sorted(int(name[1:]) for name in batch.ids) for batch in batches]
    assert all(len({number % 4 for number in batch}) == 1 for batch in numbers)
    first, second = ([batch[0] % 4 for batch in numbers[start : start + 4]] for start in (0, 4))
    assert sorted(first) == sorted(second) == [0, 1, 2, 3], "each picture once an epoch"
    assert first != second


def test_hidden_pieces_are_the_same_whenever_a_run_is_resumed() -> None:
    batches = QuestionBatches(data(60), 60, 1, hide=0.5, unknown=PIECES.unk_id)
    (_, one), (_, other) = (next(batches.iterate(Position())) for _ in range(2))
    assert torch.equal(one.source.ids, other.source.ids)
    share = (one.source.ids == PIECES.unk_id)[one.source.mask].float().mean()
    assert 0.35 < float(share) < 0.65
    _, later = next(batches.iterate(Position(1, 0)))
    assert not torch.equal(one.source.ids, later.source.ids)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InputError, match=r"file:1: question 'q1' is not in 'hi'"):
        encode_questions([question(1)], Reader("hi", PIECES, Lengths()), TABLE)
    with pytest.raises(InputError, match=r"file:2: no regions of picture 'other'"):
        encode_questions([question(2, image="other")], reader(), TABLE)
    encoded = encode_questions([question(1)], reader(), TABLE)
    with pytest.raises(InputError, match="no question has an answer that the model can give"):
        labelled(encoded, AnswerVocabulary(("青",)), soft=False)
