"""Beam search over a translator, with cached keys and values; greedy is a beam of one.

The search is that of fairseq. At every step the candidates of a sentence are the continuations of
all its hypotheses by one word, ranked by log-probability. Those among the best ``beam`` that end
the sentence are finished, and the best ``beam`` that do not end it are searched on (both stand
among the ``2 * beam`` that fairseq looks at). A sentence stops when ``beam`` hypotheses are
finished, and its best are those with the highest

    score = log-probability / length ** length_penalty,    EOS counted in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from phosphene.core.config import Frozen
from phosphene.core.types import Batch, Tokens
from phosphene.data.text import BOS_ID, EOS_ID, PAD_ID
from phosphene.models.pipeline import TranslationModel
from phosphene.models.translator import gold
from phosphene.nn.incremental import IncrementalDecoder

_NOT_WORDS = [PAD_ID, BOS_ID, EOS_ID]
"""Ids that no translation contains. It may contain the unknown word: a model may not know."""
_COLUMN = 16
"""Height of the columns in which words are ranked; Multi30K's vocabularies are multiples of it."""


class SearchConfig(Frozen):
    """How translations are searched for."""

    beam: int = Field(5, ge=1)
    """Hypotheses of a sentence that are searched on at every step; 1 is greedy search."""
    n_best: int = Field(1, ge=1)
    """Translations returned of each sentence, best first; at most ``beam``."""
    length_penalty: float = 1.0
    """A hypothesis scores its log-probability over ``length ** length_penalty``, EOS counted."""
    min_length: int = Field(1, ge=0)
    """Words before EOS is allowed."""
    max_length: int = Field(200, ge=1)
    """Longest translation in tokens, EOS counted: there EOS is the only word left."""
    length_factor: float = Field(2.0, ge=0)
    length_offset: int = Field(20, ge=1)
    """Nor is a translation of ``n`` tokens longer than ``length_factor * n + length_offset``."""

    @model_validator(mode="after")
    def _n_best_fits(self) -> SearchConfig:
        if self.n_best > self.beam:
            raise ValueError(f"n_best {self.n_best} is larger than beam {self.beam}")
        return self


@dataclass(frozen=True)
class Hypothesis:
    """One translation."""

    ids: tuple[int, ...]
    """Its words, without BOS and EOS."""
    score: float
    """What hypotheses are ranked by: the log-probability, length-normalised."""
    log_probability: float
    """Of all words and EOS, in nats."""


@torch.inference_mode()
def translate(
    model: TranslationModel, batch: Batch, config: SearchConfig, prefix: Tokens | None = None
) -> list[list[Hypothesis]]:
    """The ``n_best`` translations of every sentence of ``batch``, best first.

    A sentence has the same translations in any batch, up to rounding.

    Args:
        model: in evaluation mode.
        batch: its targets, if it has any, are not looked at.
        config: how to search.
        prefix: words, without BOS and EOS, that the translation of each sentence has to start
            with. They count in the log-probability; they may be longer than the limits allow.

    Returns:
        For each sentence at most ``n_best`` different translations (fewer only where the
        vocabulary and the limits allow no more).
    """
    if model.training:
        raise ValueError("search needs a model in evaluation mode")
    if prefix is None:
        prefix = Tokens.pad([()] * len(batch))
    elif torch.isin(
        prefix.ids[prefix.mask], torch.tensor(_NOT_WORDS, device=prefix.ids.device)
    ).any():
        raise ValueError("a prefix is made of words, without padding, BOS or EOS")
    search = _Search(model, batch, config, prefix)
    while search.unfinished:
        search.step()
    return [
        sorted(hypotheses, key=lambda hypothesis: -hypothesis.score)[: config.n_best]
        for hypotheses in search.finished
    ]


@torch.inference_mode()
def log_likelihoods(model: TranslationModel, batch: Batch) -> Float[Tensor, " batch"]:
    """Log-probability of every target of ``batch``, EOS included, in nats."""
    if model.training:
        raise ValueError("likelihoods need a model in evaluation mode")
    if batch.target is None:
        raise ValueError("likelihoods need target tokens")
    words, mask = gold(batch.target)
    losses = F.cross_entropy(model(batch).logits.transpose(1, 2), words, reduction="none")
    return -(losses * mask).sum(dim=1)


@dataclass(frozen=True)
class _Continuations:
    """What may come next of every hypothesis, with log-probabilities."""

    words: Int[Tensor, "batch hypothesis choice"]
    """The most probable words that do not end the sentence."""
    scores: Float[Tensor, "batch hypothesis choice"]
    end: Float[Tensor, "batch hypothesis"]
    """The log-probability of EOS."""


