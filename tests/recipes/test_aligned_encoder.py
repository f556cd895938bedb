"""The stage that aligns pictures and sentences is trained once and shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.data.corpus import CorpusConfig
from phosphene.recipes.aligned_encoder import AlignedConfig, LabelsConfig, aligned_encoder
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget
from phosphene.train.trainer import Trainer

DATA = CorpusConfig(source="world", tests=("ordinary", "ambiguous"))
CONFIG = AlignedConfig(
    encoder="two-towers",
    scenes=40,
    width=16,
    pictures_per_update=8,
    budget=Budget(max_updates=3, average_last=1),
    labels=LabelsConfig(pictures_per_update=8, budget=Budget(max_updates=2, average_last=1)),
)


def trainer(folder: Path) -> Trainer:
    folder.mkdir(exist_ok=True)
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    return Trainer(folder, runtime, RunLog(folder / "log.jsonl", quiet=True), 1)


def test_runs_share_an_encoder_and_its_recall(tmp_path: Path) -> None:
    first = aligned_encoder(trainer(tmp_path / "one"), CONFIG, DATA, 1)
    (folder,) = (tmp_path / "shared").iterdir()
    events = RunLog(folder / "log.jsonl").events()
    recalls = [event for event in events if event["kind"] == "recall"]
    assert [event["language"] for event in recalls] == ["en", "de", "fr"]
    assert all(0 <= event["R@1"] <= event["R@5"] <= event["R@10"] <= 1 for event in recalls)
    again = aligned_encoder(trainer(tmp_path / "two"), CONFIG, DATA, 1)
    assert again.identity == first.identity
    assert RunLog(folder / "log.jsonl").events() == events
    other = CONFIG.model_copy(update={"width": 8})
    assert aligned_encoder(trainer(tmp_path / "one"), other, DATA, 1).identity != first.identity
    assert len(list((tmp_path / "shared").iterdir())) == 2


@pytest.mark.slow
def test_the_worlds_encoder_finds_unseen_scenes(tmp_path: Path) -> None:
    """R@10 of 250 pictures is 0.04 by chance; 250 updates of 64 scenes found 0.70 and more."""
    config = AlignedConfig(
        encoder="two-towers",
        scenes=4000,
        pictures_per_update=64,
        budget=Budget(max_updates=250, average_last=1),
        optim=OptimConfig(learning_rate=0.003, warmup_updates=30, schedule="cosine"),
    )
    aligned_encoder(trainer(tmp_path / "run"), config, DATA, 1)
    (folder,) = (tmp_path / "shared").iterdir()
    events = RunLog(folder / "log.jsonl").events()
    found = {event["language"]: event["R@10"] for event in events if event["kind"] == "recall"}
    assert min(found.values()) > 0.5


def test_projections_need_photos(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"encoder": "projected"})
    with pytest.raises(InputError, match="learn from 'multi30k', not 'world'"):
        aligned_encoder(trainer(tmp_path), config, DATA, 1)
