"""The words of the world: what can be drawn, and what it is called in five languages.

A *kind* is what a picture shows (``bat_animal``); a *noun* is its English word (``bat``), which is
also its tag. Two kinds that share a noun are its two senses. The tables are plain text so that a
reader of a language can check a column at a glance; ``-`` marks a word used in the plural only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["en", "de", "fr"]
Gender = Literal["m", "f", "n"]
Colour = Literal["red", "blue", "green", "yellow", "black", "white"]
Size = Literal["small", "large"]
Place = Literal["beach", "street", "field", "snow", "forest", "cave", "kitchen", "workshop"]
Action = Literal["hold", "watch", "run", "jump", "sit"]
Relation = Literal["left", "right", "above", "below", "on"]

COLOURS: Final[tuple[Colour, ...]] = ("red", "blue", "green", "yellow", "black", "white")
SIZES: Final[tuple[Size, ...]] = ("small", "large")
PLACES: Final[tuple[Place, ...]] = (
    "beach", "street", "field", "snow", "forest", "cave", "kitchen", "workshop",
)  # fmt: skip
ACTIONS: Final[tuple[Action, ...]] = ("hold", "watch", "run", "jump", "sit")
RELATIONS: Final[tuple[Relation, ...]] = ("left", "right", "above", "below", "on")


@dataclass(frozen=True)
class Word:
    """A noun of one language.

    Attributes:
        singular: nominative singular; equal to ``plural`` for a word used in the plural only.
        plural: nominative plural.
        gender: grammatical gender (``"n"`` throughout English, where nothing depends on it).
        plural_only: whether one object already takes the plural (English *glasses*).
    """

    singular: str
    plural: str
    gender: Gender
    plural_only: bool = False

    def forms(self) -> frozenset[str]:
        """Every inflected form: singular, plural, and the German dative plural."""
        return frozenset({self.singular, self.plural, self.plural + "n"})


@dataclass(frozen=True)
class HindiWord:
    """A Hindi noun: direct singular and plural, oblique singular (before postpositions)."""

    singular: str
    plural: str
    oblique: str
    gender: Literal["m", "f"]


# kind | English: singular, plural | German: gender, singular, plural | French: the same
_EUROPEAN: Final = """
dog               | dog dogs          | m hund hunde              | m chien chiens
cat               | cat cats          | f katze katzen            | m chat chats
bird              | bird birds        | m vogel vögel             | m oiseau oiseaux
fish              | fish fish         | m fisch fische            | m poisson poissons
car               | car cars          | n auto autos              | f voiture voitures
boat              | boat boats        | n boot boote              | m bateau bateaux
tree              | tree trees        | m baum bäume              | m arbre arbres
house             | house houses      | n haus häuser             | f maison maisons
ball              | ball balls        | m ball bälle              | m ballon ballons
kite              | kite kites        | m drachen drachen         | m cerf-volant cerfs-volants
umbrella          | umbrella umbrellas| m regenschirm regenschirme| m parapluie parapluies
chair             | chair chairs      | m stuhl stühle            | f chaise chaises
table             | table tables      | m tisch tische            | f table tables
cup               | cup cups          | f tasse tassen            | f tasse tasses
flower            | flower flowers    | f blume blumen            | f fleur fleurs
apple             | apple apples      | m apfel äpfel             | f pomme pommes
bat_animal        | bat bats          | f fledermaus fledermäuse  | f chauve-souris chauves-souris
bat_club          | bat bats          | m schläger schläger       | f batte battes
seal_animal       | seal seals        | f robbe robben            | m phoque phoques
seal_stamp        | seal seals        | n siegel siegel           | m sceau sceaux
glasses_spectacles| - glasses         | f brille brillen          | f - lunettes
glasses_drinking  | - glasses         | n - gläser                | m - verres
bow_ribbon        | bow bows          | f schleife schleifen      | m noeud noeuds
bow_archery       | bow bows          | m bogen bögen             | m arc arcs
nut_food          | nut nuts          | f nuss nüsse              | f noix noix
nut_metal         | nut nuts          | f mutter muttern          | m écrou écrous
pipe_smoking      | pipe pipes        | f pfeife pfeifen          | f pipe pipes
pipe_tube         | pipe pipes        | n rohr rohre              | m tuyau tuyaux
palm_tree         | palm palms        | f palme palmen            | m palmier palmiers
palm_hand         | palm palms        | f handfläche handflächen  | f paume paumes
trunk_log         | trunk trunks      | m baumstamm baumstämme    | m tronc troncs
trunk_chest       | trunk trunks      | f truhe truhen            | f malle malles
crane_bird        | crane cranes      | m kranich kraniche        | f grue grues
crane_machine     | crane cranes      | m kran kräne              | f grue grues
man               | man men           | m mann männer             | m homme hommes
woman             | woman women       | f frau frauen             | f femme femmes
boy               | boy boys          | m junge jungen            | m garçon garçons
girl              | girl girls        | n mädchen mädchen         | f fille filles
"""

# kind | Japanese | Hindi: gender, direct singular, direct plural, oblique singular
_ASIAN: Final = """
dog                | 犬       | m कुत्ता कुत्ते कुत्ते
cat                | 猫       | f बिल्ली बिल्लियाँ बिल्ली
bird               | 鳥       | f चिड़िया चिड़ियाँ चिड़िया
fish               | 魚       | f मछली मछलियाँ मछली
car                | 車       | f कार कारें कार
boat               | 船       | f नाव नावें नाव
tree               | 木       | m पेड़ पेड़ पेड़
house              | 家       | m घर घर घर
ball               | ボール   | f गेंद गेंदें गेंद
kite               | 凧       | f पतंग पतंगें पतंग
umbrella           | 傘       | m छाता छाते छाते
chair              | 椅子     | f कुर्सी कुर्सियाँ कुर्सी
table              | テーブル | f मेज़ मेज़ें मेज़
cup                | カップ   | m प्याला प्याले प्याले
flower             | 花       | m फूल फूल फूल
apple              | りんご   | m सेब सेब सेब
bat_animal         | コウモリ | m चमगादड़ चमगादड़ चमगादड़
bat_club           | バット   | m बल्ला बल्ले बल्ले
seal_animal        | アザラシ | f सील सीलें सील
seal_stamp         | 印章     | f मुहर मुहरें मुहर
glasses_spectacles | 眼鏡     | m चश्मा चश्मे चश्मे
glasses_drinking   | グラス   | m गिलास गिलास गिलास
bow_ribbon         | リボン   | m रिबन रिबन रिबन
bow_archery        | 弓       | m धनुष धनुष धनुष
nut_food           | くるみ   | m अखरोट अखरोट अखरोट
nut_metal          | ナット   | m नट नट नट
pipe_smoking       | パイプ   | m पाइप पाइप पाइप
pipe_tube          | 管       | f नली नलियाँ नली
palm_tree          | ヤシ     | m ताड़ ताड़ ताड़
palm_hand          | 手のひら | f हथेली हथेलियाँ हथेली
trunk_log          | 丸太     | m तना तने तने
trunk_chest        | トランク | m संदूक संदूक संदूक
crane_bird         | 鶴       | m सारस सारस सारस
crane_machine      | クレーン | f क्रेन क्रेनें क्रेन
man                | 男性     | m आदमी आदमी आदमी
woman              | 女性     | f औरत औरतें औरत
boy                | 男の子   | m लड़का लड़के लड़के
girl               | 女の子   | f लड़की लड़कियाँ लड़की
"""

RELATION_WORDS: Final[dict[Literal["ja", "hi"], dict[Relation, str]]] = {
    "ja": {"left": "左", "right": "右", "above": "上方", "below": "下方", "on": "上"},
    "hi": {
        "left": "के बाईं ओर",
        "right": "के दाईं ओर",
        "above": "के ऊपर",
        "below": "के नीचे",
        "on": "पर",
    },
}
"""Where one thing is of another, in the questions of other languages."""


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


def _gender(text: str) -> Gender:
    if text == "m":
        return "m"
    return "f" if text == "f" else "n"


def _word(gender: str, singular: str, plural: str) -> Word:
    if singular == "-":
        return Word(plural, plural, _gender(gender), plural_only=True)
    return Word(singular, plural, _gender(gender))


def _hindi(cell: str) -> HindiWord:
    gender, singular, plural, oblique = cell.split()
    return HindiWord(singular, plural, oblique, "f" if gender == "f" else "m")


WORDS: Final[dict[Language, dict[str, Word]]] = {
    "en": {row[0]: _word("n", *row[1].split()) for row in _rows(_EUROPEAN)},
    "de": {row[0]: _word(*row[2].split()) for row in _rows(_EUROPEAN)},
    "fr": {row[0]: _word(*row[3].split()) for row in _rows(_EUROPEAN)},
}
JAPANESE: Final[dict[str, str]] = {row[0]: row[1] for row in _rows(_ASIAN)}
HINDI: Final[dict[str, HindiWord]] = {row[0]: _hindi(row[2]) for row in _rows(_ASIAN)}

KINDS: Final[tuple[str, ...]] = tuple(WORDS["en"])
PEOPLE: Final[tuple[str, ...]] = ("man", "woman", "boy", "girl")
CHILDREN: Final[frozenset[str]] = frozenset({"boy", "girl"})
ORDINARY: Final[tuple[str, ...]] = KINDS[: KINDS.index("bat_animal")]
_TWOFOLD = KINDS[len(ORDINARY) : -len(PEOPLE)]
SENSES: Final[dict[str, tuple[str, str]]] = {
    WORDS["en"][first].singular: (first, second)
    for first, second in zip(_TWOFOLD[::2], _TWOFOLD[1::2], strict=True)
}
"""English noun with two senses: its two kinds."""

SENSE_PLACES: Final[dict[str, tuple[Place, Place]]] = {
    "bat_animal": ("cave", "forest"), "bat_club": ("street", "field"),
    "seal_animal": ("beach", "snow"), "seal_stamp": ("workshop", "kitchen"),
    "glasses_spectacles": ("street", "workshop"), "glasses_drinking": ("kitchen", "beach"),
    "bow_ribbon": ("kitchen", "street"), "bow_archery": ("forest", "field"),
    "nut_food": ("forest", "kitchen"), "nut_metal": ("workshop", "street"),
    "pipe_smoking": ("beach", "field"), "pipe_tube": ("workshop", "street"),
    "palm_tree": ("beach", "street"), "palm_hand": ("kitchen", "workshop"),
    "trunk_log": ("forest", "snow"), "trunk_chest": ("kitchen", "beach"),
    "crane_bird": ("beach", "field"), "crane_machine": ("street", "workshop"),
}  # fmt: skip
"""Where a sense is found when the text gives it away; the two senses of a noun share no place."""

ANIMALS: Final[frozenset[str]] = frozenset(
    {"dog", "cat", "bird", "fish", "bat_animal", "seal_animal", "crane_bird"}
)
PORTABLE: Final[frozenset[str]] = frozenset(
    {"cat", "bird", "fish", "ball", "kite", "umbrella", "cup", "flower", "apple",
     "bat", "glasses", "bow", "nut", "pipe"}
)  # fmt: skip
"""English nouns whose objects a person can hold and a table can carry."""

SUPPORTS: Final[tuple[str, ...]] = ("table", "chair")
RARE: Final[tuple[str, ...]] = ("boat", "kite", "umbrella", "flower")
"""The nouns that are seldom translated in the low-resource split."""


def noun(kind: str) -> str:
    """The English noun, which does not tell the two senses of an ambiguous word apart."""
    return WORDS["en"][kind].singular


def ambiguous_nouns(language: Language) -> tuple[str, ...]:
    """English nouns whose two senses have different words in ``language``.

    French says *grue* for both cranes, so *crane* is ambiguous into German only; nothing is
    ambiguous into English itself.
    """
    words = WORDS[language]
    return tuple(
        english
        for english, (first, second) in SENSES.items()
        if words[first].singular != words[second].singular
    )


__all__ = [
    "ACTIONS", "ANIMALS", "CHILDREN", "COLOURS", "HINDI", "JAPANESE", "KINDS", "ORDINARY",
    "PEOPLE", "PLACES", "PORTABLE", "RARE", "RELATIONS",
    "RELATION_WORDS", "SENSES", "SENSE_PLACES", "SIZES",
    "SUPPORTS", "WORDS", "Action", "Colour", "Gender", "HindiWord", "Language", "Place",
    "Relation", "Size", "Word", "ambiguous_nouns", "noun",
]  # fmt: skip
