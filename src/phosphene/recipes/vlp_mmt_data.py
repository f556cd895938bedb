"""What the recipe ``vlp_mmt`` trains on: translation pairs, regions, and captions without leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import torch

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.captions import READERS, CaptionPair, Leaks, multi30k_captions, without_leaks
from phosphene.data.corpus import Codec, Corpus, captioned_scenes, load_corpus
from phosphene.data.dataset import NO_PICTURE, TranslationData
from phosphene.data.lines import read_lines
from phosphene.data.pretraining import PicturedTexts, pictured_texts
from phosphene.data.regions import PictureRegions, RegionTable, StoredRegions
from phosphene.data.root import data_root
from phosphene.data.text import Tokenizer
from phosphene.data.translation import Pair, Split, multi30k
from phosphene.data.wordpiece import WordPiece
from phosphene.data.world.captions import captions
from phosphene.data.world.scene import PICTURE_SIZE, Scene
from phosphene.models.regions import GridTeacher, extract_regions, look_at, world_regions
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.nn.visual import VisualTeacher, freeze
from phosphene.recipes.vlp_mmt_settings import RegionsConfig, Settings
from phosphene.recipes.world_teacher import train_world_detector
from phosphene.train.stage import Fitter


@dataclass(frozen=True)
class Data:
    """Everything that is read."""

    corpus: Corpus
    wordpiece: WordPiece
    table: RegionTable | None = None
    """Of every picture; ``None`` for a system that sees none."""
    captions: PicturedTexts | None = None
    """For pre-training, where the system has one."""
    pairs: PicturedTexts | None = None
    """The English side of the translation pairs that have a picture."""
    validation: PicturedTexts | None = None
    """That of the validation pairs."""
    tests: PicturedTexts | None = None
    """That of all test pairs that have a picture."""


def region_teacher(trainer: Fitter, settings: Settings) -> VisualTeacher | None:
    """Who looks at pictures: the world's detector, trained here, or an ImageNet network."""
    match settings.regions.source:
        case "world":
            network = TeacherConfig(network="small_resnet", side=PICTURE_SIZE)
            return train_world_detector(
                trainer, network, settings.teacher_training, settings.data, settings.seed
            )
        case "grid":
            return grid_teacher(settings.regions, trainer.device)
    return None


def grid_teacher(regions: RegionsConfig, device: torch.device) -> GridTeacher:
    """The network whose cells are regions, with its published weights, on ``device``."""
    teacher = freeze(build_teacher(grid_network(regions))).to(device)
    assert isinstance(teacher, GridTeacher)
    return teacher


def grid_network(regions: RegionsConfig) -> TeacherConfig:
    """The classifier whose cells are regions."""
    return TeacherConfig(network="efficientnet_lite0", side=regions.side)


def load_data(
    trainer: Fitter,
    settings: Settings,
    wordpiece: WordPiece | None,
    teacher: VisualTeacher | None,
) -> Data:
    """The corpus with sources in word pieces, and what there is to look at and to pre-train on.

    Args:
        trainer: knows where regions are kept, and logs what is left out.
        settings: of the recipe.
        wordpiece: of published weights; learned from the training sentences if not given.
        teacher: looks at pictures, where regions do not come from a store.

    Raises:
        InputError: data are missing or wrong, or have no tags where tags are asked for.
    """
    log, pieces = trainer.log, [] if wordpiece is None else [wordpiece]

    def learn(train: Sequence[Pair]) -> Codec:
        if not pieces:
            english = [pair.source for pair in train]
            pieces.append(WordPiece.learn(english, settings.encoder.merges))
        target = Tokenizer.learn([pair.target for pair in train], settings.data.merges)
        return Codec(target, pieces[0].encode_all, source_end=())

    corpus = load_corpus(settings.data, 0, log, learn)
    if not settings.sees:
        return Data(corpus, pieces[0])
    scenes = {}
    if settings.data.source == "world" and settings.pretrains:
        scenes = captioned_scenes(settings.data, settings.pretraining.scenes)
    table = _table(trainer, settings, corpus, scenes, teacher)
    corpus = _with_regions(settings, corpus, table, pieces[0])
    _note(log, "regions", seen_counts(corpus.train))
    if not settings.pretrains:
        return Data(corpus, pieces[0], table)
    found = _scene_captions(settings, scenes) or _captions(settings, corpus, table, log)

    def encoded(pairs: Sequence[CaptionPair]) -> PicturedTexts:
        return pictured_texts(pairs, table, pieces[0], use_tags=settings.regions.use_tags)

    return Data(
        corpus,
        pieces[0],
        table,
        encoded(found),
        encoded(_english(corpus.train)),
        encoded(_english(corpus.validation)),
        encoded([pair for data in corpus.tests.values() for pair in _english(data)]),
    )


