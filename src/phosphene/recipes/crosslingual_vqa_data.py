"""What the recipe ``crosslingual_vqa`` is trained and measured on, its data sets kept apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from phosphene.data.answers import AnswerVocabulary, translated_answers
from phosphene.data.corpus import CorpusConfig
from phosphene.data.pharaoh import Alignment
from phosphene.data.questions import QuestionData, Reader, encode_questions, labelled, tags_of
from phosphene.data.regions import PictureRegions, RegionTable, StoredRegions
from phosphene.data.teaching import Lessons, States
from phosphene.data.vqa import Question, with_noise
from phosphene.data.word_aligner import WordAligner
from phosphene.data.world.scene import PICTURE_SIZE
from phosphene.data.world.splits import Part, Split, World
from phosphene.models.answerer import Answerer
from phosphene.models.folder import Vision
from phosphene.models.regions import GridTeacher, extract_regions, world_regions
from phosphene.models.states import OnlineStates, producer_of, store_states
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.nn.visual import freeze
from phosphene.recipes.crosslingual_vqa_sets import Asked, Questions, read_sets
from phosphene.recipes.crosslingual_vqa_settings import Settings
from phosphene.recipes.world_teacher import train_world_detector
from phosphene.train.stage import Fitter, cache_folder


@dataclass(frozen=True)
class Data:
    """What was read, with what there is to see."""

    asked: Asked
    known: Questions
    """The questions of R whose answers may be used."""
    table: RegionTable | None
    vision: Vision | None = None

    @property
    def feature(self) -> int:
        """Width of a region."""
        return 0 if self.table is None else self.table.width

    def counts(self) -> dict[str, str]:
        """Questions of each set, for a person."""
        asked = self.asked
        rows = {
            "T (parallel)": len(asked.parallel),
            "T validation": len(asked.parallel_validation),
            "R (target language)": len(asked.target),
            "R labelled": len(self.known),
            "R validation": len(asked.target_validation),
            **{name: len(each) for name, each in asked.tests.items()},
        }
        pictures = {} if self.table is None else self.table.counts()
        return {name: f"{count:,}" for name, count in rows.items()} | pictures

    def digest(self) -> str:
        """Twelve hexadecimal digits of all training text and its answers."""
        hashed = hashlib.sha256()
        for each in (*self.asked.parallel, *self.known):
            hashed.update(f"{each.id}\t{dict(each.text)}\t{dict(each.answers)}\n".encode())
        return hashed.hexdigest()[:12]


def load_data(trainer: Fitter, settings: Settings) -> Data:
    """Read or draw everything.

    Raises:
        InputError: data are missing or wrong, or T has no question in the target language.
    """
    plan, asked = settings.data, read_sets(settings)
    chance = {
        each.id: Random(f"labels/{settings.seed}/{each.id}").random() for each in asked.target
    }
    order = sorted(asked.target, key=lambda each: chance[each.id])
    known = tuple(order[: plan.labels or None])
    table, vision = _pictures(trainer, settings, asked) if plan.pictures else (None, None)
    return Data(asked, known, table, vision)


def noisy(settings: Settings, questions: Sequence[Question], language: str) -> Questions:
    """Questions whose wording in ``language`` is as good as ``data.noise`` says."""
    share = settings.data.noise
    return with_noise(questions, language, share, settings.seed) if share else tuple(questions)


def lessons(
    settings: Settings, data: Data, readers: tuple[Reader, Reader]
) -> tuple[Lessons, Lessons]:
    """T and its validation part as the student and the teacher read them.

    Alignments that do not come with the questions are learned from them.
    """
    language = settings.data.language
    parts = [
        noisy(settings, part, language)
        for part in (data.asked.parallel, data.asked.parallel_validation)
    ]
    aligner: WordAligner | None = None
    if any(language not in each.alignments for part in parts for each in part):
        aligner = WordAligner.learn(
            (each.words_in("en"), each.words_in(language)) for each in parts[0]
        )
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], Alignment] = {}

    def aligned(question: Question) -> Alignment:
        if language in question.alignments or aligner is None:
            return question.alignments[language]
        pair = question.words_in("en"), question.words_in(language)
        if pair not in found:
            found[pair] = aligner.align(*pair)
        return found[pair]

    train, validation = (
        Lessons(
            readers,
            (
                encode_questions(part, readers[0], data.table),
                encode_questions(part, readers[1], data.table),
            ),
            [aligned(each) for each in part],
        )
        for part in parts
    )
    return train, validation


def teacher_states(
    trainer: Fitter, settings: Settings, teacher: Answerer, parts: tuple[Lessons, Lessons]
) -> States:
    """The store of the teacher's states; where nothing may be written, the teacher itself."""
    online = OnlineStates(teacher, parts, settings.distillation.layers)
    half = settings.distillation.half
    key = "-".join([producer_of(online).digest, *(part.digest() for part in parts)])
    folder = trainer.cache("states", f"{key}-half" if half else key)
    return online if folder is None else store_states(online, folder, trainer.log, half=half)


