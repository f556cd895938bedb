"""What a prefix costs in decoding: the same translator with ten prefix rows and with none.

Both hold the same weights (those of Transformer-Tiny and of Multi30K's vocabulary, untrained), read
the same sentences as ids and search for translations of the same length, so that only the prefix
differs. They take turns in one process on one thread; the clock is that of the processor, and the
fastest of several repeats counts. The vectors are given: making them is the aligned encoder's work.

    python benchmarks/prefix.py [--sentences 256] [--batch 64] [--beam 5 1] [--repeats 5]
"""

from __future__ import annotations

import argparse
import time

import torch

from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.core.types import Batch, Tokens, Vectors
from phosphene.data.text import EOS_ID
from phosphene.models.prefix_translator import PrefixTranslator, PrefixTranslatorConfig, build
from phosphene.models.search import SearchConfig, translate

VOCABULARY, FEATURE, WORDS = 9712, 512, 13
"""Multi30K English-German; the paper's vectors; words of a mean German sentence."""


def main() -> None:
    """Print one line for every beam and length of the prefix."""
    options = arguments()
    Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    torch.manual_seed(0)
    base = build(config(0)).eval()
    models = {length: with_prefix(base, length) for length in (0, *options.prefix)}
    batches = examples(options.sentences, options.batch)
    for beam in options.beam:
        # Every translation has WORDS words and EOS: the searches take the same steps.
        search = SearchConfig(beam=beam, min_length=WORDS, max_length=WORDS + 1)
        best = dict.fromkeys(models, float("inf"))
        for _ in range(options.repeats):
            for length, model in models.items():
                best[length] = min(best[length], seconds(model, batches, search))
        for length, spent in best.items():
            print(
                f"beam {beam}, prefix {length:2}: {spent:.3f} s for {options.sentences} sentences, "
                f"{spent / best[0]:.3f} x without"
            )


def config(prefix_length: int) -> PrefixTranslatorConfig:
    """Transformer-Tiny."""
    return PrefixTranslatorConfig(
        vocab=VOCABULARY, prefix_length=prefix_length, feature=FEATURE, dropout=0.0
    )


def with_prefix(base: PrefixTranslator, length: int) -> PrefixTranslator:
    """The weights of ``base``, with a fresh mapping network."""
    model = build(config(length)).eval()
    model.load_state_dict(base.state_dict(), strict=False)
    return model


def examples(sentences: int, size: int) -> list[Batch]:
    """Random words and vectors; the sentences of a batch are about equally long."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(8, 18, (sentences,), generator=generator).sort().values.tolist()
    batches = []
    for start in range(0, sentences, size):
        rows = [
            [*torch.randint(4, VOCABULARY, (length,), generator=generator).tolist(), EOS_ID]
            for length in lengths[start : start + size]
        ]
        vectors = Vectors(
            torch.randn(len(rows), FEATURE, generator=generator),
            torch.ones(len(rows), dtype=torch.bool),
        )
        batches.append(Batch(tuple(map(str, range(len(rows)))), Tokens.pad(rows), vectors=vectors))
    return batches


def seconds(model: PrefixTranslator, batches: list[Batch], search: SearchConfig) -> float:
    """Processor time of translating everything."""
    started = time.process_time()
    for batch in batches:
        translate(model, batch, search)
    return time.process_time() - started


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--beam", type=int, nargs="+", default=[5, 1])
    parser.add_argument("--prefix", type=int, nargs="+", default=[10])
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
