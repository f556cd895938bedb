"""The Transformer encoder of BERT: post-layer-norm, GELU, learned positions, token types.

Source: Devlin et al., *BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding* (2019), and its released code: layer normalisation after each residual sum, the
exact GELU, dropout after the embeddings, on the attention weights and before each residual sum.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        self, rows: Float[Tensor, "batch row hidden"], mask: Bool[Tensor, "batch row"]
    ) -> Float[Tensor, "batch row hidden"]:
        """Every row attends to the rows where ``mask`` is true."""
        split = self.query_key_value(rows).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        context = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask[:, None, None],
            dropout_p=self.dropout.probability if self.training else 0.0,
        )
        output: Tensor = self.output(context.transpose(1, 2).flatten(2))
        return output


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
        self, rows: Float[Tensor, "batch row hidden"], mask: Bool[Tensor, "batch row"]
    ) -> Float[Tensor, "batch row hidden"]:
        """Contextualise ``rows``; those outside ``mask`` are attended to by nobody."""
        rows = self.attention_norm(rows + self.dropout(self.attention(rows, mask)))
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
        """The embedded ``rows`` and the states after every layer: ``layers + 1`` tensors."""
        states = [rows]
        for layer in self.layers:
            states.append(layer(states[-1], mask))
        return tuple(states)


def initialise_bert(module: nn.Module) -> None:
    """Fresh weights for every table and linear layer in ``module``: N(0, 0.02), biases 0."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=INITIAL_STD)
        if isinstance(part, nn.Linear):
            nn.init.zeros_(part.bias)


__all__ = [
    "BertEmbedding",
    "BertEncoder",
    "BertLayer",
    "BertSelfAttention",
    "BertSizes",
    "initialise_bert",
]
