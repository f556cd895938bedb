"""Every system of the recipe, from command to run folder, on a few scenes of the world."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner
from watching import Watcher

from phosphene.cli import app
from phosphene.core.config import parse_settings, read_settings
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.data.store import Store
from phosphene.evaluate.results import read_results
from phosphene.models.answerer_folder import Request, load_answerer
from phosphene.models.states import OnlineStates
from phosphene.recipes import config_path
from phosphene.recipes.crosslingual_vqa import train
from phosphene.recipes.crosslingual_vqa_answering import train_teacher
from phosphene.recipes.crosslingual_vqa_data import lessons, load_data, teacher_states
from phosphene.recipes.crosslingual_vqa_networks import start
from phosphene.recipes.crosslingual_vqa_settings import Settings, System
from phosphene.recipes.launch import evaluate_run, train_run
from phosphene.recipes.plan import plan
from phosphene.serve.answers import open_answers, read_requests
from phosphene.train.trainer import Trainer

SYSTEMS: tuple[System, ...] = ("kd", "baseline", "aug", "translate_test", "teacher")
NETWORK = {
    "initial_std": 0.1, "merges": 60, "layers": 2, "hidden": 16, "inner": 16, "heads": 2,
    "dropout": 0.1, "max_positions": 80,
}  # fmt: skip
STAGE = {
    "budget": {"max_updates": 4, "evaluate_every_updates": 2, "select": "best"},
    "optim": {"learning_rate": 0.01, "warmup_updates": 1},
}
TINY: dict[str, Any] = {
    "batch": 8,
    "data": {
        "source": "world", "labels": 20, "parallel_scenes": 8, "target_scenes": 6,
        "test_scenes": 3,
    },
    "network": NETWORK,
    "teacher_network": NETWORK,
    "teacher_training": {"scenes": 16, "pictures_per_update": 8, "budget": {"max_updates": 2}},
    "english": STAGE, "distil": STAGE, "translated": STAGE, "head": STAGE, "whole": STAGE,
    "distillation": {"layers": [1, 2]},
    "runtime": {"accelerator": "cpu", "threads": 1},
}  # fmt: skip


def settings(**changes: object) -> Settings:
    return parse_settings(Settings, {**TINY, **changes}, "test")


def trainer(folder: Path) -> Trainer:
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    return Trainer(folder, runtime, RunLog(None, quiet=True), 1)


def config(folder: Path) -> str:
    path = folder / "tiny.toml"
    path.write_text(tomli_w.dumps(TINY), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with a run of every system; they share the teachers."""
    folder = tmp_path_factory.mktemp("runs")
    for system in SYSTEMS:
        train_run(
            "crosslingual_vqa", config(folder), [f"system={system}"], folder / system, quiet=True
        )
    return folder


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_leaves_a_complete_run_folder(folder: Path, system: System) -> None:
    run = folder / system
    for name in ("config.toml", "manifest.json", "log.jsonl", "results.json", "report.html"):
        assert (run / name).stat().st_size > 0
    assert {path.name for path in (run / "model").iterdir()} == {
        "answers.json", "config.json", "model.safetensors", "vision.json", "vision.safetensors",
        "wordpiece.json",
    }  # fmt: skip
    results = read_results(run)
    for split in results.splits:
        assert split.kind == "answers"
        assert len((run / "answers" / f"{split.split}.tsv").read_text().splitlines()) == (
            split.sentences
        )
        names = {score.name for score in split.scores}
        assert names >= {
            "accuracy", "VQA accuracy", "coverage", "prior (question alone)", "BLEU", "chance"
        }  # fmt: skip
        right = sum(line.hypothesis == line.reference for line in split.lines)
        accuracy = next(score for score in split.scores if score.name == "accuracy")
        assert accuracy.value == pytest.approx(100 * right / split.sentences)
        coverage = next(score for score in split.scores if score.name == "coverage")
        uncovered = sum(math.isinf(line.likelihood) for line in split.lines)
        assert coverage.value == pytest.approx(100 * (1 - uncovered / split.sentences))


def test_answers_are_compared_by_a_permutation_of_correctness(folder: Path) -> None:
    record, tables = evaluate_run(folder / "kd", "test", folder / "baseline", with_meteor=True)
    json.dumps(record)
    compared = tables[1:]
    assert [table.rows[0][0] for table in compared] == ["accuracy, percent"]
    with pytest.raises(InputError, match="scored on different sentences"):
        evaluate_run(folder / "kd", "test", folder / "teacher")


