"""Is a generated feature about its picture? Retrieval and distance, beside their controls."""

from __future__ import annotations

import copy

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.runtime import seed_update
from phosphene.data.dataset import TranslationData
from phosphene.data.image import to_tensor
from phosphene.evaluate.retrieval import retrieve
from phosphene.evaluate.score import Score
from phosphene.evaluate.translator import feature_maps
from phosphene.models.translator import Translator, TranslatorConfig, build
from phosphene.nn.visual import VisualTeacher
from phosphene.objectives.representation import l2

_CANDIDATES = 243
"""At most so many pictures are searched, so that recall means the same on every split."""
_MEAN_OF = 1024
"""Training pictures whose mean is the baseline of a generated feature."""


def feature_scores(
    model: Translator,
    config: TranslatorConfig,
    teacher: VisualTeacher,
    data: TranslationData,
    train: TranslationData,
    seed: int = 1,
) -> list[Score]:
    """Recall of each sentence's own picture, and the distance to its feature.

    Controls: a generator that was never trained, on the trained embedding; captions shuffled
    among the pictures; and, for the distance, the mean feature of the training pictures.
    """
    data = first_pictures(data, _CANDIDATES)
    generated, real = feature_maps(model, teacher, data)
    seed_update(seed)
    untrained = copy.deepcopy(model)
    untrained.generator = build(config).to(model.embedding.table.device).generator
    random_maps, _ = feature_maps(untrained, teacher, data)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(real)))
    scores = [
        *_recall("feature retrieval", generated, real),
        *_recall("feature retrieval, untrained generator", random_maps, real)[1:2],
        *_recall("feature retrieval, shuffled captions", generated[order], real)[1:2],
    ]
    mean = mean_map(teacher, train).expand_as(real)
    unit = f"L2 (root mean square) over {len(real)} pictures"
    return [
        *scores,
        Score("feature distance", float(l2(generated, real).mean()), unit),
        Score("feature distance, mean feature", float(l2(mean, real).mean()), unit),
    ]


def first_pictures(data: TranslationData, count: int) -> TranslationData:
    """The first ``count`` examples that have a picture of their own."""
    seen = data.only_with_pictures()
    _, first = np.unique(seen.picture_of, return_index=True)
    return seen.take(np.sort(first)[:count])


@torch.no_grad()
def mean_map(
    teacher: VisualTeacher, train: TranslationData
) -> Float[Tensor, "1 channel height width"]:
    """The teacher's mean feature map over training pictures."""
    assert train.pictures is not None
    pictures = train.pictures[:_MEAN_OF]
    total = torch.zeros(())
    for part in np.split(pictures, range(64, len(pictures), 64)):
        total = total + teacher(to_tensor(part).to(teacher.mean.device)).last.sum(dim=0).cpu()
    return (total / len(pictures))[None]


def _recall(
    name: str,
    generated: Float[Tensor, "example channel height width"],
    real: Float[Tensor, "example channel height width"],
) -> list[Score]:
    """R@1 and R@10 in percent, with hits, chance and the binomial p-value in the signature."""
    return [
        Score(
            f"{name} R@{found.k}",
            100 * found.rate,
            f"{found.hits} of {found.candidates}, chance {100 * found.chance:.1f}, "
            f"p {found.p_value:.2g}, cosine of centred position means",
        )
        for found in retrieve(generated, real, (1, 10))
    ]
