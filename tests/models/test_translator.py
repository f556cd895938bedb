"""Translators: the published parameter counts, what they see, and their folder on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Pixels, Regions, Tokens
from phosphene.data.text import Tokenizer
from phosphene.models.folder import load_translator, save_translator
from phosphene.models.translator import (
    Fusion,
    GeneratorConfig,
    Translator,
    TranslatorConfig,
    build,
    gold,
)

GENERATOR = GeneratorConfig(channels=6, height=2, width=2, rank=4)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def tiny(fusion: Fusion = "none", generator: GeneratorConfig | None = None) -> Translator:
    torch.manual_seed(0)
    config = TranslatorConfig(
        vocab=32, layers=1, hidden=16, inner=24, heads=2, fusion=fusion, feature=6,
        generator=generator,
    )  # fmt: skip
    return build(config).eval()


def batch() -> Batch:
    return Batch(
        ("a", "b"),
        Tokens.pad([[4, 5, 6, 2], [7, 2]]),
        Tokens.pad([[1, 8, 9, 2], [1, 10, 11, 12, 2]]),
    )


@pytest.mark.parametrize(
    ("vocab", "fusion", "feature", "published"),
    [
        (9_544, "none", 0, 2_547_200),
        (9_712, "none", 0, 2_568_704),
        (9_544, "multimodal", 2048, 2_547_200 + 262_272),  # W^m: 2048 x 128 and a bias
        (9_712, "multimodal", 2048, 2_568_704 + 262_272),
        (9_544, "doubly_attentive", 2048, 3_205_248),
    ],
)
def test_parameter_counts_of_the_papers(
    vocab: int, fusion: Fusion, feature: int, published: int
) -> None:
    assert count(build(TranslatorConfig(vocab=vocab, fusion=fusion, feature=feature))) == published


def test_parameter_count_of_imagination() -> None:
    """The text translator and one linear layer from its states to the picture's vector."""
    translator = build(TranslatorConfig(vocab=9_544))
    assert count(translator) + count(nn.Linear(128, 2048)) == 2_811_392


def test_without_text_rows_the_parameters_are_the_same() -> None:
    assert count(tiny("multimodal_without_text")) == count(tiny("multimodal"))


def test_a_translation_is_predicted_word_by_word() -> None:
    model, whole = tiny(), batch()
    assert whole.target is not None
    logits = model(whole).logits
    assert logits.shape == (2, 4, 32)
    ids = whole.target.ids.clone()
    ids[:, 2] = 20
    changed = model(Batch(whole.ids, whole.source, Tokens(ids, whole.target.mask))).logits
    assert torch.equal(changed[:, :2], logits[:, :2])
    assert (changed[:, 2:] - logits[:, 2:]).abs().amax(dim=2).gt(1e-4).all()


def test_gold_is_the_target_without_its_beginning() -> None:
    target = batch().target
    assert target is not None
    words, mask = gold(target)
    assert words.tolist() == [[8, 9, 2, 0], [10, 11, 12, 2]]
    assert mask.sum(dim=1).tolist() == [3, 4]


@pytest.mark.parametrize("generator", [None, GENERATOR])
def test_logits_do_not_depend_on_the_neighbours(generator: GeneratorConfig | None) -> None:
    model = tiny("multimodal" if generator else "none", generator)
    together = model(batch()).logits
    for row, source, target in ((0, [4, 5, 6, 2], [1, 8, 9, 2]), (1, [7, 2], [1, 10, 11, 12, 2])):
        alone = model(Batch(("x",), Tokens.pad([source]), Tokens.pad([target]))).logits
        length = len(target) - 1
        torch.testing.assert_close(together[row, :length], alone[0], rtol=0, atol=2e-6)


