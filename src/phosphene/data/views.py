"""A batch as a classifier sees it whole, without its text, and without its image.

How a modality is left out is one setting, for teacher and student alike. The modality-specific
distillation paper does not say how it is done; :func:`mask` is the default, and the other two are
here because what a model makes of an absent modality depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.types import Batch, Modality, Pixels, Tokens
from phosphene.data.text import PAD_ID

DropSetting = Literal["mask", "zero", "mean"]
Drop = Callable[[Batch, Modality], Batch]
"""A batch in which one modality says nothing."""


class Views(NamedTuple):
    """One batch three times, in the order of :data:`phosphene.core.types.VIEWS`."""

    both: Batch
    image: Batch
    """The image alone."""
    text: Batch
    """The text alone."""


def mask(batch: Batch, modality: Modality) -> Batch:
    """Nothing of the modality is left: no position is attended to, and no time is spent on it.

    Of a text the encoder's own [CLS] and [SEP] remain.
    """
    return batch.without(modality)


def zero(batch: Batch, modality: Modality) -> Batch:
    """Every position stays and is attended to, and holds nothing.

    Features and pixels become 0, and words and tags the padding entry, since ids have no zero.
    """
    if modality == "text":
        return replace(batch, source=_blank(batch.source))
    return replace(
        batch,
        pixels=None if batch.pixels is None else _zero_pixels(batch.pixels),
        regions=None
        if batch.regions is None
        else replace(batch.regions, features=torch.zeros_like(batch.regions.features)),
        tags=None if batch.tags is None else _blank(batch.tags),
        vectors=None
        if batch.vectors is None
        else replace(batch.vectors, values=torch.zeros_like(batch.vectors.values)),
    )


def mean(region: Float[Tensor, " feature"]) -> Drop:
    """Regions become the mean ``region`` of the training data; a text is masked.

    Ids have no mean, and neither have pixels and vectors here: of an image only its regions, each
    in its place, are left.
    """

    def drop(batch: Batch, modality: Modality) -> Batch:
        if modality == "text" or batch.regions is None:
            return batch.without(modality)
        features = torch.where(
            batch.regions.mask[:, :, None], region.to(batch.regions.features), 0.0
        )
        return replace(batch.without("image"), regions=replace(batch.regions, features=features))

    return drop


def dropping(setting: DropSetting, mean_region: Float[Tensor, " feature"] | None = None) -> Drop:
    """The function of a setting.

    Raises:
        ValueError: ``mean`` without the mean.
    """
    if setting == "mean":
        if mean_region is None:
            raise ValueError("dropping by the mean needs the mean region of the training data")
        return mean(mean_region)
    return {"mask": mask, "zero": zero}[setting]


def views(batch: Batch, drop: Drop = mask) -> Views:
    """``batch``, its image alone and its text alone."""
    return Views(batch, drop(batch, "text"), drop(batch, "image"))


def _blank(tokens: Tokens) -> Tokens:
    return replace(tokens, ids=torch.full_like(tokens.ids, PAD_ID))


def _zero_pixels(pixels: Pixels) -> Pixels:
    return replace(pixels, values=torch.zeros_like(pixels.values))


__all__ = ["Drop", "DropSetting", "Views", "dropping", "mask", "mean", "views", "zero"]
