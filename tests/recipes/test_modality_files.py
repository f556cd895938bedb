"""``modality_kd`` on files of one's own: which picture is shown, what is refused, what is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from own_files import rows, write_own, write_regions, write_rows
from tiny_modality import settings, trainer
from typer.testing import CliRunner

from phosphene.cli import app
from phosphene.core.config import Frozen, read_settings
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.dataset import NO_PICTURE
from phosphene.data.regions import StoredRegions
from phosphene.evaluate.results import read_results
from phosphene.recipes.modality_kd import teach
from phosphene.recipes.modality_kd_data import Data, load_data
from phosphene.recipes.modality_kd_losses import Task
from phosphene.recipes.modality_kd_networks import side
from phosphene.recipes.modality_kd_settings import Settings, System
from phosphene.train.trainer import Trainer, shared_folder

SYSTEMS: tuple[System, ...] = get_args(System)
GOING = "data.files.keep_going=true"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write_own(tmp_path)


def load(own: Path, *changes: str, log: RunLog | None = None) -> Data:
    return load_data(trainer(own.parent / "run", log), read_settings(Settings, own, changes))


def test_a_picture_without_regions_is_refused_or_left_out(own: Path) -> None:
    found = rows("train", 12)
    found[3]["image"] = "photos/unseen.jpg"
    train = own.parent / "train.jsonl"
    write_rows(train, found)
    with pytest.raises(
        InputError, match=rf"^{train}:4: no regions of [^\n]*unseen\.jpg in [^\n]*regions: expected"
    ):
        load(own)
    data = load(own, GOING)
    kept = [example.id for example in data.splits["train"].examples]
    assert kept == [row["id"] for row in found if row["id"] != "train-3"]
    assert data.counts()["train, left out"] == "1"
    shutil.rmtree(own.parent / "regions")
    write_regions(own.parent / "regions", ["another"])
    write_rows(own.parent / "test.jsonl", [row for row in rows("test", 4) if "image" in row])
    with pytest.raises(InputError, match=r"test\.jsonl: no example that can be used \(3 left out"):
        load(own, GOING)


@pytest.mark.parametrize("split", ["train", "test"])
def test_two_pictures_of_one_name_are_refused(own: Path, split: str) -> None:
    """In one split as in two: the store of regions knows one picture by that name."""
    found = rows(split, 12)
    found[1]["image"] = "others/train-0.jpg"
    write_rows(own.parent / f"{split}.jsonl", found)
    message = rf"{split}\.jsonl:2: [^\n]*others/train-0\.jpg has the name of [^\n]*\.jsonl:1\)"
    with pytest.raises(InputError, match=message):
        load(own, GOING)


def test_one_picture_may_be_named_in_two_ways(own: Path) -> None:
    found = rows("train", 12)
    found[1]["image"] = "photos/../photos/train-0.jpg"
    write_rows(own.parent / "train.jsonl", found)
    assert load(own).splits["train"].pictures[:2] == ("train-0", "train-0")


def test_an_example_without_a_picture_shows_none_whatever_its_id(own: Path) -> None:
    found = rows("train", 12)
    found[2]["id"] = "train-0"
    found[0]["id"] = "train-2"
    write_rows(own.parent / "train.jsonl", found)
    plan = read_settings(Settings, own, ["data.meta_split=validation"])
    data = load(own)
    train = side(plan, data, plan.network).data.train
    assert train.examples[2].id == "train-0" and "train-0" in data.splits["train"].table
    assert train.picture_of[2] == NO_PICTURE
    assert train.picture_names[train.picture_of[0]] == "train-0"
    regions = train.batch(np.arange(3)).regions
    assert regions is not None and regions.mask.sum(1).tolist() == [2, 2, 0]


def test_training_tells_what_it_left_out(own: Path) -> None:
    """Once, however often the run is started."""
    found = rows("train", 12)
    for number in (0, 1, 3, 4):
        found[number]["label"] = "noisy"
    write_rows(own.parent / "train.jsonl", found)
    path = own.parent / "log.jsonl"
    for _ in range(2):
        load(own, GOING, log=RunLog(path, quiet=True))
    (told,) = RunLog(path).events()
    assert (told["kind"], told["split"], told["rows"]) == ("left out", "train", 4)
    assert [line.partition(":")[2][:2] for line in told["first"]] == ["1:", "2:", "4:"]
    assert all("label 'noisy' is outside the set" in line for line in told["first"])


@pytest.mark.parametrize("command", ["check", "train"])
def test_keep_going_on_the_command_line(own: Path, command: str) -> None:
    found = rows("train", 12)
    found[3]["label"] = "noisy"
    write_rows(own.parent / "train.jsonl", found)
    words, run = [command, "modality_kd", "--config", str(own)], own.parent / "run"
    where = ["--run", str(run), "--quiet"] if command == "train" else ["--json"]
    stopped = ["--run", f"{run}-stopped"] if command == "train" else []
    refused = CliRunner().invoke(app, [*words, *stopped])
    assert isinstance(refused.exception, InputError)
    assert str(refused.exception).startswith(f"{own.parent / 'train.jsonl'}:4: label 'noisy'")
    done = CliRunner().invoke(app, [*words, *where, "--keep-going"])
    assert done.exit_code == 0, done.output
    if command == "check":
        planned = json.loads(done.stdout)
        assert planned["data"]["train, left out"] == "1"
        assert planned["data"]["in place of a modality left out"] == "mask"
        assert planned["stages"][-1]["frozen"] == {"teacher": True}
        return
    assert RunLog(run / "log.jsonl").has("data", "left out")
    scores = read_results(run).split("test").scores
    signed = {score.name for score in scores if score.signature.endswith("|drop:mask")}
    expected = {"KL to the teacher, image", "KL to the teacher, text"}
    for what in ("accuracy", "AUC", "teacher accuracy", "teacher AUC"):
        expected |= {f"{what}, image alone", f"{what}, text alone"}
    assert signed == expected


def test_a_teacher_is_another_one_when_files_were_edited_in_place(own: Path) -> None:
    """Not when only the test set was."""

    def name() -> Path:
        return teacher_folder(own, read_settings(Settings, own))

    names = [name(), name()]
    write_rows(own.parent / "test.jsonl", rows("test", 4)[::-1])
    names.append(name())
    assert len(set(names)) == 1
    found = rows("train", 12)
    for row in found:
        row["label"] = {"calm": "loud", "loud": "calm"}[row["label"]]
    write_rows(own.parent / "train.jsonl", found)
    names.append(name())
    write_rows(own.parent / "validation.jsonl", rows("validation", 4)[::-1])
    names.append(name())
    pictures = list(StoredRegions(own.parent / "regions"))
    shutil.rmtree(own.parent / "regions")
    write_regions(own.parent / "regions", pictures, producer="1")
    names.append(name())
    assert len(set(names)) == 4


def test_a_teacher_of_the_world_is_named_by_settings_alone(own: Path) -> None:
    plan = settings(system="kd")
    expected = shared_folder(own.parent / "run", "classifier", [plan.until_teacher])
    assert teacher_folder(own, plan) == expected


def teacher_folder(own: Path, plan: Settings) -> Path:
    """Where the teacher of ``plan`` would lie, with the data of ``own``."""
    teacher = side(plan, load(own), plan.teacher_network)
    plain = trainer(own.parent / "run")
    watcher = Naming(plain.folder, plain.runtime, plain.log, plain.seed)
    with pytest.raises(Named):
        teach(watcher, plan, Task(many=False), teacher)
    assert watcher.named is not None
    return watcher.named


class Named(BaseException):
    """The name is known: nobody trains."""


class Naming(Trainer):
    """Notes where a shared stage would lie."""

    named: Path | None = None

    def shared(self, name: str, *identity: Frozen | int | str) -> Trainer:
        self.named = shared_folder(self.folder, name, identity)
        raise Named


def test_keep_going_is_for_recipes_that_can() -> None:
    refused = CliRunner().invoke(app, ["check", "inversion_mmt", "--keep-going"])
    assert str(refused.exception) == "--keep-going: expected one of modality_kd as recipe"


def test_learned_weights_need_32_bits(own: Path) -> None:
    message = r"own\.toml: system 'msd_meta': learned loss weights need runtime\.precision ="
    with pytest.raises(InputError, match=message):
        read_settings(Settings, own, ["runtime.precision=bf16-mixed"])


@pytest.mark.parametrize("system", [system for system in SYSTEMS if system != "msd_meta"])
def test_other_systems_may_have_several_processes_and_16_bits(own: Path, system: str) -> None:
    changes = [f"system={system}", "runtime.devices=2", "runtime.precision=bf16-mixed"]
    assert read_settings(Settings, own, changes).runtime.devices == 2


@pytest.mark.parametrize(
    ("count", "said"),
    [(12, r"12: 12 of 12"), (0, r"0 \(as many as there are for validation\): 12 of 12")],
)
def test_too_many_meta_data_name_file_and_setting(own: Path, count: int, said: str) -> None:
    write_rows(own.parent / "validation.jsonl", rows("train", 12))
    plan = read_settings(Settings, own, [f"data.meta_examples={count}"])
    with pytest.raises(
        InputError, match=rf"train\.jsonl: data\.meta_examples = {said} examples cannot be split"
    ):
        side(plan, load(own), plan.network)
