"""``phosphene check --leakage``: what evaluation sets share with what is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, get_args

from phosphene.core.config import read_settings
from phosphene.core.errors import InputError
from phosphene.data.captions import CaptionPair
from phosphene.data.corpus import Corpus, load_corpus
from phosphene.data.described import Described
from phosphene.data.described_sources import load_described
from phosphene.data.leakage import DataSet, Overlap, Shown, overlaps
from phosphene.data.lines import parallel, read_lines
from phosphene.data.root import data_root
from phosphene.data.translation import Language, Pair, Split, multi30k_photos
from phosphene.data.vqa import Question
from phosphene.data.vqa_sets import read_daquar
from phosphene.recipes import (
    clip_prefix_settings,
    config_path,
    crosslingual_vqa_settings,
    inversion_mmt_settings,
    load_recipe,
    modality_kd_settings,
    vlp_mmt_settings,
)
from phosphene.recipes.clip_prefix_model import vocabulary
from phosphene.recipes.crosslingual_vqa_sets import read_sets
from phosphene.recipes.modality_kd_data import read_questions
from phosphene.recipes.modality_kd_files import label_set, read_examples
from phosphene.recipes.vlp_mmt_data import read_captions
from phosphene.report.model import Table
from phosphene.report.tables import to_text

Sets = tuple[list[DataSet], list[DataSet]]
"""What is trained on, and what is measured on."""
_SHOWN: Final = 5
_COUNTED: Final = "pictures of the evaluation set, and sentences in one language, each once"
_TASK_2: Final = ("train", "val", "test_2016")


def leakage(recipe: str | None, config: str, changes: Sequence[str]) -> list[Overlap] | None:
    """Of one recipe's data; without a recipe of the published splits in the data root.

    ``None`` where there is nothing to compare, since nothing can leak.

    Raises:
        InputError: recipe, configuration or data are not what they should be.
    """
    if recipe is None:
        return overlaps(*published_sets(data_root()))
    settings = read_settings(load_recipe(recipe).Settings, config_path(recipe, config), changes)
    train, tests = _OF_RECIPE[recipe](settings)
    return overlaps(train, tests) if train or tests else None


def report(found: Sequence[Overlap] | None) -> str:
    """What was found, by pair of sets, with some of the entries; for a terminal."""
    if found is None:
        return "the world's scenes have seeds of their own: nothing can leak"
    if not found:
        return "no picture and no sentence of an evaluation set was found in training"
    rows = tuple(
        (overlap.train, overlap.test, kind, f"{count:,}")
        for overlap in found
        for kind, count in overlap.counts().items()
    )
    header = ("trained on", "evaluated on", "found", "entries")
    lines = [to_text(Table("Leakage", header, rows, _COUNTED))]
    for overlap in found:
        for kind in overlap.counts():
            lines.append(f"{overlap.train} / {overlap.test}, {kind}:")
            leaks = [leak for leak in overlap.leaks if leak.kind == kind]
            lines += [f"  {leak.train}  |  {leak.test}" for leak in leaks[:_SHOWN]]
            if len(leaks) > _SHOWN:
                lines.append(f"  ... and {len(leaks) - _SHOWN:,} more (--json has all)")
    return "\n".join(lines)


def record(found: Sequence[Overlap] | None) -> list[dict[str, Any]]:
    """All that was found, for JSON."""
    return [{**asdict(overlap), "counts": overlap.counts()} for overlap in found or ()]


def published_sets(root: Path) -> Sets:
    """The splits of Multi30K (both tasks) and DAQUAR as published, as far as they are there.

    Raises:
        InputError: the data root has neither, or a file is wrong.
    """
    train, tests = list[DataSet](), list[DataSet]()
    if (root / "multi30k" / "task1").is_dir():
        for split in get_args(Split):
            (train if split == "train" else tests).append(_multi30k(root, split))
    task = root / "multi30k" / "task2"
    if task.is_dir():
        train += [_task_2(task, split) for split in _TASK_2]
    if (root / "daquar").is_dir():
        train.append(_asked("DAQUAR train", read_daquar(root, "train")))
        tests.append(_asked("DAQUAR eval", read_daquar(root, "eval")))
    if not train:
        raise InputError(f"{root}: expected multi30k or daquar in the data root")
    return train, tests


def _multi30k(root: Path, split: str) -> DataSet:
    sentences = {
        f"{split}:{number} ({language})": line
        for language in get_args(Language)
        if _text(root, split, language).is_file()
        for number, line in enumerate(read_lines(_text(root, split, language)), start=1)
    }
    photos = multi30k_photos(root, split)
    names = read_lines(root / "multi30k" / "task1" / "image_splits" / f"{split}.txt")
    pictures = tuple(
        Shown(name.partition("#")[0], photos.get(number))
        for number, name in enumerate(names, start=1)
    )
    return DataSet(f"Multi30K {split}", sentences, pictures)


def _text(root: Path, split: str, language: str) -> Path:
    return root / "multi30k" / "task1" / "tok" / f"{split}.lc.norm.tok.{language}"


def _task_2(task: Path, split: str) -> DataSet:
    """Five captions of every photo in English and German."""
    names = read_lines(task / "image_splits" / f"{split}_images.txt")
    files = [
        task / "tok" / f"{split}.lc.norm.tok.{number}.{language}"
        for language in ("en", "de")
        for number in range(1, 6)
    ]
    sentences = {
        f"{file.name}:{number}": line
        for file, lines in zip(files, parallel(*files), strict=True)
        for number, line in enumerate(lines, start=1)
    }
    pictures = tuple(Shown(name.partition("#")[0]) for name in names)
    return DataSet(f"Multi30K task 2 {split}", sentences, pictures)


def _pairs(name: str, pairs: Iterable[Pair]) -> DataSet:
    sentences, pictures = dict[str, str](), []
    for pair in pairs:
        sentences[f"{pair.id} (source)"] = pair.whole_source
        sentences[f"{pair.id} (target)"] = pair.target
        if pair.image is not None:
            pictures.append(Shown(pair.image.name, pair.image))
    return DataSet(name, sentences, tuple(pictures))


def _corpus(corpus: Corpus) -> Sets:
    train, *others = (_pairs(name, data.pairs) for name, data in corpus.splits.items())
    return [train], others


def _asked(name: str, questions: Iterable[Question]) -> DataSet:
    """The pictures alone: the same question may be asked of many."""
    shown = (Shown(question.image_id, question.image) for question in questions)
    return DataSet(name, pictures=tuple(dict.fromkeys(shown)))


def _captions(name: str, captions: Iterable[CaptionPair]) -> DataSet:
    pairs = list(captions)
    return DataSet(
        name, {pair.id: pair.sentence for pair in pairs}, tuple(Shown(p.picture) for p in pairs)
    )


def _described(name: str, items: Iterable[Described]) -> DataSet:
    sentences, pictures = dict[str, str](), []
    for item in items:
        sentences |= {f"{item.id} ({code})": line for code, line in item.sentences.items()}
        if isinstance(item.picture, Path):
            pictures.append(Shown(item.picture.name, item.picture))
    return DataSet(name, sentences, tuple(pictures))


def _inversion_mmt(settings: inversion_mmt_settings.Settings) -> Sets:
    return _corpus(load_corpus(settings.data))


def _vlp_mmt(settings: vlp_mmt_settings.Settings) -> Sets:
    corpus = load_corpus(settings.data)
    train, tests = _corpus(corpus)
    if settings.pretrains and settings.data.source != "world":
        train.append(_captions("pre-training captions", read_captions(settings, corpus)[0]))
    return train, tests


def _clip_prefix(settings: clip_prefix_settings.Settings) -> Sets:
    corpus = load_described(settings.data, vocabulary(settings))
    train = [_described("train", corpus.train), _described("captions", corpus.captions)]
    tests = [_described("validation", corpus.validation)]
    tests += [_described(name, items) for name, items in corpus.tests.items()]
    return train, tests


def _crosslingual_vqa(settings: crosslingual_vqa_settings.Settings) -> Sets:
    asked = read_sets(settings)
    train = [_asked("T (parallel)", asked.parallel), _asked("R (target)", asked.target)]
    tests = [
        _asked("T validation", asked.parallel_validation),
        _asked("R validation", asked.target_validation),
        *(_asked(name, questions) for name, questions in asked.tests.items()),
    ]
    return train, tests


def _modality_kd(settings: modality_kd_settings.Settings) -> Sets:
    plan = settings.data
    names = ("train", "validation", "test")
    if plan.source == "world":
        return [], []
    if plan.source != "files" or plan.files is None:
        parts = read_questions("daquar" if plan.source == "daquar" else "easy_vqa")
        sets = [_asked(name, parts[name]) for name in names]
    else:
        files = plan.files
        paths = (files.train, files.validation, files.test)
        sets = []
        for name, path in zip(names, paths, strict=True):
            examples = read_examples(files, label_set(files), name, path).examples
            shown = (each.image for each in examples if each.image is not None)
            pictures = tuple(Shown(image.name, image) for image in dict.fromkeys(shown))
            sets.append(DataSet(name, {e.id: e.text for e in examples}, pictures))
    return sets[:1], sets[1:]


_OF_RECIPE: Final[Mapping[str, Callable[[Any], Sets]]] = {
    "inversion_mmt": _inversion_mmt,
    "vlp_mmt": _vlp_mmt,
    "clip_prefix": _clip_prefix,
    "crosslingual_vqa": _crosslingual_vqa,
    "modality_kd": _modality_kd,
}

__all__ = ["leakage", "published_sets", "record", "report"]
