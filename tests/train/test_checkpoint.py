"""Checkpoints: bit for bit, whole or not at all, refused by name when damaged."""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from phosphene.core.errors import InputError, StorageError
from phosphene.train.checkpoint import (
    Checkpoint,
    DamagedCheckpoint,
    average,
    latest_checkpoint,
    load_modules,
    module_tensors,
    read_checkpoint,
    write_checkpoint,
)


def checkpoint(number: int) -> Checkpoint:
    return Checkpoint(
        {
            "a": torch.full((3, 2), number + 0.1),
            "b": torch.tensor([number, -1]),
            "odd": torch.tensor([float("nan"), -0.0, float("inf"), 1e-45]),
            "transposed": torch.arange(6.0).reshape(2, 3).T,
            "step": torch.tensor(float(number)),
        },
        {"update": number, "best": float("inf"), "list": [1, 2]},
    )


def bits(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[object, ...]]:
    return {
        name: (tensor.dtype, tensor.shape, bytes(tensor.contiguous().view(-1).view(torch.uint8)))
        for name, tensor in tensors.items()
    }


def test_what_is_read_is_what_was_written_bit_for_bit(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "resume-1", checkpoint(1))
    again = read_checkpoint(tmp_path / "resume-1")
    assert bits(again.tensors) == bits(checkpoint(1).tensors)
    assert again.state == checkpoint(1).state
    assert {path.name for path in tmp_path.rglob("*")} == {
        "resume-1",
        "state.json",
        "tensors.safetensors",
    }


def test_a_checkpoint_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    for number in (1, 2):
        write_checkpoint(tmp_path / "final", checkpoint(number))
    assert read_checkpoint(tmp_path / "final").state["update"] == 2


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


Damage = Callable[[Path], None]
damages = pytest.mark.parametrize("damage", [cut, flip, empty, Path.unlink])


@damages
def test_damaged_tensors_are_refused_by_name(tmp_path: Path, damage: Damage) -> None:
    write_checkpoint(tmp_path / "resume-7", checkpoint(7))
    damage(tmp_path / "resume-7" / "tensors.safetensors")
    with pytest.raises(DamagedCheckpoint, match=r"resume-7: damaged checkpoint \("):
        read_checkpoint(tmp_path / "resume-7")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sha256": 1, "state": {}}'])
def test_a_damaged_state_is_refused_by_name(tmp_path: Path, text: str) -> None:
    write_checkpoint(tmp_path / "resume-7", checkpoint(7))
    (tmp_path / "resume-7" / "state.json").write_text(text, encoding="utf-8")
    with pytest.raises(DamagedCheckpoint, match="resume-7: damaged checkpoint"):
        read_checkpoint(tmp_path / "resume-7")


def test_a_changed_digit_of_the_state_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "resume-7", checkpoint(7))
    path = tmp_path / "resume-7" / "state.json"
    text = path.read_text(encoding="utf-8")
    assert '"update": 7' in text
    path.write_text(text.replace('"update": 7', '"update": 6'), encoding="utf-8")
    with pytest.raises(DamagedCheckpoint, match="checksum of the state differs"):
        read_checkpoint(tmp_path / "resume-7")


def test_a_checkpoint_without_a_checksum_of_its_state_is_read(tmp_path: Path) -> None:
    """As they were written at first."""
    write_checkpoint(tmp_path / "resume-7", checkpoint(7))
    path = tmp_path / "resume-7" / "state.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["state_sha256"]
    path.write_text(json.dumps(record), encoding="utf-8")
    assert read_checkpoint(tmp_path / "resume-7").state == checkpoint(7).state


@damages
def test_the_one_before_a_damaged_one_is_used(tmp_path: Path, damage: Damage) -> None:
    for number in (1, 2, 3):
        write_checkpoint(tmp_path / f"resume-{number}", checkpoint(number))
    damage(tmp_path / "resume-3" / "tensors.safetensors")
    said: list[str] = []
    found = latest_checkpoint(tmp_path, "resume-", said.append)
    assert found is not None and found.state["update"] == 2
    assert len(said) == 1 and "resume-3: damaged checkpoint" in said[0]


def test_no_sound_checkpoint_is_an_error_and_none_at_all_is_not(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path, "resume-", print) is None
    assert latest_checkpoint(tmp_path / "missing", "resume-", print) is None
    said: list[str] = []
    for number in (1, 2):
        write_checkpoint(tmp_path / f"resume-{number}", checkpoint(number))
        flip(tmp_path / f"resume-{number}" / "tensors.safetensors")
    with pytest.raises(DamagedCheckpoint, match=r"all 2 checkpoints resume-\* are damaged"):
        latest_checkpoint(tmp_path, "resume-", said.append)
    assert [name for name in ("resume-2", "resume-1") for line in said if name in line] == [
        "resume-2",
        "resume-1",
    ]


def save_on_a_full_disk(folder: Path, answer: Path) -> None:
    """In a process of its own, no file of which may grow beyond 1,000 bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        write_checkpoint(folder, Checkpoint({"a": torch.zeros(1000)}, {}))
    except StorageError as error:
        answer.write_text(str(error), encoding="utf-8")


@pytest.mark.parametrize("name", ["resume-1", "resume-2"])
def test_a_full_disk_leaves_the_checkpoints_before_intact(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path / "resume-1", checkpoint(1))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["phosphene.train.trainer", "phosphene.models.translator"])
    process = context.Process(
        target=save_on_a_full_disk, args=(tmp_path / name, tmp_path / "answer")
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0
    message = (tmp_path / "answer").read_text(encoding="utf-8")
    assert message.endswith(
        f"{name}: could not be saved (File too large); earlier checkpoints are intact"
    )
    assert "\n" not in message
    assert bits(read_checkpoint(tmp_path / "resume-1").tensors) == bits(checkpoint(1).tensors)
    assert {path.name for path in tmp_path.iterdir()} == {"resume-1", "answer"}


def test_modules_are_saved_and_loaded_with_their_buffers() -> None:
    def fresh(seed: int) -> dict[str, nn.Module]:
        torch.manual_seed(seed)
        return {"body": nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), "head": nn.Linear(3, 1)}

    one, other = fresh(1), fresh(2)
    one["body"](torch.randn(8, 2))  # moves the running statistics
    tensors = module_tensors(one)
    assert {"body.0.weight", "body.1.running_mean", "head.bias"} <= tensors.keys()
    load_modules(other, tensors)
    assert bits(module_tensors(other)) == bits(tensors)
    del tensors["head.bias"]
    with pytest.raises(InputError, match=r"^weights do not fit 'head'[^\n]*$"):
        load_modules(other, tensors)


def test_the_average_by_hand() -> None:
    weights = [
        {"w": torch.tensor([1.0, value]), "count": torch.tensor(number)}
        for number, value in enumerate([3.0, 4.0, 8.0])
    ]
    mean = average(weights)
    assert mean["w"].tolist() == [1.0, 5.0]
    assert mean["w"].dtype == torch.float32
    assert mean["count"].item() == 2
    # In 32 bits the small addend would be lost.
    large = [{"w": torch.tensor([2.0**25])}, {"w": torch.tensor([2.0])}, {"w": torch.tensor([2.0])}]
    expected = (2**25 + 4) / 3
    assert average(large)["w"].item() == torch.tensor(expected, dtype=torch.float32).item()
