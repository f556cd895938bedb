"""What an encoder starts from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from tests.models.tiny_bert import FEATURE, published, visual, write

from phosphene.data.wordpiece import INSIDE
from phosphene.models.backbone import Backbone, BackboneConfig
from phosphene.models.pretrained_bert import load_bert

TEXTS = ("a dog runs", "dogs run")


def test_scratch_learns_its_word_pieces_and_takes_its_sizes() -> None:
    config = BackboneConfig(merges=20, layers=1, hidden=12, inner=8, heads=3, max_positions=9)
    backbone = Backbone.of(config, TEXTS)
    encoder = backbone.encoder(FEATURE)
    assert config.is_fresh
    assert encoder.config.vocab == len(backbone.wordpiece)
    assert (encoder.config.layers, encoder.config.hidden, encoder.config.feature) == (1, 12, 6)
    pieces = backbone.wordpiece.entries()
    read = [pieces[index].removeprefix(INSIDE) for index in backbone.wordpiece.encode("a dog runs")]
    assert "".join(read) == "adogruns"


def test_published_weights_bring_their_own_sizes(tmp_path: Path) -> None:
    folder = write(tmp_path, published())
    config = BackboneConfig(weights=str(folder), dropout=0.25, attention_dropout=0.5)
    encoder = Backbone.of(config, TEXTS).encoder(FEATURE)
    assert not config.is_fresh
    assert (encoder.config.layers, encoder.config.hidden, encoder.config.vocab) == (2, 12, 16)
    assert (encoder.config.dropout, encoder.config.attention_dropout) == (0.25, 0.5)


def test_a_trimmed_word_has_the_row_that_it_had(tmp_path: Path) -> None:
    folder = write(tmp_path, published())
    whole = load_bert(folder).wordpiece
    backbone = Backbone.of(BackboneConfig(weights=str(folder), trim=True), ["a dog , runs"])
    encoder, rows = backbone.encoder(0), published()["embeddings.word_embeddings.weight"]
    assert encoder.config.vocab == len(backbone.wordpiece) < len(whole)
    for word in ("a", "dog", "runs", ","):
        (now,), (before,) = backbone.wordpiece.encode(word), whole.encode(word)
        assert torch.equal(encoder.embedding.words.weight[now], rows[before])
    assert torch.equal(
        encoder.embedding.norm.weight, published()["embeddings.LayerNorm.weight"]
    )  # the rest is as published


def test_heads_that_do_not_share_the_width_are_refused() -> None:
    with pytest.raises(ValidationError, match="hidden 10 is not a multiple of heads 4"):
        BackboneConfig(hidden=10, heads=4)


def test_what_oscar_knows_of_regions_is_not_fresh(tmp_path: Path) -> None:
    blind = BackboneConfig(weights=str(write(tmp_path / "bert", published())))
    seeing = write(tmp_path / "oscar", published() | visual(normalised=True))
    assert Backbone.of(BackboneConfig(merges=5), TEXTS).has_fresh_regions
    assert Backbone.of(blind, TEXTS).has_fresh_regions
    assert not Backbone.of(BackboneConfig(weights=str(seeing)), TEXTS).has_fresh_regions
