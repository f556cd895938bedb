"""Batches of vision-language pre-training: masked words, and pictures that may be the wrong ones.

Source: Kong and Fan, section 3.2. What is masked and which pictures are exchanged is a function of
the seed, the epoch and the example, so a run that was killed goes on exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from pydantic import Field, model_validator

from phosphene.core.config import Frozen
from phosphene.core.types import Batch, Masked, MaskedPairs, Tokens
from phosphene.data.captions import CaptionPair
from phosphene.data.loader import Indices, Position, TokenBatches, shard, walk
from phosphene.data.regions import RegionTable
from phosphene.data.wordpiece import WordPiece

_SPECIALS_OF_A_ROW = 3
"""[CLS] and two [SEP]."""


class MaskingConfig(Frozen):
    """The two tasks; the defaults are the paper's or, where it says nothing, the usual reading."""

    probability: float = Field(default=0.15, ge=0, lt=1)
    """Of a text token to be masked; the paper's is 15 %."""
    random_share: float = Field(default=0.0, ge=0, le=1)
    """Of the masked tokens, those that become a random word; BERT 10 %, the paper none."""
    kept_share: float = Field(default=0.0, ge=0, le=1)
    """Of the masked tokens, those that stay; BERT 10 %, the paper none."""
    mask_tags: bool = False
    """The paper masks "input text tokens". Tags are found in all pairs: they come with their own
    regions."""
    find_mismatched: bool = False
    """Also find the words where the picture is the wrong one and cannot help. They are masked in
    any case: a [MASK] must not tell that the picture is the right one."""
    mismatched: float = Field(default=0.5, ge=0, lt=1)
    """Share of examples with a random picture; the paper's is 50 %."""
    hide_tags: float = Field(default=0.0, ge=0, le=1)
    """Share of examples whose tags are left out, so that regions have to be looked at; the paper
    leaves out none."""

    @model_validator(mode="after")
    def _shares_fit(self) -> MaskingConfig:
        if self.random_share + self.kept_share > 1:
            raise ValueError("random_share and kept_share are more than all masked tokens")
        return self


@dataclass(frozen=True)
class PicturedTexts:
    """Encoded sentences, each with the name of its picture, and the pictures' regions."""

    ids: tuple[str, ...]
    texts: list[list[int]]
    pictures: tuple[str, ...]
    table: RegionTable
    tags: Mapping[str, list[int]]
    """Word pieces of the tags of every picture."""

    def __len__(self) -> int:
        return len(self.ids)


def pictured_texts(
    pairs: Sequence[CaptionPair],
    table: RegionTable,
    wordpiece: WordPiece,
    *,
    use_tags: bool = True,
) -> PicturedTexts:
    """Encode sentences and the tags of their pictures (none without ``use_tags``).

    Args:
        pairs: their pictures have the names of ``table``.
        table: regions and tags.
        wordpiece: of the encoder.
        use_tags: whether tags are shown.
    """
    names = list(dict.fromkeys(pair.picture for pair in pairs))
    labels = [" ".join(table.tags(name)) if use_tags else "" for name in names]
    return PicturedTexts(
        tuple(pair.id for pair in pairs),
        wordpiece.encode_all([pair.sentence for pair in pairs]),
        tuple(pair.picture for pair in pairs),
        table,
        dict(zip(names, wordpiece.encode_all(labels), strict=True)),
    )


@final
class PretrainingBatches:
    """Masked pairs in a seeded order, at most ``max_tokens`` padded word pieces at a time."""

    def __init__(
        self,
        data: PicturedTexts,
        wordpiece: WordPiece,
        config: MaskingConfig,
        max_tokens: int,
        seed: int,
    ) -> None:
        self.data = data
        self.config = config
        self.seed = seed
        self._mask_id, self._words = wordpiece.mask_id, len(wordpiece)
        self._first_word = wordpiece.mask_id + 1
        self._names = list(data.tags)
        lengths = [
            len(text) + len(data.tags[name]) + _SPECIALS_OF_A_ROW
            for text, name in zip(data.texts, data.pictures, strict=True)
        ]
        self.order = TokenBatches(lengths, lengths, max_tokens, seed, ids=data.ids)

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, MaskedPairs]]:
        """Batches from ``start`` on without end, each with the position after it."""
        for here, after, indices in walk(self.order.epoch, start):
            yield after, self.batch(shard(indices, rank, processes), here.epoch)

    def once(self, epoch: int = 0) -> Iterator[MaskedPairs]:
        """Every example once, masked and paired as in ``epoch``: held-out pairs."""
        for indices in self.order.epoch(epoch):
            yield self.batch(indices, epoch)

    def batch(self, indices: Indices, epoch: int) -> MaskedPairs:
        """Examples side by side."""
        data, config = self.data, self.config
        texts, tags, names, matched = [], [], [], []
        for index in indices:
            rng = np.random.default_rng([self.seed, epoch, int(index)])
            own = bool(rng.random() >= config.mismatched) or len(self._names) < 2
            name = data.pictures[index] if own else self._other(rng, data.pictures[index])
            shown = data.tags[name] if rng.random() >= config.hide_tags else []
            finds = own or config.find_mismatched
            texts.append(self._mask(rng, data.texts[index], config.probability, finds))
            tag_probability = config.probability if config.mask_tags else 0.0
            tags.append(self._mask(rng, shown, tag_probability, finds=True))
            names.append(name)
            matched.append(own)
        text, found = _side_by_side(texts), _side_by_side(tags)
        batch = Batch(
            tuple(data.ids[index] for index in indices),
            text.tokens,
            regions=data.table.regions(names),
            tags=found.tokens,
        )
        return MaskedPairs(batch, torch.tensor(matched, dtype=torch.bool), text, found)

    def _other(self, rng: np.random.Generator, name: str) -> str:
        """Another picture, any of them."""
        while (other := self._names[int(rng.integers(len(self._names)))]) == name:
            pass
        return other

    def _mask(
        self, rng: np.random.Generator, ids: list[int], probability: float, finds: bool
    ) -> _MaskedIds:
        gold = np.array(ids, dtype=np.int64)
        masked = rng.random(len(ids)) < probability
        fate = rng.random(len(ids))
        words = rng.integers(self._first_word, self._words, len(ids))
        replaced = np.where(fate < self.config.random_share, words, self._mask_id)
        replaced = np.where(fate >= 1 - self.config.kept_share, gold, replaced)
        shown = np.where(masked, replaced, gold)
        return _MaskedIds(shown.tolist(), ids, (masked & finds).tolist())


@dataclass(frozen=True)
class _MaskedIds:
    shown: list[int]
    gold: list[int]
    chosen: list[bool]


def _side_by_side(rows: Sequence[_MaskedIds]) -> Masked:
    tokens = Tokens.pad([row.shown for row in rows])
    gold = Tokens.pad([row.gold for row in rows]).ids
    chosen = Tokens.pad([[int(one) for one in row.chosen] for row in rows]).ids.bool()
    return Masked(tokens, gold, chosen)


__all__ = ["MaskingConfig", "PicturedTexts", "PretrainingBatches", "pictured_texts"]