def test_every_stage_moves_what_it_declares_and_nothing_else(tmp_path: Path) -> None:
    watcher = Watcher(trainer(tmp_path / "run"))
    train(watcher, settings(network={**NETWORK, "hidden": 12}))
    moved = watcher.moved
    assert set(moved) == {"detector", "english", "distil", "head", "whole"}
    assert {name.split(".")[0] for name in moved["distil"]} == {"encoder", "projection"}
    assert {name.split(".")[1] for name in moved["head"]} == {"pooler", "classifier"}
    parts = {name.split(".")[1] for name in moved["whole"]}
    assert parts == {"pooler", "classifier", "encoder"}


def test_distillation_needs_no_labels_and_aug_starts_on_translations(tmp_path: Path) -> None:
    watcher = Watcher(trainer(tmp_path / "run"))
    train(watcher, settings(system="aug"))
    assert list(watcher.moved) == [
        "detector",
        "translated_head",
        "translated_whole",
        "head",
        "whole",
    ]


def test_what_aug_learns_from_translations_is_shared_by_all_amounts_of_labels(
    folder: Path,
) -> None:
    shared = folder / "shared"
    before = {path.name for path in shared.glob("translated-*")}
    assert len(before) == 1

    def train_aug(change: str) -> set[str]:
        changes = ["system=aug", change]
        name = change.replace("=", "-")
        train_run("crosslingual_vqa", config(folder), changes, folder / name, quiet=True)
        return {path.name for path in shared.glob("translated-*")}

    assert train_aug("data.labels=12") == before
    assert len(train_aug("data.noise=0.5")) == 2


def test_shared_weights_do_not_depend_on_which_amount_came_first(tmp_path: Path) -> None:
    stage = "shared/translated-*/checkpoints/translated_whole/final/*.safetensors"
    weights = []
    for labels in (20, 6):
        folder = tmp_path / str(labels)
        folder.mkdir()
        changes = ["system=aug", f"data.labels={labels}"]
        train_run("crosslingual_vqa", config(folder), changes, folder / "run", quiet=True)
        (path,) = folder.glob(stage)
        weights.append(load_file(path))
    first, second = weights
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-6), (True, 1e-3)])
def test_stored_states_are_those_of_the_teacher(
    tmp_path: Path, half: bool, tolerance: float
) -> None:
    plan_ = settings(distillation={"layers": [1, 2], "half": half})
    work = trainer(tmp_path / "run")
    data = load_data(work, plan_)
    taught, _ = train_teacher(work, plan_, data)
    teacher = taught.model
    reader, _ = start(plan_, data, plan_.network, "ja")
    parts = lessons(plan_, data, (reader, taught.reader))
    stored = teacher_states(work, plan_, teacher, parts)
    assert isinstance(stored, Store)
    online = OnlineStates(teacher, parts, (1, 2))
    for part in parts:
        order = sorted(part.all, key=lambda lesson: len(lesson.tokens))  # as they were stored
        for first in range(0, len(order), 64):
            names = [lesson.question.id for lesson in order[first : first + 64]]
            read, computed = stored.read(names), online.read(names)
            for lesson, one, other in zip(order[first:], read, computed, strict=False):
                assert len(one["states"]) == len(lesson)
                assert torch.equal(one["tokens"], other["tokens"])
                torch.testing.assert_close(
                    one["states"].float(), other["states"], rtol=tolerance, atol=tolerance
                )
        alone = online.read([order[0].question.id])[0]["states"]  # whoever its neighbours are
        near = max(tolerance, 2e-5)
        kept = stored.read([order[0].question.id])[0]["states"].float()
        torch.testing.assert_close(kept, alone, rtol=near, atol=near)
    assert any(lesson.text for lesson in parts[0].all)  # something can be mixed in
    size = stored.bytes_per_entry()["states"]
    rows = sum(len(lesson) for part in parts for lesson in part.all)
    count = sum(map(len, parts))
    assert size == pytest.approx(rows / count * 2 * 16 * (2 if half else 4))


def test_a_store_of_another_text_is_refused(tmp_path: Path) -> None:
    from phosphene.data.teaching import TeachingBatches, entry_of

    plan_ = settings()
    data = load_data(trainer(tmp_path / "run"), plan_)
    english, target = (start(plan_, data, plan_.network, each)[0] for each in ("en", "ja"))
    part, _ = lessons(plan_, data, (target, english))

    class Other:
        def read(self, ids: object, names: object = ()) -> list[dict[str, torch.Tensor]]:
            return [dict(entry_of(part.all[1], torch.zeros(len(part.all[1]), 2, 16)))]

    batches = TeachingBatches(part, Other(), plan_.distillation.mix, 1, 1)
    with pytest.raises(InputError, match="stored for another text"):
        batches.batch(torch.tensor([0]).numpy(), 0)


