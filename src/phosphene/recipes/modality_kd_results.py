"""What the recipe ``modality_kd`` leaves behind, and how it is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.config import settings_hash
from phosphene.core.runlog import RunLog, sign
from phosphene.core.types import VIEWS, Taught
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.classification_data import ClassificationData, in_order
from phosphene.data.taught import with_answers
from phosphene.data.teaching import States
from phosphene.data.views import Drop, DropSetting
from phosphene.evaluate.classifier import (
    agreement_scores,
    answer_lines,
    answers_to,
    divergence_scores,
    label_scores,
    read_logits,
    threshold_of,
)
from phosphene.evaluate.score import Score
from phosphene.evaluate.system import Results, SplitResult
from phosphene.models.answerer import AnswererConfig
from phosphene.models.answerer_folder import AnswererFolder, AnswererFolderConfig, save_answerer
from phosphene.recipes.modality_kd_data import Data, Encoded
from phosphene.recipes.modality_kd_networks import Side
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.train.stage import Finished

_EXAMPLES_AT_ONCE = 64


@dataclass(frozen=True)
class Trained:
    """What the recipe leaves behind. Inference needs the student alone."""

    corpus: Data
    student: Side
    teacher: Side
    drop: Drop
    finished: Finished
    answers: Mapping[str, States]
    """The teacher's in all views, to ``validation``, ``test`` and, of a student, ``train``."""
    weigh: Callable[[Taught], Float[Tensor, "batch view"]] | None = None

    def logits(self, side: Side, split: str, log: RunLog) -> Float[Tensor, "example view label"]:
        """What student or teacher answers in all views to ``validation`` or ``test``."""
        data: ClassificationData = getattr(side.data, split)
        if side is self.teacher:
            return read_logits(self.answers[split], data)
        return answers_to(side.model, data, self.drop, log, split)


def counted(data: Data, encoded: Encoded) -> Data:
    """``data`` that tell what is trained on, and what is kept aside from that as meta-data."""
    parts = {"train": f"{len(encoded.train):,}", "meta": f"{len(encoded.meta):,}"}
    return replace(data, extra={**data.extra, **parts})


def evaluate(trained: Trained, settings: Settings, log: RunLog) -> Results:
    """Score the student on the test set: labels in all views, and how it answers as the teacher."""
    data = trained.student.data.test
    many, uncovered = data.labels.many, trained.corpus.splits["test"].uncovered
    student, teacher = (
        {split: trained.logits(side, split, log) for split in ("validation", "test")}
        for side in (trained.student, trained.teacher)
    )
    thresholds = [
        threshold_of(each["validation"], trained.student.data.validation)
        for each in (student, teacher)
    ]
    scores: list[Score] = []
    for column, view in enumerate(VIEWS):
        name = "" if view == "both" else f", {view} alone"
        for owner, found, threshold in zip(
            ("", "teacher "), (student, teacher), thresholds, strict=True
        ):
            logits = found["test"][:, column]
            for score in label_scores(logits, data, threshold, uncovered):
                named = replace(score, name=f"{owner}{score.name}{name}")
                scores.append(named if view == "both" else with_drop(named, settings.drop))
    if settings.system != "teacher":
        scores += agreement_scores(
            student["test"][:, 0],
            teacher["test"][:, 0],
            (thresholds[0], thresholds[1]),
            many=many,
        )
        both, *alone = divergence_scores(student["test"], teacher["test"], many=many)
        scores += [both, *(with_drop(score, settings.drop) for score in alone)]
        scores += _weights(trained, settings)
    lines = answer_lines(student["test"][:, 0], data, thresholds[0])
    split = SplitResult("test", len(data), tuple(scores), tuple(lines), kind="answers")
    digest = trained.student.data.train.digest()
    signature = sign(digest, settings_hash(settings), settings.seed, trained.finished.selection)
    return Results(settings.system, "en", signature, (split,))


def with_drop(score: Score, drop: DropSetting) -> Score:
    """The score of a single view, signed with what stands for the other modality."""
    return replace(score, signature=f"{score.signature}|drop:{drop}")


def _weights(trained: Trained, settings: Settings) -> list[Score]:
    """The mean weight of every view over the training examples."""
    if trained.weigh is None or settings.views == "none":
        return []
    found = mean_weights(trained)
    signature = f"training examples:{len(trained.student.data.train)}|{settings.views}"
    return [
        Score(f"weight, {view}", float(mean), signature)
        for view, mean in zip(VIEWS, found.mean(dim=0), strict=True)
    ]


@torch.no_grad()
def mean_weights(trained: Trained) -> Float[Tensor, "example view"]:
    """The weights of every training example, in order."""
    assert trained.weigh is not None
    device = trained.student.model.classifier.weight.device
    found = [
        trained.weigh(with_answers(batch, trained.answers["train"]).to(device)).cpu()
        for batch in in_order(trained.student.data.train, _EXAMPLES_AT_ONCE)
    ]
    return torch.cat(found)


def export(trained: Trained, settings: Settings, folder: Path) -> None:
    """What classifying needs: an answerer whose answers are the labels."""
    side, data = trained.student, trained.corpus
    encoder = side.model.encoder.config
    config = AnswererFolderConfig(
        answerer=AnswererConfig(
            encoder=encoder, answers=len(data.labels.names), dropout=encoder.dropout
        ),
        language="en",
        lengths=settings.lengths,
        geometry=data.splits["train"].table.geometry,
    )
    vocabulary = AnswerVocabulary(data.labels.names)
    save_answerer(
        folder, AnswererFolder(side.model, config, side.reader.wordpiece, vocabulary, data.vision)
    )


__all__ = ["Trained", "counted", "evaluate", "export", "mean_weights"]
