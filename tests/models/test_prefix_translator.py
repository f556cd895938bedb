"""Translating behind a prefix: search against slow references, alone and in a batch, on disk."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Tokens, Vectors
from phosphene.data.text import Tokenizer
from phosphene.models.kinds import load_pipeline
from phosphene.models.pipeline import Pipeline, TranslationModel
from phosphene.models.prefix_folder import (
    PrefixPipeline,
    load_prefix_translator,
    save_prefix_translator,
)
from phosphene.models.prefix_translator import (
    PrefixTranslator,
    PrefixTranslatorConfig,
    build,
)
from phosphene.models.search import SearchConfig, log_likelihoods, translate
from phosphene.models.two_towers import TwoTowers, TwoTowersConfig, TwoTowersEncoder
from phosphene.nn.prefix import MappingConfig
from phosphene.serve.engine import Request, open_engine

PAD, BOS, EOS, GERMAN = 0, 1, 2, 4
LINES = ["a dog runs .", "a cat", "the red house", "ein hund rennt .", "das rote haus"]
SHORT = SearchConfig(beam=3, max_length=8)


def network(**changes: object) -> PrefixTranslatorConfig:
    values = {
        "vocab": 14, "layers": 2, "hidden": 16, "inner": 24, "heads": 2,
        "mapping": prefix(),
    }  # fmt: skip
    return PrefixTranslatorConfig.model_validate({**values, **changes})


def prefix(**changes: object) -> MappingConfig:
    return MappingConfig.model_validate({"length": 3, "feature": 6, **changes})


def translator(seed: int = 0, **changes: object) -> PrefixTranslator:
    """A random translator whose predictions are far from uniform and depend on its vector."""
    torch.manual_seed(seed)
    model = build(network(**changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        model.decoder.norm.weight.mul_(1.5)
    return model.eval()


def batch_of(*sentences: list[int], seed: int = 0) -> Batch:
    """Sentences with a vector each; the last has none."""
    rows = len(sentences)
    values = torch.randn(rows, 6, generator=torch.Generator().manual_seed(seed))
    mask = torch.arange(rows) < rows - 1
    return Batch(
        tuple(map(str, range(rows))),
        Tokens.pad([[*sentence, EOS] for sentence in sentences]),
        vectors=Vectors(values * mask[:, None], mask),
    )


SENTENCES = batch_of([5, 6, 7], [8], [9, 10, 11, 12, 5], [7, 7])


def one(batch: Batch, row: int) -> Batch:
    """A batch of one of the examples, without padding."""
    length = int(batch.source.mask[row].sum())
    part, vectors = slice(row, row + 1), batch.vectors
    return Batch(
        (batch.ids[row],),
        Tokens(batch.source.ids[part, :length], batch.source.mask[part, :length]),
        vectors=vectors and Vectors(vectors.values[part], vectors.mask[part]),
    )


def next_words(model: PrefixTranslator, batch: Batch, words: tuple[int, ...]) -> Tensor:
    """Log-probabilities after ``words``, everything computed anew."""
    target = Tokens.pad([[BOS, *words, EOS]])  # the last word is not an input
    with torch.no_grad():
        logits = model(Batch(batch.ids, batch.source, target, vectors=batch.vectors)).logits
    return logits[0, -1].log_softmax(dim=-1)


def greedy(model: PrefixTranslator, batch: Batch, limit: int) -> tuple[tuple[int, ...], float]:
    """The most probable word at every step, behind the forced language token."""
    words: tuple[int, ...] = (GERMAN,)
    total = float(next_words(model, batch, ())[GERMAN])
    while True:
        scores = next_words(model, batch, words)
        scores[[PAD, BOS]] = -math.inf
        word = EOS if len(words) + 1 == limit else int(scores.argmax())
        total += float(scores[word])
        if word == EOS:
            return words, total
        words = (*words, word)


@pytest.mark.parametrize("mapping", ["linear", "mlp", "hidden_mlp", "transformer"])
def test_beam_one_with_a_cache_is_greedy_search_without(mapping: str) -> None:
    model = translator(mapping=prefix(kind=mapping))
    assert isinstance(model, TranslationModel)
    forced = Tokens.pad([[GERMAN]] * 4)
    found = translate(model, SENTENCES, SHORT.model_copy(update={"beam": 1}), forced)
    for row, (best,) in enumerate(found):
        words, total = greedy(model, one(SENTENCES, row), SHORT.max_length)
        assert best.ids == words
        assert best.log_probability == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize("length", [0, 1, 10])
def test_a_translation_does_not_depend_on_its_neighbours(length: int) -> None:
    mapping = prefix(length=length) if length else None
    model, forced = translator(mapping=mapping), Tokens.pad([[GERMAN]])
    config = SearchConfig(beam=4, n_best=4, max_length=10)
    together = translate(model, SENTENCES, config, Tokens.pad([[GERMAN]] * 4))
    for row, hypotheses in enumerate(together):
        (alone,) = translate(model, one(SENTENCES, row), config, forced)
        assert [found.ids for found in alone] == [found.ids for found in hypotheses]
        for first, second in zip(alone, hypotheses, strict=True):
            assert first.score == pytest.approx(second.score, abs=1e-5)
            assert first.ids[0] == GERMAN


def test_a_score_is_the_likelihood_of_the_words() -> None:
    model = translator()
    found = translate(model, SENTENCES, SHORT, Tokens.pad([[GERMAN]] * 4))
    target = Tokens.pad([[BOS, *best[0].ids, EOS] for best in found])
    scored = Batch(SENTENCES.ids, SENTENCES.source, target, vectors=SENTENCES.vectors)
    expected = torch.tensor([best[0].log_probability for best in found])
    torch.testing.assert_close(log_likelihoods(model, scored), expected, atol=1e-4, rtol=1e-4)


def test_vectors_matter_and_withheld_ones_are_absent_ones() -> None:
    model = translator()
    target = Tokens.pad([[BOS, GERMAN, 5, 6, EOS]] * 4)
    full = Batch(SENTENCES.ids, SENTENCES.source, target, vectors=SENTENCES.vectors)
    seen = log_likelihoods(model, full)
    moved = log_likelihoods(model, full.shuffled("image", 1))
    blind = log_likelihoods(model, full.without("image"))
    assert not torch.isclose(seen, moved).any()
    assert torch.isclose(seen, blind, atol=1e-5).tolist() == [False, False, False, True]


def test_a_tuned_projection_starts_as_the_encoders_own() -> None:
    torch.manual_seed(3)
    plain = build(network()).eval()
    tuned = build(network(mapping=prefix(tune_projection=True))).eval()
    tuned.load_state_dict(plain.state_dict() | {"mapping.projection.weight": torch.eye(6)})
    first, second = (model.encode(SENTENCES).soft_prefix for model in (plain, tuned))
    assert first is not None and second is not None
    torch.testing.assert_close(first.rows, second.rows)


def encoder(tokenizer: Tokenizer, seed: int = 0) -> TwoTowersEncoder:
    torch.manual_seed(seed)
    config = TwoTowersConfig(
        vocab=len(tokenizer), languages=("en", "de"), side=16, width=6, hidden=8
    )
    return TwoTowersEncoder(TwoTowers(config), config, tokenizer)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of an untrained translator."""
    folder = tmp_path_factory.mktemp("run") / "model"
    tokenizer = Tokenizer.learn(LINES * 2, merges=40, languages=("en", "de"))
    config = network(vocab=len(tokenizer))
    model = translator(vocab=len(tokenizer))
    directions = [("en", "de"), ("de", "en")]
    save_prefix_translator(folder, model, config, directions, tokenizer, encoder(tokenizer))
    return folder


