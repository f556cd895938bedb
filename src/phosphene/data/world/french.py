"""French captions: agreement, the place of adjectives, elision and contraction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phosphene.data.world.lexicon import WORDS, Action, Colour, Place, Relation, Size
from phosphene.data.world.scene import Phrasing, Plot, Scene

# Masculine and feminine singular; the plural adds an s.
_COLOURS: Final[dict[Colour, tuple[str, str]]] = {
    "red": ("rouge", "rouge"),
    "blue": ("bleu", "bleue"),
    "green": ("vert", "verte"),
    "yellow": ("jaune", "jaune"),
    "black": ("noir", "noire"),
    "white": ("blanc", "blanche"),
}
_SIZES: Final[dict[Size, tuple[str, str]]] = {
    "small": ("petit", "petite"),
    "large": ("grand", "grande"),
}
_NUMBERS: Final = {2: "deux", 3: "trois"}
_PLACES: Final[dict[Place, str]] = {
    "beach": "sur la plage",
    "street": "dans la rue",
    "field": "dans le champ",
    "snow": "dans la neige",
    "forest": "dans la forêt",
    "cave": "dans la grotte",
    "kitchen": "dans la cuisine",
    "workshop": "dans l' atelier",
}
_RELATIONS: Final[dict[Relation, str]] = {
    "left": "à gauche",
    "right": "à droite",
    "above": "au-dessus",
    "below": "au-dessous",
    "on": "sur",
}
_VERBS: Final[dict[Action, tuple[str, str]]] = {
    "hold": ("tient", "tient"),
    "watch": ("regarde", "regarde"),
    "run": ("court", "court"),
    "jump": ("saute", "saute"),
    "sit": ("est assis", "est assise"),
}
_VOWELS: Final = "aeiouéèêœh"  # no h of the world is aspirated


def is_plural(kind: str, count: int = 1) -> bool:
    """Whether ``count`` objects take the plural."""
    return count > 1 or WORDS["fr"][kind].plural_only


def noun_phrase(
    kind: str,
    sizes: Sequence[Size] = (),
    colours: Sequence[Colour] = (),
    count: int = 1,
    definite: bool = False,
) -> str:
    """A noun with its article, number and adjectives: ``une petite voiture rouge``."""
    word, plural = WORDS["fr"][kind], is_plural(kind, count)
    before = [_agree(_SIZES[size], kind, plural) for size in sizes]
    after = [_agree(_COLOURS[colour], kind, plural) for colour in colours]
    words = [*before, word.plural if plural else word.singular, *after]
    if count > 1:
        words.insert(0, _NUMBERS[count])
    feminine = word.gender == "f"
    if plural and definite:
        words.insert(0, "les")
    elif plural and count == 1:
        words.insert(0, "de" if before else "des")
    elif not plural:
        article = ("la" if feminine else "le") if definite else ("une" if feminine else "un")
        elided = definite and words[0][0] in _VOWELS
        words.insert(0, "l'" if elided else article)
    return " ".join(words)


def after_de(phrase: str) -> str:
    """``de`` before a noun phrase: *du*, *de la*, *de l'*, *des*, *d' un*, *de lunettes*."""
    article, _, rest = phrase.partition(" ")
    match article:
        case "le":
            return f"du {rest}"
        case "les":
            return f"des {rest}"
        case "des" | "de":
            return f"d' {rest}" if rest[0] in _VOWELS else f"de {rest}"
        case "un" | "une":
            return f"d' {phrase}"
        case _:
            return f"de {phrase}"


def _agree(adjective: tuple[str, str], kind: str, plural: bool) -> str:
    form = adjective[1] if WORDS["fr"][kind].gender == "f" else adjective[0]
    return form + "s" if plural else form


_CONSTRUCTIONS: Final[dict[Plot, tuple[str, ...]]] = {
    "handle": (
        "{who} {verb} {thing} {place} .",
        "{place} , {who} {verb} {thing} .",
        "{who} qui {verb} {thing} {place} .",
    ),
    "move": (
        "{who} {verb} à côté {beside} {place} .",
        "à côté {beside} , {who} {verb} {place} .",
    ),
    "relate": (
        "{thing} {be} {relation} {other} {place} .",
        "{relation} {other} , il y a {thing} {place} .",
        "{this} {relation} {other} {place} {be} {colour} .",
    ),
    "show": (
        "{thing} {place} .",
        "il y a {thing} {place} .",
        "{this} {place} {be} {colour} .",
    ),
}


def sentence(scene: Scene, wording: Phrasing) -> str:
    """The scene in French, worded as asked; lower-cased tokens with a final full stop."""
    construction = _CONSTRUCTIONS[scene.plot][wording.template]
    return " ".join(construction.format_map(_parts(scene, wording)).split())


def _parts(scene: Scene, wording: Phrasing) -> dict[str, str]:
    focus = scene.focus
    sizes, plural = [focus.size] * wording.size, is_plural(focus.kind, focus.count)
    thing = noun_phrase(focus.kind, sizes, [focus.colour] * wording.colour, focus.count)
    parts = {
        "thing": thing,
        "beside": after_de(thing),
        "this": noun_phrase(focus.kind, sizes, (), focus.count, definite=True),
        "be": "sont" if plural else "est",
        "colour": _agree(_COLOURS[focus.colour], focus.kind, plural),
        "place": _PLACES[scene.place] if wording.place else "",
    }
    if scene.person is not None:
        kind = scene.person.kind
        shirt = f" en chemise {_COLOURS[scene.person.shirt][1]}" if wording.detail else ""
        parts["who"] = noun_phrase(kind) + shirt
        parts["verb"] = _agree(_VERBS[scene.person.action], kind, plural=False)
    if scene.relation is not None:
        second, definite = scene.things[1], wording.template == 2
        colours = [second.colour] * wording.detail
        other = noun_phrase(second.kind, (), colours, definite=definite)
        parts["relation"] = _RELATIONS[scene.relation]
        parts["other"] = other if scene.relation == "on" else after_de(other)
    return parts


__all__ = ["after_de", "is_plural", "noun_phrase", "sentence"]