@dataclass(frozen=True)
class Answered:
    """Questions with labels to learn from, and others to choose a snapshot by."""

    train: QuestionData
    held_out: QuestionData


def answered(
    settings: Settings,
    data: Data,
    reader: Reader,
    vocabulary: AnswerVocabulary,
    parts: tuple[Sequence[Question], Sequence[Question]],
) -> Answered:
    """Training and held-out questions with labels, those without one left out."""
    soft = settings.answer_loss == "binary"
    train, held_out = (
        labelled(encode_questions(part, reader, data.table), vocabulary, soft=soft)
        for part in parts
    )
    return Answered(train, held_out)


def translated(settings: Settings, data: Data, reader: Reader) -> tuple[Answered, AnswerVocabulary]:
    """T in the target language with translated answers, for ``aug``."""
    train, held_out = (
        [
            replace(each, answers=translated_answers(each.answers, data.asked.answers))
            for each in noisy(settings, part, settings.data.language)
        ]
        for part in (data.asked.parallel, data.asked.parallel_validation)
    )
    vocabulary = AnswerVocabulary.learn(train, settings.data.answers)
    return answered(settings, data, reader, vocabulary, (train, held_out)), vocabulary


def texts(data: Data, language: str) -> Iterator[str]:
    """What a tokenizer has to know: training questions, with spaces between words, and tags."""
    for each in (*data.asked.parallel, *data.asked.target):
        if language in each.text:
            yield " ".join(each.words_in(language))
        if language != "en" and "en" in each.text:  # what is mixed in
            yield " ".join(each.words_in("en"))
        if data.table is not None:
            yield " ".join(tags_of(each, data.table))


def _pictures(
    trainer: Fitter, settings: Settings, asked: Asked
) -> tuple[RegionTable, Vision | None]:
    """Regions of every picture, and who looked."""
    plan = settings.data
    if plan.files is not None:
        stored = StoredRegions(plan.files.regions)
        return RegionTable(stored, geometry=6, most=settings.lengths.regions), None
    if plan.source == "world":
        network = TeacherConfig(network="small_resnet", side=PICTURE_SIZE)
        scenes_of = CorpusConfig(source="world", tests=("ordinary",), world_seed=plan.world_seed)
        teacher = train_world_detector(
            trainer, network, settings.teacher_training, scenes_of, settings.seed
        )
        world = World(plan.world_seed)
        names = dict.fromkeys(each.image_id for each in asked.all())
        scenes = {name: world.scene(*_scene(name)) for name in names}
        found: Mapping[str, PictureRegions] = world_regions(teacher, scenes, whole=True)
        return RegionTable(found, most=settings.lengths.regions), Vision(network, teacher)
    network = TeacherConfig(network="efficientnet_lite0", side=plan.region_side)
    looks = freeze(build_teacher(network)).to(trainer.device)
    assert isinstance(looks, GridTeacher)
    photos = {each.image_id: each.image for each in asked.all() if each.image is not None}
    stores: dict[Path, StoredRegions] = {}
    for folder in dict.fromkeys(photo.parent for photo in photos.values()):
        part = sorted({photo for photo in photos.values() if photo.parent == folder})
        key = f"{plan.source}-{folder.parent.name}-{plan.region_side}"
        store = cache_folder(trainer, "regions", key)
        stores[folder] = extract_regions(looks, part, store, trainer.log)
    table = RegionTable(_ByImage(photos, stores), most=settings.lengths.regions)
    return table, Vision(network, looks)


def _scene(image_id: str) -> tuple[Split, int, Part]:
    split, part, index = image_id.split(":")
    return Split(split), int(index), Part(part)


class _ByImage(Mapping[str, PictureRegions]):
    """Regions of photos in several folders, by the names that questions give them."""

    def __init__(self, photos: Mapping[str, Path], stores: Mapping[Path, StoredRegions]) -> None:
        self._photos = photos
        self._stores = stores

    def __getitem__(self, name: str) -> PictureRegions:
        photo = self._photos[name]
        return self._stores[photo.parent][photo.stem]

    def __iter__(self) -> Iterator[str]:
        return iter(self._photos)

    def __len__(self) -> int:
        return len(self._photos)


__all__ = [
    "Answered",
    "Data",
    "answered",
    "lessons",
    "load_data",
    "noisy",
    "teacher_states",
    "texts",
    "translated",
]
