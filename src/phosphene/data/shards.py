"""The files of a store: the index that describes it, and the shards that hold its entries.

:mod:`phosphene.data.store` documents the format and is what the rest of the project uses.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically

Arrays = Mapping[str, Tensor]
"""The arrays of one entry by name."""

INDEX: Final = "store.json"
_FORMAT: Final = 1
_DTYPE_NAMES: Final = {
    torch.float16: "float16",
    torch.float32: "float32",
    torch.int64: "int64",
    torch.uint8: "uint8",
}
STORED_DTYPES: Final = frozenset(_DTYPE_NAMES)
_AGAIN: Final = "make the store again: what is intact is kept"


@dataclass(frozen=True)
class Producer:
    """Who computed the entries: a name for people, and a hash of weights and settings."""

    name: str
    digest: str

    @classmethod
    def of(cls, name: str, weights: Mapping[str, Tensor], *settings: str) -> Producer:
        """Identify a model by its state dict and by whatever else shapes what it computes."""
        hashed = hashlib.sha256()
        for text in settings:
            hashed.update(f"{len(text)}:{text}".encode())
        for key in sorted(weights):
            value = weights[key].detach().cpu().contiguous()
            hashed.update(f"{key} {value.dtype} {list(value.shape)}".encode())
            hashed.update(_bytes(value))
        return cls(name, hashed.hexdigest()[:12])

    def __str__(self) -> str:
        return f"{self.name} ({self.digest})"


@dataclass(frozen=True)
class ArraySpec:
    """Type and shape of one array, its first dimension apart."""

    dtype: str
    rest: tuple[int, ...]

    @classmethod
    def of(cls, array: Tensor) -> ArraySpec:
        """The specification that ``array`` meets."""
        return cls(_DTYPE_NAMES[array.dtype], tuple(array.shape[1:]))

    def __str__(self) -> str:
        return f"{self.dtype} [_{''.join(f', {side}' for side in self.rest)}]"


@dataclass(frozen=True)
class Index:
    """What ``store.json`` says."""

    producer: Producer
    half: tuple[str, ...]
    arrays: dict[str, ArraySpec]
    shards: int

    def save(self, folder: Path) -> None:
        """Write ``store.json``."""
        record = {
            "format": _FORMAT,
            "producer": {"name": self.producer.name, "digest": self.producer.digest},
            "half": self.half,
            "arrays": {
                name: {"dtype": spec.dtype, "rest": spec.rest} for name, spec in self.arrays.items()
            },
            "shards": self.shards,
        }
        write_atomically(folder / INDEX, (json.dumps(record, indent=2) + "\n").encode())

    @classmethod
    def load(cls, folder: Path, producer: Producer | None) -> Index:
        """Read ``store.json``.

        Raises:
            InputError: it is not there or not understood, or names another producer.
        """
        path = folder / INDEX
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["format"] != _FORMAT:
                raise InputError(f"{path}: format {record['format']}, expected {_FORMAT}")
            found = Producer(record["producer"]["name"], record["producer"]["digest"])
            arrays = {
                name: ArraySpec(spec["dtype"], tuple(spec["rest"]))
                for name, spec in record["arrays"].items()
            }
            index = cls(found, tuple(record["half"]), arrays, record["shards"])
        except FileNotFoundError:
            raise InputError(f"{folder}: no store is there (no {INDEX})") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: expected the index of a store, but: {error!r}") from error
        if producer is not None and found != producer:
            raise InputError(
                f"{folder}: made by {found}, expected {producer}; "
                "choose another folder or delete this one"
            )
        return index


@final
class Shard:
    """One file of entries, mapped into memory; it does not stay open.

    Raises:
        InputError: it is missing, truncated, or not of the store that ``arrays`` describe.
    """

    def __init__(self, path: Path, arrays: Mapping[str, ArraySpec]) -> None:
        self.path = path
        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                self.ids: list[str] = json.loads(file.metadata()["ids"])
            self.arrays = {name: tensors[name] for name in arrays}
            self._starts = {name: tensors[f"{name}.start"].numpy() for name in arrays}
            self._sums = {name: tensors[f"{name}.crc32"].numpy() for name in arrays}
        except FileNotFoundError:
            raise InputError(f"{path}: the shard is missing; {_AGAIN}") from None
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: damaged or truncated shard ({error}); delete it and {_AGAIN}"
            ) from error
        found = {name: ArraySpec.of(array) for name, array in self.arrays.items()}
        if found != arrays:
            raise InputError(f"{path}: a shard with {described(found)}, not {described(arrays)}")
        self._checked = {name: bytearray(len(self.ids)) for name in arrays}

    def read(self, name: str, entry: int) -> Tensor:
        """One array of one entry, without a copy.

        Raises:
            InputError: its check sum, looked at once, is wrong.
        """
        start, end = self._starts[name][entry : entry + 2]
        array = self.arrays[name][start:end]
        if not self._checked[name][entry]:
            if zlib.crc32(_bytes(array)) != self._sums[name][entry]:
                raise InputError(
                    f"{self.path}: damaged shard: {name} of {self.ids[entry]!r} is not what was "
                    f"written; delete it and {_AGAIN}"
                )
            self._checked[name][entry] = 1
        return array


def write_shard(path: Path, entries: Sequence[tuple[str, Arrays]]) -> None:
    """Write ``entries`` (id, arrays), at least one, as one file."""
    tensors = {}
    for name in entries[0][1]:
        parts = [arrays[name] for _, arrays in entries]
        tensors[name] = torch.cat(parts)
        tensors[f"{name}.start"] = torch.tensor([0, *map(len, parts)]).cumsum(0)
        tensors[f"{name}.crc32"] = torch.tensor([zlib.crc32(_bytes(part)) for part in parts])
    write_atomically(path, save(tensors, {"ids": json.dumps([name for name, _ in entries])}))


def shard_path(folder: Path, number: int) -> Path:
    """Where the shard with this number is, or would be."""
    return folder / f"shard-{number:05d}.safetensors"


def shard_numbers(folder: Path) -> list[int]:
    """The numbers of the shards that are there."""
    paths = folder.glob("shard-*.safetensors")
    return sorted(int(path.stem.removeprefix("shard-")) for path in paths)


def described(arrays: Mapping[str, ArraySpec]) -> str:
    """The arrays of an entry in words."""
    return ", ".join(f"{name} {spec}" for name, spec in arrays.items()) or "nothing"


def _bytes(array: Tensor) -> memoryview:
    """The memory of a contiguous array."""
    return array.reshape(-1).view(torch.uint8).numpy().data


__all__ = [
    "INDEX",
    "STORED_DTYPES",
    "ArraySpec",
    "Arrays",
    "Index",
    "Producer",
    "Shard",
    "described",
    "shard_numbers",
    "shard_path",
    "write_shard",
]
