"""A classifier's answers to a test set, whole and modality by modality, and their scores."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.core.runlog import RunLog
from phosphene.data.classification_data import ClassificationData, in_order
from phosphene.data.teaching import States
from phosphene.data.views import Drop
from phosphene.evaluate.classification import (
    Decisions,
    accuracy,
    agreed,
    auc,
    best_threshold,
    divergence_by_view,
    f1,
)
from phosphene.evaluate.score import Score
from phosphene.evaluate.system import Line
from phosphene.models.answerer import Answerer
from phosphene.models.view_answers import answer_views

_EXAMPLES_AT_ONCE: Final = 64


@torch.no_grad()
def answers_to(
    model: Answerer, data: ClassificationData, drop: Drop, log: RunLog, name: str
) -> Float[Tensor, "example view label"]:
    """The logits of every example in its three views, on the CPU."""
    device = model.classifier.weight.device
    found: list[Tensor] = []
    with log.progress(f"classifying {name}", len(data)) as advance:
        for batch in in_order(data, _EXAMPLES_AT_ONCE):
            found.append(answer_views(model, batch.to(device), drop)[1].cpu().float())
            advance(sum(map(len, found)))
    return torch.cat(found)


def read_logits(answers: States, data: ClassificationData) -> Float[Tensor, "example view label"]:
    """The same from what was answered before."""
    ids = [example.id for example in data.examples]
    parts = range(0, len(ids), _EXAMPLES_AT_ONCE)
    found = [answers.read(ids[first : first + _EXAMPLES_AT_ONCE], ("logits",)) for first in parts]
    return torch.stack([entry["logits"].float() for part in found for entry in part])


def threshold_of(
    logits: Float[Tensor, "example view label"], validation: ClassificationData
) -> float:
    """Of many labels: the probability from which a label is predicted, chosen on validation."""
    if not validation.labels.many:
        return 0.5
    return best_threshold(logits[:, 0].sigmoid().double().numpy(), _held(validation))


def label_scores(
    logits: Float[Tensor, "example label"],
    data: ClassificationData,
    threshold: float,
    uncovered: int = 0,
) -> list[Score]:
    """Accuracy, of two classes the AUC; of many labels F1. All in percent.

    Args:
        logits: answers to ``data``.
        data: with the true labels.
        threshold: of many labels.
        uncovered: further examples, whose label is none of the model's: they are wrong.
    """
    examples = f"examples:{len(data)}"
    if data.labels.many:
        found = f1(decisions(logits, threshold, many=True), _held(data))
        signature = f"{examples}|labels:{logits.shape[1]}|threshold:{threshold:.4f} by validation"
        return [
            Score("macro F1", 100 * found.macro, signature),
            Score("micro F1", 100 * found.micro, signature),
        ]
    truth = data.targets(np.arange(len(data))).numpy()
    covered = len(data) / (len(data) + uncovered)
    right = 100 * covered * accuracy(logits.argmax(dim=1).numpy(), truth)
    scores = [Score("accuracy", right, f"{examples}|uncovered, wrong:{uncovered}")]
    if logits.shape[1] == 2 and len(set(truth.tolist())) == 2:
        ranked = (logits[:, 1] - logits[:, 0]).double().numpy()
        scores.append(Score("AUC", 100 * auc(ranked, truth), examples))
    return scores


def agreement_scores(
    student: Float[Tensor, "example label"],
    teacher: Float[Tensor, "example label"],
    thresholds: tuple[float, float],
    *,
    many: bool,
) -> list[Score]:
    """How often both say the same; of many labels the mean over labels."""
    ours, theirs = (
        decisions(logits, threshold, many=many)
        for logits, threshold in zip((student, teacher), thresholds, strict=True)
    )
    found, signature = agreed(ours, theirs), f"examples:{len(student)}"
    return [
        Score("agreement with the teacher, ratio", 100 * found.ratio, signature),
        Score("agreement with the teacher, kappa", found.kappa, signature),
    ]


def decisions(logits: Float[Tensor, "example label"], threshold: float, *, many: bool) -> Decisions:
    """One class of each example, or of many labels those at least as probable as ``threshold``."""
    if many:
        return np.asarray(logits.sigmoid().double().numpy() >= threshold)
    return np.asarray(logits.argmax(dim=1).numpy())


def divergence_scores(
    student: Float[Tensor, "example view label"],
    teacher: Float[Tensor, "example view label"],
    *,
    many: bool,
) -> list[Score]:
    """KL from the teacher's answers to the student's, in nats, for every view."""
    found = divergence_by_view(student, teacher, many=many)
    signature = f"examples:{len(student)}|temperature:1" + ("|sum over labels" if many else "")
    return [Score(f"KL to the teacher, {view}", mean, signature) for view, mean in found.items()]


def answer_lines(
    logits: Float[Tensor, "example label"], data: ClassificationData, threshold: float
) -> list[Line]:
    """Text, true label, predicted label, log-probability of the true one; several with commas."""
    names = data.labels.names
    if not data.labels.many:
        scores = F.log_softmax(logits, dim=1)
        best = logits.argmax(dim=1).tolist()
        return [
            Line(each.text, each.labels[0], names[said], float(row[names.index(each.labels[0])]))
            for each, said, row in zip(data.examples, best, scores, strict=True)
        ]
    held = torch.from_numpy(_held(data))
    likelihood = torch.where(held, F.logsigmoid(logits), F.logsigmoid(-logits)).sum(dim=1)
    chosen = (logits.sigmoid().double() >= threshold).tolist()
    return [
        Line(
            each.text,
            ", ".join(name for name in names if name in each.labels),
            ", ".join(name for name, yes in zip(names, row, strict=True) if yes),
            float(value),
        )
        for each, row, value in zip(data.examples, chosen, likelihood, strict=True)
    ]


def _held(data: ClassificationData) -> np.ndarray:
    return np.asarray(data.targets(np.arange(len(data))).numpy() > 0.5)


__all__ = [
    "agreement_scores",
    "answer_lines",
    "answers_to",
    "decisions",
    "divergence_scores",
    "label_scores",
    "read_logits",
    "threshold_of",
]
