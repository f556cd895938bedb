"""What searching, scoring and serving need of a translation model, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from phosphene.core.types import Batch
from phosphene.nn.transformer import Decoder, Memory


@runtime_checkable
class Predictions(Protocol):
    """A trace that holds next-word scores."""

    @property
    def logits(self) -> Float[Tensor, "batch target vocab"]:
        """Scores of the word that follows each target position."""


@runtime_checkable
class WordEmbedding(Protocol):
    """Target words as rows of a decoder, and the other way round."""

    @property
    def table(self) -> Float[Tensor, "vocab hidden"]:
        """The word vectors."""

    def __call__(
        self, ids: Int[Tensor, "batch length"], first_position: int = 0
    ) -> Float[Tensor, "batch length hidden"]:
        """Embed ``ids``, the first of which stands at ``first_position`` of its sentence."""

    def logits(self, states: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch vocab"]:
        """Scores of every vocabulary entry."""


@runtime_checkable
class TranslationModel(Protocol):
    """An encoder of any kind in front of a decoder that is searched."""

    decoder: Decoder
    training: bool

    @property
    def embedding(self) -> WordEmbedding:
        """Of the target words; also the output projection."""

    def __call__(self, batch: Batch) -> Any:
        """Teacher forcing; gives :class:`Predictions`."""

    def encode(self, batch: Batch) -> Memory:
        """What the decoder attends to."""

    def eval(self) -> Any:
        """Evaluation mode."""

    def train(self, mode: bool = True) -> Any:
        """Training mode, or not."""


@runtime_checkable
class Pipeline(Protocol):
    """A loaded model folder: a model in evaluation mode, and what stands before and behind it."""

    @property
    def model(self) -> TranslationModel:
        """The model."""

    @property
    def needs_pictures(self) -> bool:
        """Whether translating without a picture is not what the model was trained for."""

    @property
    def forced(self) -> tuple[int, ...]:
        """Words that every translation starts with, such as the token of its language."""

    def batch(self, lines: Sequence[str], pictures: Sequence[Path | None]) -> Batch:
        """Source sentences, and a picture for some of them, side by side.

        ``pictures`` is as long as ``lines``. A model that takes no pictures never opens them.

        Raises:
            InputError: a picture is missing or damaged.
        """

    def text(self, ids: Sequence[int]) -> str:
        """Target words, without BOS and EOS, as text."""


__all__ = ["Pipeline", "Predictions", "TranslationModel", "WordEmbedding"]
