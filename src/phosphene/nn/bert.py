"""The Transformer encoder of BERT: post-layer-norm, GELU, learned positions, token types.

Source: Devlin et al., *BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding* (2019), and its released code: layer normalisation after each residual sum, the
exact GELU, dropout after the embeddings, on the attention weights and before each residual sum.

Layers work on the real rows alone, one after another (:class:`Packing`); only attention needs
them example by example. Padding costs next to nothing, so a batch may mix examples with and
without a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.nn.dropout import Dropout

INITIAL_STD = 0.02
"""Standard deviation of BERT's fresh weights."""


@dataclass(frozen=True)
class BertSizes:
    """What every layer of a BERT shares."""

    hidden: int
    inner: int
    heads: int
    dropout: float
    attention_dropout: float
    norm_epsilon: float = 1e-12


@dataclass(frozen=True)
class Packing:
    """Where the real rows of a padded batch stand."""

    mask: Bool[Tensor, "batch row"]
    places: Int[Tensor, " real"]
    """Of each real row among all rows of the batch, counted through."""

    @classmethod
    def of(cls, mask: Bool[Tensor, "batch row"]) -> Packing:
        """The packing of the rows where ``mask`` is true."""
        return cls(mask, mask.flatten().nonzero().squeeze(1))

    def pack(self, padded: Float[Tensor, "batch row width"]) -> Float[Tensor, "real width"]:
        """The real rows, one after another."""
        return padded.flatten(0, 1).index_select(0, self.places)

    def pad(self, packed: Float[Tensor, "real width"]) -> Float[Tensor, "batch row width"]:
        """The rows in place, zeros elsewhere."""
        padded = packed.new_zeros(self.mask.numel(), packed.shape[1])
        return padded.index_copy_(0, self.places, packed).unflatten(0, self.mask.shape)


class BertEmbedding(nn.Module):
    """Words, positions and token types added up, then layer norm and dropout."""

    def __init__(self, vocab: int, positions: int, types: int, sizes: BertSizes) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab, sizes.hidden)
        self.positions = nn.Embedding(positions, sizes.hidden)
        self.types = nn.Embedding(types, sizes.hidden)
        self.norm = nn.LayerNorm(sizes.hidden, sizes.norm_epsilon)
        self.dropout = Dropout(sizes.dropout)

    def forward(
        self,
        ids: Int[Tensor, "batch row"],
        positions: Int[Tensor, "batch row"],
        types: Int[Tensor, " row"],
    ) -> Float[Tensor, "batch row hidden"]:
        """Embed ``ids``, each at its position; ``types`` are those of the columns."""
        summed = self.words(ids) + self.positions(positions) + self.types(types)
        return self.dropout(self.norm(summed))


