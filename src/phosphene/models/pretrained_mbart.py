"""mBART-50 (Tang et al., 2020) with a soft prefix, made of the parts that search and training know.

The published weights come through stock transformers and move into this package's own encoder and
decoder layers, which compute the same numbers (mBART normalises before each sublayer too). So a
prefix, cached beam search and every loss work as for a small translator, and transformers is
needed neither in training nor in use. What is mBART's own stands here: learned positions behind an
offset of two, a layer norm on embedded rows, GELU.

Ids are mBART's, with the first two exchanged so that padding and BOS have this package's ids. The
decoder starts with BOS, which mBART writes as ``</s>``, and then reads the code of the language:
``P1 .. Pk </s> de_DE y1 .. yn``. Training and decoding have the same positions (the paper's code
trains with ``</s>`` before the prefix and decodes with it behind).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Vectors
from phosphene.data.text import BOS_ID, EOS_ID, PAD_ID
from phosphene.models.prefix_translator import PrefixTrace
from phosphene.nn.dropout import Dropout
from phosphene.nn.prefix import MappingNetwork
from phosphene.nn.transformer import (
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
    Memory,
    SoftPrefix,
    Width,
)

_OFFSET = 2
"""The published position tables begin with two rows that nothing uses."""


class MBartSizes(Frozen):
    """Everything needed to build the network; the defaults are those of mbart-large-50."""

    vocab: int = Field(default=250_054, ge=4)
    hidden: int = Field(default=1024, ge=2)
    layers: tuple[int, int] = (12, 12)
    """Of the encoder and of the decoder, as in the next two."""
    heads: tuple[int, int] = (16, 16)
    inner: tuple[int, int] = (4096, 4096)
    positions: int = Field(default=1024, ge=1)
    """Longest sentence, prefix included."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    scaled: bool = True
    """Word vectors are multiplied by ``sqrt(hidden)``; a prefix is not."""


class LearnedPositions(nn.Module):
    """Adds a learned vector to each row, then layer norm and dropout."""

    def __init__(self, sizes: MBartSizes) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(sizes.positions + _OFFSET, sizes.hidden) * 0.02)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.dropout = Dropout(sizes.dropout)

    def forward(
        self, rows: Float[Tensor, "batch length hidden"], first_position: int = 0
    ) -> Float[Tensor, "batch length hidden"]:
        """Place ``rows``, the first of which stands at ``first_position``.

        Raises:
            ValueError: the sentence is longer than the table.
        """
        end = first_position + rows.shape[1]
        if end + _OFFSET > len(self.table):
            raise ValueError(f"{end} positions, mBART has {len(self.table) - _OFFSET}")
        return self.dropout(self.norm(rows + self.table[first_position + _OFFSET : end + _OFFSET]))