def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    class Log(RunLog):
        def event(self, stage: str, at: int, kind: str, **values: object) -> None:
            if kind == "evaluate" and stage == "whole" and at == 4 and not done:
                done.append(True)
                raise KilledError
            super().event(stage, at, kind, **values)

    done: list[bool] = []
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    killed = Trainer(tmp_path / "one" / "run", runtime, Log(None, quiet=True), 1)
    with pytest.raises(KilledError):
        train(killed, settings())
    first = train(killed, settings()).learner.model.state_dict()
    second = train(trainer(tmp_path / "two" / "run"), settings()).learner.model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in second)


def test_an_answer_does_not_depend_on_its_neighbours(folder: Path) -> None:
    engine = open_answers(folder / "kd")
    picture = folder / "picture.png"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(picture)
    asked = [line.source for line in read_results(folder / "kd").split("test").lines][:6]
    box = ((0.1, 0.1, 0.5, 0.5),)
    requests = [
        Request(text, picture, box * (row % 2), ("dog",) * (row % 2)) if row % 3 else Request(text)
        for row, text in enumerate(asked)
    ]
    together = list(engine.answer(requests))
    for request, answer in zip(requests, together, strict=True):
        (alone,) = engine.answer([request])
        assert alone.answer == answer.answer
        assert alone.probability == pytest.approx(answer.probability, abs=1e-5)


def test_what_cannot_be_looked_at_is_refused(folder: Path) -> None:
    engine = open_answers(folder / "kd")
    with pytest.raises(InputError, match="boxes or tags of no picture, expected an image"):
        list(engine.answer([Request("?", None, tags=("dog",))]))


def test_the_exported_model_is_the_trained_one(folder: Path) -> None:
    trained = train(trainer(folder / "kd"), settings()).learner
    loaded = load_answerer(folder / "kd" / "model").model.state_dict()
    weights = trained.model.state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


def test_the_commands(folder: Path) -> None:
    run = CliRunner()
    done = run.invoke(
        app, ["cache", "crosslingual_vqa", "--config", config(folder), "--run",
              str(folder / "kd"), "--quiet", "--json"],
    )  # fmt: skip
    record = json.loads(done.stdout)
    assert record["questions"] > 20 and record["bytes_per_question"] > 0
    asked = folder / "asked.jsonl"
    asked.write_text('{"question": "何色ですか"}\n{"question": "誰がいますか"}\n', encoding="utf-8")
    done = run.invoke(app, ["answer", str(folder / "kd"), "--jsonl", str(asked), "--json"])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["question"] for row in rows] == ["何色ですか", "誰がいますか"]
    assert all(0 < row["probability"] <= 1 for row in rows)
    done = run.invoke(app, ["answer", str(folder / "kd"), "--question", "何色ですか"])
    assert done.stdout.strip() == rows[0]["answer"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", ":1: "),
        ("[]", ":1: expected a JSON object"),
        ('{"tags": []}', ":1: .*question"),
        ('{"question": "q", "colour": 1}', ":1: unknown key 'colour'"),
        ('{"question": "q", "image": "none.png"}', ":1: picture .*none.png does not exist"),
        ('{"question": "q", "boxes": [[1, 2]]}', r":1: box 1: expected \[x1, y1, x2, y2\]"),
        ('{"question": "q", "id": "a"}\n{"question": "q", "id": "a"}', ":2: id 'a' is already in"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_requests(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distillation": {"layers": [3]}}, "distillation.layers: 3 is not in 1..2"),
        ({"distillation": {"layers": [1], "layer_weights": [1.0, 2.0]}}, "expected 1"),
        ({"data": {"source": "daquar"}}, "English alone"),
        ({"data": {"source": "files"}}, "data.files"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings(**changes)


def test_the_plan_writes_nothing_and_names_the_terms(folder: Path) -> None:
    found = plan("crosslingual_vqa", config(folder), [])
    assert [stage.name for stage in found.stages] == [
        "detector", "english", "distil", "head", "whole",
    ]  # fmt: skip
    assert set(found.stages[2].terms) == {"cls", "region", "tag", "mixed"}
    assert found.stages[2].frozen == {"teacher": True}
    assert "T (parallel)" in str(found)


@pytest.mark.parametrize("name", ["toy", "small", "paper"])
def test_configurations_are_valid(name: str) -> None:
    read_settings(Settings, config_path("crosslingual_vqa", name))
