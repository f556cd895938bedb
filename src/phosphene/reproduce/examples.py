"""Sentences of a table's test splits, with what every row made of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from PIL import Image

from phosphene.core.config import Frozen
from phosphene.data.classification_world import CONFOUNDERS, world_examples
from phosphene.data.corpus import CorpusConfig
from phosphene.data.world.captions import caption
from phosphene.data.world.draw import draw
from phosphene.data.world.lexicon import Language
from phosphene.data.world.scene import Scene
from phosphene.data.world.splits import Part, Split, World
from phosphene.evaluate.system import Line, Results
from phosphene.recipes import load_recipe
from phosphene.recipes.modality_kd_settings import DataConfig
from phosphene.report.model import Example, Output
from phosphene.reproduce.measure import Measurements
from phosphene.train.run import recipe_of, settings_of


def grid_examples(found: Measurements) -> Iterator[Example]:
    """The first sentences of every block on which its rows differ; of the same runs once."""
    seen: list[dict[str, Path]] = []
    for block in found.grid.table.blocks:
        sides: dict[str, tuple[Path, Results]] = {}
        for row in found.grid.table.run_rows:
            for run in found.grid.cells.get((row.label, block.label), ())[:1]:
                if run.name in found.results:
                    sides[row.label] = (run.folder, found.results[run.name])
        folders = {name: folder for name, (folder, _) in sides.items()}
        if folders not in seen:
            seen.append(folders)
            yield from examples_of(sides, found.grid.table.examples, block.label)


def examples_of(
    systems: Mapping[str, tuple[Path, Results]], count: int, label: str = ""
) -> Iterator[Example]:
    """Of each split that all systems have answered, the first ``count`` on which they differ.

    Where another picture flips the label, the text with that picture follows.

    Args:
        systems: run folders and their results, by what to call them.
        count: how many of each split.
        label: said with every example.
    """
    if not systems:
        return
    folder, first = next(iter(systems.values()))
    for split in first.splits:
        sides = {
            name: {each.split: each.lines for each in results.splits}.get(split.split, ())
            for name, (_, results) in systems.items()
        }
        asked = [line.source for line in split.lines]
        sides = {
            name: lines
            for name, lines in sides.items()
            if lines and [line.source for line in lines] == asked
        }
        apart = [
            number
            for number in range(len(asked))
            if len({lines[number].hypothesis for lines in sides.values()}) > min(1, len(sides) - 1)
        ]
        shown = [
            place
            for number in apart[:count]
            for place in (number, *confounder(folder, split.lines, number))
        ]
        for number in dict.fromkeys(shown):
            line = split.lines[number]
            picture = world_picture(folder, split.split, number, line)
            yield Example(
                source=line.source,
                reference=line.reference,
                outputs=tuple(
                    Output(name, lines[number].hypothesis) for name, lines in sides.items()
                ),
                target_language=split.language or first.language,
                picture=picture,
                picture_alt=f"What it is about: {line.source}" if picture else "",
                note=f"{label}, {split.split}" if label else split.split,
            )


def confounder(folder: Path, lines: Sequence[Line], number: int) -> tuple[int, ...]:
    """The example of the world with the same text and another picture that flips the label."""
    data = _data(folder)
    if not isinstance(data, DataConfig) or data.source != "world":
        return ()
    together = CONFOUNDERS[data.task]
    start, own = number - number % together, lines[number]
    return tuple(
        other
        for other, line in enumerate(lines[start : start + together], start)
        if line.source == own.source and line.reference != own.reference
    )


def world_picture(folder: Path, split: str, number: int, line: Line) -> bytes | None:
    """The drawn scene of a test example, where a run was scored on the embedded world."""
    data = _data(folder)
    scene = None
    if isinstance(data, CorpusConfig) and data.source == "world":
        scene = _told_scene(data, split, number, line)
    elif isinstance(data, DataConfig) and data.source == "world" and split == "test":
        scene = _classified_scene(data, number, line)
    if scene is None:
        return None
    stream = io.BytesIO()
    Image.fromarray(draw(scene)).save(stream, format="PNG")
    return stream.getvalue()


def _told_scene(data: CorpusConfig, split: str, number: int, line: Line) -> Scene | None:
    if split not in [each.value for each in Split] or data.languages[0] not in get_args(Language):
        return None
    targets = tuple(language for language in data.languages if language != "en")
    scene = World(data.world_seed, targets).scene(Split(split), number, Part.TEST)
    return scene if caption(scene, data.languages[0]) == line.source else None


def _classified_scene(data: DataConfig, number: int, line: Line) -> Scene | None:
    examples, scenes = world_examples(data.task, World(data.world_seed), number + 1, Part.TEST)
    return scenes[number] if examples[number].text == line.source else None


def _data(folder: Path) -> object:
    """The section ``data`` of a run's settings."""
    kind = load_recipe(recipe_of(folder)).Settings
    settings: Frozen = settings_of(folder, kind)
    return dict(settings).get("data")


__all__ = ["confounder", "examples_of", "grid_examples", "world_picture"]
