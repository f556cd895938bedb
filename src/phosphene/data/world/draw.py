"""Scenes turned into 64 x 64 pictures: drawn at twice the size, then averaged down."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from phosphene.data.world.lexicon import CHILDREN, Place
from phosphene.data.world.pen import INK, Pen, Rgb
from phosphene.data.world.scene import PICTURE_SIZE, Box, Person, Scene
from phosphene.data.world.shapes import SHAPES

_SCALE: Final = 2
_CANVAS: Final = PICTURE_SIZE * _SCALE
_SKINS: Final[tuple[Rgb, ...]] = ((250, 214, 184), (224, 172, 125), (150, 98, 62))
_HAIRS: Final[tuple[Rgb, ...]] = ((96, 56, 24), (40, 34, 34), (190, 140, 60))


def draw(scene: Scene) -> UInt8[np.ndarray, "64 64 3"]:
    """The picture of a scene, RGB; a function of the scene alone."""
    image = _background(scene.place).copy()
    canvas = ImageDraw.Draw(image)
    if scene.person is not None:
        tone = scene.key % 3
        _person(canvas, scene.person, _SKINS[tone], _HAIRS[(scene.key // 3) % 3])
    for thing in reversed(scene.things):
        for box in thing.boxes:
            SHAPES[thing.kind](Pen(canvas, _scaled(box), thing.colour, thing.flipped))
    return np.asarray(image.reduce(_SCALE))


def pictures(scenes: Sequence[Scene]) -> UInt8[np.ndarray, "photo 64 64 3"]:
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
    width, height = PICTURE_SIZE * 2 + 8, PICTURE_SIZE * 2 + 46
    rows = -(-len(scenes) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    for index, (scene, caption) in enumerate(zip(scenes, captions, strict=True)):
        x, y = (index % columns) * width + 4, (index // columns) * height + 4
        picture = Image.fromarray(draw(scene)).resize((2 * PICTURE_SIZE,) * 2, Image.Resampling.BOX)
        sheet.paste(picture, (x, y))
        text = _wrapped(caption, font, 2 * PICTURE_SIZE)
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


def _person(canvas: ImageDraw.ImageDraw, person: Person, skin: Rgb, hair: Rgb) -> None:
    """A person whose arms and legs say what they do; facing right unless flipped."""
    pen = Pen(canvas, _scaled(person.box), person.shirt, person.flipped)
    female = person.kind in ("woman", "girl")
    dark: Rgb = (44, 50, 92)
    legs: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
        "run": (((0.48, 0.62), (0.16, 0.74), (0.0, 0.94)), ((0.52, 0.62), (0.84, 0.76), (0.74, 0.98))),
        "jump": (((0.45, 0.62), (0.1, 0.76), (0.16, 0.94)), ((0.55, 0.62), (0.9, 0.76), (0.84, 0.94))),
        "sit": (((0.4, 0.68), (0.88, 0.7), (0.88, 0.98)), ((0.36, 0.72), (0.76, 0.74), (0.76, 0.98))),
    }  # fmt: skip
    standing = (((0.4, 0.6), (0.38, 0.97)), ((0.6, 0.6), (0.62, 0.97)))
    arms: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
        "hold": (((0.5, 0.36), (1.0, 0.4)), ((0.5, 0.44), (1.0, 0.5))),
        "run": (((0.34, 0.36), (0.06, 0.5), (0.2, 0.34)), ((0.66, 0.36), (0.84, 0.5), (1.0, 0.38))),
        "jump": (((0.34, 0.36), (0.04, 0.06)), ((0.66, 0.36), (0.96, 0.06))),
        "sit": (((0.5, 0.4), (0.84, 0.62)),),
        "watch": (((0.32, 0.36), (0.16, 0.62)), ((0.68, 0.36), (0.84, 0.62))),
    }
    if person.action == "sit":
        pen.block(0.02, 0.7, 0.7, 0.98, (140, 96, 60))
    if female:
        pen.block(0.24, 0.08, 0.76, 0.36 if person.kind == "woman" else 0.24, hair)
    for leg in legs.get(person.action, standing):
        pen.bar(*leg, width=0.14, fill=skin if female else dark)
    pen.shape((0.3, 0.3), (0.7, 0.3), (0.68, 0.66), (0.32, 0.66))
    if female and person.action != "sit":
        pen.shape((0.32, 0.56), (0.68, 0.56), (0.88, 0.78), (0.12, 0.78), fill=dark)
    for arm in arms[person.action]:
        pen.bar(*arm, width=0.12, fill=skin)
    pen.oval(0.26, 0.02, 0.74, 0.3, skin)
    pen.shape((0.25, 0.16), (0.3, 0.04), (0.5, 0.0), (0.7, 0.04), (0.75, 0.12), (0.45, 0.1),
              fill=hair)  # fmt: skip
    if person.kind == "girl":
        pen.oval(0.02, 0.1, 0.28, 0.24, hair)
        pen.oval(0.72, 0.1, 0.98, 0.24, hair)
    if person.kind == "boy":
        pen.shape((0.24, 0.12), (0.3, 0.0), (0.7, 0.0), (0.96, 0.12))
    if person.kind == "man":
        pen.line((0.4, 0.24), (0.64, 0.24), width=0.12, fill=hair)
    if person.kind not in CHILDREN or not female:
        pen.dot(0.6, 0.16, 0.05, INK)
    else:
        pen.dot(0.42, 0.17, 0.05, INK)
        pen.dot(0.6, 0.17, 0.05, INK)


@cache
def _background(place: Place) -> Image.Image:
    """A pale picture of the place at drawing size. Never drawn upon: callers copy it."""
    image = Image.new("RGB", (_CANVAS, _CANVAS))
    pen = ImageDraw.Draw(image)
    sky, ground = _GROUNDS[place]
    horizon = 56
    pen.rectangle((0, 0, _CANVAS, horizon), fill=sky)
    pen.rectangle((0, horizon, _CANVAS, _CANVAS), fill=ground)
    match place:
        case "beach":
            pen.rectangle((0, 40, _CANVAS, 64), fill=(130, 196, 230))
            for x in range(0, _CANVAS, 16):
                pen.arc((x, 58, x + 16, 70), 0, 180, fill=(255, 255, 255), width=3)
            pen.ellipse((8, 6, 26, 24), fill=(255, 236, 150))
        case "street":
            for x in range(0, _CANVAS, 32):
                tall = 14 + (x * 7) % 26
                pen.rectangle((x, horizon - tall, x + 22, horizon), fill=(222, 208, 204))
            for x in range(4, _CANVAS, 40):
                pen.rectangle((x, 92, x + 22, 97), fill=(250, 250, 250))
        case "field":
            for y in range(66, _CANVAS, 12):
                for x in range((y * 5) % 18, _CANVAS, 18):
                    pen.line((x, y, x + 3, y - 6, x + 6, y), fill=(150, 196, 110), width=2)
        case "snow":
            pen.polygon(((0, 56), (36, 26), (70, 56), (100, 32), (128, 56)), fill=(232, 238, 248))
            for x, y in ((10, 12), (34, 20), (60, 8), (88, 18), (112, 8), (20, 40), (76, 36)):
                pen.ellipse((x, y, x + 5, y + 5), fill=(255, 255, 255))
        case "forest":
            for x in range(4, _CANVAS, 26):
                pen.rectangle((x + 8, 34, x + 13, 62), fill=(186, 164, 140))
                pen.polygon(((x - 4, 44), (x + 10, 0), (x + 25, 44)), fill=(158, 198, 166))
        case "cave":
            pen.ellipse((12, 10, 116, 150), fill=(196, 188, 190))
            for x in range(6, _CANVAS, 24):
                pen.polygon(((x, 0), (x + 14, 0), (x + 7, 20)), fill=(128, 116, 120))
        case "kitchen":
            for x in range(0, _CANVAS, 16):
                pen.line((x, 0, x, 60), fill=(255, 255, 255), width=2)
                pen.line((0, x, _CANVAS, x) if x < 60 else (0, 60, _CANVAS, 60), fill=(255, 255, 255))
            pen.rectangle((0, 60, _CANVAS, 68), fill=(206, 170, 130))
        case "workshop":
            for y in range(0, _CANVAS, 16):
                pen.line((0, y, _CANVAS, y), fill=(206, 182, 146), width=2)
            for x in (14, 38, 90):
                pen.line((x, 6, x, 26), fill=(120, 120, 126), width=4)
                pen.rectangle((x - 6, 4, x + 6, 10), fill=(120, 120, 126))
    return image


_GROUNDS: Final[dict[Place, tuple[Rgb, Rgb]]] = {
    "beach": ((206, 234, 250), (246, 228, 180)),
    "street": ((226, 236, 244), (186, 188, 194)),
    "field": ((214, 236, 250), (194, 226, 158)),
    "snow": ((200, 216, 236), (242, 246, 252)),
    "forest": ((218, 234, 222), (200, 190, 160)),
    "cave": ((150, 138, 142), (168, 156, 158)),
    "kitchen": ((222, 236, 240), (232, 214, 190)),
    "workshop": ((226, 204, 170), (200, 196, 190)),
}

__all__ = ["contact_sheet", "draw", "pictures"]
