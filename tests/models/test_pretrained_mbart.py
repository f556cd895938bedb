"""mBART from this package's parts computes what stock transformers computes, prefix and all."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Tokens, Vectors
from phosphene.models.pipeline import TranslationModel
from phosphene.models.pretrained_mbart import (
    MBart,
    MBartSizes,
    MBartTokenizer,
    load_mbart,
    sizes_of,
)
from phosphene.models.search import SearchConfig, log_likelihoods, translate
from phosphene.nn.prefix import MappingNetwork, build_mapping

transformers = pytest.importorskip("transformers")

PAD, BOS, EOS = 0, 1, 2
VOCAB, ENGLISH, GERMAN = 40, 36, 37
LIMIT = 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random mBART as it is published; encoder and decoder differ in every size."""
    torch.manual_seed(3)
    config = transformers.MBartConfig(
        vocab_size=VOCAB, d_model=16, encoder_layers=1, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=4, encoder_ffn_dim=24,
        decoder_ffn_dim=20, max_position_embeddings=32, scale_embedding=True, init_std=0.4,
    )  # fmt: skip
    model = transformers.MBartForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases must matter too
            parameter.add_(0.1 * torch.randn_like(parameter))
        # Sentences end now and then.
        model.model.decoder.layer_norm.bias.add_(model.model.shared.weight[EOS])
    path = tmp_path_factory.mktemp("mbart")
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def stock(folder: Path) -> Any:
    return transformers.MBartForConditionalGeneration.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def mapping() -> MappingNetwork:
    torch.manual_seed(4)
    return build_mapping("mlp", 6, 16, 3)


@pytest.fixture(scope="module")
def plain(folder: Path) -> MBart:
    return load_mbart(folder.as_posix())[0]


@pytest.fixture(scope="module")
def prefixed(folder: Path, mapping: MappingNetwork) -> MBart:
    return load_mbart(folder.as_posix(), mapping)[0]


def batch(*, target: bool = True) -> Batch:
    """Three sentences of different lengths, English to German, each with its vector."""
    torch.manual_seed(5)
    sources = [[ENGLISH, 5, 6, 7, EOS], [ENGLISH, 8, EOS], [ENGLISH, 9, 10, 11, 12, 13, EOS]]
    targets = [[BOS, GERMAN, 14, 15, EOS], [BOS, GERMAN, EOS], [BOS, GERMAN, 16, 17, 18, EOS]]
    return Batch(
        ("a", "b", "c"),
        Tokens.pad(sources),
        Tokens.pad(targets) if target else None,
        vectors=Vectors(torch.randn(3, 6), torch.ones(3, dtype=torch.bool)),
    )


def theirs(ids: Tensor) -> Tensor:
    """Ids as the published model has them: ``<s>`` 0, ``<pad>`` 1; BOS is written ``</s>``."""
    written = ids.masked_fill(ids == BOS, EOS)
    return written.masked_fill(ids == PAD, 1)


def stock_logits(
    stock: Any, example: Batch, words: Tensor, mapping: MappingNetwork | None
) -> Tensor:
    """Stock transformers with the prefix in ``decoder_inputs_embeds``; our ids in the last axis."""
    rows = stock.get_input_embeddings()(theirs(words))
    prefix = rows[:, :0]
    if mapping is not None:
        assert example.vectors is not None
        prefix = mapping(example.vectors)
    with torch.no_grad():
        logits = stock(
            input_ids=theirs(example.source.ids),
            attention_mask=example.source.mask.long(),
            decoder_inputs_embeds=torch.cat([prefix, rows], dim=1),
        ).logits[:, prefix.shape[1] :]
    return torch.cat([logits[..., [1, 0]], logits[..., 2:]], dim=-1)


@pytest.mark.parametrize("with_prefix", [False, True])
def test_teacher_forcing_gives_the_scores_of_stock_transformers(
    stock: Any, plain: MBart, prefixed: MBart, mapping: MappingNetwork, with_prefix: bool
) -> None:
    example = batch()
    assert example.target is not None
    words = example.target.ids[:, :-1]
    expected = stock_logits(stock, example, words, mapping if with_prefix else None)
    with torch.no_grad():
        found = (prefixed if with_prefix else plain)(example).logits
    real = example.target.mask[:, 1:]
    torch.testing.assert_close(found[real], expected[real], atol=1e-4, rtol=1e-4)
    other = stock_logits(stock, example, words, None if with_prefix else mapping)
    assert (other[real] - expected[real]).abs().max() > 0.1, "the prefix does nothing"


