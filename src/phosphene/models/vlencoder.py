"""A single-stream vision-language encoder: one Transformer over text, object tags and regions.

The rows are ``[CLS] text [SEP] tags [SEP] regions``, as in Oscar (Li et al., 2020) and eq. 1 of
the vision-language pre-training paper (Kong and Fan, 2021): words and tags through BERT's
embedding, regions through one fully connected layer. Batches come without [CLS] and [SEP]; the
encoder adds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Regions, Tokens
from phosphene.data.regions import RegionTable
from phosphene.nn.bert import BertEmbedding, BertEncoder, BertSizes, Packing, initialise_bert
from phosphene.nn.dropout import Dropout

TEXT_TYPE, TAGS_TYPE = 0, 1
"""BERT's segments A and B."""
_PICTURES_MEASURED: Final = 500


class VLEncoderConfig(Frozen):
    """Everything needed to build an encoder; saved beside its weights. Defaults: BERT-base."""

    vocab: int = Field(ge=1)
    """Entries of the word-piece table: 30,522 for English BERT."""
    cls_id: int = Field(ge=0)
    """101 for English BERT."""
    sep_id: int = Field(ge=0)
    """102 for English BERT."""
    layers: int = Field(default=12, ge=1)
    hidden: int = Field(default=768, ge=1)
    inner: int = Field(default=3072, ge=1)
    heads: int = Field(default=12, ge=1)
    max_positions: int = Field(default=512, ge=3)
    """Longest text with its tags and specials; regions take no position."""
    types: int = Field(default=2, ge=2)
    """Token types: text and tags."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """cViL trains with 0.3."""
    attention_dropout: float = Field(default=0.1, ge=0, lt=1)
    norm_epsilon: float = Field(default=1e-12, gt=0)
    feature: int = Field(default=0, ge=0)
    """Width of one region, its box included: 2048 + 4 corners, or 2048 + 6 in Oscar and cViL.
    0: an encoder of text alone, with no visual parts."""
    region_norm: bool = True
    """Layer norm after the projection of regions, so that they enter at the scale of BERT's
    embedded words. Oscar, VinVL and cViL have it as an option."""

    @model_validator(mode="after")
    def _heads_divide(self) -> VLEncoderConfig:
        if self.hidden % self.heads:
            raise ValueError(f"hidden = {self.hidden} is not a multiple of heads = {self.heads}")
        return self


@dataclass(frozen=True)
class Rows:
    """Some of the rows, and which of them are real."""

    states: Float[Tensor, "batch length hidden"]
    mask: Bool[Tensor, "batch length"]


@dataclass(frozen=True)
class Spans:
    """Where what stands among the rows of a batch; the [SEP] belong to no span but ``language``."""

    text: slice
    tags: slice
    regions: slice

    @property
    def language(self) -> slice:
        """All rows before the regions: ``[CLS] text [SEP] tags [SEP]``."""
        return slice(0, self.regions.start)


@dataclass(frozen=True)
class VLTrace:
    """What an encoder computed: the states of every layer, and what each row is."""

    layers: tuple[Float[Tensor, "batch row hidden"], ...]
    """The embedding output, then the states after each layer."""
    mask: Bool[Tensor, "batch row"]
    spans: Spans

    @property
    def states(self) -> Float[Tensor, "batch row hidden"]:
        """The final states."""
        return self.layers[-1]

    @property
    def cls(self) -> Float[Tensor, "batch hidden"]:
        """The final state of [CLS]; it is there for every example."""
        return self.states[:, 0]

    @property
    def text(self) -> Rows:
        """The final states of the word pieces of ``source``, in place."""
        return self.take(self.spans.text)

    @property
    def tags(self) -> Rows:
        """Those of the tags."""
        return self.take(self.spans.tags)

    @property
    def regions(self) -> Rows:
        """Those of the regions."""
        return self.take(self.spans.regions)

    @property
    def language(self) -> Rows:
        """Those of all rows that are not regions, [CLS] and [SEP] included."""
        return self.take(self.spans.language)

    def take(self, span: slice, layer: int = -1) -> Rows:
        """The rows of ``span`` after ``layer`` (0: the embedding output)."""
        return Rows(self.layers[layer][:, span], self.mask[:, span])


class RegionEmbedding(nn.Module):
    """Region features, box included, to rows: one fully connected layer, layer norm, dropout.

    Regions have no position among the words, and their bias is their token type: a vector of
    their own added to it would change nothing.
    """

    def __init__(self, feature: int, sizes: BertSizes, normalised: bool) -> None:
        super().__init__()
        self.projection = nn.Linear(feature, sizes.hidden)
        self.norm = nn.LayerNorm(sizes.hidden, sizes.norm_epsilon) if normalised else nn.Identity()
        self.dropout = Dropout(sizes.dropout)

    def forward(self, regions: Regions) -> Float[Tensor, "batch region hidden"]:
        """Embed the features of ``regions``; where there is none, the row is zero."""
        packing = Packing.of(regions.mask)
        features = packing.pack(regions.features).to(self.projection.weight.dtype)
        return packing.pad(self.dropout(self.norm(self.projection(features))))


class VLEncoder(nn.Module):
    """BERT over word pieces, tags and regions.

    Padding may stand after each of the three; what an example's rows become does not depend on it.
    An example without tags has no second [SEP], an example without text keeps ``[CLS] [SEP]``.
    """

    def __init__(self, config: VLEncoderConfig) -> None:
        super().__init__()
        sizes = BertSizes(
            config.hidden,
            config.inner,
            config.heads,
            config.dropout,
            config.attention_dropout,
            config.norm_epsilon,
        )
        self.config = config
        self.embedding = BertEmbedding(config.vocab, config.max_positions, config.types, sizes)
        self.regions = (
            RegionEmbedding(config.feature, sizes, config.region_norm) if config.feature else None
        )
        self.encoder = BertEncoder(config.layers, sizes)
        initialise_bert(self)

    def forward(self, batch: Batch) -> VLTrace:
        """Encode ``source``, ``tags`` and ``regions`` of ``batch`` together.

        Raises:
            InputError: a text with its tags is longer than the positions, or regions are not as
                wide as the encoder's.
            ValueError: regions for an encoder that has no visual parts.
        """
        words = language_rows(batch.source, batch.tags, self.config.cls_id, self.config.sep_id)
        spans = lay_out(
            batch.source.ids.shape[1],
            0 if batch.tags is None else batch.tags.ids.shape[1],
            0 if batch.regions is None else batch.regions.mask.shape[1],
        )
        positions = (words.mask.cumsum(dim=1) - 1).clamp(min=0)
        self._check_length(positions, batch.ids)
        columns = torch.arange(positions.shape[1], device=positions.device)
        types = torch.where(columns < spans.tags.start, TEXT_TYPE, TAGS_TYPE)
        rows, mask = self.embedding(words.ids, positions, types), words.mask
        if batch.regions is not None:
            rows = torch.cat([rows, self._see(batch.regions)], dim=1)
            mask = torch.cat([mask, batch.regions.mask], dim=1)
        return VLTrace(self.encoder(rows, mask), mask, spans)

    def _see(self, regions: Regions) -> Float[Tensor, "batch region hidden"]:
        if self.regions is None:
            raise ValueError(
                "this encoder has no visual parts (feature = 0), the batch has regions"
            )
        given, expected = regions.features.shape[2], self.config.feature
        if given != expected:
            raise InputError(f"regions are {given} wide, the encoder was built for {expected}")
        rows: Tensor = self.regions(regions)
        return rows

    def _check_length(self, positions: Int[Tensor, "batch row"], ids: tuple[str, ...]) -> None:
        limit = self.config.max_positions
        if positions.shape[1] <= limit:  # padding included: nothing to look for
            return
        lengths = positions.amax(dim=1) + 1
        if lengths.max() > limit:
            raise InputError(
                f"example {ids[int(lengths.argmax())]}: {int(lengths.max())} word pieces with its "
                f"tags and specials, but the encoder has {limit} positions"
            )


@torch.no_grad()
def standardise_regions(encoder: VLEncoder, table: RegionTable) -> None:
    """Fresh weights of the projection for features of mean 0 and spread 1, as they are not.

    A classifier's features are positive and much alike: what regions share would drown what tells
    them apart. What a region looks like and where it is start with the same share of the row, as
    if they were projected apart (Tan and Bansal, *LXMERT*, 2019); a few numbers of geometry would
    otherwise go unseen among hundreds.

    Args:
        encoder: has just been initialised.
        table: the regions it will see; some are measured.
    """
    assert encoder.regions is not None
    regions = table.regions([*islice(table.pictures, _PICTURES_MEASURED)])
    rows = regions.features[regions.mask]
    if len(rows) < 2:  # nothing to measure
        return
    projection = encoder.regions.projection
    projection.weight.div_(rows.std(dim=0).clamp(min=1e-2))
    looks = table.width - table.geometry
    projection.weight[:, looks:].mul_((looks / table.geometry) ** 0.5)
    projection.bias.sub_(projection.weight @ rows.mean(dim=0))


def language_rows(source: Tokens, tags: Tokens | None, cls_id: int, sep_id: int) -> Tokens:
    """``[CLS] source [SEP] tags [SEP]``; an example without tags has no second [SEP]."""
    rows = len(source.ids)
    always = source.mask.new_ones(rows, 1)
    cls, sep = (source.ids.new_full((rows, 1), index) for index in (cls_id, sep_id))
    ids, mask = [cls, source.ids, sep], [always, source.mask, always]
    if tags is not None and tags.ids.shape[1]:
        ids += [tags.ids, sep]
        mask += [tags.mask, tags.mask.any(dim=1, keepdim=True)]
    return Tokens(torch.cat(ids, dim=1), torch.cat(mask, dim=1))


def lay_out(text: int, tags: int, regions: int) -> Spans:
    """Where the columns of text, tags and regions, padding included, stand among the rows."""
    first_tag = text + 2
    first_region = first_tag + tags + (tags > 0)
    return Spans(
        text=slice(1, 1 + text),
        tags=slice(first_tag, first_tag + tags),
        regions=slice(first_region, first_region + regions),
    )


__all__ = [
    "RegionEmbedding",
    "Rows",
    "Spans",
    "VLEncoder",
    "VLEncoderConfig",
    "VLTrace",
    "language_rows",
    "lay_out",
    "standardise_regions",
]
