"""Arrays that a frozen model computed once: region features, aligned vectors, teacher states.

A store is a folder::

    store.json                  the producer, the arrays of an entry, how many shards there are
    shard-00000.safetensors     some entries one after another, in the order they were added
    shard-00001.safetensors     ...

An *entry* has an id and a few named arrays, the same names in every entry. The first dimension of
an array may differ from entry to entry (10 to 100 regions, the matched positions of a sentence);
the rest of its shape and its type are fixed. A shard holds, for each array ``NAME``,

==============  =======================  ========================================================
``NAME``        ``[rows, *rest]``        the arrays of its entries, stacked along the first axis
``NAME.start``  int64 ``[entries + 1]``  entry ``e`` has the rows ``start[e]`` to ``start[e + 1]``
``NAME.crc32``  int64 ``[entries]``      check sum of the bytes of each entry
==============  =======================  ========================================================

and the ids as a JSON list under ``ids`` in its metadata, so any reader of safetensors can open it.

Shards appear whole or not at all. A writer that was killed is started again: finished shards stay
and ``missing`` says which ids are still to be done. Reading maps the files into memory: an entry
costs what it weighs, and the system takes back what has not been read lately. Sizes are checked
when a store is opened, check sums when an entry is first read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.files import alone_in
from phosphene.data.shards import (
    INDEX,
    STORED_DTYPES,
    Arrays,
    ArraySpec,
    Index,
    Producer,
    Shard,
    described,
    shard_numbers,
    shard_path,
    write_shard,
)


@final
class Store:
    """Reads a store.

    Args:
        folder: where it is.
        producer: who must have made it; anybody if not given.

    Raises:
        InputError: no store is there, another producer made it, or a shard is missing, truncated
            or damaged.
    """

    def __init__(self, folder: Path, producer: Producer | None = None) -> None:
        index = Index.load(folder, producer)
        self.folder = folder
        self.producer = index.producer
        self.arrays = index.arrays
        """Type and trailing shape of every array."""
        self._shards = [Shard(shard_path(folder, n), index.arrays) for n in range(index.shards)]
        self._places = {
            name: (shard, entry) for shard in self._shards for entry, name in enumerate(shard.ids)
        }

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def read(self, ids: Iterable[str], names: Sequence[str] = ()) -> list[dict[str, Tensor]]:
        """The arrays ``names`` (all of them if none is named) of each entry, in their stored type.

        They are views of the files: do not write into them.

        Raises:
            InputError: there is no such entry or array, or it is damaged.
        """
        wanted = tuple(names or self.arrays)
        for name in wanted:
            if name not in self.arrays:
                raise InputError(f"{self.folder}: no array {name!r} but {described(self.arrays)}")
        return [
            {name: shard.read(name, entry) for name in wanted}
            for shard, entry in map(self._place, ids)
        ]

    def padded(
        self, name: str, ids: Sequence[str | None]
    ) -> tuple[Float[Tensor, "batch length ..."], Bool[Tensor, "batch length"]]:
        """One array of many entries side by side, in float32, zero where there is nothing.

        Args:
            name: which array.
            ids: whose; ``None`` stands for an entry without rows.

        Returns:
            The values, and a mask that is ``True`` where there are any.
        """
        found = iter(self.read((i for i in ids if i is not None), [name]))
        nothing = torch.zeros(0, *self.arrays[name].rest)
        return pad([nothing if i is None else next(found)[name] for i in ids])

    def bytes_per_entry(self) -> dict[str, float]:
        """Mean size of each array of an entry, in bytes."""
        entries = max(len(self), 1)
        return {
            name: sum(shard.arrays[name].nbytes for shard in self._shards) / entries
            for name in self.arrays
        }

    def _place(self, name: str) -> tuple[Shard, int]:
        try:
            return self._places[name]
        except KeyError:
            raise InputError(f"{self.folder}: no entry {name!r} among {len(self):,}") from None


@final
class StoreWriter:
    """Makes a store, or goes on with one; use it in a ``with`` block.

    ::

        with StoreWriter(folder, producer, half=("features",)) as writer:
            for name in writer.missing(ids):
                writer.add(name, {"features": ..., "boxes": ...})

    Args:
        folder: where to make it. One process at a time may write there.
        producer: who computes the entries.
        half: arrays to store in float16 (rounding changes a value by less than 1e-3 of it); other
            floats are stored in float32, int64 and uint8 as they are.
        shard_bytes: about the size of a shard; a writer holds three times as much in memory.
        wait: told, once, that another process is writing there, before waiting for it.

    Raises:
        InputError: the store there is of another producer or stored in another way, a shard is
            damaged, or another process is writing and ``wait`` is not given.
    """

    def __init__(
        self,
        folder: Path,
        producer: Producer,
        *,
        half: Collection[str] = (),
        shard_bytes: int = 64 * 2**20,
        wait: Callable[[str], None] | None = None,
    ) -> None:
        self._folder = folder
        self._producer = producer
        self._half = tuple(sorted(half))
        self._shard_bytes = shard_bytes
        self._wait = wait
        self._held = ExitStack()
        self._arrays: dict[str, ArraySpec] = {}
        self._ids: set[str] = set()
        self._pending: list[tuple[str, Arrays]] = []
        self._pending_bytes = 0

    def __enter__(self) -> StoreWriter:
        with ExitStack() as stack:
            stack.enter_context(alone_in(self._folder, self._wait))
            self._resume()
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._held:
            if kind is None:
                self._flush()

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Those of ``ids`` that are still to be done, in their order, each once."""
        return [name for name in dict.fromkeys(ids) if name not in self._ids]

    def add(self, name: str, arrays: Arrays) -> None:
        """Append one entry.

        Raises:
            ValueError: the entry is there already, or its arrays are not those of the others.
            InputError: a value is too large for float16.
        """
        if name in self._ids:
            raise ValueError(f"entry {name!r} is there already")
        stored = {key: self._stored(name, key, array) for key, array in arrays.items()}
        found = {key: ArraySpec.of(array) for key, array in stored.items()}
        if not self._ids:
            self._arrays = found
        elif found != self._arrays:
            raise ValueError(f"entry {name!r}: {described(found)}, not {described(self._arrays)}")
        self._ids.add(name)
        self._pending.append((name, stored))
        self._pending_bytes += sum(array.nbytes for array in stored.values())
        if self._pending_bytes >= self._shard_bytes:
            self._flush()

    def _resume(self) -> None:
        if (self._folder / INDEX).exists():
            index = Index.load(self._folder, self._producer)
            if index.half != self._half:
                raise InputError(
                    f"{self._folder}: float16 for [{', '.join(index.half)}], expected "
                    f"[{', '.join(self._half)}]; choose another folder or delete this one"
                )
            self._arrays = index.arrays
        for number in shard_numbers(self._folder):
            self._ids.update(Shard(shard_path(self._folder, number), self._arrays).ids)
        self._save_index()

    def _stored(self, entry: str, name: str, array: Tensor) -> Tensor:
        """``array`` in the type it is stored in, as memory of its own.

        A view would keep the whole batch that it was cut from until the shard is written.
        """
        if array.dim() == 0:
            raise ValueError(f"entry {entry!r}: {name} has no dimension")
        dtype = array.dtype
        if array.is_floating_point():
            dtype = torch.float16 if name in self._half else torch.float32
        elif dtype not in STORED_DTYPES:
            raise ValueError(
                f"entry {entry!r}: {name} is {dtype}, expected a float, int64 or uint8"
            )
        kept = array.detach().to("cpu", dtype)
        if dtype == torch.float16 and bool((kept.isinf() & array.cpu().isfinite()).any()):
            raise InputError(
                f"{self._folder}: {name} of {entry!r} has values beyond the range of float16; "
                "store it in float32"
            )
        return kept.clone(memory_format=torch.contiguous_format)

    def _flush(self) -> None:
        """Write what is pending as one shard, in the first gap there is."""
        if self._pending:
            taken = set(shard_numbers(self._folder))
            free = next(number for number in range(len(taken) + 1) if number not in taken)
            self._save_index()  # no shard stands without a description of its arrays
            write_shard(shard_path(self._folder, free), self._pending)
            self._pending.clear()
            self._pending_bytes = 0
        self._save_index()

    def _save_index(self) -> None:
        shards = max(shard_numbers(self._folder), default=-1) + 1
        Index(self._producer, self._half, self._arrays, shards).save(self._folder)


def pad(
    arrays: Sequence[Tensor],
) -> tuple[Float[Tensor, "batch length ..."], Bool[Tensor, "batch length"]]:
    """Arrays that differ in their first dimension side by side, in float32, and where they are."""
    longest = max(map(len, arrays), default=0)
    rest = arrays[0].shape[1:] if arrays else ()
    values = torch.zeros(len(arrays), longest, *rest)
    mask = torch.zeros(len(arrays), longest, dtype=torch.bool)
    for row, array in enumerate(arrays):
        values[row, : len(array)] = array
        mask[row, : len(array)] = True
    return values, mask


__all__ = ["ArraySpec", "Arrays", "Producer", "Store", "StoreWriter", "pad"]
