"""Scenes turned into 64 x 64 pictures: drawn at twice the size, then averaged down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from phosphene.data.world.backdrops import backdrop
from phosphene.data.world.pen import DRAWING_SIZE, INK, Pen
from phosphene.data.world.people import draw_person
from phosphene.data.world.scene import PICTURE_SIZE, Box, Scene
from phosphene.data.world.shapes import SHAPES

# Pillow's own font has no accented letters.
_SPELT_OUT: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "ê": "e", "à": "a", "ô": "o", "ç": "c"}
)
_SCALE: Final = DRAWING_SIZE // PICTURE_SIZE


def draw(scene: Scene) -> UInt8[np.ndarray, "64 64 3"]:
    """The picture of a scene, RGB; a function of the scene alone."""
    image = backdrop(scene.place).copy()
    canvas = ImageDraw.Draw(image)
    if scene.person is not None:
        person = scene.person
        draw_person(
            Pen(canvas, _scaled(person.box), person.shirt, person.flipped), person, scene.key
        )
    for thing in reversed(scene.things):
        for box in thing.boxes:
            SHAPES[thing.kind](Pen(canvas, _scaled(box), thing.colour, thing.flipped))
    return np.asarray(image.reduce(_SCALE))


def draw_all(scenes: Sequence[Scene]) -> UInt8[np.ndarray, "photo 64 64 3"]:
    """The pictures of several scenes."""
    if not scenes:
        return np.zeros((0, PICTURE_SIZE, PICTURE_SIZE, 3), dtype=np.uint8)
    return np.stack([draw(scene) for scene in scenes])


def contact_sheet(
    scenes: Sequence[Scene], captions: Sequence[str], columns: int = 8
) -> Image.Image:
    """Pictures side by side at their own size, each above its caption.

    Args:
        scenes: what to draw.
        captions: one per scene; broken into lines that fit.
        columns: pictures per row.

    Raises:
        ValueError: unless there is one caption per scene.
    """
    if len(captions) != len(scenes):
        raise ValueError(f"expected {len(scenes)} captions, one per scene, got {len(captions)}")
    font = ImageFont.load_default(size=10)
    width, height = PICTURE_SIZE * 2 + 8, PICTURE_SIZE * 2 + 58
    rows = -(-len(scenes) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    for index, (scene, caption) in enumerate(zip(scenes, captions, strict=True)):
        x, y = (index % columns) * width + 4, (index // columns) * height + 4
        picture = Image.fromarray(draw(scene)).resize((2 * PICTURE_SIZE,) * 2, Image.Resampling.BOX)
        sheet.paste(picture, (x, y))
        text = _wrapped(caption.translate(_SPELT_OUT), font, 2 * PICTURE_SIZE)
        pen.multiline_text((x, y + 2 * PICTURE_SIZE + 2), text, fill=INK, font=font, spacing=1)
    return sheet


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def _scaled(box: Box) -> Box:
    return (box[0] * _SCALE, box[1] * _SCALE, box[2] * _SCALE, box[3] * _SCALE)


__all__ = ["contact_sheet", "draw", "draw_all"]
