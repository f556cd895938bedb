"""LXMERT (Tan and Bansal, 2019) as a source encoder, through transformers.

transformers is imported when a network is built, never before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import nn

from phosphene.core.config import Frozen, parse_settings
from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Tokens
from phosphene.data.wordpiece import WordPiece
from phosphene.models.pretrained import read_weights
from phosphene.models.sources import SourceEncoder, SourceStates
from phosphene.models.vlencoder import language_rows


class LxmertConfig(Frozen):
    """The sizes of an LXMERT, under the names of its ``config.json``."""

    vocab_size: int = Field(default=30_522, ge=1)
    hidden_size: int = Field(default=768, ge=1)
    num_attention_heads: int = Field(default=12, ge=1)
    intermediate_size: int = Field(default=3072, ge=1)
    max_position_embeddings: int = Field(default=512, ge=3)
    l_layers: int = Field(default=9, ge=1)
    """Of the language encoder."""
    r_layers: int = Field(default=5, ge=1)
    """Of the region encoder."""
    x_layers: int = Field(default=5, ge=1)
    """In which the two look at each other."""
    visual_feat_dim: int = Field(default=2048, ge=1)
    visual_pos_dim: int = Field(default=4, ge=1)
    """The last columns of a region are its box."""
    cls_id: int = Field(default=101, ge=0)
    sep_id: int = Field(default=102, ge=0)

    @property
    def feature(self) -> int:
        """Width of one region, its box included."""
        return self.visual_feat_dim + self.visual_pos_dim


class LxmertSource(SourceEncoder):
    """Words and regions through LXMERT; it takes no tags.

    Its cross-attention needs something to look at: an example without regions shows it one region
    of zeros, which nobody else sees.
    """

    def __init__(self, network: nn.Module, config: LxmertConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.width = config.hidden_size

    def forward(self, batch: Batch) -> SourceStates:
        """``[CLS] source [SEP]``, then the regions."""
        words = _packed(language_rows(batch.source, None, self.config.cls_id, self.config.sep_id))
        rows, width = len(words.ids), self.config.feature
        like = next(self.network.parameters())
        features = like.new_zeros(rows, 0, width)
        seen = words.mask.new_zeros(rows, 0)
        if batch.regions is not None:
            features, seen = batch.regions.features.to(features), batch.regions.mask
            if features.shape[2] != width:
                raise InputError(f"regions are {features.shape[2]} wide, LXMERT expects {width}")
        none = ~seen.any(dim=1, keepdim=True)
        split = [self.config.visual_feat_dim, self.config.visual_pos_dim]
        visual, boxes = torch.cat([features.new_zeros(rows, 1, width), features], dim=1).split(
            split, dim=2
        )
        outputs = self.network(
            input_ids=words.ids,
            attention_mask=words.mask.to(features),
            visual_feats=visual,
            visual_pos=boxes,
            visual_attention_mask=torch.cat([none, seen], dim=1).to(features),
        )
        states = torch.cat([outputs.language_output, outputs.vision_output[:, 1:]], dim=1)
        is_region = torch.cat([torch.zeros_like(words.mask), torch.ones_like(seen)], dim=1)
        return SourceStates(states, torch.cat([words.mask, seen], dim=1), is_region)


def _packed(words: Tokens) -> Tokens:
    """``words`` with all padding behind them: LXMERT counts positions by columns."""
    order = words.mask.int().argsort(dim=1, descending=True, stable=True)
    return Tokens(words.ids.gather(1, order), words.mask.gather(1, order))


def build_lxmert(config: LxmertConfig) -> LxmertSource:
    """An LXMERT with fresh weights.

    Raises:
        InputError: transformers is not installed.
    """
    try:
        from transformers import LxmertConfig as TheirConfig  # noqa: PLC0415
        from transformers import LxmertModel  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(
            "LXMERT needs the package transformers: pip install 'phosphene[pretrained]'"
        ) from error
    sizes = config.model_dump(exclude={"cls_id", "sep_id"})
    return LxmertSource(LxmertModel(TheirConfig(**sizes)), config)


@dataclass(frozen=True)
class Lxmert:
    """A published LXMERT as it was found."""

    origin: Path
    config: LxmertConfig
    wordpiece: WordPiece


def read_lxmert(folder: Path) -> Lxmert:
    """Sizes and word pieces of the LXMERT in ``folder``, in Hugging Face's format.

    Raises:
        InputError: a file is missing, or it is of another network.
    """
    path = folder / "config.json"
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the config.json of an LXMERT") from error
    if not isinstance(record, dict) or record.get("model_type") != "lxmert":
        raise InputError(f"{path}: expected model_type 'lxmert'")
    wordpiece = WordPiece.load(folder)
    own = {name: record[name] for name in LxmertConfig.model_fields if name in record}
    own |= {"cls_id": wordpiece.cls_id, "sep_id": wordpiece.sep_id}
    return Lxmert(folder, parse_settings(LxmertConfig, own, str(path)), wordpiece)


def load_lxmert(source: LxmertSource, folder: Path) -> None:
    """Load the weights in ``folder``; those of heads, which a source has not, are left out.

    Raises:
        InputError: there are none, or they are of another network.
    """
    files = [folder / name for name in ("model.safetensors", "pytorch_model.bin")]
    path = next((file for file in files if file.is_file()), files[0])
    weights = {name.removeprefix("lxmert."): value for name, value in read_weights(path).items()}
    expected = source.network.state_dict()
    for name, value in expected.items():
        if name not in weights or weights[name].shape != value.shape:
            raise InputError(f"{path}: weights of another network: {name} is missing or differs")
    source.network.load_state_dict({name: weights[name] for name in expected})


__all__ = ["Lxmert", "LxmertConfig", "LxmertSource", "build_lxmert", "load_lxmert", "read_lxmert"]
