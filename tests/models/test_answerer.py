"""Answering, and that aligned positions find the same things in a student and its teacher."""

from __future__ import annotations

from random import Random
from typing import get_args

import pytest
import torch
from torch import Tensor

from phosphene.core.types import AlignedPositions, Batch, Regions, Tokens
from phosphene.data.align import (
    CodeMixing,
    cls_pairs,
    code_mix,
    collate_pairs,
    cut_with,
    region_pairs,
    tag_pairs,
)
from phosphene.data.wordpiece import UNK, WordPiece
from phosphene.models.answerer import Answerer, AnswererConfig, Kind, span_of
from phosphene.models.vlencoder import VLEncoderConfig
from phosphene.objectives.alignment import layer_sum
from phosphene.weighting.alignment import per_term

ENGLISH = [("what", "is", "the", "cat", "?"), ("is", "a", "dog", "here", "?")]
JAPANESE = [("猫", "は", "何", "です", "か"), ("ここ", "に", "犬", "は", "い", "ます", "か")]
LINKS = [frozenset({(3, 0), (0, 2), (1, 3)}), frozenset({(2, 2), (3, 0)})]
TAGS = [("cat", "traffic light"), ("dog",)]
PIECES = WordPiece.learn([" ".join(words) for words in (*ENGLISH, *JAPANESE)], 40, 1)
CUTS = (cut_with(PIECES.pieces, UNK),) * 2


def answerer(answers: int = 3) -> Answerer:
    torch.manual_seed(0)
    encoder = VLEncoderConfig(
        vocab=len(PIECES), cls_id=PIECES.cls_id, sep_id=PIECES.sep_id, layers=2, hidden=12,
        inner=16, heads=3, max_positions=60, feature=4,
    )  # fmt: skip
    return Answerer(AnswererConfig(encoder=encoder, answers=answers)).eval()


def batch_of(questions: list[tuple[str, ...]], padding: int = 0) -> Batch:
    source = [PIECES.encode(" ".join(words)) for words in questions]
    longest = max(map(len, source)) + padding
    ids = torch.zeros(len(source), longest, dtype=torch.long)
    mask = torch.zeros(len(source), longest, dtype=torch.bool)
    for row, each in enumerate(source):
        ids[row, : len(each)], mask[row, : len(each)] = torch.tensor(each), True
    features = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    return Batch(
        ("a", "b"),
        Tokens(ids, mask),
        regions=Regions(features, torch.tensor([[True, True, True], [True, False, False]])),
        tags=Tokens.pad([PIECES.encode(" ".join(tags)) for tags in TAGS]),
    )


def everything_aligned(mixed: AlignedPositions) -> dict[Kind, AlignedPositions]:
    return {
        "cls": cls_pairs(2),
        "region": region_pairs(batch_of(ENGLISH).regions.mask),  # type: ignore[union-attr]
        "tag": collate_pairs([tag_pairs(tags, CUTS) for tags in TAGS]),
        "mixed": mixed,
    }


def losses(
    student: Answerer, teacher: Answerer, read: Batch, english: Batch, mixed: AlignedPositions
) -> dict[str, Tensor]:
    ours, theirs = student(read).encoder, teacher(english).encoder
    return {
        kind: layer_sum(
            [states[:, span_of(ours.spans, kind)] for states in ours.layers],
            [states[:, span_of(theirs.spans, kind)] for states in theirs.layers],
            pairs,
            [1.0] * len(ours.layers),
        )
        for kind, pairs in everything_aligned(mixed).items()
    }


def test_a_copy_that_reads_the_same_costs_nothing_however_it_is_padded() -> None:
    everywhere = collate_pairs(
        [[(n, n) for n in range(len(PIECES.encode(" ".join(words))))] for words in ENGLISH]
    )
    model = answerer()
    found = losses(model, model, batch_of(ENGLISH, padding=4), batch_of(ENGLISH), everywhere)
    assert set(found) == set(get_args(Kind))
    for loss in found.values():
        assert len(loss)
        torch.testing.assert_close(loss, torch.zeros_like(loss), atol=1e-10, rtol=0)


def test_code_mixed_words_are_the_same_pieces_in_both() -> None:
    texts = [
        code_mix(words, english, links, CUTS, CodeMixing(share=1), Random(0))
        for words, english, links in zip(JAPANESE, ENGLISH, LINKS, strict=True)
    ]
    pairs = collate_pairs(
        [mixed.pairs(words, CUTS) for mixed, words in zip(texts, ENGLISH, strict=True)]
    )
    read, english = batch_of([mixed.words for mixed in texts]), batch_of(ENGLISH)
    assert len(pairs) >= 5
    assert torch.equal(
        read.source.ids[pairs.example, pairs.student],
        english.source.ids[pairs.example, pairs.teacher],
    )
    model = answerer()
    found = losses(model, model, read, english, pairs)
    assert all((loss > 0).any() for loss in found.values())  # the contexts differ
    student = answerer().train()
    terms = per_term(losses(student, model, read, english, pairs))
    sum(term.total for term in terms.values()).backward()  # type: ignore[union-attr]
    assert student.encoder.embedding.words.weight.grad is not None
    assert student.classifier.weight.grad is None  # nothing of it is distilled


def test_tags_of_the_batch_stand_where_their_pairs_say() -> None:
    tags = batch_of(ENGLISH).tags
    assert tags is not None
    pairs = collate_pairs([tag_pairs(each, CUTS) for each in TAGS])
    known = (tags.ids != PIECES.unk_id) & tags.mask
    assert known.sum() == len(pairs)
    assert known[pairs.example, pairs.student].all()


def test_answers_do_not_depend_on_the_neighbours() -> None:
    model = answerer()
    together = model(batch_of(ENGLISH))
    assert together.logits.shape == (2, 3)
    other = model(batch_of([ENGLISH[0], JAPANESE[1]], padding=2))
    torch.testing.assert_close(other.logits[0], together.logits[0])
    assert not torch.allclose(other.logits[1], together.logits[1])


def test_a_new_list_of_answers() -> None:
    model = answerer()
    before = model(batch_of(ENGLISH)).pooled
    model.renew_head(7)
    after = model(batch_of(ENGLISH))
    assert after.logits.shape == (2, 7)
    assert torch.equal(after.pooled, before)


def test_a_new_head_is_as_wide_as_the_old_one() -> None:
    """Arms that change their list of answers start like those that do not."""
    small = answerer().encoder.config
    model = Answerer(AnswererConfig(encoder=small, answers=400), initial_std=0.3)
    model.renew_head(500)
    assert model.classifier.weight.std().item() == pytest.approx(0.3, rel=0.1)


def test_an_encoder_that_is_there_already() -> None:
    model = answerer()
    config = AnswererConfig(encoder=model.encoder.config, answers=5)
    assert Answerer(config, model.encoder).encoder is model.encoder
    with pytest.raises(ValueError, match="answers"):
        AnswererConfig(encoder=model.encoder.config, answers=0)
