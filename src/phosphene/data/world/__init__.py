"""The embedded world: drawn scenes that say what is true in them.

::

    world = World(seed=1)
    scene = world.scene(Split.AMBIGUOUS, 7)        # deterministic
    draw(scene)                                    # uint8 [64, 64, 3]
    caption(scene, "en"), caption(scene, "de")     # a translation only the picture decides
"""

from phosphene.data.world.captions import (
    ambiguous_accuracy,
    caption,
    captions,
    noun_accuracy,
    nouns_are_right,
    sense_is_right,
)
from phosphene.data.world.draw import contact_sheet, draw, draw_all
from phosphene.data.world.lexicon import KINDS, RARE, SENSES, Language, ambiguous_nouns
from phosphene.data.world.questions import (
    ANSWERS,
    Question,
    QuestionType,
    answer_text,
    paraphrase_count,
    question,
    question_text,
    question_tokens,
    questions,
)
from phosphene.data.world.scene import (
    VISUAL_LABELS,
    Person,
    Phrasing,
    Scene,
    Thing,
    boxes,
    present,
    region_kinds,
    tags,
    visual_labels,
)
from phosphene.data.world.splits import Part, Split, World, swapped
from phosphene.data.world.tasks import (
    ENTAILMENTS,
    GENRES,
    BinaryExample,
    EntailmentExample,
    MultiLabelExample,
    entailment,
    genres,
    hostility,
)

__all__ = [
    "ANSWERS",
    "ENTAILMENTS",
    "GENRES",
    "KINDS",
    "RARE",
    "SENSES",
    "VISUAL_LABELS",
    "BinaryExample",
    "EntailmentExample",
    "Language",
    "MultiLabelExample",
    "Part",
    "Person",
    "Phrasing",
    "Question",
    "QuestionType",
    "Scene",
    "Split",
    "Thing",
    "World",
    "ambiguous_accuracy",
    "ambiguous_nouns",
    "answer_text",
    "boxes",
    "caption",
    "captions",
    "contact_sheet",
    "draw",
    "draw_all",
    "entailment",
    "genres",
    "hostility",
    "noun_accuracy",
    "nouns_are_right",
    "paraphrase_count",
    "present",
    "question",
    "question_text",
    "question_tokens",
    "questions",
    "region_kinds",
    "sense_is_right",
    "swapped",
    "tags",
    "visual_labels",
]
