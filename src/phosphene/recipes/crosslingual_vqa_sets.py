"""The sets of questions of the recipe ``crosslingual_vqa``, as they are read or drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from phosphene.core.errors import InputError
from phosphene.data.answers import read_answer_translations
from phosphene.data.easy_vqa_questions import ANSWERS as EASY_VQA_ANSWERS
from phosphene.data.records import json_array
from phosphene.data.root import data_root
from phosphene.data.vqa import Question, split_by_image, with_alignments
from phosphene.data.vqa_readers import read_cvil, read_visual_genome, read_vqa_jsonl
from phosphene.data.vqa_sets import Wordings, daquar_by_photo, read_easy_vqa, world_questions
from phosphene.data.world.answer_words import ANSWERS as WORLD_ANSWERS
from phosphene.data.world.answer_words import AnswerLanguage
from phosphene.data.world.splits import Part, Split, World
from phosphene.recipes.crosslingual_vqa_settings import FileConfig, FilesConfig, Settings

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


def read_sets(settings: Settings) -> Asked:
    """Every set of ``data.source``.

    Raises:
        InputError: a file is missing or wrong.
    """
    plan = settings.data
    match plan.source:
        case "world":
            return _world(settings)
        case "easy_vqa":
            return _easy_vqa(settings)
        case "daquar":
            return _daquar()
        case "files":
            assert plan.files is not None
            return _files(plan.files, plan.language)


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


__all__ = ["Asked", "Questions", "read_sets"]