def reference_beam(
    stock: Any, example: Batch, row: int, beam: int, mapping: MappingNetwork
) -> list[tuple[tuple[int, ...], float]]:
    """The rule of fairseq over stock transformers, everything computed anew at each step."""
    length = int(example.source.mask[row].sum())
    assert example.vectors is not None
    one = Batch(
        ("x",),
        Tokens(
            example.source.ids[row : row + 1, :length], example.source.mask[row : row + 1, :length]
        ),
        vectors=Vectors(example.vectors.values[row : row + 1], torch.ones(1, dtype=torch.bool)),
    )
    live: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    finished: list[tuple[tuple[int, ...], float]] = []
    for step in range(1, LIMIT + 1):
        candidates = []
        for words, total in live:
            logits = stock_logits(stock, one, torch.tensor([[BOS, *words]]), mapping)
            scores = logits[0, -1].log_softmax(dim=-1).tolist()
            for word, score in enumerate(scores):
                if step == 1:
                    allowed = word == GERMAN
                elif step == LIMIT:
                    allowed = word == EOS
                else:
                    allowed = word not in (PAD, BOS)
                if allowed:
                    candidates.append(((*words, word), total + score))
        candidates = sorted(candidates, key=lambda candidate: -candidate[1])[: 2 * beam]
        for words, total in candidates[:beam]:
            if words[-1] == EOS and len(finished) < beam:
                finished.append((words[:-1], total))
        live = [candidate for candidate in candidates if candidate[0][-1] != EOS][:beam]
        if len(finished) == beam or not live:
            break
    return sorted(finished, key=lambda found: -found[1] / (len(found[0]) + 1))


@pytest.mark.parametrize("beam", [1, 5])
def test_search_behind_a_prefix_is_that_over_stock_transformers(
    stock: Any, prefixed: MBart, mapping: MappingNetwork, beam: int
) -> None:
    example = batch(target=False)
    forced = Tokens.pad([[GERMAN]] * 3)
    found = translate(
        prefixed, example, SearchConfig(beam=beam, n_best=beam, max_length=LIMIT), forced
    )
    for row, hypotheses in enumerate(found):
        expected = reference_beam(stock, example, row, beam, mapping)
        assert [hypothesis.ids for hypothesis in hypotheses] == [words for words, _ in expected]
        for hypothesis, (_, total) in zip(hypotheses, expected, strict=True):
            assert hypothesis.log_probability == pytest.approx(total, abs=1e-3)


@pytest.mark.parametrize("beam", [1, 5])
def test_search_without_a_prefix_is_generate(stock: Any, plain: MBart, beam: int) -> None:
    """Stock ``generate`` scores no forced code: without a length penalty all else agrees.

    It treats the longest sentences differently, so the limit must not be reached.
    """
    example, limit = batch(target=False), 24
    found = translate(
        plain,
        example,
        SearchConfig(beam=beam, max_length=limit, length_penalty=0.0),
        Tokens.pad([[GERMAN]] * 3),
    )
    generated = stock.generate(
        input_ids=theirs(example.source.ids),
        attention_mask=example.source.mask.long(),
        decoder_start_token_id=EOS, forced_bos_token_id=GERMAN, suppress_tokens=[0, 1],
        num_beams=beam, do_sample=False, early_stopping=beam > 1, length_penalty=0.0,
        max_length=limit + 1,
    )  # fmt: skip
    lengths = [len(best.ids) for (best,) in found]
    assert max(lengths) > 2 and (beam == 1 or max(lengths) + 1 < limit)
    for (best,), (_, *words) in zip(found, generated.tolist(), strict=True):
        assert words[: len(best.ids)] == list(best.ids)
        assert len(best.ids) + 1 == limit or words[len(best.ids)] == EOS


