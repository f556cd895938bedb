"""The multimodal feature generator: pooling, unpools, published parameter counts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.nn.generator import (
    AverageUnpool,
    DenseUnpool,
    Generator,
    LearnedUnpool,
    LowRankUnpool,
    Unpool,
    masked_mean,
)


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_masked_mean_by_hand() -> None:
    states = torch.tensor([[[1.0], [3.0], [100.0]], [[5.0], [7.0], [9.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(states, mask).tolist() == [[2.0], [0.0]]


@given(length=st.integers(1, 6), padding=st.integers(0, 5), seed=st.integers(0, 100))
def test_masked_mean_ignores_padding(length: int, padding: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(1, length + padding, 4, generator=generator)
    mask = (torch.arange(length + padding) < length)[None]
    assert torch.allclose(masked_mean(states, mask)[0], states[0, :length].mean(0), atol=1e-6)


@pytest.mark.parametrize(
    "unpool",
    [
        LearnedUnpool(8, (3, 2)),
        LowRankUnpool(8, (3, 2), rank=5),
        AverageUnpool(8, (3, 2)),
        DenseUnpool(8, (3, 2), width=16),
    ],
    ids=lambda unpool: type(unpool).__name__,
)
def test_every_unpool_makes_the_map_asked_for(unpool: Unpool) -> None:
    generator = Generator(4, unpool)
    text = torch.randn(6, 4)
    features = generator(text)
    assert features.shape == (6, 8, 3, 2)
    generator.eval()
    alone, together = generator(text[:1]), generator(text)[:1]
    assert torch.allclose(alone, together, atol=1e-6)
    features.square().sum().backward()
    assert generator.project.weight.grad is not None
    assert generator.project.weight.grad.abs().sum() > 0


def test_average_unpooling_is_undone_by_average_pooling() -> None:
    vector = torch.randn(2, 8)
    features = AverageUnpool(8, (3, 2))(vector)
    assert torch.allclose(features.mean((2, 3)), vector)
    assert parameters(AverageUnpool(2048, (7, 7))) == 0


def test_low_rank_represents_what_the_learned_unpool_does() -> None:
    """The learned unpool after a projection from 4 numbers, rebuilt at rank 4."""
    learned = Generator(4, LearnedUnpool(8, (3, 2))).eval()
    low_rank = Generator(4, LowRankUnpool(8, (3, 2), rank=5)).eval()
    weight = learned.unpool.get_parameter("unfold.0.weight")  # [in, out, height, width]
    project = learned.project
    with torch.no_grad():
        basis = torch.cat([project.weight, project.bias[:, None]], 1)  # [8, 4 + 1]
        low_rank.project.load_state_dict(project.state_dict())
        low_rank.unpool.get_parameter("unfold.0.weight").copy_(
            torch.linalg.pinv(basis)[:, :, None, None]
        )
        low_rank.unpool.get_parameter("unfold.1.weight").copy_(
            torch.einsum("ir,iohw->rohw", basis, weight)
        )
    text = torch.randn(5, 4)
    assert torch.allclose(learned(text), low_rank(text), atol=1e-5)


def test_parameter_counts_of_the_paper() -> None:
    with torch.device("meta"):
        learned = LearnedUnpool(2048, (7, 7))
        resnet = Generator(128, learned)
        vgg = Generator(128, DenseUnpool(512, (7, 7)))
        alexnet = Generator(128, DenseUnpool(256, (6, 6)))
        cheap = Generator(128, LowRankUnpool(2048, (7, 7), rank=128))
    assert parameters(learned.unfold[0]) == 205_520_896
    assert parameters(resnet) == 205_520_896 + 2 * 2048 + 264_192
    assert parameters(vgg) == 142_561_795 - 22_466_563  # the released student less its body
    assert parameters(alexnet) == 58_500_483 - 3_432_835
    assert parameters(cheap) == 2048 * 128 * (1 + 49) + 2 * 2048 + 264_192
