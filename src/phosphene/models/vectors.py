"""Vectors of a frozen encoder, computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from torch import Tensor

from phosphene.core.runlog import RunLog
from phosphene.core.types import Vectors
from phosphene.data.image import load_rgb
from phosphene.data.store import Producer, Store, StoreWriter
from phosphene.models.aligned import AlignedEncoder

_ARRAY: Final = "vector"
_PART: Final = 256
_SHARD_BYTES: Final = 4 * 2**20
"""Two thousand vectors of 512 numbers: what a kill loses, at most."""


def store_text_vectors(
    folder: Path, encoder: AlignedEncoder, lines: Mapping[str, str], log: RunLog
) -> Store:
    """The vector of every sentence, by id; what is in the store already is not computed again.

    Raises:
        InputError: the store in ``folder`` is of another encoder, or damaged.
    """

    def compute(ids: Sequence[str]) -> Tensor:
        return encoder.text_vectors([lines[name] for name in ids])

    return _store(folder, encoder.identity, list(lines), compute, log, "sentence vectors")


def store_image_vectors(
    folder: Path, encoder: AlignedEncoder, pictures: Mapping[str, Path], log: RunLog
) -> Store:
    """The vector of every picture, by id; what is in the store already is not computed again.

    Raises:
        InputError: a picture is missing or damaged; the store in ``folder`` is of another encoder,
            or damaged.
    """

    def compute(ids: Sequence[str]) -> Tensor:
        return encoder.image_vectors(
            np.stack([load_rgb(pictures[name], encoder.side) for name in ids])
        )

    return _store(folder, encoder.identity, list(pictures), compute, log, "picture vectors")


def read_vectors(store: Store, ids: Sequence[str | None]) -> Vectors:
    """Vectors of a batch from the store; ``None`` stands for an example without one.

    Raises:
        InputError: an id is not in the store.
    """
    values, mask = store.padded(_ARRAY, ids)
    if not values.shape[1]:
        values, mask = values.new_zeros(len(ids), 1, values.shape[2]), mask.new_zeros(len(ids), 1)
    return Vectors(values[:, 0], mask[:, 0])


def _store(
    folder: Path,
    producer: Producer,
    ids: Sequence[str],
    compute: Callable[[Sequence[str]], Tensor],
    log: RunLog,
    label: str,
) -> Store:
    with StoreWriter(folder, producer, shard_bytes=_SHARD_BYTES, wait=log.say) as writer:
        missing = writer.missing(ids)
        with log.progress(label, len(ids), len(ids) - len(missing)) as advance:
            for start in range(0, len(missing), _PART):
                part = missing[start : start + _PART]
                for name, vector in zip(part, compute(part), strict=True):
                    writer.add(name, {_ARRAY: vector[None]})
                advance(len(ids) - len(missing) + start + len(part))
    return Store(folder, producer)


__all__ = ["read_vectors", "store_image_vectors", "store_text_vectors"]
