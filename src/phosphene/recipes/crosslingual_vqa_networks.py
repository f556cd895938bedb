"""The networks of the recipe ``crosslingual_vqa`` and the readers in front of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from phosphene.core.runtime import seed_update
from phosphene.core.types import AlignedPositions, Parallel
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.questions import Reader
from phosphene.data.regions import RegionTable
from phosphene.data.trim import trim
from phosphene.data.wordpiece import WordPiece
from phosphene.models.answerer import Answerer, AnswererConfig, Kind, span_of
from phosphene.models.pretrained_bert import encoder_from_bert, load_bert
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
from phosphene.recipes.crosslingual_vqa_settings import SCRATCH, NetworkConfig, Settings
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
        InputError: as :func:`start`.
    """
    english = language == "en"
    network = settings.teacher_network if english else settings.network
    first = start(settings, data, network, language)
    known = data.asked.parallel if english else data.known
    vocabulary = AnswerVocabulary.learn(known, settings.data.answers)
    seed_update(settings.seed)
    model = answerer(network, first.encoder(), vocabulary, data.table)
    return Learner(model, first.reader, vocabulary)


@dataclass(frozen=True)
class Start:
    """Where an answerer starts from: its reader, and a function that makes its first encoder."""

    reader: Reader
    encoder: Callable[[], VLEncoder]


def start(settings: Settings, data: Data, network: NetworkConfig, language: str) -> Start:
    """A fresh encoder and word pieces learned from training text, or published ones.

    Raises:
        InputError: the weights are not there, or their regions are of another width.
    """
    questions = [
        each for each in (*data.asked.parallel, *data.asked.target) if language in each.text
    ]
    if network.weights == SCRATCH:
        wordpiece = WordPiece.learn(texts(data, language), network.merges)
        config = encoder_config(network, wordpiece, data.feature)
        reader = Reader.learn(language, wordpiece, settings.lengths, questions)
        return Start(reader, lambda: VLEncoder(config))
    bert = load_bert(network.weights)
    wordpiece, kept = bert.wordpiece, None
    if network.trim:
        wordpiece, kept = trim(bert.wordpiece, texts(data, language))
    reader = Reader.learn(language, wordpiece, settings.lengths, questions)

    def published() -> VLEncoder:
        encoder = encoder_from_bert(
            bert,
            feature=data.feature,
            dropout=network.dropout,
            attention_dropout=network.attention_dropout,
        )
        return encoder if kept is None else with_words(encoder, kept, wordpiece)

    return Start(reader, published)


def encoder_config(network: NetworkConfig, wordpiece: WordPiece, feature: int) -> VLEncoderConfig:
    """The configuration of an encoder from scratch."""
    return VLEncoderConfig(
        vocab=len(wordpiece),
        cls_id=wordpiece.cls_id,
        sep_id=wordpiece.sep_id,
        feature=feature,
        **network.model_dump(exclude={"weights", "merges", "trim", "initial_std"}),
    )


def with_words(encoder: VLEncoder, kept: tuple[int, ...], wordpiece: WordPiece) -> VLEncoder:
    """The same encoder with some of its words, in the numbering of ``wordpiece``."""
    changes = {"vocab": len(kept), "cls_id": wordpiece.cls_id, "sep_id": wordpiece.sep_id}
    smaller = VLEncoder(encoder.config.model_copy(update=changes))
    weights = encoder.state_dict()
    name = "embedding.words.weight"
    smaller.load_state_dict({**weights, name: weights[name][list(kept)]})
    return smaller


def answerer(
    network: NetworkConfig,
    encoder: VLEncoder,
    vocabulary: AnswerVocabulary,
    table: RegionTable | None,
) -> Answerer:
    """A fresh head on ``encoder``; where that is fresh too, it starts ready to compare its rows."""
    config = AnswererConfig(
        encoder=encoder.config, answers=len(vocabulary), dropout=encoder.config.dropout
    )
    if network.weights != SCRATCH:
        return Answerer(config, encoder)
    initialise_bert(encoder, network.initial_std)
    attend_to_alike(encoder.embedding, encoder.encoder)
    if table is not None:
        standardise_regions(encoder, table)
    return Answerer(config, encoder, network.initial_std)


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
    "Start",
    "answerer",
    "divisors",
    "encoder_config",
    "learner",
    "start",
    "with_words",
]
