"""The losses of the recipe ``modality_kd``: labels, answers and features, one label or many."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.types import Batch, Labels, Taught
from phosphene.models.answerer import Answerer, AnswererTrace
from phosphene.nn.hint import HintRegressor
from phosphene.objectives.imitation import distillation, hint, multi_label_distillation
from phosphene.objectives.likelihood import multi_label, single_label
from phosphene.objectives.relation import angle_relation, distance_relation, similarity_relation
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.weighting.direct import Term, example_mean


@dataclass(frozen=True)
class Task:
    """Exactly one label of each example, or ``many``.

    A loss of many labels is their mean; a divergence between whole answers is their sum, or else
    importance and correctness would hardly depend on it.
    """

    many: bool

    def likelihood(
        self, logits: Float[Tensor, "batch label"], labels: Labels
    ) -> Float[Tensor, " batch"]:
        """The negative log-likelihood that is minimised (eqs. 1 and 9)."""
        losses = self.surprise(logits, labels)
        return losses / logits.shape[1] if self.many else losses

    def surprise(
        self, logits: Float[Tensor, "batch label"], labels: Labels
    ) -> Float[Tensor, " batch"]:
        """``h`` of eq. 7: how unlikely the labels are."""
        return multi_label(logits, labels) if self.many else single_label(logits, labels)

    def imitation(
        self,
        student: Float[Tensor, "batch label"],
        teacher: Float[Tensor, "batch label"],
        temperature: float,
    ) -> Float[Tensor, " batch"]:
        """A summand of eq. 5."""
        if self.many:
            return multi_label_distillation(student, teacher, temperature).mean(dim=1)
        return distillation(student, teacher, temperature)

    def divergence(
        self, answer: Float[Tensor, "batch label"], other: Float[Tensor, "batch label"]
    ) -> Float[Tensor, " batch"]:
        """``delta`` of eq. 6: KL from ``answer`` to ``other``."""
        if self.many:
            return multi_label_distillation(other, answer, 1.0).sum(dim=1)
        return distillation(other, answer, 1.0)

    def probabilities(
        self, logits: Float[Tensor, "batch view label"]
    ) -> Float[Tensor, "batch view label"]:
        """What eq. 8 reads."""
        return logits.sigmoid() if self.many else logits.softmax(dim=-1)


def likelihood(task: Task, model: Answerer, batch: Batch) -> Term:
    """The cross-entropy of the labels, both modalities given."""
    assert batch.labels is not None
    return example_mean(task.likelihood(model(batch).logits, batch.labels))


def features(
    settings: Settings, trace: AnswererTrace, taught: Taught, hints: HintRegressor
) -> dict[str, Term]:
    """What FitNet, RKD and SP add, both modalities given."""
    if settings.features is None:
        return {}
    assert taught.states is not None and taught.pooled is not None
    plan, pair = settings.distillation, (trace.pooled, taught.pooled)
    match settings.features:
        case "fitnet":
            own = torch.cat(hints([layer[:, :1] for layer in trace.encoder.layers]), dim=1)
            every = torch.ones_like(own[:, :, 0], dtype=torch.bool)
            return {"states": example_mean(hint(own, taught.states, every), plan.fitnet)}
        case "rkd":
            return {
                "distances": example_mean(distance_relation(*pair), 25 * plan.rkd),
                "angles": example_mean(angle_relation(*pair), 50 * plan.rkd),
            }
        case "sp":
            return {"similarities": example_mean(similarity_relation(*pair), plan.sp)}


__all__ = ["Task", "features", "likelihood"]
