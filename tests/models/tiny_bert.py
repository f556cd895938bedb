"""A published BERT of two layers with random weights, and inputs for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from phosphene.core.types import Batch, Regions, Tokens
from phosphene.data.wordpiece import SPECIAL_PIECES
from phosphene.models.pretrained_bert import Bert

PIECES = [*SPECIAL_PIECES, "a", "dog", "cat", "##s", "sleep", "runs", "tree", "ball", ","]
SIZES: dict[str, object] = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": 16,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 24,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.2,
    "attention_probs_dropout_prob": 0.3,
}
FEATURE = 6
Weights = dict[str, Tensor]


def published(seed: int = 0) -> Weights:
    """Random weights under the names of ``BertModel``."""
    torch.manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (16, 12),
        "embeddings.position_embeddings.weight": (24, 12),
        "embeddings.token_type_embeddings.weight": (2, 12),
        "pooler.dense.weight": (12, 12),
        "pooler.dense.bias": (12,),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{number}" for number in range(2)):
        for part, out, width in (
            ("attention.self.query", 12, 12),
            ("attention.self.key", 12, 12),
            ("attention.self.value", 12, 12),
            ("attention.output.dense", 12, 12),
            ("intermediate.dense", 20, 12),
            ("output.dense", 12, 20),
        ):
            shapes |= {f"{layer}.{part}.weight": (out, width), f"{layer}.{part}.bias": (out,)}
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for norm in norms:
        shapes |= {f"{norm}.weight": (12,), f"{norm}.bias": (12,)}
    return {name: torch.randn(shape) * 0.3 for name, shape in shapes.items()}


def visual(normalised: bool) -> Weights:
    """The visual parts of Oscar."""
    torch.manual_seed(1)
    weights = {
        "img_embedding.weight": torch.randn(12, FEATURE),
        "img_embedding.bias": torch.randn(12),
    }
    if normalised:
        weights |= {"LayerNorm.weight": torch.randn(12), "LayerNorm.bias": torch.randn(12)}
    return weights


def write(
    folder: Path, weights: Weights, sizes: dict[str, object] = SIZES, file: str = "safetensors"
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(sizes))
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    if file == "safetensors":
        save_file(weights, folder / "model.safetensors")
    else:
        torch.save(weights, folder / "pytorch_model.bin")
    return folder


def two_examples(bert: Bert) -> Batch:
    """A text with tags, and one without."""
    encode = bert.wordpiece.encode_all
    return Batch(
        ("a", "b"),
        Tokens.pad(encode(["a dog, a cat sleep", "cats"])),
        tags=Tokens.pad(encode(["tree ball", ""])),
    )


def with_regions(batch: Batch) -> Batch:
    """Three regions for the first example, one for the second."""
    torch.manual_seed(2)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    return replace(batch, regions=Regions(torch.randn(2, 3, FEATURE), mask))
