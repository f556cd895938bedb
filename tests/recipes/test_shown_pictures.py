"""What each recipe's probe of pictures shows: the right one, another's, a blank one, none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from phosphene.core.runlog import RunLog
from phosphene.data.classification import Example, LabelSet
from phosphene.data.classification_data import ClassificationData
from phosphene.data.dataset import NO_PICTURE, TranslationData
from phosphene.data.questions import QuestionData
from phosphene.data.regions import PictureRegions, RegionTable
from phosphene.data.text import Tokenizer
from phosphene.data.translation import Pair
from phosphene.data.vqa import Question
from phosphene.data.world.splits import swapped
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.system import System
from phosphene.models.resnet import small_resnet
from phosphene.models.search import SearchConfig
from phosphene.models.teachers import picture_features
from phosphene.models.translator import GeneratorConfig, Translator, TranslatorConfig, build
from phosphene.nn.visual import freeze, regions_from_map
from phosphene.recipes import (
    clip_prefix_probes,
    crosslingual_vqa_probes,
    inversion_mmt_probes,
    modality_kd_probes,
    vlp_mmt_probes,
)
from phosphene.recipes.clip_prefix_data import Examples, Space
from phosphene.recipes.probe import Asked
from phosphene.recipes.translation_probes import Used, swaps

ASKED = Asked(RunLog(None, quiet=True), seeds=2)
ROWS = np.array([0, 1, 1, 2])
"""The picture of each of four examples: two of them share one."""
FEATURES = [10.0, 20.0, 60.0]


def table() -> RegionTable:
    """Picture ``p0`` has one region, the others two, all of one feature; their tags differ."""
    return RegionTable(
        {
            f"p{row}": PictureRegions(
                torch.full((count, 1), value), torch.full((count, 4), row / 10), (f"tag{row}",)
            )
            for row, (count, value) in enumerate(zip((1, 2, 2), FEATURES, strict=True))
        }
    )


def sentences() -> TranslationData:
    """Four sentences, the features of their pictures being 10, 20, 20 and 60."""
    return TranslationData(
        tuple(Pair(f"e{row}", f"a {row}", f"ein {row}") for row in range(4)),
        [[4 + row, 3] for row in range(4)],
        [[6, 7]] * 4,
        ROWS,
        picture_names=("p0", "p1", "p2"),
        source_end=(),
    )


def seen(data: Any) -> list[float | None]:
    """The feature of each example's first region."""
    regions = data.batch(np.arange(4)).regions
    if regions is None:
        return [None] * 4
    return [
        float(feature) if there else None
        for feature, there in zip(regions.features[:, 0, 0], regions.mask[:, 0], strict=True)
    ]


def first_tags(data: Any) -> list[int] | None:
    tags = data.batch(np.arange(4)).tags
    return None if tags is None or not tags.ids.shape[1] else tags.ids[:, 0].tolist()


def are_others(found: Sequence[float | None], own: Sequence[float]) -> bool:
    """Nobody keeps its own picture, everyone has one, and those who shared one still do."""
    return (
        all(one is not None and one != other for one, other in zip(found, own, strict=True))
        and set(found) == set(own)
        and found[1] == found[2]
    )


OWN = [FEATURES[row] for row in ROWS]


def used(data: TranslationData) -> Used:
    return Used(Mock(spec=System), data)


def test_vlp_shows_regions_and_tags_of_others_mean_regions_tags_alone_and_nothing() -> None:
    data = sentences().with_regions(table(), lambda texts: [[int(text[-1]) + 7] for text in texts])
    shown = vlp_mmt_probes._shown(ASKED, "test", used(data))
    right, others = shown.right.data, {name: each[0].data for name, each in shown.others.items()}
    assert seen(right) == OWN and first_tags(right) == [7, 8, 8, 9]
    assert [len(each) for each in shown.others.values()] == [2, 1, 1, 1]
    for draw in shown.others["swapped"]:
        assert are_others(seen(draw.data), OWN)
        tag_of = {value: row + 7 for row, value in enumerate(FEATURES)}
        assert first_tags(draw.data) == [tag_of[value] for value in seen(draw.data)]  # type: ignore[index]
    mean = (10 + 2 * 20 + 2 * 60) / 5
    assert seen(others["blank"]) == [mean] * 4 and first_tags(others["blank"]) is None
    regions = others["blank"].batch(np.arange(4)).regions
    assert regions is not None and regions.mask.sum(dim=1).tolist() == [1, 2, 2, 2]
    assert regions.features[3, :, 1:].unique().tolist() == pytest.approx([0.2])  # boxes stay
    assert seen(others["none"]) == [None] * 4 and first_tags(others["none"]) is None
    assert seen(others["tags only"]) == [None] * 4
    assert first_tags(others["tags only"]) == [7, 8, 8, 9]


