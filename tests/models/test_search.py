"""Search: against slow references that recompute everything, alone and in a batch."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from phosphene.core.types import Batch, Regions, Tokens
from phosphene.models.search import SearchConfig, translate
from phosphene.models.translator import (
    Fusion,
    GeneratorConfig,
    Translator,
    TranslatorConfig,
    build,
)

PAD, BOS, EOS = 0, 1, 2
FUSIONS: list[Fusion] = [
    "none",
    "multimodal",
    "multimodal_without_text",
    "gated",
    "doubly_attentive",
]
SHORT = SearchConfig(beam=3, max_length=8)


def translator(
    seed: int = 0, fusion: Fusion = "none", vocab: int = 12, generator: bool = False
) -> Translator:
    """A random translator whose predictions are far from uniform and depend on the source."""
    torch.manual_seed(seed)
    config = TranslatorConfig(
        vocab=vocab, layers=2, hidden=16, inner=24, heads=2, fusion=fusion, feature=6,
        generator=GeneratorConfig(channels=6, height=2, width=2, rank=4) if generator else None,
    )  # fmt: skip
    model = build(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        model.decoder.norm.weight.mul_(1.5)
    return model.eval()


def source_batch(*sentences: list[int], regions: bool = False, seed: int = 0) -> Batch:
    """Sentences, and regions of which the last sentence has none."""
    generator = torch.Generator().manual_seed(seed)
    rows = len(sentences)
    mask = torch.ones(rows, 3, dtype=torch.bool)
    mask[-1] = False
    return Batch(
        tuple(map(str, range(rows))),
        Tokens.pad([[*sentence, EOS] for sentence in sentences]),
        regions=Regions(torch.randn(rows, 3, 6, generator=generator), mask) if regions else None,
    )


def one(batch: Batch, row: int) -> Batch:
    """A batch of one of the examples, without padding."""
    length = int(batch.source.mask[row].sum())
    regions = batch.regions
    return Batch(
        (batch.ids[row],),
        Tokens(batch.source.ids[row : row + 1, :length], batch.source.mask[row : row + 1, :length]),
        regions=regions and Regions(regions.features[row : row + 1], regions.mask[row : row + 1]),
    )


def next_words(model: Translator, batch: Batch, words: tuple[int, ...]) -> Tensor:
    """Log-probabilities after ``words``, everything computed anew."""
    target = Tokens.pad([[BOS, *words, EOS]])  # the last word is not an input
    with torch.no_grad():
        logits = model(Batch(batch.ids, batch.source, target, regions=batch.regions)).logits
    return logits[0, -1].log_softmax(dim=-1)


def reference_greedy(model: Translator, batch: Batch, limit: int) -> tuple[tuple[int, ...], float]:
    words: tuple[int, ...] = ()
    total = 0.0
    while True:
        scores = next_words(model, batch, words)
        scores[[PAD, BOS]] = -math.inf
        if not words:
            scores[EOS] = -math.inf
        word = EOS if len(words) + 1 == limit else int(scores.argmax())
        total += float(scores[word])
        if word == EOS:
            return words, total
        words = (*words, word)


def reference_beam(
    model: Translator, batch: Batch, beam: int, limit: int, length_penalty: float = 1.0
) -> list[tuple[tuple[int, ...], float]]:
    """The rule of fairseq as it is told: 2 x beam candidates, EOS counts among the first beam."""
    live: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    finished: list[tuple[tuple[int, ...], float]] = []
    for length in range(1, limit + 1):
        candidates = []
        for words, total in live:
            scores = next_words(model, batch, words)
            for word, score in enumerate(scores.tolist()):
                allowed = word == EOS if length == limit else word not in (PAD, BOS)
                if allowed and not (word == EOS and length == 1 < limit):
                    candidates.append(((*words, word), total + score))
        candidates.sort(key=lambda candidate: -candidate[1])
        candidates = candidates[: 2 * beam]
        for words, total in candidates[:beam]:
            if words[-1] == EOS and len(finished) < beam:
                finished.append((words[:-1], total))
        live = [candidate for candidate in candidates if candidate[0][-1] != EOS][:beam]
        if len(finished) == beam or not live:
            break
    finished.sort(key=lambda found: -found[1] / (len(found[0]) + 1) ** length_penalty)
    return finished


BATCH = source_batch([4, 5, 6, 7], [8], [9, 10, 11, 4, 5, 6], [3, 3], [])


@pytest.mark.parametrize("seed", range(3))
def test_a_beam_of_one_is_greedy_search(seed: int) -> None:
    model = translator(seed)
    found = translate(model, BATCH, SearchConfig(beam=1, max_length=9))
    for row, (best,) in enumerate(found):
        words, log_probability = reference_greedy(model, one(BATCH, row), 9)
        assert best.ids == words
        assert best.log_probability == pytest.approx(log_probability, abs=1e-5)
        assert best.score == pytest.approx(log_probability / (len(words) + 1), abs=1e-5)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    beam=st.integers(1, 5),
    limit=st.integers(1, 8),
    length_penalty=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
)
def test_cached_search_is_the_slow_one(
    seed: int, beam: int, limit: int, length_penalty: float
) -> None:
    model = translator(seed)
    config = SearchConfig(
        beam=beam, n_best=beam, max_length=limit, length_penalty=length_penalty
    )  # fmt: skip
    for row, hypotheses in enumerate(translate(model, BATCH, config)):
        expected = reference_beam(model, one(BATCH, row), beam, limit, length_penalty)
        assert [hypothesis.ids for hypothesis in hypotheses] == [words for words, _ in expected]
        totals = [hypothesis.log_probability for hypothesis in hypotheses]
        assert totals == pytest.approx([total for _, total in expected], abs=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("regions", [True, False])
def test_alone_and_in_a_batch(fusion: Fusion, regions: bool) -> None:
    model = translator(1, fusion)
    sentences = ([4, 5, 6, 7], [8], [9, 10, 11, 4, 5, 6], [3, 3])
    batch = source_batch(*sentences, regions=regions)
    together = translate(model, batch, SHORT)
    for row in range(len(batch)):
        (alone,) = translate(model, one(batch, row), SHORT)
        assert [h.ids for h in alone] == [h.ids for h in together[row]]
        assert [h.score for h in alone] == pytest.approx([h.score for h in together[row]], abs=1e-5)
