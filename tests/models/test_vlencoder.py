"""The vision-language encoder: what stands where; padding and neighbours change nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Regions, Tokens
from phosphene.data.regions import PictureRegions, RegionTable
from phosphene.models.vlencoder import (
    Spans,
    VLEncoder,
    VLEncoderConfig,
    VLTrace,
    language_rows,
    lay_out,
    standardise_regions,
)

CLS, SEP, VOCAB, FEATURE = 2, 3, 30, 5
CONFIG = VLEncoderConfig(
    vocab=VOCAB,
    cls_id=CLS,
    sep_id=SEP,
    layers=2,
    hidden=12,
    inner=16,
    heads=3,
    max_positions=20,
    feature=FEATURE,
)
ids = st.lists(st.integers(5, VOCAB - 1), max_size=5)
examples = st.lists(st.tuples(ids, ids, st.integers(0, 3)), min_size=1, max_size=4)
Example = tuple[list[int], list[int], int]


def fresh(config: VLEncoderConfig = CONFIG) -> VLEncoder:
    """An encoder whose every weight, biases and norms included, makes a difference."""
    torch.manual_seed(0)
    encoder = VLEncoder(config)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return encoder.eval()


ENCODER = fresh()


def batch_of(given_examples: list[Example], padding: int = 0) -> Batch:
    """Texts, tags and region counts side by side, with ``padding`` more columns of rubbish."""
    texts, tags, counts = zip(*given_examples, strict=True)
    torch.manual_seed(0)
    width = max(counts)
    features = torch.randn(4, 3, FEATURE)[: len(counts), :width]
    present = torch.arange(width) < torch.tensor(counts)[:, None]
    features = torch.where(present[..., None], features, torch.nan)
    return Batch(
        tuple(f"scene {row}" for row in range(len(texts))),
        widen(Tokens.pad(texts), padding),
        tags=widen(Tokens.pad(tags), padding),
        regions=Regions(
            torch.cat([features, torch.full((len(counts), padding, FEATURE), torch.nan)], dim=1),
            torch.cat([present, torch.zeros(len(counts), padding, dtype=torch.bool)], dim=1),
        ),
    )


def widen(tokens: Tokens, columns: int) -> Tokens:
    rubbish = torch.randint(VOCAB, (len(tokens.ids), columns))
    return Tokens(
        torch.cat([tokens.ids, rubbish], dim=1),
        torch.cat([tokens.mask, torch.zeros_like(rubbish, dtype=torch.bool)], dim=1),
    )


def row_of(batch: Batch, row: int) -> Batch:
    assert batch.tags is not None
    assert batch.regions is not None
    rows = slice(row, row + 1)
    return Batch(
        batch.ids[rows],
        Tokens(batch.source.ids[rows], batch.source.mask[rows]),
        tags=Tokens(batch.tags.ids[rows], batch.tags.mask[rows]),
        regions=Regions(batch.regions.features[rows], batch.regions.mask[rows]),
    )


def real(trace: VLTrace, row: int = 0) -> list[Tensor]:
    """The states of one example after each layer, its padding left out."""
    return [states[row, trace.mask[row]] for states in trace.layers]


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_rows_stand_in_the_order_of_the_paper() -> None:
    """``[CLS] text [SEP] tags [SEP] regions``; without tags there is no second [SEP]."""
    batch = batch_of([([5, 6, 7], [8, 9], 2), ([10], [], 1)])
    rows = language_rows(batch.source, batch.tags, CLS, SEP)
    assert rows.ids.tolist() == [[CLS, 5, 6, 7, SEP, 8, 9, SEP], [CLS, 10, 0, 0, SEP, 0, 0, SEP]]
    assert rows.mask.int().tolist() == [[1] * 8, [1, 1, 0, 0, 1, 0, 0, 0]]
    trace = ENCODER(batch)
    assert trace.spans == Spans(slice(1, 4), slice(5, 7), slice(8, 10))
    assert trace.spans.language == slice(0, 8)
    assert trace.mask.int().tolist() == [[1] * 10, [1, 1, 0, 0, 1, 0, 0, 0, 1, 0]]
    assert len(trace.layers) == 1 + CONFIG.layers


def test_the_parts_of_a_trace_are_its_rows() -> None:
    trace = ENCODER(batch_of([([5, 6, 7], [8, 9], 2), ([10], [], 1)]))
    assert torch.equal(trace.cls, trace.layers[-1][:, 0])
    assert torch.equal(trace.text.states, trace.states[:, 1:4])
    assert torch.equal(trace.tags.states, trace.states[:, 5:7])
    assert torch.equal(trace.regions.states, trace.states[:, 8:10])
    assert torch.equal(trace.language.states, trace.states[:, :8])
    assert trace.text.mask.int().tolist() == [[1, 1, 1], [1, 0, 0]]
    assert trace.tags.mask.int().tolist() == [[1, 1], [0, 0]]
    assert trace.regions.mask.int().tolist() == [[1, 1], [1, 0]]
    assert torch.equal(trace.take(trace.spans.tags, layer=0).states, trace.layers[0][:, 5:7])


def test_words_are_embedded_with_their_position_and_segment() -> None:
    """Tags go on counting where the text of their own example ended, as segment B."""
    trace = ENCODER(batch_of([([5, 6, 7], [8], 1), ([9], [8], 1)]))
    embedding = ENCODER.embedding
    expected = {  # (example, row): word, position, type
        (0, 0): (CLS, 0, 0),
        (0, 3): (7, 3, 0),
        (0, 4): (SEP, 4, 0),
        (0, 5): (8, 5, 1),
        (0, 6): (SEP, 6, 1),
        (1, 1): (9, 1, 0),
        (1, 4): (SEP, 2, 0),
        (1, 5): (8, 3, 1),
        (1, 6): (SEP, 4, 1),
    }
    for (example, row), (word, position, kind) in expected.items():
        summed = (
            embedding.words.weight[word]
            + embedding.positions.weight[position]
            + embedding.types.weight[kind]
        )
        torch.testing.assert_close(trace.layers[0][example, row], embedding.norm(summed))


@pytest.mark.parametrize("normalised", [True, False])
def test_regions_go_through_one_layer_and_have_no_position(normalised: bool) -> None:
    encoder = fresh(CONFIG.model_copy(update={"region_norm": normalised}))
    assert encoder.regions is not None
    batch = batch_of([([5, 6], [7], 3)])
    assert batch.regions is not None
    projected = encoder.regions.projection(batch.regions.features)
    if normalised:
        norm = encoder.regions.norm
        spread = (projected - projected.mean(-1, keepdim=True)) / projected.std(
            -1, keepdim=True, correction=0
        )
        projected = spread * norm.weight + norm.bias
    trace = encoder(batch)
    torch.testing.assert_close(trace.layers[0][:, trace.spans.regions], projected)

    order = torch.tensor([2, 0, 1])
    moved = encoder(
        replace(batch, regions=Regions(batch.regions.features[:, order], batch.regions.mask))
    )
    torch.testing.assert_close(moved.regions.states, trace.regions.states[:, order])
    torch.testing.assert_close(moved.language.states, trace.language.states)


@given(examples, st.integers(0, 3))
def test_an_example_is_the_same_alone_in_a_batch_and_with_padding(
    given_examples: list[Example], padding: int
) -> None:
    """Padding holds random words and NaN."""
    batch = batch_of(given_examples, padding)
    together = ENCODER(batch)
    for row, example in enumerate(given_examples):
        assert_same(real(ENCODER(row_of(batch, row))), real(together, row))
        assert len(real(together, row)[0]) == (
            2 + len(example[0]) + len(example[1]) + (len(example[1]) > 0) + example[2]
        )


@given(examples)
def test_padding_is_zero_at_every_layer(given_examples: list[Example]) -> None:
    trace = ENCODER(batch_of(given_examples, padding=1))
    assert all(states[~trace.mask].eq(0).all() for states in trace.layers)


@given(ids, ids)
def test_an_example_without_a_picture_is_as_if_there_were_none(
    text: list[int], tags: list[int]
) -> None:
    with_neighbour = batch_of([(text, [], 0), ([5], tags, 3)])
    alone = Batch(("alone",), Tokens.pad([text]))
    assert_same(real(ENCODER(with_neighbour)), real(ENCODER(alone)))
    assert_same(real(ENCODER(with_neighbour.without("image"))), real(ENCODER(alone)))


def test_withholding_leaves_no_row() -> None:
    batch = batch_of([([5, 6, 7], [8, 9], 2), ([10], [11], 1)])
    without_image = ENCODER(batch.without("image"))
    assert without_image.mask.shape == (2, 5)
    assert without_image.tags.states.shape == (2, 0, 12)
    assert without_image.regions.states.shape == (2, 0, 12)
    without_text = ENCODER(batch.without("text"))
    assert without_text.spans == Spans(slice(1, 1), slice(2, 4), slice(5, 7))
    assert without_text.mask[:, :2].all()
    assert without_text.text.states.shape == (2, 0, 12)
    nothing = ENCODER(batch.without("text").without("image"))
    torch.testing.assert_close(nothing.cls[0], nothing.cls[1])


def test_every_part_of_the_input_reaches_cls() -> None:
    batch = batch_of([([5, 6, 7], [8, 9], 2)])
    assert batch.tags is not None
    assert batch.regions is not None
    before = ENCODER(batch).cls
    changed = [
        replace(batch, source=Tokens.pad([[5, 6, 12]])),
        replace(batch, tags=Tokens.pad([[8, 12]])),
        replace(batch, regions=Regions(-batch.regions.features, batch.regions.mask)),
        batch.without("image"),
        batch.without("text"),
    ]
    for other in changed:
        assert (ENCODER(other).cls - before).abs().max() > 1e-3


def test_training_moves_every_parameter() -> None:
    encoder = fresh().train()
    trace = encoder(batch_of([([5, 6, 7], [8, 9], 2), ([10], [], 0)]))
    trace.states.pow(3).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_a_batch_without_any_region_trains() -> None:
    encoder = fresh().train()
    encoder(batch_of([([5, 6], [], 0), ([7], [], 0)], padding=2)).states.sum().backward()
    assert encoder.regions is not None
    assert encoder.regions.projection.weight.grad is not None
    assert encoder.regions.projection.weight.grad.eq(0).all()


def test_dropout_is_for_training() -> None:
    batch = batch_of([([5, 6, 7], [8, 9], 2)])
    encoder = fresh()
    assert torch.equal(encoder(batch).states, encoder(batch).states)
    encoder.train()
    assert not torch.equal(encoder(batch).states, encoder(batch).states)
    never = fresh(CONFIG.model_copy(update={"dropout": 0.0, "attention_dropout": 0.0}))
    torch.testing.assert_close(never.train()(batch).states, fresh()(batch).states)


def test_features_may_be_stored_in_half_precision() -> None:
    batch = batch_of([([5, 6], [7], 3)])
    assert batch.regions is not None
    half = replace(batch, regions=Regions(batch.regions.features.half(), batch.regions.mask))
    trace = ENCODER(half)
    assert trace.states.dtype == torch.float32
    torch.testing.assert_close(trace.states, ENCODER(batch).states, atol=1e-2, rtol=1e-2)


def test_weights_survive_a_round_trip() -> None:
    again = VLEncoder(VLEncoderConfig.model_validate_json(CONFIG.model_dump_json())).eval()
    again.load_state_dict(ENCODER.state_dict())
    batch = batch_of([([5, 6, 7], [8, 9], 2)])
    assert torch.equal(again(batch).states, ENCODER(batch).states)


def test_a_text_longer_than_the_positions_is_named() -> None:
    """17 pieces and their [CLS] and [SEP] fit into 20 positions, padding and regions aside."""
    fitting = batch_of([(list(range(5, 22)), [], 3), ([5], [6, 7, 8], 3)], padding=5)
    assert ENCODER(fitting).states.isfinite().all()
    too_long = batch_of([([5], [], 0), (list(range(5, 22)), [5, 6], 0)])
    with pytest.raises(InputError, match=r"example scene 1: 22 word pieces .* 20 positions"):
        ENCODER(too_long)


def test_regions_of_another_width_are_refused() -> None:
    batch = Batch(
        ("a",),
        Tokens.pad([[5]]),
        regions=Regions(torch.zeros(1, 1, 7), torch.ones(1, 1, dtype=torch.bool)),
    )
    with pytest.raises(InputError, match="regions are 7 wide, the encoder was built for 5"):
        ENCODER(batch)
    blind = fresh(CONFIG.model_copy(update={"feature": 0}))
    assert not any("regions" in name for name in blind.state_dict())
    with pytest.raises(ValueError, match="no visual parts"):
        blind(batch)
    assert blind(batch.without("image")).mask.shape == (1, 3)


def test_heads_have_to_divide_the_width() -> None:
    with pytest.raises(ValidationError, match="hidden = 12 is not a multiple of heads = 5"):
        VLEncoderConfig(vocab=9, cls_id=1, sep_id=2, hidden=12, heads=5)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_spans_cover_all_rows_but_the_special_ones(text: int, tags: int, regions: int) -> None:
    spans = lay_out(text, tags, regions)
    covered = [
        row
        for span in (spans.text, spans.tags, spans.regions)
        for row in range(span.start, span.stop)
    ]
    specials = {0, 1 + text} | ({2 + text + tags} if tags else set())
    assert sorted(covered + list(specials)) == list(range(len(covered) + len(specials)))


def test_bert_base_with_regions_has_the_parameters_counted_by_hand() -> None:
    """BERT-base has 109,482,240 parameters, of which ours has all but the pooler's 590,592."""
    embeddings = (30_522 + 512 + 2) * 768 + 2 * 768
    attention = 4 * (768 * 768 + 768)
    feed_forward = 768 * 3072 + 3072 + 3072 * 768 + 768
    layer = attention + feed_forward + 2 * 2 * 768
    pooler = 768 * 768 + 768
    assert embeddings + 12 * layer + pooler == 109_482_240
    regions = 2052 * 768 + 768 + 2 * 768
    with torch.device("meta"):
        encoder = VLEncoder(VLEncoderConfig(vocab=30_522, cls_id=101, sep_id=102, feature=2052))
    assert all(parameter.is_meta for parameter in encoder.parameters())
    count = sum(parameter.numel() for parameter in encoder.parameters())
    assert count == 109_482_240 - pooler + regions == 110_469_888


def test_regions_are_projected_as_if_their_numbers_had_mean_0_and_spread_1() -> None:
    """Features of mean 7 and spread 0.1 beside geometry: each side has half of the variance."""
    generator = torch.Generator().manual_seed(0)
    features = 7 + 0.1 * torch.randn(400, 6, generator=generator)
    boxes = torch.rand(400, 4, generator=generator)
    table = RegionTable({"p": PictureRegions(features, boxes)})
    encoder = VLEncoder(CONFIG.model_copy(update={"feature": table.width, "hidden": 300}))
    standardise_regions(encoder, table)
    assert encoder.regions is not None
    projection, rows = encoder.regions.projection, table.regions(["p"]).features[0]
    assert projection(rows).mean(dim=0).abs().max().item() < 1e-4
    sides = [
        part.std(dim=0).mul(weight).square().sum(dim=1).mean().item()
        for part, weight in (
            (rows[:, :6], projection.weight[:, :6]),
            (rows[:, 6:], projection.weight[:, 6:]),
        )
    ]
    assert sides[0] == pytest.approx(6 * 0.02**2, rel=0.1)
    assert sides[1] == pytest.approx(sides[0], rel=0.15)
