"""Search: against slow references that recompute everything, alone and in a batch."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from phosphene.core.types import Batch, Regions, Tokens
from phosphene.models.search import SearchConfig, _largest, log_likelihoods, translate
from phosphene.models.translator import Fusion, GeneratorConfig, Translator, TranslatorConfig, build
from phosphene.nn.incremental import IncrementalDecoder

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


def test_without_pictures_for_a_model_that_makes_its_own() -> None:
    model = translator(2, "multimodal", generator=True)
    for row, hypotheses in enumerate(translate(model, BATCH, SHORT)):
        words, log_probability = reference_beam(model, one(BATCH, row), 3, 8)[0]
        assert hypotheses[0].ids == words
        assert hypotheses[0].log_probability == pytest.approx(log_probability, abs=1e-5)


@pytest.mark.parametrize("fusion", ["multimodal", "doubly_attentive"])
def test_with_pictures_it_is_the_slow_search(fusion: Fusion) -> None:
    model = translator(3, fusion)
    batch = source_batch([4, 5, 6, 7], [8], [9, 10], regions=True)
    for row, hypotheses in enumerate(translate(model, batch, SHORT)):
        assert hypotheses[0].ids == reference_beam(model, one(batch, row), 3, 8)[0][0]


def test_long_translations_of_long_sentences_from_a_large_vocabulary() -> None:
    model = translator(4, vocab=160)  # a multiple of 16, unlike 12: words are ranked by columns
    batch = source_batch([4, 50, 159] * 7, [100] * 15, [77])
    config = SearchConfig(beam=1, min_length=30, max_length=40, length_offset=40)
    found = [best.ids for (best,) in translate(model, batch, config)]
    for row, ids in enumerate(found):
        scores = [next_words(model, one(batch, row), ids[:length]) for length in range(30)]
        assert [int(s[3:].argmax()) + 3 for s in scores] == list(ids[:30])
        assert 30 <= len(ids) < 40


def test_n_best_lists_are_sorted_and_without_repetition() -> None:
    found = translate(translator(5), BATCH, SearchConfig(beam=5, n_best=5, max_length=10))
    for hypotheses in found:
        assert len({hypothesis.ids for hypothesis in hypotheses}) == 5
        scores = [hypothesis.score for hypothesis in hypotheses]
        assert scores == sorted(scores, reverse=True)
    best = translate(translator(5), BATCH, SearchConfig(beam=5, n_best=2, max_length=10))
    assert best == [hypotheses[:2] for hypotheses in found]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_as_large_as_everything_finds_the_best(length_penalty: float) -> None:
    model, limit = translator(6, vocab=6), 3
    config = SearchConfig(
        beam=64, n_best=64, max_length=limit, min_length=0, length_penalty=length_penalty
    )
    batch = source_batch([4, 5], [3])
    for row, hypotheses in enumerate(translate(model, batch, config)):
        scores = {}
        for length in range(limit):
            for words in itertools.product((3, 4, 5), repeat=length):
                total = sum(
                    float(next_words(model, one(batch, row), words[:end])[word])
                    for end, word in enumerate((*words, EOS))
                )
                scores[words] = total / (length + 1) ** length_penalty
        assert len(scores) == 1 + 3 + 9
        assert hypotheses[0].ids == max(scores, key=scores.__getitem__)
        assert {h.ids: h.score for h in hypotheses} == pytest.approx(scores, abs=1e-5)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_prefix_is_kept_and_counted(beam: int) -> None:
    model = translator(7)
    prefixes = [[7, 7, 5], [], [3], [9, 9, 9, 9, 9, 9], [4]]
    config = SearchConfig(beam=beam, max_length=5)
    found = translate(model, BATCH, config, Tokens.pad(prefixes))
    for row, (prefix, (best,)) in enumerate(zip(prefixes, found, strict=True)):
        assert list(best.ids[: len(prefix)]) == prefix
        assert len(best.ids) == 6 if len(prefix) == 6 else len(best.ids) < 5
        total = sum(
            float(next_words(model, one(BATCH, row), best.ids[:end])[word])
            for end, word in enumerate((*best.ids, EOS))
        )
        assert best.log_probability == pytest.approx(total, abs=1e-5)
    assert found[1] == translate(model, BATCH, config)[1]


def test_the_best_translation_as_a_prefix_gives_itself() -> None:
    model = translator(8)
    found = translate(model, BATCH, SHORT)
    prefix = Tokens.pad([hypotheses[0].ids for hypotheses in found])
    config = SHORT.model_copy(update={"max_length": 1})
    again = translate(model, BATCH, config, prefix)
    assert [h[0].ids for h in again] == [h[0].ids for h in found]
    assert [h[0].score for h in again] == pytest.approx([h[0].score for h in found], abs=1e-5)


@pytest.mark.parametrize("word", [PAD, BOS, EOS])
def test_a_prefix_of_other_than_words_is_refused(word: int) -> None:
    prefix = Tokens.pad([[4, word], *[[]] * 4])
    with pytest.raises(ValueError, match="without padding, BOS or EOS"):
        translate(translator(), BATCH, SHORT, prefix)


def test_length_limits() -> None:
    model = translator(9)
    with torch.no_grad():  # EOS becomes unlikely
        model.embedding.table[EOS] = -4 * model.decoder.norm.bias
    config = SearchConfig(beam=2, length_factor=2.0, length_offset=3, max_length=9)
    lengths = [len(best.ids) + 1 for (best,) in translate(model, BATCH, config)]
    # Sources of 5, 2, 7, 3 and 1 tokens, EOS counted: 13, 7, 17, 9 and 5, and at most 9.
    assert lengths == [9, 7, 9, 9, 5]


def test_finished_sentences_leave_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    step = IncrementalDecoder.step

    def counting(self: IncrementalDecoder, states: Tensor, visible: Tensor) -> Tensor:
        rows.append(states.shape[0])
        return step(self, states, visible)

    monkeypatch.setattr(IncrementalDecoder, "step", counting)
    limits = SearchConfig(beam=1, length_factor=1, length_offset=1, min_length=200)
    translate(translator(), BATCH, limits)
    # Sources of 5, 2, 7, 3 and 1 tokens: translations of 6, 3, 8, 4 and 2.
    assert rows == [5, 5, 4, 3, 2, 2, 1, 1]


def test_the_batch_is_left_as_it_was() -> None:
    batch = source_batch([4, 5, 6], [8], [9, 10, 11], [3], regions=True)
    assert batch.regions is not None
    tensors = [batch.source.ids, batch.source.mask, batch.regions.features, batch.regions.mask]
    before = [tensor.clone() for tensor in tensors]
    translate(translator(fusion="doubly_attentive"), batch, SHORT)
    assert all(map(torch.equal, tensors, before))


def test_no_sentences() -> None:
    batch = Batch((), Tokens(torch.zeros(0, 1, dtype=torch.long), torch.zeros(0, 1).bool()))
    assert translate(translator(), batch, SHORT) == []


def test_likelihood_of_a_translation_is_that_of_the_search() -> None:
    model = translator(10)
    found = [hypotheses[0] for hypotheses in translate(model, BATCH, SHORT)]
    target = Tokens.pad([[BOS, *hypothesis.ids, EOS] for hypothesis in found])
    values = log_likelihoods(model, Batch(BATCH.ids, BATCH.source, target))
    assert values.tolist() == pytest.approx([h.log_probability for h in found], abs=1e-5)


def test_a_model_that_is_training_is_refused() -> None:
    model = translator().train()
    with pytest.raises(ValueError, match="evaluation mode"):
        translate(model, BATCH, SHORT)
    with pytest.raises(ValueError, match="evaluation mode"):
        log_likelihoods(model, BATCH)


def test_more_results_than_hypotheses_are_refused() -> None:
    with pytest.raises(ValidationError, match="n_best 6 is larger than beam 5"):
        SearchConfig(n_best=6)


@given(
    scores=st.lists(st.integers(-50, 50), min_size=64, max_size=64, unique=True),
    count=st.integers(1, 4),
)
def test_ranking_by_columns_is_ranking(scores: list[int], count: int) -> None:
    tensor = torch.tensor([scores, scores[::-1]], dtype=torch.float32)
    best, words = _largest(tensor, count)
    expected = tensor.topk(count)
    assert torch.equal(best, expected.values)
    assert torch.equal(words, expected.indices)
