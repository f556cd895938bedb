"""Sizes of the paper's networks, what is imitated, and how Japanese is cut into words."""

from __future__ import annotations

import pytest
import torch

from phosphene.core.config import parse_settings
from phosphene.core.types import AlignedPositions, Batch, Parallel, Regions, Tokens
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.regions import PictureRegions, RegionTable
from phosphene.data.words import segment
from phosphene.models.answerer import Answerer, AnswererConfig
from phosphene.models.backbone import Backbone
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig
from phosphene.recipes.crosslingual_vqa_networks import Imitation, answerer, divisors
from phosphene.recipes.crosslingual_vqa_settings import AnswererBackbone, Settings

STAGE = {"budget": {"max_updates": 1}}


def settings(**distillation: object) -> Settings:
    values = {
        "data": {"source": "world"},
        "distillation": distillation,
        **dict.fromkeys(("english", "distil", "translated", "head", "whole"), STAGE),
    }
    return parse_settings(Settings, values, "test")


@pytest.mark.parametrize(
    ("vocab", "answers", "millions"), [(30_522, 3129, 113.5), (119_547, 3000, 181.7)]
)
def test_parameters_of_the_papers_networks(vocab: int, answers: int, millions: float) -> None:
    """BERT-base with 30,522 words has 109.5 million, multilingual BERT 177.9 million."""
    encoder = VLEncoderConfig(vocab=vocab, cls_id=101, sep_id=102, feature=2054)
    with torch.device("meta"):
        model = Answerer(AnswererConfig(encoder=encoder, answers=answers))
    count = sum(parameter.numel() for parameter in model.parameters())
    regions = 2054 * 768 + 768 + 2 * 768
    classifier = answers * 769
    bert = {30_522: 109_482_240, 119_547: 177_853_440}[vocab]
    assert count == bert + regions + classifier
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


def tiny(layers: int, hidden: int) -> VLEncoder:
    torch.manual_seed(0)
    config = VLEncoderConfig(
        vocab=30, cls_id=1, sep_id=2, layers=layers, hidden=hidden, inner=8, heads=2,
        max_positions=178, feature=2054, dropout=0.0,
    )  # fmt: skip
    return VLEncoder(config)


def parallel(layers: int, hidden: int) -> Parallel:
    """Two questions, 128 positions of text and 50 regions; [CLS], 50 regions, a tag, a word."""
    torch.manual_seed(1)
    mask = torch.ones(2, 50, dtype=torch.bool)
    batch = Batch(
        ("a", "b"),
        Tokens.pad([[5] * 64, [6] * 64]),
        regions=Regions(torch.randn(2, 50, 2054), mask),
        tags=Tokens.pad([[7] * 61, [8] * 61]),
    )
    example, region = mask.nonzero(as_tuple=True)
    both, zero = torch.arange(2), torch.zeros(2, dtype=torch.long)
    return Parallel(
        batch,
        torch.randn(2, 53, layers, hidden),
        AlignedPositions(both, zero, zero),
        AlignedPositions(example, region, region + 3),
        AlignedPositions(both, zero, zero + 1),
        AlignedPositions(both, zero + 3, zero + 2),
    )


def test_one_step_at_the_papers_lengths_with_a_narrower_student() -> None:
    teacher = VLEncoderConfig(vocab=30, cls_id=1, sep_id=2, feature=2054, layers=12, hidden=768)
    student = tiny(4, 8)
    plan = settings(layers=[3, 6, 9, 12])
    imitation = Imitation.of(plan, student, teacher)
    assert imitation.matches == ((1, 3), (2, 6), (3, 9), (4, 12))
    lesson = parallel(4, 768)
    trace = student(lesson.batch)
    assert trace.mask.shape[1] == 128 + 50
    terms = imitation.terms(lesson, trace)
    assert set(terms) == {"cls", "region", "tag", "mixed"}
    sum(term.total / term.count for term in terms.values()).backward()  # type: ignore[union-attr]
    parameters = [p for module in imitation.modules.values() for p in module.parameters()]
    assert all(parameter.grad is not None for parameter in parameters)


def test_kinds_layers_and_normalisations() -> None:
    student = tiny(2, 8)
    lesson = parallel(2, 8)
    with torch.no_grad():
        trace = student(lesson.batch)

    def terms(**changes: object) -> dict[str, float]:
        values = {"layers": [1, 2], **changes}
        plan = settings(**values)
        made = Imitation(plan, student, None, ((1, 1), (2, 2)))
        return {name: term.mean for name, term in made.terms(lesson, trace).items()}

    each = terms()
    ours, theirs = trace.cls, lesson.states[:, 0, 1]
    first = trace.layers[1][:, 0]
    by_hand = (ours - theirs).square().mean() + (first - lesson.states[:, 0, 0]).square().mean()
    assert each["cls"] == pytest.approx(float(by_hand), rel=1e-5)
    assert set(terms(kinds=["tag", "cls"])) == {"tag", "cls"}
    last = terms(layer_weights=[0.0, 1.0])
    assert last["cls"] == pytest.approx(float((ours - theirs).square().mean()), rel=1e-5)
    union = terms(normalise="union")
    assert union["cls"] == pytest.approx(each["cls"] * 2 / 106)
    assert union["region"] == pytest.approx(each["region"] * 100 / 106)
    printed = terms(normalise="paper")
    assert printed["cls"] == pytest.approx(each["cls"])
    assert printed["region"] == pytest.approx(each["region"])
    assert printed["tag"] == pytest.approx(each["tag"] / 61**2)
    assert printed["mixed"] == pytest.approx(each["mixed"] / 64**2)
    assert divisors(lesson)["tag"].tolist() == [61.0**2] * 2


def test_a_fresh_answerer_sees_where_a_region_is_as_well_as_what() -> None:
    torch.manual_seed(0)
    pictures = {
        str(number): PictureRegions(5 + 3 * torch.randn(4, 100), 0.5 + 0.1 * torch.rand(4, 4))
        for number in range(50)
    }
    table = RegionTable(pictures)
    network = AnswererBackbone(
        initial_std=0.1, layers=1, hidden=64, inner=8, heads=4, dropout=0.0, max_positions=8
    )
    encoder = VLEncoder(
        VLEncoderConfig(
            vocab=9, cls_id=1, sep_id=2, layers=1, hidden=64, inner=8, heads=4, feature=104
        )
    )
    backbone = Backbone.of(network, ["a b"])
    answerer(backbone, encoder, AnswerVocabulary(("a", "b")), table)
    assert encoder.regions is not None
    rows = table.regions(list(pictures)).features.flatten(0, 1)
    projection = encoder.regions.projection
    with torch.no_grad():
        assert projection(rows).mean(dim=0).abs().max() < 1e-3
        parts = (rows - rows.mean(dim=0))[:, :, None] * projection.weight.T
        looks, where = (part.sum(dim=1).var(dim=0).sum() for part in parts.split([100, 4], dim=1))
    assert float(where / looks) == pytest.approx(1, rel=0.3)


def test_running_text_is_cut_into_known_words() -> None:
    known = {"何", "何色", "です", "か", "りんご", "は"}
    assert segment("りんごは何色ですか", "ja", known) == ("りんご", "は", "何色", "です", "か")
    assert segment("みどりは何ですか", "ja", known) == ("みどり", "は", "何", "です", "か")
    assert segment("catは 何", "ja", known) == ("cat", "は", "何")
    assert segment("", "ja", known) == ()
