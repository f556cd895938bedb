"""How fast translating is, beside Hugging Face ``generate`` and CTranslate2.

All systems hold the same weights (converted here, and compared before anything is timed), read the
same sentences as ids and search with the same beam and length penalty, in one process, on the same
number of threads. They take turns, each with all batch sizes asked for, and the fastest of several
repeats with the best batch size counts. With one thread the clock is that of the processor, so
that a busy machine disturbs less; with more it is the wall's.

    python benchmarks/decode.py --model runs/X/model --source test.en --reference test.de \
        [--beam 5 1] [--batch 32 64 256] [--threads 1] [--repeats 3] [--json FILE]

Needs the extra ``bench``. The last lines compare translators that generate their image features
with the text-only one: all are made to write the same translations, so that only the work differs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import ctranslate2
import sacrebleu
import torch
from ctranslate2.specs import common_spec, transformer_spec
from torch import nn
from transformers import M2M100Config, M2M100ForConditionalGeneration
from transformers.utils import logging as transformers_logging

from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.core.types import Batch, Tokens
from phosphene.data.lines import parallel
from phosphene.data.text import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from phosphene.models.folder import load_translator
from phosphene.models.search import SearchConfig, translate
from phosphene.models.translator import GeneratorConfig, Translator, TranslatorConfig, build
from phosphene.nn.attention import MultiHeadAttention
from phosphene.nn.transformer import sinusoids

Ids = list[list[int]]
System = Callable[[Ids, int, int], Ids]
"""Translates sentences (ids with EOS) with a beam of so many, so many side by side; no EOS."""
Name = tuple[str, str]
"""A system and its precision."""

MAPS = {"EfficientNet-Lite0 at 112": (1280, 4), "ResNet-50 at 224": (2048, 7)}
"""Channels and side of the feature maps that image-free translators generate."""
POSITIONS = 512
LONGEST = 200


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    system: str
    precision: str
    beam: int
    batch: int
    """The best of the batch sizes tried."""
    seconds: float
    sentences_per_second: float
    bleu: float
    identical: int
    """Translations equal to those of our own float32 search."""
    ratio_to_hugging_face: float
    ratio_to_ctranslate2: float
    """Speed over that of CTranslate2 in float32."""


def main() -> None:
    """Print the table; with ``--json`` also write it."""
    options = arguments()
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=options.threads))
    transformers_logging.set_verbosity_error()
    folder = load_translator(options.model)
    sources, references = parallel(options.source, options.reference)
    sentences = folder.tokenizer.encode_all(sources, eos=True)

    with tempfile.TemporaryDirectory() as temporary:
        marian = hugging_face(folder.model, folder.config)
        check_parity(folder.model, marian, sentences[:8])
        convert_to_ctranslate2(folder.model, folder.config, Path(temporary))
        systems: dict[Name, System] = {
            ("phosphene", "float32"): ours(folder.model),
            ("Hugging Face", "float32"): theirs(marian),
            ("CTranslate2", "float32"): opennmt(Path(temporary), "float32", options.threads),
            ("CTranslate2", "int8"): opennmt(Path(temporary), "int8", options.threads),
        }
        rows: list[Row] = []
        for beam in options.beam:
            found = measure(systems, sentences, beam, options)
            first = found["phosphene", "float32"].output
            for (name, precision), best in found.items():
                texts = [folder.tokenizer.decode(ids) for ids in best.output]
                bleu = sacrebleu.corpus_bleu(texts, [references], tokenize="none", force=True)
                row = Row(
                    system=name,
                    precision=precision,
                    beam=beam,
                    batch=best.batch,
                    seconds=best.seconds,
                    sentences_per_second=len(sentences) / best.seconds,
                    bleu=bleu.score,
                    identical=sum(a == b for a, b in zip(best.output, first, strict=True)),
                    ratio_to_hugging_face=found["Hugging Face", "float32"].seconds / best.seconds,
                    ratio_to_ctranslate2=found["CTranslate2", "float32"].seconds / best.seconds,
                )
                rows.append(row)
                print(line(row), flush=True)
    image_free = {}
    for name, (channels, side) in MAPS.items():
        image_free[name] = cost_of_image_free(
            folder.model, folder.config, channels, side, sentences, options
        )
        print(f"image-free, {name}: {image_free[name]:.2f}x the time of text-only", flush=True)
    if options.json is not None:
        record = {
            "machine": runtime.describe(),
            "sentences": len(sentences),
            "batch": options.batch,
            "clock": "processor" if options.threads == 1 else "wall",
            "rows": [asdict(row) for row in rows],
            "image_free_over_text_only": image_free,
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model folder of a run")
    parser.add_argument("--source", type=Path, required=True, help="tokenised sentences")
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--beam", type=int, nargs="+", default=[5, 1])
    parser.add_argument(
        "--batch", type=int, nargs="+", default=[32, 64, 256], help="sentences side by side"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def line(row: Row) -> str:
    return (
        f"{row.system:13s} {row.precision:9s} beam {row.beam} batch {row.batch:3d}  "
        f"{row.sentences_per_second:7.1f}/s  {row.ratio_to_hugging_face:5.2f}x HF  "
        f"{row.ratio_to_ctranslate2:5.2f}x CT2 float32  "
        f"BLEU {row.bleu:5.2f}  identical {row.identical}"
    )


@dataclass
class Best:
    """The fastest that one system was."""

    seconds: float
    batch: int
    output: Ids


def measure(
    systems: dict[Name, System], sentences: Ids, beam: int, options: argparse.Namespace
) -> dict[Name, Best]:
    """The least seconds that each system needs, with which batch size, and what it writes."""
    clock = time.process_time if options.threads == 1 else time.perf_counter
    best = {name: Best(float("inf"), 0, []) for name in systems}
    for system in systems.values():
        system(sentences[:32], beam, 32)
    for _ in range(options.repeats):
        for batch in options.batch:
            for name, system in systems.items():
                started = clock()
                output = system(sentences, beam, batch)
                seconds = clock() - started
                if seconds < best[name].seconds:
                    best[name] = Best(seconds, batch, output)
    return best


def in_batches(work: Callable[[Ids], Ids], sentences: Ids, size: int) -> Ids:
    """Translate sentences of similar length together; the order is kept."""
    order = sorted(range(len(sentences)), key=lambda index: len(sentences[index]))
    outputs: Ids = [[] for _ in sentences]
    for start in range(0, len(order), size):
        indices = order[start : start + size]
        found = work([sentences[index] for index in indices])
        for index, output in zip(indices, found, strict=True):
            outputs[index] = output
    return outputs


def ours(model: Translator) -> System:
    def run(sentences: Ids, beam: int, batch: int) -> Ids:
        config = SearchConfig(beam=beam, max_length=LONGEST)

        def work(part: Ids) -> Ids:
            found = translate(model, as_batch(part), config)
            return [list(best[0].ids) for best in found]

        return in_batches(work, sentences, batch)

    return run


def theirs(model: M2M100ForConditionalGeneration) -> System:
    def run(sentences: Ids, beam: int, batch: int) -> Ids:
        def work(part: Ids) -> Ids:
            source = Tokens.pad(part)
            with torch.inference_mode():
                found = model.generate(
                    input_ids=source.ids,
                    attention_mask=source.mask.long(),
                    num_beams=beam,
                    early_stopping=beam > 1,
                    length_penalty=1.0,
                    max_new_tokens=LONGEST,
                )
            return [cut(ids) for ids in found[:, 1:].tolist()]

        return in_batches(work, sentences, batch)

    return run


def opennmt(folder: Path, compute_type: str, threads: int) -> System:
    translator = ctranslate2.Translator(
        str(folder), compute_type=compute_type, inter_threads=1, intra_threads=threads
    )

    def run(sentences: Ids, beam: int, batch: int) -> Ids:
        found = translator.translate_batch(
            [[str(index) for index in sentence[:-1]] for sentence in sentences],
            beam_size=beam,
            length_penalty=1.0,
            max_decoding_length=LONGEST,
            max_batch_size=batch,
        )
        return [[int(token) for token in result.hypotheses[0]] for result in found]

    return run


def as_batch(sentences: Ids) -> Batch:
    return Batch(tuple(map(str, range(len(sentences)))), Tokens.pad(sentences))


def cut(ids: Sequence[int]) -> list[int]:
    """The words before EOS."""
    return list(ids[: ids.index(EOS_ID)]) if EOS_ID in ids else list(ids)


def hugging_face(model: Translator, config: TranslatorConfig) -> M2M100ForConditionalGeneration:
    """The same translator as an M2M-100: pre-layer-norm, sinusoidal positions, tied embeddings."""
    twin = M2M100ForConditionalGeneration(
        M2M100Config(
            vocab_size=config.vocab,
            d_model=config.hidden,
            encoder_layers=config.layers,
            decoder_layers=config.layers,
            encoder_ffn_dim=config.inner,
            decoder_ffn_dim=config.inner,
            encoder_attention_heads=config.heads,
            decoder_attention_heads=config.heads,
            activation_function="relu",
            scale_embedding=True,
            max_position_embeddings=POSITIONS,
            pad_token_id=PAD_ID,
            bos_token_id=BOS_ID,
            eos_token_id=EOS_ID,
            decoder_start_token_id=BOS_ID,
        )
    ).eval()
    state: dict[str, torch.Tensor] = {"model.shared.weight": model.embedding.table}
    for side, stack, attentions in (
        ("encoder", model.encoder.encoder, {"attention": "self_attn"}),
        (
            "decoder",
            model.decoder,
            {"self_attention": "self_attn", "cross_attention": "encoder_attn"},
        ),
    ):
        state |= {
            f"model.{side}.embed_tokens.weight": model.embedding.table,
            f"model.{side}.layer_norm.weight": stack.norm.weight,
            f"model.{side}.layer_norm.bias": stack.norm.bias,
        }
        for number, layer in enumerate(stack.layers):
            root = f"model.{side}.layers.{number}"
            for name, their_name in attentions.items():
                attention = layer.get_submodule(name)
                norm = layer.get_submodule(f"{name}_norm")
                state |= attention_state(attention, f"{root}.{their_name}")
                state |= prefixed(norm, f"{root}.{their_name}_layer_norm")
            state |= prefixed(layer.feed_forward[0], f"{root}.fc1")
            state |= prefixed(layer.feed_forward[2], f"{root}.fc2")
            state |= prefixed(layer.feed_forward_norm, f"{root}.final_layer_norm")
    state["lm_head.weight"] = model.embedding.table
    twin.load_state_dict(state)
    # Its first position is the padding id plus one.
    positions = torch.cat(
        [torch.zeros(PAD_ID + 1, config.hidden), sinusoids(POSITIONS, config.hidden)]
    )
    for part in (twin.model.encoder, twin.model.decoder):
        part.embed_positions.weights = positions
    return twin


def attention_state(attention: MultiHeadAttention, root: str) -> dict[str, torch.Tensor]:
    key, value = attention.key_value.weight.chunk(2)
    key_bias, value_bias = attention.key_value.bias.chunk(2)
    return {
        **prefixed(attention.query, f"{root}.q_proj"),
        f"{root}.k_proj.weight": key,
        f"{root}.k_proj.bias": key_bias,
        f"{root}.v_proj.weight": value,
        f"{root}.v_proj.bias": value_bias,
        **prefixed(attention.output, f"{root}.out_proj"),
    }


def prefixed(module: nn.Module, root: str) -> dict[str, torch.Tensor]:
    return {f"{root}.{name}": tensor for name, tensor in module.state_dict().items()}


def check_parity(model: Translator, twin: M2M100ForConditionalGeneration, sentences: Ids) -> None:
    """Stop unless both models give the same logits."""
    batch = as_batch(sentences)
    target = Tokens.pad([[BOS_ID, *sentence] for sentence in sentences])
    with torch.inference_mode():
        expected = model(replace(batch, target=target)).logits
        found = twin(
            input_ids=batch.source.ids,
            attention_mask=batch.source.mask.long(),
            decoder_input_ids=target.ids[:, :-1],
        ).logits
    difference = (expected - found)[target.mask[:, 1:]].abs().max()
    if difference > 1e-4:
        raise SystemExit(f"the converted model differs from ours by {difference:.1e} in its logits")


def convert_to_ctranslate2(model: Translator, config: TranslatorConfig, folder: Path) -> None:
    """Write the same translator as a CTranslate2 model; its tokens are our ids as text."""
    spec = transformer_spec.TransformerSpec.from_config(
        config.layers, config.heads, pre_norm=True, activation=common_spec.Activation.RELU
    )
    for side, stack in ((spec.encoder, model.encoder.encoder), (spec.decoder, model.decoder)):
        embeddings = side.embeddings[0] if isinstance(side.embeddings, list) else side.embeddings
        embeddings.weight = array(model.embedding.table)
        side.scale_embeddings = True
        side.position_encodings.encodings = array(sinusoids(POSITIONS, config.hidden))
        set_pair(side.layer_norm, stack.norm.weight, stack.norm.bias, "gamma", "beta")
        for into, layer in zip(side.layer, stack.layers, strict=True):
            own = layer.attention if stack is not model.decoder else layer.self_attention
            norm = layer.attention_norm if stack is not model.decoder else layer.self_attention_norm
            fused = [
                torch.cat(pair)
                for pair in zip(*map(pair_of, (own.query, own.key_value)), strict=True)
            ]
            set_pair(into.self_attention.linear[0], *fused)
            set_linear(into.self_attention.linear[1], own.output)
            set_norm(into.self_attention.layer_norm, norm)
            if stack is model.decoder:
                cross = layer.cross_attention
                set_linear(into.attention.linear[0], cross.query)
                set_linear(into.attention.linear[1], cross.key_value)
                set_linear(into.attention.linear[2], cross.output)
                set_norm(into.attention.layer_norm, layer.cross_attention_norm)
            set_linear(into.ffn.linear_0, layer.feed_forward[0])
            set_linear(into.ffn.linear_1, layer.feed_forward[2])
            set_norm(into.ffn.layer_norm, layer.feed_forward_norm)
    spec.decoder.projection.weight = array(model.embedding.table)
    tokens = [str(index) for index in range(config.vocab)]
    for index, token in ((PAD_ID, "<pad>"), (BOS_ID, "<s>"), (EOS_ID, "</s>")):
        tokens[index] = token
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.add_source_eos = True
    spec.config.unk_token = tokens[UNK_ID]
    spec.validate()
    spec.save(str(folder))


def array(tensor: torch.Tensor):
    return tensor.detach().contiguous().numpy()


def pair_of(linear: nn.Linear) -> tuple[torch.Tensor, torch.Tensor]:
    return linear.weight, linear.bias


def set_pair(
    into: object, weight: torch.Tensor, bias: torch.Tensor, first="weight", second="bias"
) -> None:
    setattr(into, first, array(weight))
    setattr(into, second, array(bias))


def set_linear(into: object, linear: nn.Linear) -> None:
    set_pair(into, linear.weight, linear.bias)


def set_norm(into: object, norm: nn.LayerNorm) -> None:
    set_pair(into, norm.weight, norm.bias, "gamma", "beta")


def cost_of_image_free(
    model: Translator,
    config: TranslatorConfig,
    channels: int,
    side: int,
    sentences: Ids,
    options: argparse.Namespace,
) -> float:
    """Time of an image-free translator over that of the text-only one.

    The weights of the image-free one are random, so both are given the whole translation as a
    forced prefix: the search does all of its work and both write the same words.
    """
    generator = GeneratorConfig(channels=channels, height=side, width=side)
    seeing = build(
        config.model_copy(
            update={"fusion": "multimodal", "feature": channels, "generator": generator}
        )
    ).eval()
    beam = max(options.beam)
    written = ours(model)(sentences, beam, options.batch[0])
    answer = {tuple(source): target for source, target in zip(sentences, written, strict=True)}
    search = SearchConfig(beam=beam, max_length=1)

    def forced(translator: Translator) -> System:
        def work(part: Ids) -> Ids:
            prefix = Tokens.pad([answer[tuple(source)] for source in part])
            found = translate(translator, as_batch(part), search, prefix)
            return [list(best[0].ids) for best in found]

        return lambda sentences, _, batch: in_batches(work, sentences, batch)

    systems: dict[Name, System] = {
        ("text-only", "float32"): forced(model),
        ("image-free", "float32"): forced(seeing),
    }
    text, image_free = measure(systems, sentences, beam, options).values()
    if text.output != image_free.output:
        raise SystemExit("the forced translations differ")
    return image_free.seconds / text.seconds


if __name__ == "__main__":
    main()
