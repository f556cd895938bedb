"""The encoders that look at regions: what they see, what they ignore, what padding may not do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.types import Regions, Tokens
from phosphene.nn.fusion import (
    DoublyAttentiveDecoderLayer,
    DoublyAttentiveEncoder,
    GatedFusionEncoder,
    MultimodalEncoder,
    TextEncoder,
    mean_region,
)
from phosphene.nn.transformer import Decoder, DecoderLayer, Memory, Width

WIDTH = Width(hidden=16, inner=24, heads=2, dropout=0.0)
FEATURE = 10


def encoders() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "text": TextEncoder(2, WIDTH),
        "multimodal": MultimodalEncoder(2, WIDTH, FEATURE),
        "without_text": MultimodalEncoder(2, WIDTH, FEATURE, text_rows=False),
        "gated": GatedFusionEncoder(2, WIDTH, FEATURE),
        "doubly_attentive": DoublyAttentiveEncoder(2, WIDTH, FEATURE),
    }


def decoder(name: str) -> Decoder:
    torch.manual_seed(1)
    layer = DoublyAttentiveDecoderLayer if name == "doubly_attentive" else DecoderLayer
    return Decoder([layer(WIDTH) for _ in range(2)], 16)


def inputs() -> tuple[Tensor, Tokens, Regions]:
    """Three sentences of 6, 3 and 4 words; the second one has no picture."""
    torch.manual_seed(2)
    source = Tokens.pad([[5] * 6, [5] * 3, [5] * 4])
    present = torch.tensor([True, False, True])
    features = torch.randn(3, 4, FEATURE) * present[:, None, None]
    return torch.randn(3, 6, 16), source, Regions(features, present[:, None].expand(-1, 4))


@pytest.mark.parametrize("name", encoders())
@pytest.mark.parametrize("seeing", [True, False])
def test_what_the_decoder_gets_does_not_depend_on_the_neighbours(name: str, seeing: bool) -> None:
    encoder, reader = encoders()[name], decoder(name)
    text, source, regions = inputs()
    target = torch.randn(3, 5, 16)
    together = reader(target, encoder(text, source, regions if seeing else None))
    for row, length in enumerate((6, 3, 4)):
        one = slice(row, row + 1)
        own = Regions(regions.features[one], regions.mask[one]) if seeing else None
        tokens = Tokens(source.ids[one, :length], source.mask[one, :length])
        alone = reader(target[one], encoder(text[one, :length], tokens, own))
        torch.testing.assert_close(alone, together[one], rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["multimodal", "gated", "doubly_attentive"])
def test_no_picture_is_the_text_path(name: str) -> None:
    encoder, reader = encoders()[name], decoder(name)
    text, source, regions = inputs()
    target = torch.randn(3, 5, 16)
    seen = reader(target, encoder(text, source, regions))
    blind = reader(target, encoder(text, source, None))
    torch.testing.assert_close(seen[1], blind[1], rtol=0, atol=2e-6)
    assert (seen - blind).abs().amax(dim=(1, 2))[[0, 2]].gt(1e-4).all()


@pytest.mark.parametrize("name", ["multimodal", "gated", "doubly_attentive"])
def test_what_stands_behind_the_mask_of_an_absent_picture_is_never_seen(name: str) -> None:
    encoder, reader = encoders()[name], decoder(name)
    text, source, regions = inputs()
    target = torch.randn(3, 5, 16)
    noisy = Regions(regions.features + 9 * ~regions.mask[:, :, None], regions.mask)
    torch.testing.assert_close(
        reader(target, encoder(text, source, noisy)), reader(target, encoder(text, source, regions))
    )


@pytest.mark.parametrize("name", ["gated", "doubly_attentive"])
def test_without_a_picture_the_states_are_those_of_the_text_encoder(name: str) -> None:
    encoder = encoders()[name]
    text, source, regions = inputs()
    plain = TextEncoder(2, WIDTH)
    plain.load_state_dict(
        {key: value for key, value in encoder.state_dict().items() if key.startswith("encoder.")}
    )
    expected = plain(text, source, None).states
    assert torch.equal(encoder(text, source, regions).states[1], expected[1])


def test_an_absent_picture_gives_finite_gradients() -> None:
    for name, encoder in encoders().items():
        text, source, regions = inputs()
        text.requires_grad_()
        states = decoder(name)(torch.randn(3, 5, 16), encoder(text, source, regions))
        states.square().sum().backward()
        assert text.grad is not None and text.grad.isfinite().all()
        for weight in encoder.parameters():
            assert weight.grad is None or weight.grad.isfinite().all()


def test_text_rows_of_the_multimodal_encoder_never_see_a_region() -> None:
    """Keys and values are the text: equations 1 to 3."""
    encoder = encoders()["multimodal"]
    text, source, regions = inputs()
    other = Regions(torch.randn_like(regions.features), regions.mask)
    first, second = encoder(text, source, regions), encoder(text, source, other)
    words, cells = slice(0, 6), slice(6, None)
    torch.testing.assert_close(first.states[:, words], second.states[:, words])
    assert (first.states - second.states)[0, cells].abs().amax(dim=1).gt(1e-3).all()
    assert first.mask.tolist() == torch.cat([source.mask, regions.mask], dim=1).tolist()


def test_every_layer_of_the_multimodal_encoder_reads_the_embedding() -> None:
    """Written out: rows ask, the normalised embedding answers, in both layers."""
    encoder = encoders()["multimodal"]
    assert isinstance(encoder, MultimodalEncoder)
    text, source, regions = inputs()
    rows = torch.cat([text, encoder.project(regions.features)], dim=1)
    for layer in encoder.layers:
        keys = layer.attention_norm(text)
        rows = rows + layer.attention(layer.attention_norm(rows), keys, source.mask[:, None, None])
        rows = rows + layer.feed_forward(layer.feed_forward_norm(rows))
    expected = encoder.norm(rows)
    torch.testing.assert_close(encoder(text, source, regions).states, expected)


def test_image_rows_alone() -> None:
    text, source, regions = inputs()
    both, alone = encoders()["multimodal"], encoders()["without_text"]
    alone.load_state_dict(both.state_dict())
    memory: Memory = alone(text, source, regions)
    whole = both(text, source, regions)
    torch.testing.assert_close(memory.states, whole.states[:, 6:])
    assert torch.equal(memory.mask, regions.mask)


def test_the_gate_is_written_out() -> None:
    encoder = encoders()["gated"]
    assert isinstance(encoder, GatedFusionEncoder)
    text, source, regions = inputs()
    states = encoder.encoder(text, source.mask)[0]
    image = encoder.project(regions.features[0].mean(dim=0)).expand(6, -1)
    gate = encoder.gate(torch.cat([states, image], dim=1)).sigmoid()
    torch.testing.assert_close(
        encoder(text, source, regions).states[0], states + gate * image, rtol=1e-5, atol=1e-6
    )


def test_mean_region_by_hand() -> None:
    features = torch.tensor([[[1.0, 2.0], [3.0, 6.0]], [[1.0, 2.0], [9.0, 9.0]], [[7.0, 7.0]] * 2])
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    assert mean_region(Regions(features, mask)).tolist() == [[2.0, 4.0], [1.0, 2.0], [0.0, 0.0]]