def test_everybody_without_a_picture_stays_without() -> None:
    data = sentences()
    bare = TranslationData(
        data.pairs, data.sources, data.targets, np.array([NO_PICTURE, 0, 1, 2]),
        features=torch.tensor(FEATURES)[:, None, None],
    )  # fmt: skip
    for version in swaps(bare, 3):
        first, *others = seen(version)
        assert first is None and set(others) == set(FEATURES)
        assert all(one != own for one, own in zip(others, FEATURES, strict=True))


def teacher() -> Any:
    torch.manual_seed(1)
    return freeze(small_resnet(3, 32))


def test_inversion_shows_features_of_others_of_a_grey_picture_and_none() -> None:
    looks = teacher()
    grey = picture_features(looks, np.full((1, 32, 32, 3), 128, np.uint8))
    data = sentences().with_features(
        torch.tensor(FEATURES)[:, None, None].expand(3, *grey.shape[1:])
    )
    model = Mock(spec=Translator, generator=None)
    trained = Mock(spec=inversion_mmt_probes.Trained, teacher=looks, model=model)
    shown = inversion_mmt_probes._shown(trained, ASKED, "test", used(data))
    assert list(shown.others) == ["swapped", "none", "blank"]
    assert seen(shown.right.data) == OWN
    assert all(are_others(seen(draw.data), OWN) for draw in shown.others["swapped"])
    assert len(shown.others["swapped"]) == 2
    assert seen(shown.others["none"][0].data) == [None] * 4
    blank = shown.others["blank"][0].data.batch(np.arange(4)).regions
    assert blank is not None and blank.mask.all()
    assert torch.equal(blank.features, grey.expand(4, -1, -1))


def test_an_image_free_model_is_given_the_feature_of_another_sentence() -> None:
    torch.manual_seed(1)
    config = TranslatorConfig(
        vocab=10, layers=1, hidden=8, heads=2, fusion="multimodal", feature=3,
        generator=GeneratorConfig(channels=3, height=2, width=2, rank=2),
    )  # fmt: skip
    model = build(config).eval()
    system = System("image_free", model, Tokenizer.learn(["a"], 1), SearchConfig(), "de")
    with torch.no_grad():
        maps = model.generate_map(sentences().batch(np.arange(4)).source)
    own = regions_from_map(maps)
    found = inversion_mmt_probes._other_features(Used(system, sentences()), 2)
    assert len(found) == 2
    for seed, each in enumerate(found, start=1):
        regions = each.data.batch(np.arange(4)).regions
        assert regions is not None
        assert torch.allclose(regions.features, own[list(swapped(4, seed))])
        shown: Any = each.system.model
        assert shown.generator is None and shown.encoder is model.encoder
        right = shown(each.data.batch(np.arange(4)))  # it reads what it is given
        assert not torch.allclose(right.logits, model(sentences().batch(np.arange(4))).logits)


class Shades:
    """An aligned encoder: the vector of a picture is its first shade, that of a text its length."""

    width, side, identity, languages, normalised = 2, 4, None, None, False

    def image_vectors(self, pictures: np.ndarray) -> Tensor:
        return torch.from_numpy(pictures[:, 0, 0, :2].astype(np.float32))

    def text_vectors(self, lines: Sequence[str]) -> Tensor:
        return torch.tensor([[-float(line[-1]) - 1, 0.0] for line in lines])


def test_prefix_shows_vectors_of_others_of_a_grey_picture_of_the_sentence_and_none(
    tmp_path: Path,
) -> None:
    for shade in (10, 20, 60):
        Image.new("RGB", (4, 4), (shade, 0, 0)).save(tmp_path / f"{shade}.png")
    space = Space(Shades(), None, RunLog(None, quiet=True))
    examples = Examples(sentences(), tuple(tmp_path / f"{shade:.0f}.png" for shade in OWN))

    def vectors(data: TranslationData) -> list[float] | None:
        found = data.batch(np.arange(4)).vectors
        return None if found is None else found.values[:, 0].tolist()

    said = used(space.saying(examples))
    trained = Mock(spec=clip_prefix_probes.Trained, space=space)
    shown = clip_prefix_probes._shown(trained, ASKED, "test", said, examples)
    others = shown.others
    assert vectors(shown.right.data) == OWN
    assert all(are_others(vectors(draw.data) or [], OWN) for draw in others["swapped"])
    assert len(others["swapped"]) == 2
    assert vectors(others["blank"][0].data) == [128] * 4
    assert vectors(others["none"][0].data) is None
    assert vectors(others["sentence instead"][0].data) == [-1, -2, -3, -4]


