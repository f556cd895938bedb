"""Every system of ``modality_kd``, from command to run folder, on a few scenes of the world."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import tomli_w
import torch
from tiny_modality import TINY, settings, trainer

from phosphene.evaluate.results import read_results
from phosphene.models.answerer_folder import load_answerer
from phosphene.recipes.launch import evaluate_run, train_run
from phosphene.recipes.modality_kd import train
from phosphene.recipes.modality_kd_settings import System
from phosphene.recipes.plan import plan

SYSTEMS: tuple[System, ...] = get_args(System)
TERMS = {
    "fitnet": {"states"},
    "rkd": {"distances", "angles"},
    "sp": {"similarities"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all runs of this file: they share the CNN, the teacher and its answers."""
    path = tmp_path_factory.mktemp("runs")
    (path / "tiny.toml").write_text(tomli_w.dumps(TINY), encoding="utf-8")
    return path


def run(folder: Path, name: str, *changes: str) -> Path:
    train_run("modality_kd", str(folder / "tiny.toml"), changes, folder / name, quiet=True)
    return folder / name


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_leaves_a_complete_run_folder(folder: Path, system: System) -> None:
    done = run(folder, system, f"system={system}")
    results = read_results(done)
    assert (done / "answers" / "test.tsv").exists()
    names = {score.name for score in results.split("test").scores}
    assert names >= {"accuracy", "AUC", "accuracy, text alone", "teacher accuracy, image alone"}
    taught = {"agreement with the teacher, kappa", "KL to the teacher, image"}
    assert (taught <= names) == (system != "teacher")
    assert ("weight, image" in names) == (system.startswith("msd_") or system == "kd")
    assert load_answerer(done / "model").vocabulary.answers == ("benign", "hostile")
    line = results.split("test").lines[0]
    assert line.hypothesis in ("benign", "hostile") and line.likelihood < 0


@pytest.mark.parametrize("base", ["fitnet", "rkd", "sp"])
def test_modalities_on_top_of_features(folder: Path, base: str) -> None:
    """Table 2: the terms of both."""
    changes = ["system=msd_meta", f"base={base}"]
    (stage,) = [
        stage
        for stage in plan("modality_kd", str(folder / "tiny.toml"), changes).stages
        if stage.name == "distil"
    ]
    views = {f"imitation/{view}" for view in ("both", "image", "text")}
    assert {"likelihood", *views, *TERMS[base]} <= stage.terms.keys()
    assert all(stage.terms[name] > 0 for name in (*views, *TERMS[base]))
    assert stage.modules["learner"][0] > 0
    assert ("hints" in stage.modules) == (base == "fitnet")


@pytest.mark.parametrize(
    ("task", "system"),
    [("genres", "msd_importance"), ("genres", "msd_correctness"), ("entailment", "msd_meta")],
)
def test_many_labels_and_three_classes(folder: Path, task: str, system: str) -> None:
    done = run(folder, f"{task}-{system}", f"data.task={task}", f"system={system}")
    names = {score.name for score in read_results(done).split("test").scores}
    expected = {"macro F1", "micro F1"} if task == "genres" else {"accuracy"}
    assert expected <= names and "AUC" not in names


@pytest.mark.parametrize("drop", ["zero", "mean"])
def test_a_modality_may_be_dropped_otherwise(folder: Path, drop: str) -> None:
    """The teacher is the same, what it answers to one modality is not."""
    run(folder, drop, "system=msd_population", f"drop={drop}")
    assert len(list((folder / "shared").glob("classifier-*"))) <= 3  # one of each task
    masked = read_results(run(folder, "mask", "system=msd_population")).split("test").scores
    other = read_results(folder / drop).split("test").scores
    alone = [
        [s.value for s in scores if s.name == "KL to the teacher, image"]  # type: ignore[union-attr]
        for scores in (masked, other)
    ]
    assert alone[0] != alone[1]


def test_runs_compare_by_what_is_right(folder: Path) -> None:
    kd, small = run(folder, "kd", "system=kd"), run(folder, "small", "system=small")
    _, tables = evaluate_run(kd, "test", small)
    assert any("accuracy, percent" in str(table.rows) for table in tables)


def test_the_exported_model_is_the_trained_one(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(tomli_w.dumps(TINY), encoding="utf-8")
    done = run(tmp_path, "kd", "system=kd")
    trained = train(trainer(tmp_path / "again"), settings(system="kd"))
    loaded = load_answerer(done / "model").model.state_dict()
    own = trained.student.model.state_dict()
    assert loaded.keys() == own.keys()
    assert all(torch.equal(loaded[name], value) for name, value in own.items())
