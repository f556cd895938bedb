"""Where a learned lambda lets the modality loss act: on which kinds of target words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.core.types import Batch
from phosphene.data.dataset import TranslationData, evaluation_batches
from phosphene.data.text import Tokenizer
from phosphene.data.translation import Pair
from phosphene.data.world.lexicon import Language
from phosphene.evaluate.score import Score
from phosphene.models.translator import gold
from phosphene.models.vltranslator import VLTranslator
from phosphene.weighting.gate import Gate

WordClass = Literal["tag word", "content word", "function word"]
CLASSES: Final[tuple[WordClass, ...]] = ("tag word", "content word", "function word")
_TOKENS: Final = 4096
_LEAST_DICE: Final = 0.3


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FUNCTION_WORDS: Final[Mapping[Language, frozenset[str]]] = {
    "en": _words(
        "a an the this that these those and or but while as with without in on at of to from by "
        "into onto over under near next behind front for up down out off is are was were be being "
        "been has have had do does his her its their him them he she it they who which there"
    ),
    "de": _words(
        "ein eine einen einem einer eines der die das den dem des dieser diese dieses und oder "
        "aber während als wie mit ohne in im ins an am ans auf aus bei beim von vom zu zum zur "
        "über unter vor hinter neben zwischen durch für um gegen nach entlang ist sind war wird "
        "werden hat haben sich er sie es ihm ihr ihn ihre ihren ihrem seine seinen seinem seiner "
        "sein dort da nicht auch"
    ),
    "fr": _words(
        "un une des le la les l' d' de du au aux ce cette ces et ou mais tandis que qui qu' avec "
        "sans dans en sur sous à par pour près vers devant derrière entre contre est sont était "
        "a ont se s' il elle ils elles lui leur leurs son sa ses y ne pas aussi"
    ),
}


def lexicon(pairs: Iterable[Pair]) -> dict[str, str]:
    """For each target word the source word it most often stands beside (Dice coefficient)."""
    sources, targets, together = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for pair in pairs:
        left, right = set(pair.source.lower().split()), set(pair.target.lower().split())
        sources.update(left)
        targets.update(right)
        together.update((one, other) for other in right for one in left)
    best: dict[str, tuple[float, str]] = {}
    for (one, other), count in together.items():
        dice = 2 * count / (sources[one] + targets[other])
        if count > 1 and dice >= _LEAST_DICE:
            best[other] = max(best.get(other, (0.0, "")), (dice, one))
    return {other: one for other, (_, one) in best.items()}


def word_class(
    word: str, tags: frozenset[str], translations: Mapping[str, str], language: Language
) -> WordClass:
    """What kind of word a target word is; ``tags`` are words of the source language."""
    if word in _FUNCTION_WORDS[language] or not any(map(str.isalnum, word)):
        return "function word"
    return "tag word" if translations.get(word, word) in tags else "content word"


def gate_scores(
    model: VLTranslator,
    weigh: Gate,
    data: TranslationData,
    translations: Mapping[str, str],
    tokenizer: Tokenizer,
    language: Language,
) -> list[Score]:
    """Mean lambda of the last layer for each class of target words.

    Args:
        model: in evaluation mode.
        weigh: the gate.
        data: every example has a picture with tags.
        translations: as :func:`lexicon` makes them of the training pairs.
        tokenizer: of the target.
        language: of the target.
    """
    found: dict[WordClass, list[float]] = {kind: [] for kind in CLASSES}
    for indices, part in evaluation_batches(data, _TOKENS):
        batch = part.to(model.embedding.table.device)
        values = _weights(model, weigh, batch).cpu()
        for row, index in zip(values.tolist(), indices, strict=True):
            classes = _token_classes(data, int(index), translations, tokenizer, language)
            for kind, value in zip(classes, row, strict=False):
                found[kind].append(value)
    return [
        Score(
            f"lambda, {kind}",
            sum(values) / len(values),
            f"mean over {len(values)} tokens of the last layer's weight of the modality loss",
        )
        for kind, values in found.items()
        if values
    ]


@torch.no_grad()
def _weights(model: VLTranslator, weigh: Gate, batch: Batch) -> Float[Tensor, "batch target"]:
    trace = model.trace(batch, 1)
    words, mask = gold(batch.target)
    last = trace.contexts[-1]
    embedded = F.embedding(words, model.embedding.table)
    return weigh(embedded, last.text, last.visual, mask & trace.seen[:, None])


def _token_classes(
    data: TranslationData,
    index: int,
    translations: Mapping[str, str],
    tokenizer: Tokenizer,
    language: Language,
) -> list[WordClass]:
    """The class of every target token, that of its word; EOS has none."""
    assert data.regions is not None
    name = data.picture_names[int(data.picture_of[index])]
    tags = frozenset(word for tag in data.regions.tags(name) for word in tag.lower().split())
    classes: list[WordClass] = []
    for word in data.pairs[index].target.split():
        kind = word_class(word.lower(), tags, translations, language)
        classes += [kind] * len(tokenizer.encode(word))
    return classes


__all__ = ["CLASSES", "WordClass", "gate_scores", "lexicon", "word_class"]