Conditions = tuple[Any, Mapping[str, Sequence[Any]]]


def recorded(module: Any, monkeypatch: pytest.MonkeyPatch) -> list[Conditions]:
    """What the module hands to ``incongruent``, which is not asked."""
    asked: list[Conditions] = []

    def incongruent(title: str, run: object, right: Any, others: Any) -> Finding:
        asked.append((right, others))
        return Finding(title, {})

    monkeypatch.setattr(module, "incongruent", incongruent)
    return asked


def examples() -> ClassificationData:
    data = ClassificationData(
        tuple(Example(f"e{row}", "x", ("a",)) for row in range(4)),
        LabelSet(("a", "b")),
        [[5], [6], [7], [8]],
        ROWS,
        ("p0", "p1", "p2"),
    )
    return data.with_regions(table(), lambda texts: [[int(text[-1]) + 7] for text in texts])


def test_modality_shows_its_student_other_pictures_mean_regions_and_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = recorded(modality_kd_probes, monkeypatch)
    data = examples()
    splits = SimpleNamespace(test=data, validation=data)
    side = Mock(spec=modality_kd_probes.Side, data=splits, model=None)
    teacher = Mock(spec=modality_kd_probes.Side, data=splits)
    corpus = SimpleNamespace(splits={"test": SimpleNamespace(uncovered=0)})
    trained = Mock(spec=modality_kd_probes.Trained, student=side, teacher=teacher, corpus=corpus)
    settings = Mock(spec=modality_kd_probes.Settings, system="kd")
    answer = modality_kd_probes._incongruent(trained, settings, ASKED)
    assert answer.findings[0].title == "test, 4 examples: which picture is shown"
    ((right, others),) = asked
    assert right is data and seen(data) == OWN
    assert all(are_others(seen(draw), OWN) for draw in others["swapped"])
    assert len(others["swapped"]) == 2
    mean = (10 + 2 * 20 + 2 * 60) / 5
    assert seen(others["blank"][0]) == [mean] * 4 and first_tags(others["blank"][0]) is None
    assert seen(others["none"][0]) == [None] * 4 and first_tags(others["none"][0]) is None


def test_a_modality_is_swapped_and_the_other_stays() -> None:
    data, swap = examples(), modality_kd_probes.swap_modality
    assert swap(data, None, 1) is data
    image, text = swap(data, "image", 1), swap(data, "text", 1)
    assert are_others(seen(image), OWN) and image.texts == data.texts
    assert seen(text) == OWN and first_tags(text) == first_tags(data)
    assert sorted(text.texts) == data.texts
    assert all(one != other for one, other in zip(text.texts, data.texts, strict=True))
    assert torch.equal(text.targets(np.arange(4)), data.targets(np.arange(4)))


def test_questions_are_asked_about_others_mean_regions_and_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = recorded(crosslingual_vqa_probes, monkeypatch)
    questions = tuple(
        Question(f"q{row}", f"p{ROWS[row]}", {"ja": "x"}, {"y": 1.0}, place=f"f:{row}")
        for row in range(4)
    )
    tags = [[7 + int(row)] for row in ROWS]
    data = QuestionData("ja", questions, [[5], [6], [7], [8]], tags, table())
    monkeypatch.setattr(crosslingual_vqa_probes, "_tests", lambda *_: {"test": data})
    trained = Mock(spec=crosslingual_vqa_probes.Trained)
    settings = Mock(spec=crosslingual_vqa_probes.Settings)
    crosslingual_vqa_probes._incongruent(trained, settings, ASKED)
    ((right, others),) = asked
    assert right is data and seen(data) == OWN
    tag_of = {value: row + 7 for row, value in enumerate(FEATURES)}
    for draw in others["swapped"]:
        assert are_others(seen(draw), OWN)
        assert first_tags(draw) == [tag_of[value] for value in seen(draw)]  # type: ignore[index]
        assert [each.id for each in draw.questions] == ["q0", "q1", "q2", "q3"]
        assert draw.sources == data.sources
    assert len(others["swapped"]) == 2
    mean = (10 + 2 * 20 + 2 * 60) / 5
    assert seen(others["blank"][0]) == [mean] * 4 and first_tags(others["blank"][0]) is None
    assert seen(others["none"][0]) == [None] * 4 and first_tags(others["none"][0]) is None