def test_a_folder_gives_back_what_was_saved(folder: Path) -> None:
    loaded = load_prefix_translator(folder)
    assert isinstance(loaded, Pipeline)
    expected = translator(vocab=len(loaded.tokenizer)).state_dict()
    found = loaded.model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert type(load_pipeline(folder)) is PrefixPipeline


def test_a_line_is_translated_without_a_picture(folder: Path) -> None:
    engine = open_engine(folder.parent, SHORT)
    together = engine.translate([Request(line) for line in LINES])
    for line, found in zip(LINES, together, strict=True):
        (alone,) = engine.translate([Request(line)])
        assert alone.translation == found.translation
    assert all("<lang:" not in found.translation for found in together)


def test_a_sentence_has_the_vector_of_its_picture_or_its_own(folder: Path, tmp_path: Path) -> None:
    pipeline = load_prefix_translator(folder)
    picture = tmp_path / "red.png"
    Image.new("RGB", (20, 30), "red").save(picture)
    batch = pipeline.batch(["a cat", "a cat"], [picture, None])
    assert batch.vectors is not None
    square = np.full((1, 16, 16, 3), [255, 0, 0], dtype=np.uint8)
    vectors = [pipeline.encoder.image_vectors(square), pipeline.encoder.text_vectors(["a cat"])]
    torch.testing.assert_close(batch.vectors.values, torch.cat(vectors))
    tag = pipeline.tokenizer.language_id("en")
    assert batch.source.ids[:, 0].tolist() == [tag, tag]
    picture.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"red\.png: expected a picture"):
        pipeline.batch(["a cat"], [picture])


def test_other_directions_are_asked_for_by_name(folder: Path) -> None:
    back = load_prefix_translator(folder).into("de", "en")
    assert back.forced == (back.tokenizer.language_id("en"),)
    with pytest.raises(InputError, match="no direction en-fr: this model was trained on en-de, de"):
        back.into("en", "fr")
    with pytest.raises(InputError, match="language 'fr' has no code here, expected one of: en, de"):
        back.tokenizer.language_id("fr")


@pytest.mark.parametrize("damage", ["encoder", "kind", "weights", "tokenizer"])
def test_a_folder_that_does_not_fit_together_is_refused(
    folder: Path, tmp_path: Path, damage: str
) -> None:
    for path in (path for path in folder.rglob("*") if path.is_file()):
        target = tmp_path / path.relative_to(folder)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    match damage:
        case "encoder":  # another seed, another space
            from phosphene.models.aligned_folder import save_aligned

            save_aligned(tmp_path / "aligned", encoder(tokenizer, seed=1))
            message = r"aligned: two-towers .* but the translator was trained with two-towers"
        case "kind":
            (tmp_path / "config.json").write_text(json.dumps({"kind": "prefix_translator"}))
            message = r"config\.json: not the configuration of a prefix translator"
        case "weights":
            (tmp_path / "model.safetensors").write_bytes(b"")
            message = r"model\.safetensors: missing, damaged"
        case _:
            Tokenizer.learn(LINES, merges=3).save(tmp_path / "tokenizer.json")
            message = r"tokenizer\.json: .* entries, expected"
    with pytest.raises(InputError, match=message):
        load_prefix_translator(tmp_path)
