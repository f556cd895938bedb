"""How fast the vision-language encoder trains, beside Hugging Face's BERT.

One training step (forward, backward, AdamW) of our encoder against plain ``BertModel`` of the same
size: over text alone; over text, tags and regions, where ``BertModel`` gets as many word pieces,
which is less work by the projection of the regions; and with a picture for one example in four, as
in Multi30K with the photos of Flickr8k. ``BertModel`` sees each example without padding between
text, tags and regions, cut to the longest of the batch; ours pads each of the three.

Everything is measured in one process, in turns, and the fastest of several repeats counts, so the
ratios hold on a noisy machine. The data are random, with the lengths of Multi30K captions.

    python benchmarks/encoder.py [--threads 1] [--steps 6] [--layers 6] [--hidden 384]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.core.types import Batch, Regions, Tokens
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig

VOCAB = 30_522
FEATURE = 2052
Work = Callable[[int], None]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--regions", type=int, default=36)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--heads", type=int, default=12)
    options = parser.parse_args()
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=options.threads))
    sizes = VLEncoderConfig(
        vocab=VOCAB,
        cls_id=101,
        sep_id=102,
        layers=options.layers,
        hidden=options.hidden,
        inner=4 * options.hidden,
        heads=options.heads,
    )
    batches = random_batches(options.steps, options.batch, options.regions)
    inputs = {
        "text": [batch.without("image") for batch in batches],
        "text + tags + regions": batches,
        "a picture for one in four": [mostly_blind(batch) for batch in batches],
    }
    results = {}
    for dropout in (0.1, 0.0):
        config = sizes.model_copy(update={"dropout": dropout, "attention_dropout": dropout})
        own = VLEncoder(config.model_copy(update={"feature": FEATURE}))
        other = hugging_face(config)
        contestants: dict[str, Work] = {}
        for name, given in inputs.items():
            contestants[f"{name}, BertModel"] = theirs(other, given)
            contestants[f"{name}, ours"] = ours(own, given)
        seconds = fastest(contestants, options.steps, options.repeats)
        print(f"dropout {dropout}")
        for name in inputs:
            base, mine = (
                1000 * seconds[f"{name}, {which}"] / options.steps
                for which in ("BertModel", "ours")
            )
            print(
                f"  {name:26s} BertModel {base:7.1f} ms/step, ours {mine:7.1f} ms/step, "
                f"ratio {mine / base:.2f}"
            )
        results[f"dropout {dropout}"] = seconds
    print(json.dumps({"machine": runtime.describe(), **vars(options), "seconds": results}))


def fastest(contestants: dict[str, Work], steps: int, repeats: int) -> dict[str, float]:
    """The least seconds that each needs, measured in turns."""
    best = dict.fromkeys(contestants, float("inf"))
    for work in contestants.values():
        work(1)
    for _ in range(repeats):
        for name, work in contestants.items():
            started = time.perf_counter()
            work(steps)
            best[name] = min(best[name], time.perf_counter() - started)
    return best


def ours(encoder: VLEncoder, batches: Sequence[Batch]) -> Work:
    """Training steps of our encoder."""

    def loss(step: int) -> torch.Tensor:
        trace = encoder(batches[step])
        return masked_square(trace.states, trace.mask)

    return steps_of(encoder, loss)


def hugging_face(config: VLEncoderConfig) -> nn.Module:
    """``BertModel`` of the same size, without its pooler."""
    from transformers import BertConfig, BertModel

    return BertModel(
        BertConfig(
            vocab_size=config.vocab,
            hidden_size=config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.inner,
            hidden_dropout_prob=config.dropout,
            attention_probs_dropout_prob=config.attention_dropout,
        ),
        add_pooling_layer=False,
    )


def theirs(bert: nn.Module, batches: Sequence[Batch]) -> Work:
    """Training steps of ``BertModel`` over as many rows, all of them word pieces."""
    rng = np.random.default_rng(1)
    inputs = [
        Tokens.pad([rng.integers(1000, VOCAB, count).tolist() for count in rows_of(batch)])
        for batch in batches
    ]

    def loss(step: int) -> torch.Tensor:
        given = inputs[step]
        states = bert(input_ids=given.ids, attention_mask=given.mask.long()).last_hidden_state
        return masked_square(states, given.mask)

    return steps_of(bert, loss)


def rows_of(batch: Batch) -> list[int]:
    """Rows of each example, [CLS] and [SEP] included."""
    count = batch.source.mask.sum(1) + 2
    if batch.tags is not None and batch.regions is not None:
        tags = batch.tags.mask.sum(1)
        count = count + tags + (tags > 0) + batch.regions.mask.sum(1)
    return [int(rows) for rows in count]


def masked_square(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """A loss that every real row takes part in."""
    return (states.square().mean(-1) * mask).sum() / mask.sum()


def steps_of(module: nn.Module, loss: Callable[[int], torch.Tensor]) -> Work:
    """The shortest training loop there is."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-5, fused=True)
    module.train()

    def work(steps: int) -> None:
        for step in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss(step).backward()
            optimizer.step()

    return work


def random_batches(number: int, size: int, regions: int) -> list[Batch]:
    """Sentences of similar length with 3 to 9 tags and ``regions`` regions, at times fewer."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(number):
        mean = rng.integers(9, 22)
        lengths = rng.integers(mean - 1, mean + 2, size)
        counts = np.minimum(rng.integers(regions // 2, 2 * regions, size), regions)
        present = torch.arange(regions) < torch.from_numpy(counts)[:, None]
        made.append(
            Batch(
                tuple(str(row) for row in range(size)),
                Tokens.pad([rng.integers(1000, VOCAB, length).tolist() for length in lengths]),
                tags=Tokens.pad(
                    [rng.integers(1000, VOCAB, rng.integers(3, 10)).tolist() for _ in lengths]
                ),
                regions=Regions(torch.rand(size, regions, FEATURE), present),
            )
        )
    return made


def mostly_blind(batch: Batch) -> Batch:
    """The same with three of four pictures taken away."""
    assert batch.tags is not None
    assert batch.regions is not None
    seeing = (torch.arange(len(batch)) % 4 == 0)[:, None]
    return replace(
        batch,
        tags=Tokens(batch.tags.ids, batch.tags.mask & seeing),
        regions=Regions(batch.regions.features, batch.regions.mask & seeing),
    )


if __name__ == "__main__":
    main()
