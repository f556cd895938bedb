"""What the recipe ``crosslingual_vqa`` is trained and measured on, its data sets kept apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from phosphene.core.errors import InputError
from phosphene.data.answers import AnswerVocabulary, read_answer_translations, translated_answers
from phosphene.data.corpus import CorpusConfig, data_root
from phosphene.data.easy_vqa_questions import ANSWERS as EASY_VQA_ANSWERS
from phosphene.data.pharaoh import Alignment
from phosphene.data.questions import QuestionData, Reader, encode_questions, labelled, tags_of
from phosphene.data.records import json_array
from phosphene.data.regions import PictureRegions, RegionTable, StoredRegions
from phosphene.data.teaching import Lessons
from phosphene.data.vqa import Question, split_by_image, with_alignments, with_noise
from phosphene.data.vqa_readers import read_cvil, read_visual_genome, read_vqa_jsonl
from phosphene.data.vqa_sets import Wordings, daquar_by_photo, read_easy_vqa, world_questions
from phosphene.data.word_aligner import WordAligner
from phosphene.data.world.question_words import ANSWERS as WORLD_ANSWERS
from phosphene.data.world.question_words import AnswerLanguage
from phosphene.data.world.scene import PICTURE_SIZE
from phosphene.data.world.splits import Part, Split, World
from phosphene.models.folder import Vision
from phosphene.models.regions import GridTeacher, extract_regions, world_regions
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.nn.visual import freeze
from phosphene.recipes.crosslingual_vqa_settings import FileConfig, FilesConfig, Settings
from phosphene.recipes.world_teacher import train_world_teacher
from phosphene.train.stage import Fitter

Questions = tuple[Question, ...]


@dataclass(frozen=True)
class Asked:
    """Questions as they were read."""

    parallel: Questions
    """T, with English answers; the English set is its English side."""
    parallel_validation: Questions
    target: Questions = ()
    """R, all of it."""
    target_validation: Questions = ()
    tests: Mapping[str, Questions] = field(default_factory=dict)
    """With answers in the target language."""
    english_tests: Mapping[str, Questions] = field(default_factory=dict)
    """The same with English answers."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Translations of the English answers."""

    def all(self) -> Iterator[Question]:
        """Every question of every set."""
        yield from (*self.parallel, *self.parallel_validation)
        yield from (*self.target, *self.target_validation)
        for each in (*self.tests.values(), *self.english_tests.values()):
            yield from each


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
    plan = settings.data
    match plan.source:
        case "world":
            asked = _world(settings)
        case "easy_vqa":
            asked = _easy_vqa(settings)
        case "daquar":
            asked = _daquar()
        case "files":
            assert plan.files is not None
            asked = _files(plan.files, plan.language)
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


def translated_set(
    settings: Settings, data: Data, reader: Reader
) -> tuple[QuestionData, QuestionData, AnswerVocabulary]:
    """T in the target language with translated answers, for ``aug``."""
    parts = [
        [
            replace(each, answers=translated_answers(each.answers, data.asked.answers))
            for each in noisy(settings, part, settings.data.language)
        ]
        for part in (data.asked.parallel, data.asked.parallel_validation)
    ]
    vocabulary = AnswerVocabulary.learn(parts[0], settings.data.answers)
    train, validation = (answered(settings, data, part, reader, vocabulary) for part in parts)
    return train, validation, vocabulary


def answered(
    settings: Settings,
    data: Data,
    questions: Sequence[Question],
    reader: Reader,
    vocabulary: AnswerVocabulary,
) -> QuestionData:
    """Questions with labels, those without one left out."""
    encoded = encode_questions(questions, reader, data.table)
    return labelled(encoded, vocabulary, soft=settings.answer_loss == "binary")


def texts(data: Data, language: str) -> Iterator[str]:
    """What a tokenizer has to know: training questions, with spaces between words, and tags."""
    for each in (*data.asked.parallel, *data.asked.target):
        if language in each.text:
            yield " ".join(each.words_in(language))
        if language != "en" and "en" in each.text:  # what is mixed in
            yield " ".join(each.words_in("en"))
        if data.table is not None:
            yield " ".join(tags_of(each, data.table))


