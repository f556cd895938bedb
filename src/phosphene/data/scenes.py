"""As many scenes of the embedded world as are wanted, and those for training who looks at them."""

from __future__ import annotations

from collections.abc import Sequence

from phosphene.data.dataset import LabelledScenes
from phosphene.data.world.draw import draw_all
from phosphene.data.world.scene import Scene, visual_labels
from phosphene.data.world.splits import Part, Split, World


def labelled_scenes(count: int, splits: Sequence[str], seed: int) -> LabelledScenes:
    """Pictures for training a visual teacher; no translator is trained or tested on them."""
    scenes = teacher_scenes(count, splits, seed)
    return LabelledScenes(draw_all(scenes), visual_labels(scenes))


def teacher_scenes(count: int, splits: Sequence[str], seed: int) -> tuple[Scene, ...]:
    """Scenes for training whoever looks at pictures."""
    return scenes_in_turn(World(seed), splits, count, Part.TEACHER)


def scenes_in_turn(
    world: World, splits: Sequence[str], count: int, part: Part
) -> tuple[Scene, ...]:
    """``count`` scenes, from the splits in turn."""
    return tuple(
        world.scene(Split(splits[index % len(splits)]), index // len(splits), part)
        for index in range(count)
    )


__all__ = ["labelled_scenes", "scenes_in_turn", "teacher_scenes"]
