"""What a store of teacher states saves: a 12 x 768 teacher, a 4 x 312 student, random weights.

Three ways to the same update of the student: the teacher computes its states online, the states
come from a store, the states are in memory already. Times are the fastest of some updates, in turn.

    python benchmarks/cache.py [--updates 3] [--batch 8]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from phosphene.core.config import parse_settings
from phosphene.core.types import AlignedPositions, Batch, Parallel, Regions, Tokens
from phosphene.data.store import Producer, Store, StoreWriter, pad
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig
from phosphene.recipes.crosslingual_vqa_networks import Imitation
from phosphene.recipes.crosslingual_vqa_settings import Settings
from phosphene.train.optim import OptimConfig, adam, trainable

LAYERS = (3, 6, 9, 12)
TEXT, TAGS, REGIONS, MIXABLE = 14, 20, 50, 4
KEPT = 1 + TAGS + MIXABLE + REGIONS
STAGE = {"budget": {"max_updates": 1}}


def encoder(layers: int, hidden: int, inner: int) -> VLEncoder:
    config = VLEncoderConfig(
        vocab=2000, cls_id=1, sep_id=2, layers=layers, hidden=hidden, inner=inner, feature=2054
    )
    return VLEncoder(config)


def questions(size: int) -> Batch:
    mask = torch.ones(size, REGIONS, dtype=torch.bool)
    return Batch(
        tuple(map(str, range(size))),
        Tokens.pad(torch.randint(5, 2000, (size, TEXT)).tolist()),
        regions=Regions(torch.randn(size, REGIONS, 2054), mask),
        tags=Tokens.pad(torch.randint(5, 2000, (size, TAGS)).tolist()),
    )


def pairs(size: int, student: int, first: int, count: int) -> AlignedPositions:
    example = torch.arange(size).repeat_interleave(count)
    place = torch.arange(count).repeat(size)
    return AlignedPositions(example, place + student, place + first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    size: int = options.batch
    teacher, student = encoder(12, 768, 3072).eval(), encoder(4, 312, 1200)
    stages = dict.fromkeys(("english", "distil", "translated", "head", "whole"), STAGE)
    settings = parse_settings(Settings, {"data": {"source": "world"}, **stages}, "benchmark")
    imitation = Imitation.of(settings, student, teacher.config)
    optimizer = adam(trainable(imitation.modules.values()), OptimConfig(learning_rate=1e-4))
    batch = questions(size)
    rows = [0, *range(TEXT + 2, TEXT + 2 + TAGS), *range(1, 1 + MIXABLE)]
    rows += range(TEXT + TAGS + 3, TEXT + TAGS + 3 + REGIONS)

    @torch.no_grad()
    def online() -> torch.Tensor:
        layers = teacher(batch).layers
        return torch.stack([layers[layer][:, rows] for layer in LAYERS], dim=2)

    def update(states: torch.Tensor) -> None:
        parallel = Parallel(
            batch,
            states,
            pairs(size, 0, 0, 1),
            pairs(size, 0, 1 + TAGS + MIXABLE, REGIONS),
            pairs(size, 0, 1, TAGS),
            pairs(size, 0, 1 + TAGS, 2),
        )
        terms = imitation.terms(parallel, student(batch))
        optimizer.zero_grad()
        torch.stack([term.total / term.count for term in terms.values()]).sum().backward()
        optimizer.step()

    with TemporaryDirectory() as folder:
        producer = Producer("benchmark", "0")
        with StoreWriter(Path(folder), producer, half=["states"]) as writer:
            for name, states in zip(batch.ids, online(), strict=True):
                writer.add(name, {"states": states})
        store = Store(Path(folder), producer)

        def stored() -> torch.Tensor:
            return pad([entry["states"] for entry in store.read(batch.ids)])[0]

        memory = stored()
        ways: dict[str, Callable[[], torch.Tensor]] = {
            "online": online, "store": stored, "memory": lambda: memory,
        }  # fmt: skip
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        reading: list[float] = []
        for _ in range(options.updates + 1):  # the first warms up
            for name, way in ways.items():
                started = time.process_time()
                states = way()
                read = time.process_time() - started
                update(states)
                seconds[name].append(time.process_time() - started)
                if name == "store":
                    reading.append(read)
        best = {name: min(values[1:]) for name, values in seconds.items()}
        record = {
            "seconds_per_update": {name: round(value, 4) for name, value in best.items()},
            "store_against_online": round(best["online"] / best["store"], 2),
            "reading_share_of_update": round(min(reading[1:]) / best["store"], 4),
            "bytes_per_question": store.bytes_per_entry(),
            "rows_kept": KEPT,
        }
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