class _Search:
    """The unfinished sentences of a batch, all at the same position, and what is finished."""

    def __init__(
        self, model: TranslationModel, batch: Batch, config: SearchConfig, prefix: Tokens
    ) -> None:
        memory = model.encode(batch)
        sentences, device = len(batch), memory.states.device
        self._embedding, self._first = model.embedding, memory.first_position
        self._decoder = IncrementalDecoder(model.decoder, memory)
        self._config = config
        self._prefix = prefix.to(device)
        self._sentence = torch.arange(sentences, device=device)
        self._limit = _limits(batch.source, self._prefix, config)
        self._scores = torch.zeros(sentences, 1, device=device)
        self._words = torch.full((sentences, 1, 1), BOS_ID, device=device)
        self._visible = torch.ones(sentences, 1, 0, dtype=torch.bool, device=device)
        self.finished: list[list[Hypothesis]] = [[] for _ in range(sentences)]

    @property
    def unfinished(self) -> int:
        """How many sentences are still searched for."""
        return len(self._sentence)

    def step(self) -> None:
        """Make every hypothesis one word longer."""
        beam, length = self._config.beam, self._words.shape[2]
        found = self._continuations()
        last = (length >= self._limit)[:, None]
        going = (self._scores[:, :, None] + found.scores).flatten(1).masked_fill(last, -torch.inf)
        ending = self._scores + found.end
        if length <= self._config.min_length:
            ending = ending.masked_fill(~last, -torch.inf)
        self._scores, choice = going.topk(min(beam, going.shape[1]))
        self._finish(ending)

        parent = choice // found.words.shape[2]
        words = found.words.flatten(1).gather(1, choice)
        self._words = torch.cat([_take(self._words, parent), words[:, :, None]], dim=2)
        self._visible = _take(self._visible, parent)
        full = [len(self.finished[sentence]) >= beam for sentence in self._sentence.tolist()]
        self._leave(torch.tensor(full, device=words.device) | self._scores.isneginf().all(dim=1))

    def _continuations(self) -> _Continuations:
        """Run the decoder on the newest words."""
        sentences, hypotheses, length = self._words.shape
        newest = torch.eye(hypotheses, dtype=torch.bool, device=self._words.device)
        self._visible = torch.cat([self._visible, newest.expand(sentences, -1, -1)], dim=2)
        position = self._first + length - 1
        rows = self._embedding(self._words[:, :, -1].reshape(-1, 1), position)
        states = self._decoder.step(rows.view(sentences, hypotheses, -1), self._visible)
        scores = self._embedding.logits(states).log_softmax(dim=-1)
        if length <= self._prefix.ids.shape[1]:
            mask = self._prefix.mask[self._sentence, length - 1]
            words = self._prefix.ids[self._sentence, length - 1]
            others = torch.arange(scores.shape[2], device=words.device) != words[:, None]
            scores.masked_fill_((mask[:, None] & others)[:, None], -torch.inf)
        end = scores[:, :, EOS_ID].clone()
        scores[:, :, _NOT_WORDS] = -torch.inf
        best, words = _largest(scores, min(self._config.beam, scores.shape[2]))
        return _Continuations(words, best, end)

    def _finish(self, ending: Float[Tensor, "batch hypothesis"]) -> None:
        """Take down the ends that are among the ``beam`` best continuations of a sentence."""
        beam, length = self._config.beam, self._words.shape[2]
        everything = torch.cat([self._scores, ending], dim=1)
        best, rank = everything.topk(min(beam, everything.shape[1]))
        hypothesis = rank - self._scores.shape[1]
        row, place = ((hypothesis >= 0) & ~best.isneginf()).nonzero(as_tuple=True)
        for sentence, words, log_probability in zip(
            self._sentence[row].tolist(),
            self._words[row, hypothesis[row, place], 1:].tolist(),
            best[row, place].tolist(),
            strict=True,
        ):
            if len(self.finished[sentence]) < beam:
                score = log_probability / length**self._config.length_penalty
                self.finished[sentence].append(Hypothesis(tuple(words), score, log_probability))

    def _leave(self, stopped: Bool[Tensor, " batch"]) -> None:
        """Take sentences out of the batch; the last of the others move into their places."""
        if not stopped.any():
            return
        going = (~stopped).nonzero().squeeze(1)
        order = torch.arange(len(going), device=going.device)
        order[stopped[: len(going)]] = going[going >= len(going)]
        self._decoder.keep(order)
        self._sentence, self._limit = self._sentence[order], self._limit[order]
        self._scores, self._words = self._scores[order], self._words[order]
        self._visible = self._visible[order]


def _limits(source: Tokens, prefix: Tokens, config: SearchConfig) -> Int[Tensor, " batch"]:
    """How many tokens the translation of each sentence may have, EOS counted."""
    relative = config.length_factor * source.mask.sum(dim=1) + config.length_offset
    allowed = relative.long().clamp(max=config.max_length)
    return torch.maximum(allowed, prefix.mask.sum(dim=1) + 1)


def _take(
    values: Shaped[Tensor, "batch hypothesis item"], parent: Int[Tensor, "batch kept"]
) -> Shaped[Tensor, "batch kept item"]:
    """``values`` of the hypotheses ``parent``."""
    return values.gather(1, parent[:, :, None].expand(-1, -1, values.shape[2]))


def _largest(
    scores: Float[Tensor, "*rows vocab"], count: int
) -> tuple[Float[Tensor, "*rows {count}"], Int[Tensor, "*rows {count}"]]:
    """``scores.topk(count)`` for a long last axis.

    Seen as a table of ``_COLUMN`` rows, the ``count`` largest stand in the ``count`` columns with
    the largest maxima. Maxima of all columns at once are fast, sorting all scores is not.
    """
    if scores.shape[-1] % _COLUMN or scores.shape[-1] < count * _COLUMN:
        best, words = scores.topk(count)
        return best, words
    columns = scores.unflatten(-1, (_COLUMN, -1))
    column = columns.amax(dim=-2).topk(count).indices
    index = column[..., None, :].expand(*columns.shape[:-1], -1)
    best, place = columns.gather(-1, index).flatten(-2).topk(count)
    words = place // count * columns.shape[-1] + column.gather(-1, place % count)
    return best, words


__all__ = ["Hypothesis", "SearchConfig", "log_likelihoods", "translate"]
