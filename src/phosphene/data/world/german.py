"""German captions: gender, case, adjective endings, verb second, verb last in relative clauses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from phosphene.data.world.lexicon import WORDS, Action, Colour, Gender, Place, Relation, Size
from phosphene.data.world.scene import Phrasing, Plot, Scene

Case = Literal["nominative", "accusative", "dative"]

_COLOURS: Final[dict[Colour, str]] = {
    "red": "rot",
    "blue": "blau",
    "green": "grün",
    "yellow": "gelb",
    "black": "schwarz",
    "white": "weiß",
}
_SIZES: Final[dict[Size, str]] = {"small": "klein", "large": "groß"}
_NUMBERS: Final = {2: "zwei", 3: "drei"}
_PLACES: Final[dict[Place, str]] = {
    "beach": "am strand",
    "street": "auf der straße",
    "field": "auf dem feld",
    "snow": "im schnee",
    "forest": "im wald",
    "cave": "in der höhle",
    "kitchen": "in der küche",
    "workshop": "in der werkstatt",
}
_RELATIONS: Final[dict[Relation, str]] = {
    "left": "links von",
    "right": "rechts von",
    "above": "über",
    "below": "unter",
    "on": "auf",
}
# The finite verb, and the particle that stands at the end of a main clause.
_VERBS: Final[dict[Action, tuple[str, str]]] = {
    "hold": ("hält", ""),
    "watch": ("sieht", "an"),
    "run": ("rennt", ""),
    "jump": ("springt", ""),
    "sit": ("sitzt", ""),
}
# By case: masculine, feminine, neuter, plural.
_DEFINITE: Final[dict[Case, tuple[str, str, str, str]]] = {
    "nominative": ("der", "die", "das", "die"),
    "accusative": ("den", "die", "das", "die"),
    "dative": ("dem", "der", "dem", "den"),
}
_INDEFINITE: Final[dict[Case, tuple[str, str, str]]] = {
    "nominative": ("ein", "eine", "ein"),
    "accusative": ("einen", "eine", "ein"),
    "dative": ("einem", "einer", "einem"),
}
_WEAK: Final[dict[Case, tuple[str, str, str, str]]] = {
    "nominative": ("e", "e", "e", "en"),
    "accusative": ("en", "e", "e", "en"),
    "dative": ("en", "en", "en", "en"),
}
_MIXED: Final[dict[Case, tuple[str, str, str, str]]] = {
    "nominative": ("er", "e", "es", "e"),
    "accusative": ("en", "e", "es", "e"),
    "dative": ("en", "en", "en", "en"),
}
_COLUMN: Final[dict[Gender, int]] = {"m": 0, "f": 1, "n": 2}
_PLURAL: Final = 3


def is_plural(kind: str, count: int = 1) -> bool:
    """Whether ``count`` objects take the plural."""
    return count > 1 or WORDS["de"][kind].plural_only


def noun_phrase(
    kind: str, case: Case, stems: Sequence[str] = (), count: int = 1, definite: bool = False
) -> str:
    """A declined noun with its article, number and adjectives: ``einen kleinen roten ball``.

    Args:
        kind: what is named.
        case: grammatical case.
        stems: uninflected adjectives.
        count: how many there are.
        definite: ``der`` rather than ``ein``.
    """
    word, plural = WORDS["de"][kind], is_plural(kind, count)
    column = _PLURAL if plural else _COLUMN[word.gender]
    endings = _WEAK if definite else _MIXED
    words = [stem + endings[case][column] for stem in stems]
    words.append(_noun(kind, case, plural))
    if count > 1:
        words.insert(0, _NUMBERS[count])
    if definite:
        words.insert(0, _DEFINITE[case][column])
    elif not plural:
        words.insert(0, _INDEFINITE[case][column])
    return " ".join(words)


def _noun(kind: str, case: Case, plural: bool) -> str:
    word = WORDS["de"][kind]
    if plural:
        bare = case != "dative" or word.plural.endswith(("n", "s"))
        return word.plural if bare else word.plural + "n"
    if kind == "boy" and case != "nominative":
        return "jungen"  # the one weak noun of the world
    return word.singular


_CONSTRUCTIONS: Final[dict[Plot, tuple[str, ...]]] = {
    "handle": (
        "{who} {verb} {place} {object} {particle} .",
        "{place} {verb} {who} {object} {particle} .",
        "{who} , {relative} {place} {object} {particle}{verb} .",
    ),
    "move": (
        "{who} {verb} {place} neben {beside} .",
        "neben {beside} {verb} {place} {who} .",
    ),
    "relate": (
        "{thing} {be} {relation} {other} {place} .",
        "{relation} {other} {be} {place} {thing} .",
        "{this} {relation} {other} {place} {be} {colour} .",
    ),
    "show": (
        "{thing} {place} .",
        "es gibt {place} {object} .",
        "{this} {place} {be} {colour} .",
    ),
}


def sentence(scene: Scene, wording: Phrasing) -> str:
    """The scene in German, worded as asked; lower-cased tokens with a final full stop."""
    construction = _CONSTRUCTIONS[scene.plot][wording.template]
    words = " ".join(construction.format_map(_parts(scene, wording)).split())
    return words.replace(" von dem ", " vom ")


def _parts(scene: Scene, wording: Phrasing) -> dict[str, str]:
    focus = scene.focus
    kind, count = focus.kind, focus.count
    size = [_SIZES[focus.size]] * wording.size
    stems = size + [_COLOURS[focus.colour]] * wording.colour
    parts = {
        "thing": noun_phrase(kind, "nominative", stems, count),
        "object": noun_phrase(kind, "accusative", stems, count),
        "beside": noun_phrase(kind, "dative", stems, count),
        "this": noun_phrase(kind, "nominative", size, count, definite=True),
        "be": "sind" if is_plural(kind, count) else "ist",
        "colour": _COLOURS[focus.colour],
        "place": _PLACES[scene.place] if wording.place else "",
    }
    if scene.person is not None:
        shirt = f" in einem {_COLOURS[scene.person.shirt]}en hemd" if wording.detail else ""
        gender = WORDS["de"][scene.person.kind].gender
        parts["who"] = noun_phrase(scene.person.kind, "nominative") + shirt
        parts["verb"], parts["particle"] = _VERBS[scene.person.action]
        parts["relative"] = _DEFINITE["nominative"][_COLUMN[gender]]
    if scene.relation is not None:
        second, definite = scene.things[1], wording.template == 2
        stems = [_COLOURS[second.colour]] * wording.detail
        parts["relation"] = _RELATIONS[scene.relation]
        parts["other"] = noun_phrase(second.kind, "dative", stems, definite=definite)
    return parts


__all__ = ["Case", "is_plural", "noun_phrase", "sentence"]