def _world(settings: Settings) -> Asked:
    plan = settings.data
    world = World(plan.world_seed)
    both: tuple[AnswerLanguage, ...] = ("en", plan.language)

    def parallel(part: Part, scenes: int) -> Questions:
        return world_questions(world, Split.ORDINARY, part, scenes, both)

    first, last = plan.parallel_scenes, plan.parallel_scenes + plan.target_scenes
    native = world_questions(
        world, Split.ORDINARY, Part.TRAIN, last, (plan.language,), answers=plan.language,
        wordings="native",
    )  # fmt: skip
    wordings_of: dict[str, Wordings] = {"test": "test", "seen_wordings": "native"}
    tests = {
        name: {
            answers: world_questions(
                world, Split.ORDINARY, Part.TEST, plan.test_scenes, both, answers=answers,
                wordings=wordings,
            )
            for answers in both
        }
        for name, wordings in wordings_of.items()
    }  # fmt: skip
    return Asked(
        parallel(Part.TRAIN, plan.parallel_scenes),
        parallel(Part.VALID, plan.test_scenes),
        tuple(each for each in native if int(each.image_id.rsplit(":", 1)[1]) >= first),
        world_questions(
            world, Split.ORDINARY, Part.VALID, plan.test_scenes, (plan.language,),
            answers=plan.language, wordings="native",
        ),
        {name: each[plan.language] for name, each in tests.items()},
        {name: each["en"] for name, each in tests.items()},
        {each["en"]: each[plan.language] for each in WORLD_ANSWERS.values()},
    )  # fmt: skip


def _easy_vqa(settings: Settings) -> Asked:
    """T and R are halves of the training pictures, less a tenth for validation."""
    plan = settings.data
    shares = {"parallel": 0.45, "target": 0.45, "parallel_validation": 0.05, "validation": 0.05}
    both: tuple[AnswerLanguage, ...] = ("en", plan.language)
    t = split_by_image(read_easy_vqa("train", both), shares)
    r = split_by_image(
        read_easy_vqa("train", (plan.language,), answers=plan.language, wordings="native"), shares
    )
    return Asked(
        t["parallel"],
        t["parallel_validation"],
        r["target"],
        r["validation"],
        {"test": read_easy_vqa("test", both, answers=plan.language, wordings="test")},
        {"test": read_easy_vqa("test", both, wordings="test")},
        {each["en"]: each[plan.language] for each in EASY_VQA_ANSWERS.values()},
    )


def _daquar() -> Asked:
    parts = daquar_by_photo(data_root())
    return Asked(parts["train"], parts["validation"], english_tests={"test": parts["test"]})


def _files(files: FilesConfig, language: str) -> Asked:
    test = _file(files.test, language)
    return Asked(
        _file(files.parallel, language),
        _file(files.parallel_validation, language),
        _file(files.target, language),
        _file(files.target_validation, language),
        {"test": test},
        {},
        {} if files.answers is None else read_answer_translations(files.answers),
    )


def _file(file: FileConfig, language: str) -> Questions:
    match file.format:
        case "jsonl":
            found = read_vqa_jsonl(file.path)
        case "visual_genome":
            found = read_visual_genome(file.path, language)
        case "cvil":
            if file.labels is None:
                raise InputError(f"{file.path}: expected 'labels', the answers of its numbers")
            found = read_cvil(file.path, [str(each) for each in json_array(file.labels)])
    return found if file.alignments is None else with_alignments(found, file.alignments, language)


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
        teacher = train_world_teacher(
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


def cache_folder(trainer: Fitter, name: str, key: str) -> Path:
    """Where runs share what takes long; a temporary folder where nothing is to be kept."""
    return trainer.cache(name, key) or Path(mkdtemp(prefix=f"phosphene-{name}-"))


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
    "Asked",
    "Data",
    "answered",
    "cache_folder",
    "lessons",
    "load_data",
    "noisy",
    "texts",
    "translated_set",
]
