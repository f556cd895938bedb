"""The networks of the recipe ``modality_kd``: teacher, student, and what learns beside it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from phosphene.data.questions import Reader
from phosphene.models.answerer import Answerer, AnswererConfig
from phosphene.models.backbone import Backbone, BackboneConfig
from phosphene.models.vlencoder import standardise_regions
from phosphene.nn.bert import initialise_bert
from phosphene.nn.hint import HintRegressor
from phosphene.recipes.modality_kd_data import Data, Encoded
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.weighting.meta import MetaLearner


@dataclass(frozen=True)
class Side:
    """A classifier, and the data as it reads them."""

    model: Answerer
    reader: Reader
    data: Encoded
    published: tuple[nn.Parameter, ...] = ()
    """Those of its parameters that it starts with published values of."""


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


def side(settings: Settings, data: Data, network: BackboneConfig) -> Side:
    """A classifier before its training, fresh or on published weights.

    A fresh projection meets regions standardised: what all of them share would drown the rest.

    Raises:
        InputError: the weights are not there, or their regions are of another width.
    """
    backbone = Backbone.of(network, data.texts())
    encoder = backbone.encoder(data.feature)
    config = AnswererConfig(
        encoder=encoder.config, answers=len(data.labels.names), dropout=network.dropout
    )
    if network.is_fresh:
        initialise_bert(encoder, network.initial_std)
    if backbone.has_fresh_regions:
        standardise_regions(encoder, data.splits["train"].table)
    model = Answerer(config, encoder, network.head_std)
    reader = Reader("en", backbone.wordpiece, settings.lengths)
    encoded = data.encode(reader, settings.data, settings.seed)
    return Side(model.eval(), reader, encoded, backbone.trained_before(encoder))


def matched_layers(student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
    """Each student layer with the teacher's at the same depth (4 and 12: 3, 6, 9, 12).

    >>> matched_layers(2, 6)
    ((1, 3), (2, 6))
    """
    return tuple(
        (layer, max(1, layer * teacher_layers // student_layers))
        for layer in range(1, student_layers + 1)
    )


__all__ = ["Pupil", "Side", "matched_layers", "side"]