class BertSelfAttention(nn.Module):
    """Multi-head self-attention; queries, keys and values come from one product."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        if sizes.hidden % sizes.heads:
            raise ValueError(f"hidden width {sizes.hidden} is not a multiple of {sizes.heads}")
        self.heads = sizes.heads
        self.query_key_value = nn.Linear(sizes.hidden, 3 * sizes.hidden)
        self.output = nn.Linear(sizes.hidden, sizes.hidden)
        self.dropout = Dropout(sizes.attention_dropout)

    def forward(
        self, rows: Float[Tensor, "real hidden"], packing: Packing
    ) -> Float[Tensor, "real hidden"]:
        """Every row attends to the real rows of its example."""
        padded = packing.pad(self.query_key_value(rows)).unflatten(-1, (3, self.heads, -1))
        query, key, value = padded.permute(2, 0, 3, 1, 4)
        context = attend(query, key, value, packing.mask[:, None, None], self.dropout)
        output: Tensor = self.output(packing.pack(context.transpose(1, 2).flatten(2)))
        return output


def attend(
    query: Float[Tensor, "batch head row width"],
    key: Float[Tensor, "batch head row width"],
    value: Float[Tensor, "batch head row width"],
    mask: Bool[Tensor, "batch 1 1 row"],
    dropout: Dropout,
) -> Float[Tensor, "batch head row width"]:
    """Attention with ``dropout`` on its weights, by PyTorch's fused kernel where there is one.

    There is none for dropout on a CPU. A second derivative needs
    ``torch.nn.attention.sdpa_kernel(SDPBackend.MATH)`` around the forward pass.
    """
    dropping = dropout.training and dropout.probability > 0
    if dropping and query.device.type == "cpu":
        scores = (query * query.shape[-1] ** -0.5) @ key.mT
        return dropout(scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)) @ value
    probability = dropout.probability if dropping else 0.0
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=probability)


class BertLayer(nn.Module):
    """Self-attention and feed-forward, each added to its input and then normalised."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        self.attention = BertSelfAttention(sizes)
        self.attention_norm = nn.LayerNorm(sizes.hidden, sizes.norm_epsilon)
        self.wide = nn.Linear(sizes.hidden, sizes.inner)
        self.narrow = nn.Linear(sizes.inner, sizes.hidden)
        self.feed_forward_norm = nn.LayerNorm(sizes.hidden, sizes.norm_epsilon)
        self.dropout = Dropout(sizes.dropout)

    def forward(
        self, rows: Float[Tensor, "real hidden"], packing: Packing
    ) -> Float[Tensor, "real hidden"]:
        """Contextualise ``rows``."""
        rows = self.attention_norm(rows + self.dropout(self.attention(rows, packing)))
        changed = self.narrow(F.gelu(self.wide(rows)))
        normal: Tensor = self.feed_forward_norm(rows + self.dropout(changed))
        return normal


class BertEncoder(nn.Module):
    """A stack of layers that shows the states after each of them."""

    def __init__(self, layers: int, sizes: BertSizes) -> None:
        super().__init__()
        self.layers = nn.ModuleList(BertLayer(sizes) for _ in range(layers))

    def forward(
        self, rows: Float[Tensor, "batch row hidden"], mask: Bool[Tensor, "batch row"]
    ) -> tuple[Float[Tensor, "batch row hidden"], ...]:
        """Embedded ``rows`` and the states after every layer: ``layers + 1`` tensors.

        Rows outside ``mask`` are attended to by nobody, and zero in every tensor.
        """
        packing = Packing.of(mask)
        states = [packing.pack(rows)]
        for layer in self.layers:
            states.append(layer(states[-1], packing))
        return tuple(packing.pad(state) for state in states)


def initialise_bert(module: nn.Module, std: float = INITIAL_STD) -> None:
    """Fresh weights for every table and linear layer in ``module``: N(0, std), biases 0.

    BERT's 0.02 is for a width of 768; a width of 64 learns several times faster from 0.1.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear):
            nn.init.zeros_(part.bias)


@torch.no_grad()
def attend_to_alike(embedding: BertEmbedding, encoder: BertEncoder) -> None:
    """Fresh weights with which a row attends most to rows of the same word, wherever they stand.

    Keys start equal to queries, so that their product favours what is alike (after Trockman and
    Kolter, *Mimetic Initialization of Self-Attention Layers*, 2023), and positions and types start
    small beside words, which they would otherwise drown. Whether a word of the question is among
    the tags, and which region it means, is then there to be found; from weights drawn
    independently a narrow network does not find it in thousands of updates.
    """
    for table in (embedding.positions, embedding.types):
        nn.init.normal_(table.weight, std=INITIAL_STD)
    for layer in encoder.layers:
        assert isinstance(layer, BertLayer)
        query, key, _ = layer.attention.query_key_value.weight.chunk(3)
        key.copy_(query)


__all__ = [
    "INITIAL_STD",
    "BertEmbedding",
    "BertEncoder",
    "BertLayer",
    "BertSelfAttention",
    "BertSizes",
    "Packing",
    "attend",
    "attend_to_alike",
    "initialise_bert",
]
