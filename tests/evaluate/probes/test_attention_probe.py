"""Attention weights are those that the models themselves use."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from phosphene.core.types import Batch, Regions, Tokens, Vectors
from phosphene.evaluate.probes.attention import (
    decoder_weights,
    encoder_weights,
    fusion_weights,
    grid_names,
    mass,
    prefix_weights,
    region_weights,
    sharpness,
)
from phosphene.models.prefix_translator import PrefixTranslatorConfig
from phosphene.models.prefix_translator import build as build_prefix
from phosphene.models.translator import TranslatorConfig, build
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig
from phosphene.nn.attention import MultiHeadAttention
from phosphene.nn.bert import Packing
from phosphene.nn.prefix import MappingConfig

GENERATOR = torch.Generator().manual_seed(1)
BATCH = Batch(
    ("a", "b"),
    Tokens.pad([[5, 6, 7, 2], [8, 2]]),
    Tokens.pad([[1, 5, 6, 2], [1, 7, 2]]),
    regions=Regions(
        torch.randn(2, 4, 6, generator=GENERATOR),
        torch.tensor([[True] * 4, [True, True, False, False]]),
    ),
)


def test_fusion_weights_are_over_the_real_words_of_each_sentence() -> None:
    torch.manual_seed(1)
    config = TranslatorConfig(vocab=10, layers=2, hidden=8, heads=2, fusion="multimodal", feature=6)
    weights = fusion_weights(build(config).eval(), BATCH)
    assert weights.shape == (2, 2, 2, 4, 4)  # layer, example, head, region, word
    assert torch.allclose(weights.sum(dim=-1), torch.ones(2, 2, 2, 4))
    assert (weights[:, 1, :, :, 2:] == 0).all()
    text_only = TranslatorConfig(vocab=10, layers=1, hidden=8, heads=2)
    with pytest.raises(ValueError, match="expected a multimodal encoder"):
        fusion_weights(build(text_only).eval(), BATCH)


def test_decoder_weights_give_the_context_that_the_decoder_computes() -> None:
    torch.manual_seed(1)
    config = TranslatorConfig(vocab=10, layers=1, hidden=8, heads=2, fusion="multimodal", feature=6)
    model = build(config).eval()
    weights = decoder_weights(model, BATCH)[0]
    memory, layer = model.encode(BATCH), model.decoder.layers[0]
    attention = layer.cross_attention
    assert isinstance(attention, MultiHeadAttention)
    values = attention.project(memory.states).values
    context = attention.output((weights @ values).transpose(1, 2).flatten(2))
    rows = model.embedding(BATCH.target.ids[:, :-1])  # type: ignore[union-attr]
    causal = torch.ones(3, 3, dtype=torch.bool).tril()[None, None]
    query = layer.cross_attention_norm(layer.look_back(rows, causal))
    assert torch.allclose(context, layer.cross(query, layer.project(memory)), atol=1e-6)


def test_prefix_weights_are_the_share_of_self_attention_that_the_prefix_gets() -> None:
    torch.manual_seed(1)
    mapping = MappingConfig(feature=6, length=3)
    config = PrefixTranslatorConfig(vocab=10, layers=2, hidden=8, heads=2, mapping=mapping)
    model = build_prefix(config).eval()
    assert (prefix_weights(model, BATCH) == 0).all()  # without vectors there is no prefix
    assert decoder_weights(model, BATCH).shape == (2, 2, 2, 3, 4)
    seen = replace(BATCH, vectors=Vectors(torch.ones(2, 6), torch.tensor([True, False])))
    weights = prefix_weights(model, seen)
    assert weights.shape == (2, 2, 2, 3, 3)  # layer, example, head, target word, row
    attention = model.decoder.layers[0].self_attention
    assert isinstance(attention, MultiHeadAttention)
    memory = model.encode(seen)
    assert memory.soft_prefix is not None and BATCH.target is not None
    rows = torch.cat([memory.soft_prefix.rows, model.embedding(BATCH.target.ids[:, :-1], 3)], dim=1)
    normal = model.decoder.layers[0].self_attention_norm(rows)
    keys = attention.project(normal).keys[0, 0].detach()
    query = attention.query(normal)[0].unflatten(-1, (2, 4))[:, 0].detach()
    score = [math.exp(float(query[5] @ key) / 2) for key in keys]  # the last word sees all six
    assert weights[0, 0, 0, 2].tolist() == pytest.approx([each / sum(score) for each in score[:3]])
    for layer in model.decoder.layers:  # words that ask nothing attend to all they see alike
        torch.nn.init.zeros_(layer.self_attention.query.weight)
    even = prefix_weights(model, seen)
    expected = torch.tensor([1 / 4, 1 / 5, 1 / 6])[:, None].expand(2, 2, 3, 3)
    assert torch.allclose(even[:, 0], expected)
    assert (even[:, 1] == 0).all()  # nobody sees the prefix of an absent vector
    prefixless = build_prefix(without_prefix(config))
    with pytest.raises(ValueError, match="expected a model whose decoder reads a soft prefix"):
        prefix_weights(prefixless, BATCH)


def without_prefix(config: PrefixTranslatorConfig) -> PrefixTranslatorConfig:
    return config.model_copy(update={"mapping": None})


def test_region_weights_are_those_of_a_doubly_attentive_decoder() -> None:
    torch.manual_seed(1)
    config = TranslatorConfig(
        vocab=10, layers=2, hidden=8, heads=2, fusion="doubly_attentive", feature=6
    )
    model = build(config).eval()
    weights = region_weights(model, BATCH)
    assert weights.shape == (2, 2, 2, 3, 4)  # layer, example, head, target word, region
    assert torch.allclose(weights.sum(dim=-1), torch.ones(2, 2, 2, 3))
    memory, layer = model.encode(BATCH), model.decoder.layers[0]
    assert memory.regions is not None and BATCH.target is not None
    causal = torch.ones(3, 3, dtype=torch.bool).tril()[None, None]
    rows = layer.look_back(model.embedding(BATCH.target.ids[:, :-1]), causal)
    query, attention = layer.cross_attention_norm(rows), layer.region_attention
    context = attention.output(
        (weights[0] @ attention.project(memory.regions).values).transpose(1, 2).flatten(2)
    )
    mask = memory.regions_mask[:, None, None]  # type: ignore[index]
    assert torch.allclose(context, attention(query, memory.regions, mask), atol=1e-6)
    for each in model.decoder.layers:
        torch.nn.init.zeros_(each.region_attention.query.weight)
    even = region_weights(model, BATCH)
    assert torch.allclose(even[:, 0], torch.full((2, 2, 3, 4), 0.25))
    assert torch.allclose(even[:, 1], torch.tensor([0.5, 0.5, 0, 0]).expand(2, 2, 3, 4))
    with pytest.raises(ValueError, match="expected a batch with regions"):
        region_weights(model, replace(BATCH, regions=None))


def test_encoder_weights_are_those_of_the_fused_kernel() -> None:
    torch.manual_seed(1)
    encoder = VLEncoder(
        VLEncoderConfig(
            vocab=10, cls_id=3, sep_id=4, layers=1, hidden=8, inner=8, heads=2, feature=6
        )
    ).eval()
    trace = encoder(BATCH)
    weights = encoder_weights(encoder, trace)[0]
    attention = encoder.encoder.layers[0].attention
    states, packing = trace.layers[0], Packing.of(trace.mask)
    split = attention.query_key_value(states).unflatten(-1, (3, 2, -1))
    values = split[:, :, 2].transpose(1, 2)
    context = attention.output((weights @ values).transpose(1, 2).flatten(2))
    fused = packing.pad(attention(packing.pack(states), packing))
    assert torch.allclose(context[trace.mask], fused[trace.mask], atol=1e-6)


def test_mass_and_sharpness_of_known_weights() -> None:
    weights = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 1.0, 0.0]])[None, None, None]
    first, second = torch.tensor([[True, False]]), torch.tensor([[False, True]])
    last_two = torch.tensor([[False, False, True, True]])
    everything = torch.ones(1, 4, dtype=torch.bool)
    assert mass(weights, first, last_two).item() == pytest.approx(0.5)
    assert mass(weights, second, last_two).item() == pytest.approx(1)
    assert sharpness(weights, first, everything).item() == pytest.approx(0, abs=1e-6)
    assert sharpness(weights, second, everything).item() == pytest.approx(1)
    half = sharpness(weights, first | second, everything).item()
    assert half == pytest.approx(0.5) and math.isfinite(half)


def test_cells_of_a_square_are_named_by_row_and_column() -> None:
    assert grid_names(4) == ["1,1", "1,2", "2,1", "2,2"]
    assert grid_names(3) == ["1", "2", "3"]
