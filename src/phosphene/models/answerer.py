"""A vision-language encoder that answers questions by choosing among labels.

[CLS] of the last layer, one linear layer with tanh (BERT's pooler), dropout, and one linear layer
to the answers, as Oscar and cViL classify.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from phosphene.core.config import Frozen
from phosphene.core.types import Batch
from phosphene.models.vlencoder import Spans, VLEncoder, VLEncoderConfig, VLTrace
from phosphene.nn.bert import INITIAL_STD, initialise_bert
from phosphene.nn.dropout import Dropout

Kind = Literal["cls", "region", "tag", "mixed"]
"""What a distillation compares: [CLS], regions, object tags, code-mixed words."""


class AnswererConfig(Frozen):
    """Everything needed to build an answerer; saved beside its weights."""

    encoder: VLEncoderConfig
    answers: int = Field(ge=1)
    """Labels to choose among: 3,129 for VQA v2, 3,000 for Japanese Visual Genome in cViL."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Before the classifier; cViL's 0.3."""


@dataclass(frozen=True)
class AnswererTrace:
    """What an answerer computed."""

    logits: Float[Tensor, "batch label"]
    pooled: Float[Tensor, "batch hidden"]
    encoder: VLTrace


@final
class Answerer(nn.Module):
    """Answers from questions, tags and regions."""

    def __init__(
        self,
        config: AnswererConfig,
        encoder: VLEncoder | None = None,
        initial_std: float = INITIAL_STD,
    ) -> None:
        """Fresh weights, or a given encoder of the same configuration under a fresh head.

        The classifier's are drawn last: no other weight depends on the number of answers.
        """
        super().__init__()
        hidden = config.encoder.hidden
        self.encoder = VLEncoder(config.encoder) if encoder is None else encoder
        self.pooler = nn.Linear(hidden, hidden)
        initialise_bert(self.pooler, initial_std)
        self.dropout = Dropout(config.dropout)
        self.classifier = nn.Linear(hidden, config.answers)
        initialise_bert(self.classifier, initial_std)
        self.initial_std = initial_std

    def forward(self, batch: Batch) -> AnswererTrace:
        """Encode and classify ``batch``; errors are those of the encoder."""
        trace: VLTrace = self.encoder(batch)
        pooled = torch.tanh(self.pooler(trace.cls))
        return AnswererTrace(self.classifier(self.dropout(pooled)), pooled, trace)

    @property
    def width(self) -> int:
        """``hidden`` of the traces."""
        return self.encoder.config.hidden

    def renew_head(self, answers: int) -> None:
        """A fresh classifier for another list of answers; the encoder and the pooler stay."""
        weight = self.classifier.weight
        self.classifier = nn.Linear(weight.shape[1], answers).to(weight)
        initialise_bert(self.classifier, self.initial_std)


def span_of(spans: Spans, kind: Kind) -> slice:
    """The rows in which the positions of a kind are counted.

    With :class:`phosphene.core.types.AlignedPositions` of the same kind, this finds the states to
    compare: ``trace.layers[m][:, span_of(trace.spans, kind)]``.
    """
    match kind:
        case "cls":
            return slice(0, 1)
        case "region":
            return spans.regions
        case "tag":
            return spans.tags
        case "mixed":
            return spans.text
        case _:
            assert_never(kind)


__all__ = ["Answerer", "AnswererConfig", "AnswererTrace", "Kind", "span_of"]