@final
class MBartEmbedding(nn.Module):
    """Word vectors, and the places of target words; also the output projection."""

    def __init__(self, sizes: MBartSizes) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(sizes.vocab, sizes.hidden) * 0.02)
        self.scale = sizes.hidden**0.5 if sizes.scaled else 1.0
        self.positions = LearnedPositions(sizes)

    def words(self, ids: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length hidden"]:
        """Scaled word vectors; BOS is written as ``</s>``."""
        written = ids.masked_fill(ids == BOS_ID, EOS_ID)
        return F.embedding(written, self.table, padding_idx=PAD_ID) * self.scale

    def forward(
        self, ids: Int[Tensor, "batch length"], first_position: int = 0
    ) -> Float[Tensor, "batch length hidden"]:
        """Embed target words, the first of which stands at ``first_position``."""
        return self.place(self.words(ids), first_position)

    def place(
        self, rows: Float[Tensor, "batch length hidden"], first_position: int = 0
    ) -> Float[Tensor, "batch length hidden"]:
        """Place rows among the target words."""
        return self.positions(rows, first_position)

    def logits(self, states: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch vocab"]:
        """Scores of every vocabulary entry."""
        return F.linear(states, self.table)


@final
class MBart(nn.Module):
    """mBART-50, with a prefix in front of the target words where there is a ``mapping``."""

    def __init__(self, sizes: MBartSizes, mapping: MappingNetwork | None = None) -> None:
        super().__init__()
        encoder, decoder = (
            Width(sizes.hidden, inner, heads, sizes.dropout)
            for inner, heads in zip(sizes.inner, sizes.heads, strict=True)
        )
        self.embedding = MBartEmbedding(sizes)
        self.source_positions = LearnedPositions(sizes)
        self.encoder = Encoder(sizes.layers[0], encoder)
        self.mapping = mapping
        self.decoder = Decoder(
            [DecoderLayer(decoder) for _ in range(sizes.layers[1])], sizes.hidden
        )
        for layer in (*self.encoder.layers, *self.decoder.layers):
            assert isinstance(layer, EncoderLayer | DecoderLayer)
            layer.feed_forward[1] = nn.GELU()

    def forward(self, batch: Batch) -> PrefixTrace:
        """Predict every target word from those before it (teacher forcing)."""
        if batch.target is None:
            raise ValueError("a translator's forward pass needs target tokens")
        memory = self.encode(batch)
        rows = self.embedding(batch.target.ids[:, :-1], memory.first_position)
        return PrefixTrace(self.embedding.logits(self.decoder(rows, memory)), memory)

    def encode(self, batch: Batch) -> Memory:
        """The encoded source and the prefix."""
        source = batch.source
        rows = self.source_positions(self.embedding.words(source.ids))
        states: Tensor = self.encoder(rows, source.mask)
        if self.mapping is None:
            return Memory(states, source.mask)
        vectors = batch.vectors
        if vectors is None:
            absent = states.new_zeros(len(batch), self.mapping.feature)
            vectors = Vectors(absent, source.mask.new_zeros(len(batch)))
        prefix = self.embedding.place(self.mapping(vectors))
        return Memory(states, source.mask, soft_prefix=SoftPrefix(prefix, vectors.mask))


def load_mbart(name: str, mapping: MappingNetwork | None = None) -> tuple[MBart, MBartSizes]:
    """Published mBART-50 by its name on the Hugging Face hub or from a local folder.

    Raises:
        InputError: transformers is not installed, the weights cannot be had, or they are of
            another kind of network.
    """
    try:
        from transformers import MBartForConditionalGeneration  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError("transformers is not installed: pip install transformers") from error
    try:
        published = MBartForConditionalGeneration.from_pretrained(name)
    except (OSError, ValueError) as error:
        line = str(error).strip().partition("\n")[0]
        raise InputError(f"{name}: mBART cannot be loaded: {line}") from error
    sizes = sizes_of(published.config, name)
    model = MBart(sizes, mapping)
    weights = from_published(published.state_dict(), sizes)
    if mapping is not None:
        weights |= {f"mapping.{key}": value for key, value in mapping.state_dict().items()}
    model.load_state_dict(weights)
    return model.eval(), sizes


def sizes_of(config: Any, name: str) -> MBartSizes:
    """The sizes in a transformers ``MBartConfig``.

    Raises:
        InputError: it uses what the published models do not.
    """
    unused = (config.attention_dropout, config.activation_dropout, config.encoder_layerdrop)
    if any(unused) or config.decoder_layerdrop or config.activation_function != "gelu":
        raise InputError(
            f"{name}: expected GELU, and neither attention or activation dropout nor layer drop"
        )
    return MBartSizes(
        vocab=config.vocab_size,
        hidden=config.d_model,
        layers=(config.encoder_layers, config.decoder_layers),
        heads=(config.encoder_attention_heads, config.decoder_attention_heads),
        inner=(config.encoder_ffn_dim, config.decoder_ffn_dim),
        positions=config.max_position_embeddings,
        dropout=config.dropout,
        scaled=config.scale_embedding,
    )


def from_published(weights: Mapping[str, Tensor], sizes: MBartSizes) -> dict[str, Tensor]:
    """Weights of transformers' ``MBartForConditionalGeneration`` under the names used here."""
    found = {"embedding.table": exchange_rows(weights["model.shared.weight"])}

    def copy(ours: str, theirs: str, *parts: str) -> None:
        for kind in ("weight", "bias"):
            tensors = [weights[f"model.{theirs}{part}.{kind}"] for part in parts or ("",)]
            found[f"{ours}.{kind}"] = torch.cat(tensors)

    def attention(ours: str, theirs: str) -> None:
        copy(f"{ours}_norm", f"{theirs}_layer_norm")
        copy(f"{ours}.query", f"{theirs}.q_proj")
        copy(f"{ours}.key_value", theirs, ".k_proj", ".v_proj")
        copy(f"{ours}.output", f"{theirs}.out_proj")

    sides = (("encoder", "source_positions"), ("decoder", "embedding.positions"))
    for (side, positions), layers in zip(sides, sizes.layers, strict=True):
        found[f"{positions}.table"] = weights[f"model.{side}.embed_positions.weight"]
        copy(f"{positions}.norm", f"{side}.layernorm_embedding")
        copy(f"{side}.norm", f"{side}.layer_norm")
        for layer in (f"{side}.layers.{number}" for number in range(layers)):
            attention(
                f"{layer}.attention" if side == "encoder" else f"{layer}.self_attention",
                f"{layer}.self_attn",
            )
            if side == "decoder":
                attention(f"{layer}.cross_attention", f"{layer}.encoder_attn")
            copy(f"{layer}.feed_forward_norm", f"{layer}.final_layer_norm")
            copy(f"{layer}.feed_forward.0", f"{layer}.fc1")
            copy(f"{layer}.feed_forward.2", f"{layer}.fc2")
    return found


def exchange_rows(table: Float[Tensor, "vocab hidden"]) -> Float[Tensor, "vocab hidden"]:
    """``<s>``, 0 in mBART, and ``<pad>``, 1, change places."""
    return torch.cat([table[[1, 0]], table[2:]])


@final
class MBartTokenizer:
    """mBART-50's sub-words, with this package's ids of padding and BOS."""

    def __init__(self, published: Any) -> None:
        """Wrap a transformers ``MBart50Tokenizer``."""
        self._published = published

    @classmethod
    def load(cls, name: str) -> MBartTokenizer:
        """The tokenizer of a model, by its name on the hub or from a local folder.

        Raises:
            InputError: transformers is not installed, or there is no such tokenizer.
        """
        try:
            from transformers import MBart50Tokenizer  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise InputError("transformers is not installed: pip install transformers") from error
        try:
            return cls(MBart50Tokenizer.from_pretrained(name))
        except (OSError, ValueError) as error:
            line = str(error).strip().partition("\n")[0]
            raise InputError(f"{name}: mBART's tokenizer cannot be loaded: {line}") from error

    def __len__(self) -> int:
        """Entries of the vocabulary."""
        return len(self._published)

    def encode_all(self, sentences: Sequence[str]) -> list[list[int]]:
        """Ids of raw sentences, without language codes and EOS."""
        ids = self._published(list(sentences), add_special_tokens=False)["input_ids"]
        return [[_EXCHANGED.get(index, index) for index in sentence] for sentence in ids]

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence, without special entries."""
        theirs = [_EXCHANGED.get(index, index) for index in ids]
        text: str = self._published.decode(theirs, skip_special_tokens=True)
        return text.strip()

    def language_id(self, code: str) -> int:
        """The entry of a language: ``de_DE``, or ``de`` for short.

        Raises:
            InputError: mBART-50 does not speak it.
        """
        codes: Mapping[str, int] = self._published.lang_code_to_id
        matching = [one for one in codes if one == code or one.partition("_")[0] == code]
        if not matching:
            known = ", ".join(sorted(codes))
            raise InputError(f"language '{code}' is none of mBART-50's: expected one of {known}")
        return int(codes[matching[0]])


_EXCHANGED = {0: 1, 1: 0}

__all__ = [
    "MBart",
    "MBartEmbedding",
    "MBartSizes",
    "MBartTokenizer",
    "from_published",
    "load_mbart",
    "sizes_of",
]
