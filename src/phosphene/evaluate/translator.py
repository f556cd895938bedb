"""Run a translator over a split: validation loss, translations, likelihoods, generated features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.types import Tokens
from phosphene.data.dataset import TranslationData, evaluation_batches
from phosphene.data.text import SubWords
from phosphene.models.pipeline import TranslationModel
from phosphene.models.search import SearchConfig, log_likelihoods, translate
from phosphene.models.translator import Translator, gold
from phosphene.nn.visual import VisualTeacher
from phosphene.objectives.likelihood import label_smoothed

Done = Callable[[int, int], None]
"""Told how many of how many sentences are done."""

_TOKENS = 4096
"""Padded tokens of one batch while evaluating."""


def validation_loss(model: TranslationModel, data: TranslationData, smoothing: float) -> float:
    """Label-smoothed loss per target token, in nats."""
    total = tokens = 0.0
    with _evaluating(model):
        for _, part in evaluation_batches(data, _TOKENS):
            batch = part.to(_device(model))
            assert batch.target is not None
            words, mask = gold(batch.target)
            losses = label_smoothed(model(batch).logits, words, smoothing)
            total += float((losses * mask).sum())
            tokens += float(mask.sum())
    return total / tokens


def translate_all(
    model: TranslationModel,
    data: TranslationData,
    tokenizer: SubWords,
    search: SearchConfig,
    done: Done | None = None,
    forced: Sequence[int] = (),
) -> list[str]:
    """The best translation of every sentence, in the order of ``data``.

    All of them start with the words ``forced``, such as the token of a language.
    """
    hypotheses = [""] * len(data)
    finished = 0
    with _evaluating(model):
        for indices, batch in evaluation_batches(data, _TOKENS):
            words = Tokens.pad([forced] * len(batch))
            found = translate(model, batch.to(_device(model)), search, words)
            for index, best in zip(indices, found, strict=True):
                hypotheses[index] = tokenizer.decode(best[0].ids)
            finished += len(indices)
            if done is not None:
                done(finished, len(data))
    return hypotheses


def reference_likelihoods(
    model: TranslationModel, data: TranslationData
) -> Float[np.ndarray, " example"]:
    """Log-probability of each whole reference, in nats."""
    values = np.zeros(len(data))
    with _evaluating(model):
        for indices, batch in evaluation_batches(data, _TOKENS):
            values[indices] = log_likelihoods(model, batch.to(_device(model))).cpu().numpy()
    return values


def feature_maps(
    model: Translator, teacher: VisualTeacher, data: TranslationData
) -> tuple[Tensor, Tensor]:
    """Generated and real feature maps of every example that has a picture, row by row.

    Returns:
        Two tensors ``[example, channel, height, width]``.
    """
    seen = data.only_with_pictures()
    generated: list[Tensor] = [torch.empty(0)] * len(seen)
    real: list[Tensor] = [torch.empty(0)] * len(seen)
    with _evaluating(model):
        for indices, batch in evaluation_batches(seen, _TOKENS // 4, photos=True):
            assert batch.pixels is not None
            maps = model.generate_map(batch.source.to(_device(model))).cpu()
            views = teacher(batch.pixels.values.to(_device(model))).last.cpu()
            for index, own, theirs in zip(indices, maps, views, strict=True):
                generated[index], real[index] = own, theirs
    return torch.stack(generated), torch.stack(real)


def _device(model: TranslationModel) -> torch.device:
    return model.embedding.table.device


@contextmanager
def _evaluating(model: TranslationModel) -> Iterator[None]:
    """Evaluation mode, without gradients, and back to what it was."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
