"""The networks of the recipe ``crosslingual_vqa`` and the readers in front of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from phosphene.core.runtime import seed_update
from phosphene.core.types import AlignedPositions, Parallel
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.questions import Reader
from phosphene.data.regions import RegionTable
from phosphene.models.answerer import Answerer, AnswererConfig, Kind, span_of
from phosphene.models.backbone import Backbone
from phosphene.models.vlencoder import (
    VLEncoder,
    VLEncoderConfig,
    VLTrace,
    standardise_regions,
)
from phosphene.nn.bert import attend_to_alike, initialise_bert
from phosphene.nn.hint import HintRegressor, scaled_matches
from phosphene.objectives.alignment import layer_sum
from phosphene.recipes.crosslingual_vqa_data import Data, texts
from phosphene.recipes.crosslingual_vqa_settings import AnswererBackbone, Settings
from phosphene.weighting.alignment import paper, per_term, union
from phosphene.weighting.direct import Term


@dataclass(frozen=True)
class Learner:
    """An answerer, what it reads and what it can say."""

    model: Answerer
    reader: Reader
    vocabulary: AnswerVocabulary


def learner(settings: Settings, data: Data, language: str) -> Learner:
    """The teacher (English), or a student, before anything is learned.

    Raises:
        InputError: as :func:`start`, or the weights see regions of another width.
    """
    english = language == "en"
    network = settings.teacher_network if english else settings.network
    reader, backbone = start(settings, data, network, language)
    encoder = backbone.encoder(data.feature)
    known = data.asked.parallel if english else data.known
    vocabulary = AnswerVocabulary.learn(known, settings.data.answers)
    seed_update(settings.seed)
    model = answerer(backbone, encoder, vocabulary, data.table)
    return Learner(model, reader, vocabulary)


def start(
    settings: Settings, data: Data, network: AnswererBackbone, language: str
) -> tuple[Reader, Backbone]:
    """Who reads a language, and what its encoder starts from.

    Raises:
        InputError: the weights are not there, or are damaged.
    """
    questions = [
        each for each in (*data.asked.parallel, *data.asked.target) if language in each.text
    ]
    backbone = Backbone.of(network, texts(data, language))
    reader = Reader.learn(language, backbone.wordpiece, settings.lengths, questions)
    return reader, backbone


def answerer(
    backbone: Backbone,
    encoder: VLEncoder,
    vocabulary: AnswerVocabulary,
    table: RegionTable | None,
) -> Answerer:
    """A fresh head on ``encoder``.

    Where that is fresh too, it starts ready to compare its rows; a fresh projection meets regions
    standardised.
    """
    config = AnswererConfig(
        encoder=encoder.config, answers=len(vocabulary), dropout=encoder.config.dropout
    )
    if backbone.config.is_fresh:
        initialise_bert(encoder, backbone.config.initial_std)
        attend_to_alike(encoder.embedding, encoder.encoder)
    if table is not None and backbone.has_fresh_regions:
        standardise_regions(encoder, table)
    return Answerer(config, encoder, backbone.config.head_std)


@dataclass(frozen=True)
class Imitation:
    """What a student's states are compared with, and how that is counted (eqs. 2 to 6)."""

    settings: Settings
    student: VLEncoder
    projection: HintRegressor | None
    """From the student's width to the teacher's, where they differ."""
    matches: tuple[tuple[int, int], ...]
    """``(student layer, teacher layer)``."""

    @classmethod
    def of(cls, settings: Settings, student: VLEncoder, teacher: VLEncoderConfig) -> Imitation:
        """Layers at the same relative depth; a projection where the widths differ."""
        chosen = settings.distillation.layers
        matches = scaled_matches(student.config.layers, teacher.layers, chosen)
        widths = student.config.hidden, teacher.hidden
        projection = None if widths[0] == widths[1] else HintRegressor(*widths, matches)
        return cls(settings, student, projection, matches)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What learns."""
        made = {} if self.projection is None else {"projection": self.projection}
        return {"encoder": self.student, **made}

    def losses(self, parallel: Parallel, trace: VLTrace) -> dict[str, Tensor]:
        """What every matched pair costs, by kind."""
        plan = self.settings.distillation
        weight_of = dict(zip(plan.layers, plan.weights, strict=True))
        place = {layer: column for column, layer in enumerate(plan.layers)}
        taught = [parallel.states[:, :, place[layer]] for _, layer in self.matches]
        if self.projection is None:
            ours = [trace.layers[layer] for layer, _ in self.matches]
        else:
            ours = self.projection(trace.layers)
        pairs = {name: each for name, each in pairs_of(parallel).items() if name in plan.kinds}
        found: dict[str, Tensor] = {
            name: layer_sum(
                [states[:, span_of(trace.spans, name)] for states in ours],
                taught,
                each,
                [weight_of[layer] for _, layer in self.matches],
            )
            for name, each in pairs.items()
        }
        return found

    def terms(self, parallel: Parallel, trace: VLTrace) -> dict[str, Term]:
        """The terms of eq. 6 under the chosen normalisation."""
        found = self.losses(parallel, trace)
        match self.settings.distillation.normalise:
            case "per_term":
                return per_term(found)
            case "union":
                return union(found)
            case "paper":
                examples: dict[str, Tensor] = {
                    name: each.example for name, each in pairs_of(parallel).items()
                }
                return paper(found, examples, divisors(parallel))


def pairs_of(parallel: Parallel) -> dict[Kind, AlignedPositions]:
    """The matched positions by kind."""
    return {
        "cls": parallel.cls,
        "region": parallel.region,
        "tag": parallel.tag,
        "mixed": parallel.mixed,
    }


def divisors(parallel: Parallel) -> dict[str, Tensor]:
    """What the sums of eqs. 2 to 5 are divided by: 1, p, t squared, n squared."""
    batch = parallel.batch
    one = torch.ones(len(batch), device=batch.source.ids.device)
    regions = one if batch.regions is None else batch.regions.mask.sum(1).float()
    tags = one if batch.tags is None else batch.tags.mask.sum(1).float()
    words = batch.source.mask.sum(1).float()
    return {"cls": one, "region": regions, "tag": tags.square(), "mixed": words.square()}


__all__ = [
    "Imitation",
    "Learner",
    "answerer",
    "divisors",
    "learner",
    "start",
]