def test_likelihood_is_the_sum_over_teacher_forcing(prefixed: MBart) -> None:
    """What search reports for its best translation, teacher forcing confirms."""
    example = batch(target=False)
    found = translate(
        prefixed, example, SearchConfig(beam=3, max_length=LIMIT), Tokens.pad([[GERMAN]] * 3)
    )
    targets = Tokens.pad([[BOS, *best.ids, EOS] for (best,) in found])
    scored = log_likelihoods(
        prefixed, Batch(example.ids, example.source, targets, vectors=example.vectors)
    )
    expected = torch.tensor([best.log_probability for (best,) in found])
    torch.testing.assert_close(scored, expected, atol=1e-3, rtol=1e-4)


def test_an_absent_vector_is_seen_by_nobody(prefixed: MBart) -> None:
    example = batch()
    absent = Vectors(torch.full((3, 6), 9.0), torch.zeros(3, dtype=torch.bool))
    nothing = Batch(example.ids, example.source, example.target)
    masked = Batch(example.ids, example.source, example.target, vectors=absent)
    with torch.no_grad():
        torch.testing.assert_close(prefixed(nothing).logits, prefixed(masked).logits)


def test_it_is_a_translation_model(plain: MBart) -> None:
    assert isinstance(plain, TranslationModel)


def test_a_step_of_training_moves_prefix_and_words(folder: Path) -> None:
    torch.manual_seed(0)
    model = load_mbart(folder.as_posix(), build_mapping("mlp", 6, 16, 3))[0].train()
    model(batch()).logits.square().mean().backward()
    still = [name for name, value in model.named_parameters() if value.grad is None]
    assert still == []
    assert all(
        value.grad is not None and float(value.grad.abs().sum()) > 0
        for name, value in model.named_parameters()
        if name.startswith("mapping")
    )


def test_the_published_size() -> None:
    """Counted without memory: mbart-large-50, and the paper's mapping network of 5,253,121."""
    with torch.device("meta"):
        model = MBart(MBartSizes(), build_mapping("mlp", 512, 1024, 10))
        published = transformers.MBartForConditionalGeneration(
            transformers.MBartConfig(vocab_size=250_054, scale_embedding=True)
        )
    assert model.mapping is not None
    added = sum(parameter.numel() for parameter in model.mapping.parameters())
    total = sum(parameter.numel() for parameter in model.parameters())
    assert added == 5_253_121
    assert total - added == 610_879_488
    assert total - added == sum(parameter.numel() for parameter in published.parameters())


def test_what_is_not_mbart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing-here: mBART cannot be loaded"):
        load_mbart((tmp_path / "nothing-here").as_posix())
    config = transformers.MBartConfig(activation_function="relu")
    with pytest.raises(InputError, match=r"relu-bart: expected GELU"):
        sizes_of(config, "relu-bart")


def test_a_sentence_longer_than_the_table_is_an_error(plain: MBart) -> None:
    with pytest.raises(ValueError, match="33 positions, mBART has 32"):
        plain.embedding(torch.full((1, 33), 5))


@pytest.fixture(scope="module")
def tokenizer() -> MBartTokenizer:
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0)]
    words = ["▁a", "▁dog", "▁runs", "▁", "ß", "s"]
    return MBartTokenizer(
        transformers.MBart50Tokenizer(vocab=pieces + [(word, -math.log(9)) for word in words])
    )


def test_languages_go_by_name(tokenizer: MBartTokenizer) -> None:
    assert tokenizer.language_id("de_DE") == tokenizer.language_id("de")
    assert tokenizer.language_id("de") != tokenizer.language_id("en")
    with pytest.raises(InputError, match=r"language 'tlh' is none of mBART-50's: .*de_DE"):
        tokenizer.language_id("tlh")


def test_sentences_survive_a_round_trip(tokenizer: MBartTokenizer) -> None:
    ids = tokenizer.encode_all(["a dog runs", "a dogs"])
    assert len(ids[0]) == 3
    assert not {PAD, BOS, EOS} & {index for sentence in ids for index in sentence}
    assert tokenizer.decode([tokenizer.language_id("de"), *ids[0], EOS, PAD]) == "a dog runs"
    assert tokenizer.decode(ids[1]) == "a dogs"
    assert max(map(max, ids)) < len(tokenizer)
