"""Lambda, alignment, views, weights and clusters: known answers on inputs made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.types import Batch
from phosphene.data.classification import Example, LabelSet
from phosphene.data.classification_data import ClassificationData
from phosphene.data.dataset import TranslationData
from phosphene.data.described import Described
from phosphene.data.regions import PictureRegions, RegionTable
from phosphene.data.text import Tokenizer
from phosphene.data.translation import Pair
from phosphene.evaluate.gates import gate_scores
from phosphene.models.vltranslator import VLTranslator
from phosphene.nn.prefix import MappingConfig, MappingNetwork
from phosphene.recipes import clip_prefix_probes, modality_kd_probes
from phosphene.recipes.clip_prefix_data import Space
from phosphene.recipes.clusters_probe import FeatureMap, ask_clusters, thumbnail
from phosphene.recipes.probe import Asked

ASKED = Asked(RunLog(None, quiet=True), seeds=2)


def trace(batch: Batch, observed: int) -> object:
    """Contexts are zero; a picture is seen with every example but the last."""
    assert observed == 1 and batch.target is not None
    nothing = torch.zeros(*batch.target.ids[:, 1:].shape, 2)
    contexts = (SimpleNamespace(text=nothing, visual=nothing),)
    seen = torch.tensor([name != "e2" for name in batch.ids])
    return SimpleNamespace(contexts=contexts, seen=seen)


def test_lambda_is_the_mean_over_the_tokens_of_each_class_of_word() -> None:
    lines = ["ein hund rennt", "rennt ein ball", "hund"]
    tokenizer = Tokenizer.learn(lines * 9, 99)
    assert [len(tokenizer.encode(line)) for line in lines] == [3, 3, 1]
    table = RegionTable({"p": PictureRegions(torch.ones(1, 2), torch.zeros(1, 4), ("big dog",))})
    data = TranslationData(
        tuple(Pair(f"e{row}", "x", line) for row, line in enumerate(lines)),
        [[5]] * 3,
        [tokenizer.encode(line) for line in lines],
        np.zeros(3, dtype=np.int64),
        picture_names=("p",),
    ).with_regions(table, lambda texts: [[5] for _ in texts])

    def weigh(word: Tensor, text: Tensor, visual: Tensor, mask: Tensor) -> Tensor:
        return torch.arange(1.0, word.shape[1] + 1).expand(word.shape[:2]) * mask

    embedding = SimpleNamespace(table=torch.zeros(len(tokenizer), 2))
    model = Mock(spec=VLTranslator, embedding=embedding, trace=trace)
    translations = {"hund": "dog", "ball": "ball"}
    found = gate_scores(model, weigh, data, translations, tokenizer, "de")
    # The place of a token is its lambda, and 0 where nothing is seen; EOS belongs to no class.
    expected = {
        "tag word": (2 + 0) / 2,  # hund, hund
        "content word": (3 + 1 + 3) / 3,  # rennt, rennt, ball
        "function word": (1 + 2) / 2,  # ein, ein
    }
    assert {score.name: score.value for score in found} == {
        f"lambda, {kind}": pytest.approx(value) for kind, value in expected.items()
    }
    assert "mean over 3 tokens" in found[1].signature


TEXTS = {"one": [1.0, 0.0], "two": [math.sqrt(0.5), math.sqrt(0.5)]}


class Corners:
    """An aligned encoder of width 2 whose vectors are looked up."""

    width, side, identity, languages, normalised = 2, 4, None, None, True

    def image_vectors(self, pictures: np.ndarray) -> Tensor:
        return torch.from_numpy(pictures[:, 0, 0, :2].astype(np.float32)) / 255

    def text_vectors(self, lines: Sequence[str]) -> Tensor:
        return torch.tensor([TEXTS[line] for line in lines])


class Words:
    """A vocabulary of one word in two languages."""

    def __len__(self) -> int:
        return 7

    def decode(self, ids: Sequence[int]) -> str:
        return "x"

    def language_id(self, code: str) -> int:
        return ("en", "de").index(code) + 4

    def encode_all(self, lines: Sequence[str]) -> list[list[int]]:
        return [[6] for _ in lines]


def model(weight: Sequence[Sequence[float]]) -> Any:
    """A prefix of one row: the vector times a matrix."""
    mapping = MappingNetwork(MappingConfig(kind="linear", length=1, feature=2), 2)
    layer = mapping.input[0]
    assert isinstance(layer, torch.nn.Linear)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
    return SimpleNamespace(mapping=mapping, embedding=SimpleNamespace(table=torch.zeros(1, 2)))


def test_alignment_is_the_cosine_of_each_picture_and_its_sentence(tmp_path: Path) -> None:
    for name, colour in (("one", (255, 0, 0)), ("two", (0, 255, 0))):
        Image.new("RGB", (4, 4), colour).save(tmp_path / f"{name}.png")
    items = [Described(name, {"en": name, "de": "x"}, tmp_path / f"{name}.png") for name in TEXTS]
    trained = Mock(
        spec=clip_prefix_probes.Trained,
        corpus=SimpleNamespace(validation=items, tokenizer=Words()),
        space=Space(Corners(), None, ASKED.log),
        moments={"before": model([[1, 0], [0, 1]]), "after": model([[1, 0], [1, 0]])},
    )
    data = SimpleNamespace(directions=(("en", "de"),))
    settings = Mock(spec=clip_prefix_probes.Settings, data=data)
    answer = clip_prefix_probes._alignment(trained, settings, ASKED)
    (found,) = answer.findings
    # Pictures (1, 0) and (0, 1), sentences (1, 0) and (1, 1) / sqrt 2.
    right, wrong = (1 + math.sqrt(0.5)) / 2, math.sqrt(0.5) / 2
    for name in ("cosine of vectors", "cosine of prefixes"):
        score = found.score("before", name)
        assert score.value == pytest.approx(right, abs=1e-5)
        assert f"mismatches {wrong:.3f}" in score.signature
    # Afterwards the second number is lost: the second picture's prefix is zero.
    assert found.score("after", "cosine of prefixes").value == pytest.approx(0.5, abs=1e-5)
    assert found.score("after", "cosine of vectors").value == pytest.approx(right, abs=1e-5)


def test_views_are_scored_each_by_itself() -> None:
    labels = ("a", "a", "b", "b")
    data = ClassificationData(
        tuple(Example(f"e{row}", "x", (name,)) for row, name in enumerate(labels)),
        LabelSet(("a", "b")),
        [[5]] * 4,
        np.full(4, -1),
        (),
    )
    right = torch.tensor([[2.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    half = torch.tensor([[2.0, 0.0]]).expand(4, 2)  # always the first class
    logits = torch.stack([right, half, -right], dim=1)
    splits = SimpleNamespace(test=data, validation=data)
    trained = Mock(
        spec=modality_kd_probes.Trained,
        teacher=Mock(spec=modality_kd_probes.Side, data=splits),
        student=Mock(spec=modality_kd_probes.Side),
        corpus=SimpleNamespace(splits={"test": SimpleNamespace(uncovered=0)}),
        logits=lambda *_: logits,
    )
    settings = Mock(spec=modality_kd_probes.Settings, system="teacher")
    answer = modality_kd_probes._views(trained, settings, ASKED)
    (found,), (plot,) = answer.findings, answer.figures
    views = ("both", "image alone", "text alone")
    assert [found.score(view, "accuracy").value for view in views] == [100, 50, 0]
    assert [found.score(view, "AUC").value for view in views] == [100, 50, 0]
    curves = [[value for _, value in curve.points] for curve in plot.curves]  # type: ignore[union-attr]
    # The probability of b for every example, in the order of what both modalities say.
    expected = [(-3, -2, 1, 2), (-2, -2, -2, -2), (3, 2, -1, -2)]
    for curve, gaps in zip(curves, expected, strict=True):
        assert curve == pytest.approx([1 / (1 + math.exp(-gap)) for gap in gaps])


def test_weights_are_described_view_by_view(monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = torch.arange(11.0) / 10
    found = torch.stack([ramp, torch.full((11,), 0.5), 1 - ramp**2], dim=1)
    monkeypatch.setattr(modality_kd_probes, "mean_weights", lambda trained: found)
    trained = Mock(spec=modality_kd_probes.Trained)
    settings = Mock(spec=modality_kd_probes.Settings, views="meta")
    answer = modality_kd_probes._weights(trained, settings, ASKED)
    (finding,) = answer.findings
    names = ("mean", "sd", "10 %", "90 %")
    rows = {
        view: [finding.score(view, name).value for name in names]
        for view in ("both", "image alone", "text alone")
    }
    assert rows["both"] == pytest.approx([0.5, math.sqrt(0.1), 0.1, 0.9])
    assert rows["image alone"] == pytest.approx([0.5, 0, 0.5, 0.5])
    assert rows["text alone"] == pytest.approx(
        [1 - 3.85 / 11, np.std(ramp.numpy().astype(float) ** 2), 1 - 0.81, 1 - 0.01]
    )


PNG = thumbnail(np.zeros((4, 4, 3), dtype=np.uint8))


def feature_map(features: np.ndarray, pictured: np.ndarray) -> FeatureMap:
    count = len(features)
    return FeatureMap("test", "sentence", features, pictured, ["x"] * count, [PNG] * count)


def test_clusters_agree_wholly_where_features_are_those_of_the_pictures_turned() -> None:
    groups = np.repeat(np.arange(8), 6)
    pictured = 100 * np.eye(8)[groups] + np.random.default_rng(1).normal(size=(48, 8))
    turned = -pictured[:, ::-1] + 7  # another place, the same distances
    answer = ask_clusters([feature_map(turned, pictured)], ASKED)
    (found,) = answer.findings
    assert found.score("sentence", "agreement of clusters").value == pytest.approx(1)
    assert found.score("shuffled", "agreement of clusters").value < 0.6
    same = ask_clusters([feature_map(np.zeros((48, 8)), pictured)], ASKED).findings[0]
    assert same.score("sentence", "agreement of clusters").value == pytest.approx(0, abs=1e-9)
    (scatter,) = answer.figures
    assert [point.picture for point in scatter.points] == [PNG] * 48 + [None] * 48  # type: ignore[union-attr]
    with pytest.raises(InputError, match="clusters: expected at least 16 test examples"):
        ask_clusters([feature_map(turned[:15], pictured[:15])], ASKED)
