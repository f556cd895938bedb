"""The store: what is written is read, whoever is killed in between."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.data.store import Producer, Store, StoreWriter, pad

DETECTOR = Producer("detector", "1234")


def entry(number: int, rows: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(number)
    return {
        "features": torch.randn(rows, 4, generator=generator),
        "boxes": torch.rand(rows, 4, generator=generator),
        "positions": torch.arange(rows) + number,
    }


def write(
    folder: Path, numbers: Iterator[int] | range, *, shard_bytes: int = 300, half: str = ""
) -> Store:
    """Entries ``e0``, ``e1``, ... of 0 to 4 rows; 120 bytes a row at most."""
    with StoreWriter(
        folder, DETECTOR, half=[half] if half else [], shard_bytes=shard_bytes
    ) as writer:
        for number in numbers:
            writer.add(f"e{number}", entry(number, number % 5))
    return Store(folder, DETECTOR)


def test_what_is_written_is_read_in_any_order(tmp_path: Path) -> None:
    store = write(tmp_path, range(20))
    assert len(store) == 20 and list(store) == [f"e{n}" for n in range(20)]
    assert len(list(tmp_path.glob("shard-*"))) > 3
    for number, found in zip((7, 19, 0, 7), store.read(["e7", "e19", "e0", "e7"]), strict=True):
        expected = entry(number, number % 5)
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert found[name].dtype == array.dtype
            assert torch.equal(found[name], array)
    assert store.read(["e3"], ["boxes"])[0].keys() == {"boxes"}


def test_a_shard_is_an_ordinary_safetensors_file(tmp_path: Path) -> None:
    write(tmp_path, range(3), shard_bytes=10**6)
    with safe_open(tmp_path / "shard-00000.safetensors", "pt") as file:
        assert json.loads(file.metadata()["ids"]) == ["e0", "e1", "e2"]
        assert file.get_tensor("boxes.start").tolist() == [0, 0, 1, 3]
        assert torch.equal(file.get_tensor("boxes")[1:3], entry(2, 2)["boxes"])


def test_half_precision_keeps_three_digits_and_half_the_bytes(tmp_path: Path) -> None:
    exact, rounded = (
        write(tmp_path / "a", range(20)),
        write(tmp_path / "b", range(20), half="features"),
    )
    assert rounded.arrays["features"].dtype == "float16"
    assert exact.bytes_per_entry() == {"features": 32.0, "boxes": 32.0, "positions": 16.0}
    assert rounded.bytes_per_entry() == {"features": 16.0, "boxes": 32.0, "positions": 16.0}
    values, mask = exact.padded("features", ["e4", "e9"])
    close, _ = rounded.padded("features", ["e4", "e9"])
    assert close.dtype == torch.float32 and mask.all()
    assert 0 < ((close - values).abs() / values.abs()).max() < 1e-3
    with (
        pytest.raises(
            InputError, match=r"features of 'big' has values beyond the range of float16"
        ),
        StoreWriter(tmp_path / "b", DETECTOR, half=["features"]) as writer,
    ):
        writer.add("big", entry(0) | {"features": torch.full((1, 4), 1e5)})


@given(
    rows=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    shard_bytes=st.integers(1, 600),
    wanted=st.lists(st.one_of(st.none(), st.integers(0, 11)), max_size=8),
)
@settings(max_examples=25, deadline=None)
def test_padding_puts_every_row_where_the_mask_says(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[int],
    shard_bytes: int,
    wanted: list[int | None],
) -> None:
    folder = tmp_path_factory.mktemp("store")
    with StoreWriter(folder, DETECTOR, shard_bytes=shard_bytes) as writer:
        for number, count in enumerate(rows):
            writer.add(str(number), entry(number, count))
    ids = [None if n is None else n % len(rows) for n in wanted]
    values, mask = Store(folder).padded("boxes", [None if n is None else str(n) for n in ids])
    assert mask.sum(dim=1).tolist() == [0 if n is None else rows[n] for n in ids]
    assert (values[~mask] == 0).all()
    for row, number in enumerate(ids):
        if number is not None:
            assert torch.equal(values[row][mask[row]], entry(number, rows[number])["boxes"])


def test_a_writer_that_was_killed_goes_on_and_loses_only_the_unfinished_shard(
    tmp_path: Path,
) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        StoreWriter(tmp_path, DETECTOR, shard_bytes=300) as writer,
    ):
        for number in range(10):
            writer.add(f"e{number}", entry(number, number % 5))
            if number == 8:
                raise KeyboardInterrupt
    (tmp_path / ".shard-00009.safetensors.partial").write_bytes(b"half a shard")
    kept = set(Store(tmp_path))
    assert 0 < len(kept) < 9
    names = [f"e{number}" for number in range(20)]
    with StoreWriter(tmp_path, DETECTOR, shard_bytes=300) as writer:
        assert set(writer.missing(names)) == set(names) - kept
        assert writer.missing(["new", "new", "e0"]) == ["new"]
        for name in writer.missing(names):
            writer.add(name, entry(int(name[1:]), int(name[1:]) % 5))
        assert writer.missing(names) == []
    store = Store(tmp_path)
    assert sorted(store) == sorted(names)
    for number, found in enumerate(store.read(names)):
        assert torch.equal(found["features"], entry(number, number % 5)["features"])


def test_a_shard_written_without_being_counted_is_taken_up(tmp_path: Path) -> None:
    write(tmp_path, range(20))
    index = json.loads((tmp_path / "store.json").read_text())
    (tmp_path / "store.json").write_text(json.dumps(index | {"shards": index["shards"] - 1}))
    assert len(Store(tmp_path)) < 20
    with StoreWriter(tmp_path, DETECTOR, shard_bytes=300) as writer:
        assert writer.missing(f"e{number}" for number in range(20)) == []
    assert len(Store(tmp_path)) == 20


def test_another_producer_is_refused_and_both_are_named(tmp_path: Path) -> None:
    write(tmp_path, range(2))
    other = Producer("other detector", "99")
    for opened in (
        lambda: Store(tmp_path, other),
        lambda: StoreWriter(tmp_path, other).__enter__(),
    ):
        with pytest.raises(
            InputError, match=r"made by detector \(1234\), expected other detector \(99\)"
        ):
            opened()
    with pytest.raises(InputError, match=r"float16 for \[\], expected \[boxes\]"):
        StoreWriter(tmp_path, DETECTOR, half=["boxes"]).__enter__()
    with StoreWriter(tmp_path, DETECTOR):  # who was refused holds nothing
        pass
    assert Store(tmp_path).producer == DETECTOR


def test_a_truncated_shard_is_refused_by_name_and_made_again(tmp_path: Path) -> None:
    write(tmp_path, range(20))
    damaged = tmp_path / "shard-00001.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    for opened in (lambda: Store(tmp_path), lambda: StoreWriter(tmp_path, DETECTOR).__enter__()):
        with pytest.raises(
            InputError, match=r"shard-00001.safetensors: damaged or truncated shard"
        ):
            opened()
    damaged.unlink()
    with pytest.raises(InputError, match=r"shard-00001.safetensors: the shard is missing"):
        Store(tmp_path)
    names = [f"e{number}" for number in range(20)]
    with StoreWriter(tmp_path, DETECTOR) as writer:
        gone = writer.missing(names)
        assert 0 < len(gone) < 20
        for name in gone:
            writer.add(name, entry(int(name[1:]), int(name[1:]) % 5))
    assert damaged.exists() and sorted(Store(tmp_path)) == sorted(names)


def test_a_flipped_bit_is_found_when_its_entry_is_read(tmp_path: Path) -> None:
    write(tmp_path, range(4), shard_bytes=10**6)
    shard = tmp_path / "shard-00000.safetensors"
    content = bytearray(shard.read_bytes())
    place = content.index(entry(3, 3)["features"].numpy().tobytes())
    content[place + 5] ^= 1
    shard.write_bytes(content)
    store = Store(tmp_path)
    store.read(["e1", "e2"])
    store.read(["e3"], ["boxes"])
    with pytest.raises(InputError, match=r"shard-00000.*damaged shard: features of 'e3'"):
        store.read(["e3"])


def test_an_index_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no store is there \(no store.json\)"):
        Store(tmp_path)
    (tmp_path / "store.json").write_text('{"format": 1}')
    with pytest.raises(InputError, match=r"store.json: expected the index of a store"):
        Store(tmp_path)
    (tmp_path / "store.json").write_text('{"format": 2}')
    with pytest.raises(InputError, match=r"store.json: format 2, expected 1"):
        Store(tmp_path)


def test_an_entry_that_does_not_fit_the_others_is_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path, DETECTOR) as writer:
        writer.add("a", entry(1))
        with pytest.raises(ValueError, match="'a' is there already"):
            writer.add("a", entry(1))
        with pytest.raises(
            ValueError, match=r"features float32 \[_, 5\].*not features float32 \[_, 4\]"
        ):
            writer.add("b", entry(1) | {"features": torch.zeros(2, 5)})
        with pytest.raises(ValueError, match="boxes has no dimension"):
            writer.add("b", entry(1) | {"boxes": torch.tensor(1.0)})
        with pytest.raises(ValueError, match=r"positions is torch\.bool"):
            writer.add("b", entry(1) | {"positions": torch.ones(3, dtype=torch.bool)})
    store = Store(tmp_path)
    assert list(store) == ["a"]
    with pytest.raises(InputError, match="no entry 'b' among 1"):
        store.read(["b"])
    with pytest.raises(InputError, match="no array 'pixels' but features float32"):
        store.read(["a"], ["pixels"])


def test_a_store_may_be_empty(tmp_path: Path) -> None:
    with StoreWriter(tmp_path, DETECTOR):
        pass
    store = Store(tmp_path)
    assert len(store) == 0 and store.bytes_per_entry() == {}
    assert pad([])[0].shape == (0, 0)


def test_a_producer_is_its_weights_and_settings() -> None:
    weights = {"a": torch.ones(2, 3), "b": torch.zeros(0)}
    same = {"b": torch.zeros(0), "a": torch.ones(3, 2).t()}
    first = Producer.of("cnn", weights, "side = 64")
    assert first == Producer.of("cnn", same, "side = 64")
    assert first != Producer.of("cnn", weights, "side = 32")
    assert first != Producer.of("cnn", weights | {"a": torch.full((2, 3), 2.0)}, "side = 64")
    assert str(first) == f"cnn ({first.digest})"


def anonymous_memory() -> int:
    """Bytes that the system cannot take back: mapped files, which it can, do not count."""
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux counts memory by kind")
def test_memory_stays_constant_over_ten_thousand_entries(tmp_path: Path) -> None:
    template = {
        "states": torch.randn(8, 192),
        "image": torch.randn(4, 192),
        "logits": torch.randn(40),
    }
    names = [f"question-{number}" for number in range(10_000)]
    before = anonymous_memory()
    with StoreWriter(tmp_path, DETECTOR, half=["states"], shard_bytes=2**21) as writer:
        for number, name in enumerate(names):
            writer.add(name, template | {"logits": template["logits"] + number})
    written = anonymous_memory()
    store = Store(tmp_path)
    total = len(store) * sum(store.bytes_per_entry().values())
    assert total == 10_000 * (8 * 192 * 2 + 4 * 192 * 4 + 40 * 4) > 60e6
    started = time.perf_counter()
    for first in range(0, 10_000, 50):
        for offset, found in enumerate(store.read(names[first : first + 50])):
            assert found["logits"][0] == template["logits"][0] + (first + offset)
    assert time.perf_counter() - started < 10
    assert written - before < 20e6
    assert anonymous_memory() - written < 20e6