def seen_counts(data: TranslationData) -> dict[str, int]:
    """How many pairs have regions; the others are trained on as text alone."""
    assert data.regions is not None
    empty = [not len(data.regions.pictures[name].boxes) for name in data.picture_names]
    shown = [row for row in data.picture_of.tolist() if row != NO_PICTURE]
    without = sum(empty[row] for row in shown)
    return {
        "with_regions": len(shown) - without,
        "without_picture": len(data) - len(shown),
        "picture_without_regions": without,
    }


def _table(
    trainer: Fitter,
    settings: Settings,
    corpus: Corpus,
    scenes: Mapping[str, Scene],
    teacher: VisualTeacher | None,
) -> RegionTable:
    """Regions of every picture of the corpus and of ``scenes``."""
    plan = settings.regions
    pictures: Mapping[str, PictureRegions]
    match plan.source:
        case "world":
            assert teacher is not None
            pictures = world_regions(teacher, {**corpus.scene_of(), **scenes}, whole=True)
        case "grid":
            assert isinstance(teacher, GridTeacher)
            folder = plan.path or trainer.cache("regions", f"grid-{plan.side}")
            if folder is None:
                photos = corpus.photos()
                names = [photo.stem for photo in photos]
                pictures = dict(zip(names, look_at(teacher, photos), strict=True))
            else:
                pictures = extract_regions(teacher, corpus.photos(), folder, trainer.log)
        case "store":
            if plan.path is None:
                raise InputError("regions.path: expected the folder of a store of regions")
            pictures = StoredRegions(plan.path)
    return RegionTable(pictures, geometry=plan.geometry, most=plan.most)


def _with_regions(
    settings: Settings, corpus: Corpus, table: RegionTable, wordpiece: WordPiece
) -> Corpus:
    if not settings.regions.use_tags:
        return corpus.with_regions(table, lambda texts: [[] for _ in texts])
    corpus = corpus.with_regions(table, wordpiece.encode_all)
    if not any(corpus.train.tags or ()):
        raise InputError(
            "regions.use_tags: no training picture has tags; expected some, or use_tags = false"
        )
    return corpus


def _english(data: TranslationData) -> list[CaptionPair]:
    """The sources of the pairs that have a picture."""
    seen = data.only_with_pictures()
    return [
        CaptionPair(pair.id, pair.source, seen.picture_names[row])
        for pair, row in zip(seen.pairs, seen.picture_of.tolist(), strict=True)
    ]


def _scene_captions(settings: Settings, scenes: Mapping[str, Scene]) -> list[CaptionPair]:
    """What can be said of ``scenes``, in several ways."""
    return [
        CaptionPair(f"{name}:{number}", sentence, name)
        for name, scene in scenes.items()
        for number, sentence in enumerate(
            captions(scene, "en", settings.pretraining.captions_per_scene), start=1
        )
    ]


def _captions(
    settings: Settings, corpus: Corpus, table: RegionTable, log: RunLog
) -> list[CaptionPair]:
    """Captions whose picture is in ``table``, those of evaluation sets left out."""
    found, leaks = read_captions(settings, corpus)
    if leaks is not None:
        _note(log, "leaks", vars(leaks))
        log.say(f"pre-training captions: {leaks}")
    named = [replace(pair, picture=_name(pair.picture)) for pair in found]
    seen = [pair for pair in named if pair.picture in table]
    _note(log, "captions", {"with_picture": len(seen), "without": len(named) - len(seen)})
    if not seen:
        raise InputError(
            "pretraining: no caption's picture is among those with regions; expected such captions "
            "in pretraining.corpora"
        )
    return seen


def read_captions(settings: Settings, corpus: Corpus) -> tuple[list[CaptionPair], Leaks | None]:
    """What pre-training reads, and what of evaluation sets was left out, unless it is allowed."""
    plan = settings.pretraining
    found = [pair for file in plan.corpora for pair in READERS[file.format](file.path)]
    if plan.multi30k_captions:
        found += multi30k_captions(data_root())
    if plan.allow_leaks:
        return found, None
    return without_leaks(found, *_evaluation_sets(settings, corpus))


def _evaluation_sets(settings: Settings, corpus: Corpus) -> tuple[list[str], list[str]]:
    """Pictures and English sentences that nothing may be trained on."""
    more = settings.pretraining.exclude
    pictures = [] if more is None else read_lines(more)
    parts = [corpus.validation, *corpus.tests.values()]
    sentences = [pair.whole_source for part in parts for pair in part.pairs]
    pictures += [name for part in parts for name in part.picture_names]
    if settings.data.source == "multi30k":
        root, languages = data_root(), settings.data.languages
        for split in get_args(Split):
            if split != "train":
                folder = root / "multi30k" / "task1" / "image_splits"
                pictures += read_lines(folder / f"{split}.txt")
                sentences += [pair.source for pair in multi30k(root, split, languages)]
    return pictures, sentences


def _name(picture: str) -> str:
    """The name under which a table knows a picture: its file name without suffix."""
    return picture.partition("#")[0].rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _note(log: RunLog, kind: str, counts: Mapping[str, int]) -> None:
    """Log ``counts``, once however often a run is resumed."""
    if not log.has("data", kind):
        log.event("data", 0, kind, **counts)
