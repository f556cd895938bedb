"""Every kind of source encoder in front of the same decoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Regions, Tokens
from phosphene.data.text import Tokenizer
from phosphene.data.wordpiece import WordPiece
from phosphene.models.pipeline import Pipeline, TranslationModel
from phosphene.models.pretrained_lxmert import LxmertConfig
from phosphene.models.search import SearchConfig, log_likelihoods, translate
from phosphene.models.vlencoder import VLEncoderConfig
from phosphene.models.vlfolder import (
    VLFolderConfig,
    VLTranslatorFolder,
    load_vl_translator,
    save_vl_translator,
)
from phosphene.models.vltranslator import (
    BertFusedSourceConfig,
    DecoderConfig,
    LxmertSourceConfig,
    SourceConfig,
    TransformerSourceConfig,
    VLSourceConfig,
    VLTranslatorConfig,
    build,
)

ENCODER = VLEncoderConfig(
    vocab=30, cls_id=2, sep_id=3, layers=2, hidden=16, inner=32, heads=2, feature=8
)
TEXT_ENCODER = ENCODER.model_copy(update={"feature": 0})
DECODER = DecoderConfig(layers=2, hidden=12, inner=16, heads=2)
LXMERT = LxmertConfig(
    vocab_size=30,
    hidden_size=16,
    num_attention_heads=2,
    intermediate_size=16,
    l_layers=1,
    r_layers=1,
    x_layers=1,
    visual_feat_dim=4,
    cls_id=2,
    sep_id=3,
)
SOURCES: dict[str, SourceConfig] = {
    "vl": VLSourceConfig(encoder=ENCODER),
    "transformer": TransformerSourceConfig(vocab=30, layers=2),
    "bert_fused": BertFusedSourceConfig(layers=2, bert=TEXT_ENCODER),
    "lxmert": LxmertSourceConfig(lxmert=LXMERT),
}
SEEING = ("vl", "lxmert")


@pytest.fixture(params=SOURCES)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "lxmert":
        pytest.importorskip("transformers")
    return name


def config(kind: str) -> VLTranslatorConfig:
    return VLTranslatorConfig(vocab=20, source=SOURCES[kind], decoder=DECODER)


def batch(rows: slice = slice(None)) -> Batch:
    """Three sentences: one with two regions and a tag, one with one region, one with nothing."""
    torch.manual_seed(4)
    features = torch.randn(3, 2, 8)
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    sources, targets = [[5, 6, 7], [8], [9, 10]], [[1, 4, 2], [1, 5, 6, 2], [1, 7, 2]]
    return Batch(
        ("a", "b", "c")[rows],
        Tokens.pad(sources[rows]),
        Tokens.pad(targets[rows]),
        regions=Regions(features[rows], mask[rows]),
        tags=Tokens.pad([[11], [12, 13], []][rows]),
    )


def test_every_source_makes_a_translation_model(kind: str) -> None:
    torch.manual_seed(0)
    model = build(config(kind)).eval()
    assert isinstance(model, TranslationModel)
    trace = model(batch())
    assert trace.logits.shape == (3, 3, 20)
    assert trace.contexts == ()
    assert trace.seen.tolist() == ([True, True, False] if kind in SEEING else [False] * 3)
    assert torch.allclose(model.trace(batch(), 2).logits, trace.logits, atol=1e-6)


def test_the_same_alone_and_in_a_batch(kind: str) -> None:
    torch.manual_seed(0)
    model = build(config(kind)).eval()
    together, search = log_likelihoods(model, batch()), SearchConfig(beam=2, max_length=6)
    best = translate(model, batch(), search)
    for row in range(3):
        alone = batch(slice(row, row + 1))
        assert torch.allclose(log_likelihoods(model, alone), together[row : row + 1], atol=1e-5)
        assert translate(model, alone, search)[0][0].ids == best[row][0].ids


def test_cached_decoding_gives_the_log_probability_of_teacher_forcing(kind: str) -> None:
    torch.manual_seed(0)
    model = build(config(kind)).eval()
    best = translate(model, batch(), SearchConfig(beam=1, max_length=6))
    targets = Tokens.pad([[1, *found[0].ids, 2] for found in best])
    expected = log_likelihoods(model, replace(batch(), target=targets)).tolist()
    assert [found[0].log_probability for found in best] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", SEEING)
def test_what_is_seen_matters_and_what_is_withheld_does_not(kind: str) -> None:
    if kind == "lxmert":
        pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = build(config(kind)).eval()
    given, blind = log_likelihoods(model, batch()), log_likelihoods(model, batch().without("image"))
    assert not torch.isclose(given[:2], blind[:2], atol=1e-6).any()
    assert torch.isclose(given[2], blind[2], atol=1e-6)


def test_the_fused_encoder_and_decoder_average_two_answers() -> None:
    """With BERT's part silenced, half of the own answer remains."""
    torch.manual_seed(0)
    model = build(config("bert_fused")).eval()
    memory = model.encode(batch())
    assert memory.regions is not None and memory.regions.shape[2] == 16
    layer = model.decoder.layers[0]
    query = torch.randn(3, 2, 12)
    with torch.no_grad():
        layer.bert_attention.output.weight.zero_()
        layer.bert_attention.output.bias.zero_()
    own = layer.cross_attention(query, memory.states, memory.mask[:, None, None])
    assert torch.allclose(layer.cross(query, layer.project(memory)), own / 2, atol=1e-6)


