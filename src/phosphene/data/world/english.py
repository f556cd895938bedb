"""English captions: articles, number, the five places and the constructions of every plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phosphene.data.world.lexicon import WORDS, Action, Place, Relation
from phosphene.data.world.scene import Phrasing, Plot, Scene

NUMBERS: Final = {2: "two", 3: "three"}
PLACE_PHRASES: Final[dict[Place, str]] = {
    "beach": "on the beach",
    "street": "in the street",
    "field": "in the field",
    "snow": "in the snow",
    "forest": "in the forest",
    "cave": "in the cave",
    "kitchen": "in the kitchen",
    "workshop": "in the workshop",
}
RELATION_PHRASES: Final[dict[Relation, str]] = {
    "left": "to the left of",
    "right": "to the right of",
    "above": "above",
    "below": "below",
    "on": "on",
}
_DOING: Final[dict[Action, str]] = {
    "hold": "holding",
    "watch": "looking at",
    "run": "running",
    "jump": "jumping",
    "sit": "sitting",
}


def is_plural(kind: str, count: int = 1) -> bool:
    """Whether ``count`` objects take the plural: one pair of glasses already does."""
    return count > 1 or WORDS["en"][kind].plural_only


def noun_phrase(
    kind: str, adjectives: Sequence[str] = (), count: int = 1, definite: bool = False
) -> str:
    """A noun with its article, number and adjectives: ``a small red ball``."""
    word = WORDS["en"][kind]
    words = [*adjectives, word.plural if is_plural(kind, count) else word.singular]
    if count > 1:
        words.insert(0, NUMBERS[count])
    if definite:
        words.insert(0, "the")
    elif count == 1:
        vowel = words[0][0] in "aeiou"
        words.insert(0, "some" if is_plural(kind) else "an" if vowel else "a")
    return " ".join(words)


_CONSTRUCTIONS: Final[dict[Plot, tuple[str, ...]]] = {
    "handle": (
        "{who} is {doing} {thing} {place} .",
        "{place} , {who} is {doing} {thing} .",
        "{who} who is {doing} {thing} {place} .",
    ),
    "move": (
        "{who} is {doing} next to {thing} {place} .",
        "next to {thing} , {who} is {doing} {place} .",
    ),
    "relate": (
        "{thing} {be} {relation} {other} {place} .",
        "{relation} {other} there {be} {thing} {place} .",
        "{this} {relation} {other} {place} {be} {colour} .",
    ),
    "show": (
        "{thing} {place} .",
        "there {be} {thing} {place} .",
        "{this} {place} {be} {colour} .",
    ),
}


def sentence(scene: Scene, wording: Phrasing) -> str:
    """The scene in English, worded as asked; lower-cased tokens with a final full stop."""
    construction = _CONSTRUCTIONS[scene.plot][wording.template]
    return " ".join(construction.format_map(_parts(scene, wording)).split())


def _parts(scene: Scene, wording: Phrasing) -> dict[str, str]:
    focus = scene.focus
    size, colour = [focus.size] * wording.size, [focus.colour] * wording.colour
    parts = {
        "thing": noun_phrase(focus.kind, [*size, *colour], focus.count),
        "this": noun_phrase(focus.kind, size, focus.count, definite=True),
        "be": "are" if is_plural(focus.kind, focus.count) else "is",
        "colour": focus.colour,
        "place": PLACE_PHRASES[scene.place] if wording.place else "",
    }
    if scene.person is not None:
        shirt = f" in a {scene.person.shirt} shirt" if wording.detail else ""
        parts["who"] = noun_phrase(scene.person.kind) + shirt
        parts["doing"] = _DOING[scene.person.action]
    if scene.relation is not None:
        second = scene.things[1]
        adjectives = [second.colour] * wording.detail
        parts["relation"] = RELATION_PHRASES[scene.relation]
        parts["other"] = noun_phrase(second.kind, adjectives, definite=wording.template == 2)
    return parts


__all__ = ["NUMBERS", "PLACE_PHRASES", "RELATION_PHRASES", "is_plural", "noun_phrase", "sentence"]
