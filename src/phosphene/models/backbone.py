"""What an encoder starts from: fresh weights and word pieces of its own, or a published BERT.

A recipe initialises a fresh encoder as it needs it; a published one comes ready, where asked with
only the word pieces that the texts use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from pydantic import Field, model_validator
from torch import nn

from phosphene.core.config import Frozen
from phosphene.data.trim import trim
from phosphene.data.wordpiece import WordPiece
from phosphene.models.pretrained_bert import Bert, encoder_from_bert, load_bert
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig
from phosphene.nn.bert import INITIAL_STD

SCRATCH: Final = "scratch"
"""In place of the name of weights: none."""


class BackboneConfig(Frozen):
    """An encoder. Sizes count for ``scratch``; weights bring their own."""

    weights: str = SCRATCH
    """``scratch``, ``minilm``, or a BERT by folder or name."""
    initial_std: float = Field(default=0.02, gt=0)
    """From scratch: spread of the first weights; 0.02 is BERT's, narrow networks need more."""
    merges: int = Field(default=8000, ge=1)
    """From scratch: byte-pair merges of the word pieces."""
    trim: bool = False
    """Published weights: keep only the word pieces that training uses."""
    layers: int = Field(default=12, ge=1)
    hidden: int = Field(default=768, ge=1)
    inner: int = Field(default=3072, ge=1)
    heads: int = Field(default=12, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    attention_dropout: float = Field(default=0.1, ge=0, lt=1)
    max_positions: int = Field(default=512, ge=3)

    @model_validator(mode="after")
    def _heads_divide_hidden(self) -> BackboneConfig:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        return self

    @property
    def is_fresh(self) -> bool:
        """Whether nothing is published that it would start from."""
        return self.weights == SCRATCH

    @property
    def head_std(self) -> float:
        """Spread of a fresh head's first weights: as wide as the rest, or BERT's on a BERT."""
        return self.initial_std if self.is_fresh else INITIAL_STD


@dataclass(frozen=True)
class Backbone:
    """Word pieces, and the encoder that reads them, not yet made."""

    config: BackboneConfig
    wordpiece: WordPiece
    published: Bert | None = None
    kept: Sequence[int] | None = None
    """The rows of the published words that are kept; all if not given."""

    @classmethod
    def of(cls, config: BackboneConfig, texts: Iterable[str]) -> Backbone:
        """The word pieces: learned from ``texts``, or published and perhaps trimmed to them.

        Raises:
            InputError: the weights are not there, or are damaged.
        """
        if config.is_fresh:
            return cls(config, WordPiece.learn(texts, config.merges))
        bert = load_bert(config.weights)
        if not config.trim:
            return cls(config, bert.wordpiece, bert)
        wordpiece, kept = trim(bert.wordpiece, texts)
        return cls(config, wordpiece, bert, kept)

    @property
    def has_fresh_regions(self) -> bool:
        """Whether it has yet to learn what regions are: a BERT that never saw any, or nothing."""
        return self.published is None or not self.published.has_regions

    def encoder(self, feature: int) -> VLEncoder:
        """A new encoder for regions of width ``feature``.

        Raises:
            InputError: the published weights see regions of another width.
        """
        if self.published is None:
            return VLEncoder(self._fresh(feature))
        encoder = encoder_from_bert(
            self.published,
            feature=feature,
            dropout=self.config.dropout,
            attention_dropout=self.config.attention_dropout,
        )
        return encoder if self.kept is None else _with_words(encoder, self.kept, self.wordpiece)

    def trained_before(self, encoder: VLEncoder) -> tuple[nn.Parameter, ...]:
        """Those of its encoder's parameters that are published."""
        if self.published is None:
            return ()
        return tuple(
            parameter
            for name, parameter in encoder.named_parameters()
            if not (self.has_fresh_regions and name.startswith("regions."))
        )

    def _fresh(self, feature: int) -> VLEncoderConfig:
        sizes = self.config.model_dump(exclude={"weights", "initial_std", "merges", "trim"})
        words = self.wordpiece
        return VLEncoderConfig(
            vocab=len(words), cls_id=words.cls_id, sep_id=words.sep_id, feature=feature, **sizes
        )


def _with_words(encoder: VLEncoder, kept: Sequence[int], wordpiece: WordPiece) -> VLEncoder:
    """The same encoder with some of its words, in the numbering of ``wordpiece``."""
    changes = {"vocab": len(kept), "cls_id": wordpiece.cls_id, "sep_id": wordpiece.sep_id}
    smaller = VLEncoder(encoder.config.model_copy(update=changes))
    weights = encoder.state_dict()
    name = "embedding.words.weight"
    smaller.load_state_dict({**weights, name: weights[name][torch.tensor(list(kept))]})
    return smaller


__all__ = ["SCRATCH", "Backbone", "BackboneConfig"]
