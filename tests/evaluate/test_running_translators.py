"""A translator over a split: every sentence in its place, whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from phosphene.core.runlog import RunLog
from phosphene.data.dataset import NO_PICTURE, TranslationData
from phosphene.data.loader import collate
from phosphene.data.text import Tokenizer
from phosphene.data.translation import Pair
from phosphene.evaluate.score import Unavailable
from phosphene.evaluate.system import System, score_split, with_photo_subsets
from phosphene.evaluate.translator import reference_likelihoods, translate_all, validation_loss
from phosphene.models.search import SearchConfig
from phosphene.models.translator import Translator, TranslatorConfig, build

SEARCH = SearchConfig(beam=2, max_length=8)
SENTENCES = [("a dog runs .", "ein hund rennt ."), ("a cat", "eine katze"), ("dog", "hund")]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.learn([text for pair in SENTENCES for text in pair] * 2, merges=40)


@pytest.fixture(scope="module")
def data(tokenizer: Tokenizer) -> TranslationData:
    pairs = [Pair(f"t:{number}", *pair) for number, pair in enumerate(SENTENCES * 3)]
    return TranslationData(
        tuple(pairs),
        tokenizer.encode_all([pair.source for pair in pairs]),
        tokenizer.encode_all([pair.target for pair in pairs]),
        np.array([0, NO_PICTURE, 1] * 3),
    )


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Translator:
    torch.manual_seed(0)
    config = TranslatorConfig(vocab=len(tokenizer), layers=1, hidden=16, inner=24, heads=2)
    return build(config)


def test_the_validation_loss_against_cross_entropy(
    model: Translator, data: TranslationData
) -> None:
    model.eval()
    total = tokens = 0.0
    for source, target in zip(data.sources, data.targets, strict=True):
        batch = collate(["x"], [source], [target])
        assert batch.target is not None
        logits, gold = model(batch).logits[0], batch.target.ids[0, 1:]
        loss = F.cross_entropy(logits, gold, label_smoothing=0.1, reduction="sum")
        total, tokens = total + loss.item(), tokens + len(gold)
    model.train()
    assert validation_loss(model, data, 0.1) == pytest.approx(total / tokens, rel=1e-5)
    assert model.training


def test_likelihoods_stand_in_the_order_of_the_data(
    model: Translator, data: TranslationData
) -> None:
    values = reference_likelihoods(model, data)
    assert (values < 0).all()
    np.testing.assert_allclose(values[:3], values[3:6], rtol=1e-5)
    assert len({round(value, 3) for value in values}) == 3
    tokens = sum(len(target) + 1 for target in data.targets)
    assert -values.sum() / tokens == pytest.approx(validation_loss(model, data, 0.0), rel=1e-5)


def test_translations_stand_in_the_order_of_the_data(
    model: Translator, data: TranslationData, tokenizer: Tokenizer
) -> None:
    told: list[tuple[int, int]] = []
    found = translate_all(
        model, data, tokenizer, SEARCH, lambda done, total: told.append((done, total))
    )
    assert len(found) == 9
    assert found[:3] == found[3:6] == found[6:]
    assert told[-1] == (9, 9)


def test_a_split_is_scored_with_all_its_lines(
    model: Translator, data: TranslationData, tokenizer: Tokenizer
) -> None:
    system = System("text_only", model, tokenizer, SEARCH, "de")
    result = score_split(system, "test", data, RunLog(None, quiet=True))
    assert result.sentences == len(result.lines) == 9
    assert [line.reference for line in result.lines] == data.references
    mean = sum(line.likelihood for line in result.lines) / 9
    (likelihood,) = [score for score in result.scores if score.name == "log-likelihood"]
    assert not isinstance(likelihood, Unavailable)
    assert likelihood.value == pytest.approx(mean)


def test_what_needs_an_absent_picture_is_left_empty_and_says_so(
    model: Translator, data: TranslationData, tokenizer: Tokenizer
) -> None:
    system = System("image_given", model, tokenizer, SEARCH, "de", needs_pictures=True)
    result = score_split(system, "test", data, RunLog(None, quiet=True))
    (score,) = result.scores
    assert isinstance(score, Unavailable)
    assert score.reason == "3 of 9 sentences have no picture"
    assert result.lines == ()


def test_the_illustrated_part_of_a_split_is_a_split(data: TranslationData) -> None:
    views = with_photo_subsets({"test": data, "all": data.only_with_pictures()})
    assert {name: len(view) for name, view in views.items()} == {
        "test": 9,
        "test.photos": 6,
        "all": 6,
    }