def test_with_a_generator_the_pictures_of_a_batch_are_not_looked_at() -> None:
    model, blind = tiny("multimodal", GENERATOR), batch()
    seeing = Batch(
        blind.ids,
        blind.source,
        blind.target,
        Pixels(torch.rand(2, 3, 4, 4), torch.arange(2)),
        Regions(torch.randn(2, 4, 6), torch.ones(2, 4, dtype=torch.bool)),
    )
    trace = model(seeing)
    assert torch.equal(trace.logits, model(blind).logits)
    assert trace.feature_map is not None and trace.feature_map.shape == (2, 6, 2, 2)
    torch.testing.assert_close(trace.feature_map, model.generate_map(blind.source))
    # Row-major cells: region 1 of the first sentence is the map's upper right corner.
    regions = model.regions_of(trace.feature_map)
    torch.testing.assert_close(regions[0, 1], trace.feature_map[0, :, 0, 1])


def test_the_released_generator_uses_the_statistics_of_the_batch() -> None:
    released = tiny("multimodal", GENERATOR.model_copy(update={"released": True}))
    source = batch().source
    assert not any("running" in name for name in released.state_dict())
    together = released.generate_map(Tokens.pad([[4, 5, 6, 2], [9, 2]]))[0]
    assert not torch.allclose(released.generate_map(source)[0], together)
    ours = tiny("multimodal", GENERATOR)
    one, two = (
        ours.generate_map(source)[0],
        ours.generate_map(Tokens.pad([[4, 5, 6, 2], [9, 2]]))[0],
    )
    torch.testing.assert_close(one, two)


def test_a_forward_pass_needs_a_target_and_a_map_needs_a_generator() -> None:
    model = tiny()
    with pytest.raises(ValueError, match="needs target tokens"):
        model(Batch(("a",), Tokens.pad([[4, 2]])))
    with pytest.raises(ValueError, match="no generator"):
        model.generate_map(Tokens.pad([[4, 2]]))


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer.learn(["a dog runs .", "ein hund rennt ."] * 3, merges=20)


@pytest.fixture
def folder(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    config = TranslatorConfig(
        vocab=len(tokenizer), layers=1, hidden=16, inner=24, heads=2, fusion="multimodal",
        feature=6, generator=GENERATOR,
    )  # fmt: skip
    save_translator(tmp_path / "model", build(config), config, tokenizer)
    return tmp_path / "model"


def test_a_saved_translator_computes_the_same(tmp_path: Path, tokenizer: Tokenizer) -> None:
    config = TranslatorConfig(vocab=len(tokenizer), layers=1, hidden=16, inner=24, heads=2)
    model = build(config)
    save_translator(tmp_path, model, config, tokenizer)
    loaded = load_translator(tmp_path)
    assert loaded.config == config
    assert not loaded.model.training
    assert loaded.tokenizer.encode("a dog .") == tokenizer.encode("a dog .")
    assert torch.equal(loaded.model(batch()).logits, model.eval()(batch()).logits)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_or_damaged_file_is_named(folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=name):
        load_translator(folder)
    path.unlink()
    with pytest.raises(InputError, match=f"no {name}; expected the model folder"):
        load_translator(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "classifier"}, "this is not a translator"),
        ({"layers": 2}, "not the weights of the configuration"),
        ({"hidden": 32}, "not the weights of the configuration"),
        ({"heads": 3}, "not a model configuration"),
        ({"colour": 1}, "not a model configuration"),
    ],
)
def test_a_configuration_that_does_not_fit_is_named(
    folder: Path, change: dict[str, object], message: str
) -> None:
    path = folder / "config.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | change), encoding="utf-8")
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        load_translator(folder)
    assert message in str(caught.value)


def test_a_configuration_that_is_no_object_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json: not a model configuration"):
        load_translator(folder)


def test_another_models_vocabulary_is_refused(folder: Path) -> None:
    Tokenizer.learn(["one two three four five six seven eight"]).save(folder / "tokenizer.json")
    with pytest.raises(InputError, match=r"tokenizer\.json: \d+ entries, expected \d+ as"):
        load_translator(folder)
