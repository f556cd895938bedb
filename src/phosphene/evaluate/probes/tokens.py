"""Do a student's words and regions lie where its teacher's do?

Both read the same question about the same picture, each in its own language. Of every thing that is
named the last states are compared: those of the word, and those of the region that shows it.

Source: Gupta et al. 2022 (cViL), Figure 3, where five kinds of things are shown by t-SNE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.data.questions import QuestionData, Reader, in_order
from phosphene.evaluate.answering import centroid_accuracy
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.score import Score
from phosphene.models.answerer import Answerer

_AT_ONCE: Final = 64


@dataclass(frozen=True)
class Named:
    """States of things of one kind (words, or regions), and what each is."""

    states: Float[Tensor, "thing hidden"]
    names: tuple[str, ...]


@torch.no_grad()
def named_words(
    model: Answerer, reader: Reader, data: QuestionData, named: Sequence[Mapping[int, str]]
) -> Named:
    """The last states of some words of questions, each at its first sub-word.

    Args:
        model: in evaluation mode.
        reader: with which ``data`` were encoded.
        data: questions, whose words are those of the data set.
        named: for each question the words (from 0) that are wanted, and what they name.
    """
    states, names = [torch.zeros(0, model.encoder.config.hidden)], list[str]()
    for indices, batch in in_order(data, _AT_ONCE):
        last = model.encoder(batch.to(model.classifier.weight.device)).text.states.cpu()
        for place, row in enumerate(indices.tolist()):
            pieces = reader.wordpiece.encode_words(data.questions[row].words_in(data.language))
            for word, name in named[row].items():
                at = pieces.of_word(word).start
                if at < len(data.sources[row]):
                    states.append(last[place, at : at + 1])
                    names.append(name)
    return Named(torch.cat(states), tuple(names))


@torch.no_grad()
def named_regions(model: Answerer, data: QuestionData) -> Named:
    """The last states of the regions of questions' pictures, where every region has its tag."""
    table, states, names = data.table, [torch.zeros(0, model.encoder.config.hidden)], list[str]()
    if table is None:
        return Named(states[0], ())
    for indices, batch in in_order(data, _AT_ONCE):
        found = model.encoder(batch.to(model.classifier.weight.device)).regions
        counts = found.mask.sum(dim=1).tolist()
        for place, row in enumerate(indices.tolist()):
            tags = table.tags(data.questions[row].image_id)
            if len(tags) == counts[place]:
                states.append(found.states[place, : len(tags)].cpu())
                names += tags
    return Named(torch.cat(states), tuple(names))


def tokens(title: str, kinds: Sequence[tuple[str, Named, Named]]) -> Finding:
    """Nearest-centroid accuracy of each kind, and of each kind among those of another.

    The second is panel (c) of the figure: whether a word lies where the regions do that show it.

    Args:
        title: of the finding.
        kinds: what it is, the teacher's states, the student's.

    Raises:
        ValueError: teacher and student are of different widths, or there are no states.
    """
    rows: dict[str, tuple[Score, ...]] = {}
    for kind, teacher, student in kinds:
        rows[f"{kind}, teacher to student"] = (_accuracy(teacher, student),)
        rows[f"{kind}, teacher to itself"] = (_accuracy(teacher, teacher),)
    for (first, *firsts), (second, *seconds) in combinations(kinds, 2):
        for owner, own, among in zip(("teacher", "student"), firsts, seconds, strict=True):
            rows[f"{first} among {second}, {owner}"] = (_accuracy(among, own),)
    note = (
        "percent of the states whose nearest centroid is that of their own name: the teacher's "
        "centroids, or those of the other kind of the same model"
    )
    return Finding(title, rows, note)


def _accuracy(centred: Named, asked: Named) -> Score:
    """How often what is asked lies nearest to the centroid of its own name."""
    if centred.states.shape[1] != asked.states.shape[1]:
        raise ValueError(
            f"states of width {centred.states.shape[1]} and {asked.states.shape[1]} "
            "do not lie in one space"
        )
    known = {name: number for number, name in enumerate(sorted({*centred.names, *asked.names}))}
    labels = [torch.tensor([known[name] for name in each.names]) for each in (centred, asked)]
    return centroid_accuracy(centred.states, labels[0], asked.states, labels[1])


__all__ = ["Named", "named_regions", "named_words", "tokens"]
