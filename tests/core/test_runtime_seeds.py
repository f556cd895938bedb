"""Processes, and random numbers that depend on where a run stands and on nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import InputError
from phosphene.core.runtime import Runtime, RuntimeConfig, seed_update

paths = st.lists(st.integers(0, 2**80), max_size=3)


def drawn(seed: int, *path: int) -> list[float]:
    seed_update(seed, *path)
    return torch.rand(4).tolist()


@given(st.integers(0, 2**32 - 1), paths)
def test_the_same_path_gives_the_same_numbers(seed: int, path: list[int]) -> None:
    first = drawn(seed, *path)
    torch.rand(3)
    assert drawn(seed, *path) == first


def test_neighbouring_paths_give_different_numbers() -> None:
    paths = [(stage, update, rank) for stage in (7, 8) for update in range(40) for rank in (0, 1)]
    numbers = {tuple(drawn(seed, *path)) for seed in (1, 2) for path in paths}
    assert len(numbers) == 2 * len(paths)


def test_one_process_is_the_main_one_and_has_everything() -> None:
    runtime = Runtime(RuntimeConfig(accelerator="cpu"))
    assert (runtime.rank, runtime.processes, runtime.is_main) == (0, 1, True)
    assert runtime.launch(lambda: 7) == 7
    assert runtime.sum(torch.tensor([2.0])).tolist() == [2.0]
    assert runtime.of_main({"loss": 0.1, "bleu": float("inf")}) == {
        "loss": 0.1,
        "bleu": float("inf"),
    }
    assert "1 process(es), 32-true" in runtime.describe()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_device_that_is_not_there_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"runtime\.accelerator: 'cuda' was asked for"):
        Runtime(RuntimeConfig(accelerator="cuda"))
