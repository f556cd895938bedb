"""The networks of the recipe ``modality_kd``: teacher, student, and what learns beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from phosphene.data.questions import Reader
from phosphene.data.trim import trim
from phosphene.data.wordpiece import WordPiece
from phosphene.models.answerer import Answerer, AnswererConfig
from phosphene.models.pretrained_bert import encoder_from_bert, load_bert
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig, standardise_regions
from phosphene.nn.bert import INITIAL_STD, initialise_bert
from phosphene.nn.hint import HintRegressor
from phosphene.recipes.modality_kd_data import Data, Encoded
from phosphene.recipes.modality_kd_settings import SCRATCH, NetworkConfig, Settings
from phosphene.weighting.meta import MetaLearner


@dataclass(frozen=True)
class Side:
    """A classifier, and the data as it reads them."""

    model: Answerer
    reader: Reader
    data: Encoded


@dataclass(frozen=True)
class Pupil:
    """What learns in the second stage."""

    student: Side
    hints: HintRegressor
    """FitNet: from the student's states to the teacher's."""
    learner: MetaLearner
    """Of the weights."""

    @classmethod
    def of(cls, settings: Settings, student: Side, teacher: Side) -> Pupil:
        """A student, and what lies between it and its teacher."""
        ours, theirs = student.model.encoder.config, teacher.model.encoder.config
        hints = HintRegressor(
            ours.hidden, theirs.hidden, matched_layers(ours.layers, theirs.layers)
        )
        labels = len(student.data.train.labels.names)
        return cls(student, hints, MetaLearner(labels, settings.distillation.meta_hidden))


def side(settings: Settings, data: Data, network: NetworkConfig) -> Side:
    """A classifier before its training."""
    model, reader = classifier(settings, data, network)
    return Side(model, reader, data.encode(reader, settings.data, settings.seed))


def classifier(settings: Settings, data: Data, network: NetworkConfig) -> tuple[Answerer, Reader]:
    """A classifier, fresh or on published weights, and the reader in front of it.

    Regions are met standardised in any case: what all of them share would drown the rest.

    Raises:
        InputError: the weights are not there, or their regions are of another width.
    """
    if network.weights == SCRATCH:
        wordpiece = WordPiece.learn(data.texts(), network.merges)
        encoder = VLEncoder(encoder_config(network, wordpiece, data.feature))
    else:
        bert = load_bert(network.weights)
        wordpiece, kept = bert.wordpiece, None
        if network.trim:
            wordpiece, kept = trim(bert.wordpiece, data.texts())
        encoder = encoder_from_bert(
            bert,
            feature=data.feature,
            dropout=network.dropout,
            attention_dropout=network.attention_dropout,
        )
        if kept is not None:
            encoder = _with_words(encoder, kept, wordpiece)
    config = AnswererConfig(
        encoder=encoder.config, answers=len(data.labels.names), dropout=network.dropout
    )
    fresh = network.weights == SCRATCH
    if fresh:
        initialise_bert(encoder, network.initial_std)
    standardise_regions(encoder, data.splits["train"].table)
    model = Answerer(config, encoder, network.initial_std if fresh else INITIAL_STD)
    return model.eval(), Reader("en", wordpiece, settings.lengths)


def encoder_config(network: NetworkConfig, wordpiece: WordPiece, feature: int) -> VLEncoderConfig:
    """The configuration of an encoder from scratch."""
    return VLEncoderConfig(
        vocab=len(wordpiece),
        cls_id=wordpiece.cls_id,
        sep_id=wordpiece.sep_id,
        feature=feature,
        **network.model_dump(exclude={"weights", "initial_std", "merges", "trim"}),
    )


def matched_layers(student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
    """Each student layer with the teacher's at the same depth (4 and 12: 3, 6, 9, 12).

    >>> matched_layers(2, 6)
    ((1, 3), (2, 6))
    """
    return tuple(
        (layer, max(1, layer * teacher_layers // student_layers))
        for layer in range(1, student_layers + 1)
    )


def _with_words(encoder: VLEncoder, kept: Sequence[int], wordpiece: WordPiece) -> VLEncoder:
    """The same encoder with some of its words, in the numbering of ``wordpiece``."""
    changes = {"vocab": len(kept), "cls_id": wordpiece.cls_id, "sep_id": wordpiece.sep_id}
    smaller = VLEncoder(encoder.config.model_copy(update=changes))
    weights = encoder.state_dict()
    name = "embedding.words.weight"
    smaller.load_state_dict({**weights, name: weights[name][torch.tensor(list(kept))]})
    return smaller


__all__ = ["Pupil", "Side", "classifier", "encoder_config", "matched_layers", "side"]
