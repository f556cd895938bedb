"""Controls of pictures, pre-training scores and lambda by word class."""

from __future__ import annotations

import numpy as np
import torch

from phosphene.core.types import Batch, Masked, MaskedPairs, Regions, Tokens
from phosphene.data.dataset import TranslationData
from phosphene.data.regions import PictureRegions, RegionTable
from phosphene.data.translation import Pair
from phosphene.evaluate.gates import lexicon, word_class
from phosphene.evaluate.pictures import (
    likelihood_gain,
    tags_only,
    with_swapped_pictures,
    withheld,
)
from phosphene.evaluate.pretraining import blind, held_out_means
from phosphene.weighting.direct import Term


def data() -> TranslationData:
    """Five sentences, each with a picture of its own."""
    table = RegionTable(
        {
            f"p{row}": PictureRegions(torch.full((1, 1), float(row)), torch.zeros(1, 4), ("dog",))
            for row in range(5)
        }
    )
    plain = TranslationData(
        tuple(Pair(f"e{row}", "a dog", "ein hund") for row in range(5)),
        [[4, 5]] * 5,
        [[6, 7]] * 5,
        np.arange(5),
        picture_names=tuple(f"p{row}" for row in range(5)),
        source_end=(),
    )
    return plain.with_regions(table, lambda texts: [[9] for _ in texts])


def shown(changed: TranslationData) -> tuple[list[float] | None, list[list[int]] | None]:
    batch = changed.batch(np.arange(5))
    features = None if batch.regions is None else batch.regions.features[:, 0, 0].tolist()
    return features, None if batch.tags is None else batch.tags.ids.tolist()


def test_each_control_changes_what_it_says() -> None:
    assert shown(data()) == ([0.0, 1.0, 2.0, 3.0, 4.0], [[9]] * 5)
    assert shown(tags_only(data())) == (None, [[9]] * 5)
    assert shown(withheld(data())) == (None, None)
    features, tags = shown(with_swapped_pictures(data()))
    assert features is not None
    assert sorted(features) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert all(one != other for one, other in enumerate(features))
    assert tags == [[9]] * 5


def test_what_the_right_picture_adds_comes_with_an_exact_p_value() -> None:
    """Four gains of 1 nat: of the 16 sign patterns, 2 are as extreme."""
    gain = likelihood_gain(np.full(4, -2.0), np.full(4, -3.0), "swapped")
    assert (gain.name, gain.value) == ("log-likelihood gained over swapped", 1.0)
    assert gain.signature.startswith("nats per sentence, p 0.12, 95 % 1.000 to 1.000")


def pairs() -> MaskedPairs:
    text = Masked(Tokens.pad([[4, 5]]), torch.tensor([[4, 6]]), torch.tensor([[False, True]]))
    tags = Masked(Tokens.pad([[9]]), torch.tensor([[9]]), torch.tensor([[True]]))
    regions = Regions(torch.zeros(1, 1, 3), torch.ones(1, 1, dtype=torch.bool))
    batch = Batch(("a",), text.tokens, regions=regions, tags=tags.tokens)
    return MaskedPairs(batch, torch.tensor([True]), text, tags)


def test_blind_batches_have_neither_regions_nor_tags_to_find() -> None:
    (found,) = blind([pairs()])
    assert found.batch.regions is None and found.batch.tags is None
    assert found.tags.chosen.shape == (1, 0)
    assert found.text is pairs().text or torch.equal(found.text.chosen, pairs().text.chosen)


def test_held_out_means_weigh_batches_by_their_counts() -> None:
    terms = [
        {"a": Term(torch.tensor(2.0), 1.0), "b": Term(torch.tensor(0.0), 0.0, 0.5)},
        {"a": Term(torch.tensor(1.0), 2.0), "b": Term(torch.tensor(3.0), 1.0, 0.5)},
    ]
    values = iter(terms)
    found = held_out_means(lambda _: next(values), [pairs(), pairs()], torch.device("cpu"))
    assert found == {"loss": 1.0 + 1.5, "a": 1.0, "b": 3.0}


def test_a_lexicon_pairs_words_that_stand_together() -> None:
    rows = [("a dog", "ein hund"), ("a cat", "eine katze"), ("dog and cat", "hund und katze")]
    found = lexicon([Pair(str(row), *pair) for row, pair in enumerate(rows)])
    assert (found["hund"], found["katze"]) == ("dog", "cat")
    assert "und" not in found  # seen once


def test_words_are_classed_by_their_translation() -> None:
    translations, tags = {"hund": "dog", "ball": "ball"}, frozenset({"dog"})
    classes = [word_class(word, tags, translations, "de") for word in ("hund", "ball", "ein", ".")]
    assert classes == ["tag word", "content word", "function word", "function word"]
    assert word_class("pizza", frozenset({"pizza"}), {}, "fr") == "tag word"