def test_no_bridge_between_two_widths_is_refused() -> None:
    with pytest.raises(ValueError, match="width 16 and a decoder of width 12"):
        build(config("vl").model_copy(update={"identity_bridge": True}))
    equal = DECODER.model_copy(update={"hidden": 16})
    same = config("vl").model_copy(update={"identity_bridge": True, "decoder": equal})
    assert not list(build(same).bridge.parameters())


def folder_of(kind: str) -> VLTranslatorFolder:
    torch.manual_seed(0)
    words = ["a dog runs", "a cat sleeps", "the dog sleeps"]
    wordpiece, tokenizer = WordPiece.learn(words, 30, 1), Tokenizer.learn(words, 30)
    sizes = {"vocab": len(wordpiece), "cls_id": wordpiece.cls_id, "sep_id": wordpiece.sep_id}
    source = SOURCES[kind]
    if isinstance(source, VLSourceConfig):
        source = VLSourceConfig(encoder=ENCODER.model_copy(update=sizes))
    changes = {"vocab": len(tokenizer), "source": source}
    made = VLFolderConfig(translator=config(kind).model_copy(update=changes))
    return VLTranslatorFolder(build(made.translator).eval(), made, wordpiece, tokenizer)


def test_a_folder_is_read_back_bit_by_bit(kind: str, tmp_path: Path) -> None:
    saved = folder_of(kind)
    save_vl_translator(tmp_path, saved)
    loaded = load_vl_translator(tmp_path)
    assert isinstance(loaded, Pipeline)
    assert loaded.config == saved.config
    before, after = saved.model.state_dict(), loaded.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    lines = ["a dog sleeps", "the cat"]
    one, other = (each.batch(lines, [None, None]) for each in (saved, loaded))
    assert torch.equal(one.source.ids, other.source.ids)
    assert one.regions is None and one.tags is None
    best = translate(loaded.model, other, SearchConfig(beam=2, max_length=5))
    assert len(best) == 2 and isinstance(loaded.text(best[0][0].ids), str)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    save_vl_translator(tmp_path, folder_of("vl"))
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace("vl_translator", "translator"))
    with pytest.raises(InputError, match="this is not a vl_translator"):
        load_vl_translator(tmp_path)


def test_a_picture_nobody_can_look_at_is_refused() -> None:
    saved = folder_of("vl")
    seeing = saved.config.translator.model_copy(update={"sees": True})
    blind = replace(saved, config=saved.config.model_copy(update={"translator": seeing}))
    with pytest.raises(InputError, match=r"dog\.jpg: this model reads the regions of a detector"):
        blind.batch(["a dog"], [Path("dog.jpg")])
