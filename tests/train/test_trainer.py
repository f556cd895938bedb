"""The loop: early stopping, final weights, finished stages, what is frozen, several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_training import (
    basic_stage,
    corpus,
    open_trainer,
    shared_run,
    translation_terms,
    translator,
)
from torch import Tensor, nn

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.dataset import TrainingBatches
from phosphene.data.loader import Position
from phosphene.models.translator import Translator
from phosphene.train.checkpoint import DamagedCheckpoint, read_checkpoint
from phosphene.train.optim import OptimConfig
from phosphene.train.reopened import Reopened
from phosphene.train.stage import Budget
from phosphene.train.update import gradient_shares
from phosphene.weighting.direct import Term


def tiny() -> Translator:
    return translator(dropout=0.1, generator=False)


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def scripted(losses: list[float]) -> Mapping[str, float]:
    return {"loss": losses.pop(0)}


def test_training_lowers_the_loss_and_says_so(tmp_path: Path) -> None:
    trainer = open_trainer(tmp_path)
    finished = trainer.fit(basic_stage(tiny(), Budget(max_updates=60, evaluate_every_updates=20)))
    events = trainer.log.events()
    assert finished.update == 60
    assert [(event["kind"], event["update"]) for event in events] == [
        ("train", 1),
        ("evaluate", 20),
        ("evaluate", 40),
        ("train", 50),
        ("evaluate", 60),
        ("finished", 60),
    ]
    losses = [event["loss"] for event in events if event["kind"] == "evaluate"]
    assert losses == sorted(losses, reverse=True)


def test_without_a_number_of_updates_every_epoch_is_evaluated(tmp_path: Path) -> None:
    model = tiny()
    trainer = open_trainer(tmp_path)
    trainer.fit(basic_stage(model, Budget(max_updates=12)))
    epoch = len(TrainingBatches(corpus(), 100, seed=1).order.epoch(0))
    at = [event["update"] for event in trainer.log.events() if event["kind"] == "evaluate"]
    assert at == [update for update in range(1, 13) if update % epoch == 0] and at


def test_patience_stops_when_the_loss_no_longer_falls(tmp_path: Path) -> None:
    losses = [3.0, 2.0, 2.0, 2.5, 1.0, 1.5, float("nan"), 1.0, 0.1]
    budget = Budget(max_updates=99, patience=3, evaluate_every_updates=2, average_last=2)
    stage = replace(basic_stage(tiny(), budget), evaluate=lambda: scripted(losses))
    finished = open_trainer(tmp_path).fit(stage)
    assert finished.update == 16
    assert finished.selection == "mean of 2 snapshots, updates 14 to 16"
    assert losses == [0.1]


def test_without_a_validation_loss_patience_never_ends(tmp_path: Path) -> None:
    budget = Budget(max_updates=9, patience=1, evaluate_every_updates=1)
    stage = replace(basic_stage(tiny(), budget), evaluate=lambda: {"bleu": 0.0})
    assert open_trainer(tmp_path).fit(stage).update == 9


def test_the_final_weights_are_the_mean_of_the_last_snapshots(tmp_path: Path) -> None:
    model = tiny()
    seen: list[dict[str, Tensor]] = []

    def watch() -> Mapping[str, float]:
        assert not model.training
        seen.append(state(model))
        return {}

    budget = Budget(max_updates=11, evaluate_every_updates=2, average_last=3)
    finished = open_trainer(tmp_path).fit(replace(basic_stage(model, budget), evaluate=watch))
    assert finished.selection == "mean of 3 snapshots, updates 6 to 10"
    assert not model.training
    for name, value in model.state_dict().items():
        expected = sum(weights[name].double() for weights in seen[-3:]) / 3
        assert isinstance(expected, Tensor)
        assert torch.equal(value, expected.to(value))


def test_one_snapshot_is_not_averaged(tmp_path: Path) -> None:
    model = tiny()
    budget = Budget(max_updates=5, evaluate_every_updates=2, average_last=1)
    assert open_trainer(tmp_path).fit(basic_stage(model, budget)).selection == "update 5"


def test_the_final_weights_are_those_of_the_best_snapshot(tmp_path: Path) -> None:
    model = tiny()
    losses = [3.0, float("nan"), 1.0, 1.0, 2.0]
    seen: list[dict[str, Tensor]] = []

    def watch() -> Mapping[str, float]:
        seen.append(state(model))
        return scripted(losses)

    budget = Budget(max_updates=11, evaluate_every_updates=2, select="best")
    finished = open_trainer(tmp_path).fit(replace(basic_stage(model, budget), evaluate=watch))
    assert finished.selection == "best of 5 snapshots, update 6"
    assert same(state(model), seen[2])


def test_only_the_best_snapshot_is_kept_on_disk(tmp_path: Path) -> None:
    losses = [2.0, 1.0, 3.0]
    folder = tmp_path / "checkpoints" / "translate"
    on_disk: list[list[str]] = []

    def watch() -> Mapping[str, float]:
        on_disk.append(sorted(path.name for path in folder.glob("snapshot-*")))
        return scripted(losses)

    budget = Budget(max_updates=6, evaluate_every_updates=2, select="best")
    open_trainer(tmp_path).fit(replace(basic_stage(tiny(), budget), evaluate=watch))
    assert on_disk == [[], ["snapshot-000000002"], ["snapshot-000000004"]]


def test_the_best_of_no_evaluation_is_refused() -> None:
    with pytest.raises(InputError, match=r"budget\.select = 'best', but nothing is evaluated"):
        replace(basic_stage(tiny(), Budget(max_updates=2, select="best")), evaluate=None)


def test_a_stage_of_other_data_is_neither_gone_on_with_nor_loaded(tmp_path: Path) -> None:
    stage = replace(basic_stage(tiny(), Budget(max_updates=2)), data="before")
    assert open_trainer(tmp_path).fit(stage).data == "before"
    with pytest.raises(InputError, match=r"trained on other data \(before\) than .* now \(after\)"):
        open_trainer(tmp_path).fit(replace(stage, data="after"))
    reopened = Reopened(tmp_path, torch.device("cpu"), RunLog(None, quiet=True))
    with pytest.raises(InputError, match="trained on other data"):
        reopened.fit(replace(stage, data="after"))
    assert reopened.fit(stage).data == reopened.fit(replace(stage, data="")).data == "before"


def test_a_stage_that_was_stopped_is_not_gone_on_with_on_other_data(tmp_path: Path) -> None:
    calls = iter([{}])
    budget = Budget(max_updates=6, evaluate_every_updates=2)
    stage = replace(basic_stage(tiny(), budget), data="before", evaluate=lambda: next(calls))
    with pytest.raises(StopIteration):
        open_trainer(tmp_path).fit(stage)
    with pytest.raises(InputError, match=r"trained on other data \(before\)"):
        open_trainer(tmp_path).fit(replace(stage, data="after", evaluate=None))
    assert open_trainer(tmp_path).fit(replace(stage, evaluate=None)).update == 6


def test_a_finished_stage_is_loaded_and_not_run(tmp_path: Path) -> None:
    model, budget = tiny(), Budget(max_updates=6)
    finished = open_trainer(tmp_path).fit(basic_stage(model, budget))
    other = tiny()

    def never(batch: object) -> dict[str, Term]:
        raise AssertionError("a finished stage was run")

    trainer = open_trainer(tmp_path)
    assert trainer.fit(replace(basic_stage(other, budget), loss=never)) == finished
    assert same(state(other), state(model))
    assert not other.training
    assert len([event for event in trainer.log.events() if event["kind"] == "finished"]) == 1


def test_a_reader_of_runs_never_trains(tmp_path: Path) -> None:
    model, budget = tiny(), Budget(max_updates=6)
    trainer = open_trainer(tmp_path)
    trainer.fit(basic_stage(model, budget))
    other = tiny()
    trainer.fit(basic_stage(other, budget))
    assert same(state(other), state(model))


def test_damaged_final_weights_are_refused_by_name(tmp_path: Path) -> None:
    budget = Budget(max_updates=2)
    open_trainer(tmp_path).fit(basic_stage(tiny(), budget))
    path = tmp_path / "checkpoints" / "translate" / "final" / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedCheckpoint, match="translate/final: damaged checkpoint"):
        open_trainer(tmp_path).fit(basic_stage(tiny(), budget))


class StoppedError(Exception):
    pass


def stop_at(folder: Path, update: int, budget: Budget) -> None:
    """Train until ``update`` was evaluated and saved, then break off."""
    calls = 0

    def evaluate() -> Mapping[str, float]:
        nonlocal calls
        calls += 1
        if calls * budget.evaluate_every_updates > update:
            raise StoppedError
        return {}

    with pytest.raises(StoppedError):
        open_trainer(folder).fit(replace(basic_stage(tiny(), budget), evaluate=evaluate))


def test_a_damaged_checkpoint_is_passed_over_and_cleared_away(tmp_path: Path) -> None:
    budget = Budget(max_updates=12, evaluate_every_updates=2, average_last=3)
    whole, broken = tiny(), tiny()
    open_trainer(tmp_path / "whole").fit(replace(basic_stage(whole, budget), evaluate=None))
    stop_at(tmp_path / "broken", 6, budget)
    stage = tmp_path / "broken" / "checkpoints" / "translate"
    assert sorted(path.name for path in stage.glob("resume-*")) == [
        "resume-000000004",
        "resume-000000006",
    ]
    newest = stage / "resume-000000006" / "tensors.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    (stage / ".resume-000000005.partial").mkdir()
    trainer = open_trainer(tmp_path / "broken")
    seen: list[list[str]] = []

    def look() -> Mapping[str, float]:
        seen.append(sorted(path.name for path in stage.glob("*resume-*")))
        return {}

    trainer.fit(replace(basic_stage(broken, budget), evaluate=look))
    assert seen[0] == ["resume-000000004"]
    assert same(state(broken), state(whole))


def test_all_checkpoints_damaged_is_an_error(tmp_path: Path) -> None:
    budget = Budget(max_updates=12, evaluate_every_updates=2)
    stop_at(tmp_path, 6, budget)
    for path in (tmp_path / "checkpoints").rglob("resume-*/state.json"):
        path.write_text("", encoding="utf-8")
    with pytest.raises(DamagedCheckpoint, match=r"all 2 checkpoints resume-\* are damaged"):
        open_trainer(tmp_path).fit(basic_stage(tiny(), budget))


def test_other_modules_do_not_fit_a_checkpoint(tmp_path: Path) -> None:
    budget = Budget(max_updates=12, evaluate_every_updates=2)
    stop_at(tmp_path, 2, budget)
    other = translator(dropout=0.1, generator=True)
    with pytest.raises(InputError, match=r"^weights do not fit 'translator'[^\n]*$"):
        open_trainer(tmp_path).fit(basic_stage(other, budget))


def test_a_checkpoint_holds_weights_optimiser_and_progress(tmp_path: Path) -> None:
    stop_at(tmp_path, 4, Budget(max_updates=12, evaluate_every_updates=2))
    checkpoint = read_checkpoint(tmp_path / "checkpoints" / "translate" / "resume-000000004")
    parameters = len(list(tiny().parameters()))
    kinds = [name.split("/")[-1] for name in checkpoint.tensors if name.startswith("optimizer/")]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "step": parameters,
        "exp_avg": parameters,
        "exp_avg_sq": parameters,
    }
    assert checkpoint.state["update"] == 4
    assert checkpoint.state["snapshots"] == [2, 4]
    assert Position(*checkpoint.state["position"]) > Position()


def test_what_is_declared_frozen_must_be(tmp_path: Path) -> None:
    trainer, budget = open_trainer(tmp_path), Budget(max_updates=1)
    teacher = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    stage = replace(basic_stage(tiny(), budget), frozen={"teacher": teacher})
    with pytest.raises(ValueError, match="'teacher' is declared frozen and is not"):
        trainer.fit(stage)
    teacher.requires_grad_(False)
    with pytest.raises(ValueError, match="'teacher' is declared frozen and is not"):
        trainer.fit(stage)
    teacher.eval()
    before = state(teacher)
    trainer.fit(stage)
    assert same(state(teacher), before)


def test_only_parameters_that_require_gradients_move(tmp_path: Path) -> None:
    model = tiny()
    model.encoder.requires_grad_(False)
    before = state(model)
    budget = Budget(max_updates=3)
    open_trainer(tmp_path).fit(replace(basic_stage(model, budget), evaluate=None))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("encoder."), name


def test_gradient_shares_by_hand() -> None:
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(2.0)
    output = layer(torch.tensor([[3.0], [4.0]])).sum()
    terms = {
        "one": Term(output, 2.0),  # gradient (7, 2) / 2
        "three": Term(3 * output, 2.0),
        "weighted": Term(output, 1.0, 2.0),  # four times the first
        "elsewhere": Term(torch.ones((), requires_grad=True) * 5, 1.0),
        "constant": Term(torch.tensor(5.0), 1.0),
        "absent": Term(torch.tensor(0.0), 0.0),
    }
    shares = gradient_shares(terms, layer)
    assert shares == pytest.approx(
        {
            "one": 1 / 8,
            "three": 3 / 8,
            "weighted": 4 / 8,
            "elsewhere": 0,
            "constant": 0,
            "absent": 0,
        }
    )


def test_gradient_shares_of_a_translator_sum_to_one_and_leave_no_gradient(tmp_path: Path) -> None:
    model = tiny()
    _, batch = next(TrainingBatches(corpus(), 100, 1).iterate(Position()))
    terms = translation_terms(model, batch)
    likelihood = terms["translation"]
    terms["decay"] = Term(sum(p.square().sum() for p in model.parameters()), 1.0, 0.1)  # type: ignore[arg-type]
    shares = gradient_shares(terms, model)
    assert sum(shares.values()) == pytest.approx(1)
    assert all(share > 0.01 for share in shares.values())
    assert all(parameter.grad is None for parameter in model.parameters())
    likelihood.total.backward()  # the graph is still there


def test_gradient_shares_are_logged(tmp_path: Path) -> None:
    model = tiny()
    trainer = open_trainer(tmp_path)
    budget = Budget(max_updates=2, evaluate_every_updates=2)
    trainer.fit(replace(basic_stage(model, budget), watch=model.decoder))
    (evaluation,) = [event for event in trainer.log.events() if event["kind"] == "evaluate"]
    assert evaluation["gradient_share/translation"] == 1.0


def test_a_shared_stage_is_trained_once(tmp_path: Path) -> None:
    budget = Budget(max_updates=3)
    trained = 0

    def counted(batch: object) -> dict[str, Term]:
        nonlocal trained
        trained += 1
        return translation_terms(model, batch)  # type: ignore[arg-type]

    for run, identity in (("one", 1), ("two", 1), ("three", 2)):
        model = tiny()
        trainer = open_trainer(tmp_path / run)
        stage = replace(basic_stage(model, budget), loss=counted, evaluate=None)
        for _ in range(2):
            trainer.shared("teacher", budget, identity).fit(stage)
        (told,) = trainer.log.events()
        assert (told["stage"], told["kind"], told["update"]) == (stage.name, "shared", 3)
    assert trained == 6
    assert len(list((tmp_path / "shared").glob("teacher-*"))) == 2


def in_two_processes(folder: Path, strategy: str, updates: int = 1000) -> str:
    """Run :func:`shared_run`; what went wrong. A start that trained nothing is tried once more."""
    script = Path(__file__).with_name("tiny_training.py")
    error = ""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, str(script), str(folder), "2", strategy, str(updates)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        error = done.stderr[-2000:] if done.returncode else ""
        if (folder / "log.jsonl").exists():
            break
    return error


def final_weights(run: Path, stage: str) -> dict[str, torch.Tensor]:
    """What a stage ended with; softmax ignores the keys' biases: their gradient is rounding."""
    tensors = read_checkpoint(run / "checkpoints" / stage / "final").tensors
    return {name: tensors[name] for name in tensors if not name.endswith("key_value.bias")}


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_compute_what_one_does(tmp_path: Path, strategy: str) -> None:
    """Same global batches, unequal shares, photos in some of them: the same loss curve."""
    assert not in_two_processes(tmp_path / "two", strategy)
    shared_run(tmp_path / "one", 1)
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("one", "two")]
    one, two = ([json.loads(line) for line in lines] for lines in logs)
    assert len(one) == len(two) == 2 * (20 + 1 + 1)
    compared = 0
    for single, double in zip(one, two, strict=True):
        for name in ("loss", "translation", "picture", "gradient_norm"):
            assert (name in single) == (name in double)
            if name in single:
                compared += 1
                assert double[name] == pytest.approx(single[name], rel=1e-5), single
    assert compared == 2 * (20 + 3)
    for stage in ("translate", "again"):
        expected = final_weights(tmp_path / "one", stage)
        found = final_weights(tmp_path / "two", stage)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_shared_out_weights_are_resumed(tmp_path: Path) -> None:
    assert not in_two_processes(tmp_path / "whole", "fsdp")
    assert "StopIteration" in in_two_processes(tmp_path / "cut", "fsdp", updates=27)
    assert list((tmp_path / "cut" / "checkpoints" / "again").glob("resume-*"))
    assert not in_two_processes(tmp_path / "cut", "fsdp")
    for stage in ("translate", "again"):
        expected = final_weights(tmp_path / "whole", stage)
        found = final_weights(tmp_path / "cut", stage)
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_published_weights_move_more_slowly(tmp_path: Path) -> None:
    """Adam's first step is the rate: of published weights the share of it, of the others all."""
    model = nn.ModuleDict(
        {"known": nn.Linear(3, 3, bias=False), "fresh": nn.Linear(3, 3, bias=False)}
    )
    before = state(model)
    optim = OptimConfig(
        learning_rate=0.1, warmup_updates=0, schedule="constant", published_share=0.25
    )

    def terms(_: object) -> dict[str, Term]:
        total = sum(parameter.sum() for parameter in model.parameters())
        return {"sum": Term(torch.as_tensor(total), 1.0)}

    stage = replace(
        basic_stage(tiny(), Budget(max_updates=1)),
        modules={"model": model},
        loss=terms,
        evaluate=None,
        optim=optim,
        published=tuple(model["known"].parameters()),
    )
    open_trainer(tmp_path).fit(stage)
    after = state(model)
    for name, rate in (("known.weight", 0.025), ("fresh.weight", 0.1)):
        torch.testing.assert_close(before[name] - after[name], torch.full((3, 3), rate))


def test_a_rate_for_published_weights_that_are_not_there() -> None:
    stage = basic_stage(tiny(), Budget(max_updates=1))
    with pytest.raises(InputError, match="published_share, but no weights are published"):
        replace(stage, optim=OptimConfig(published_share=0.1))


def test_a_share_of_one_changes_no_hash() -> None:
    """Runs that were trained before there were shares keep their names."""
    assert "published_share" not in OptimConfig().model_dump(mode="json")
    assert OptimConfig(published_share=0.5).model_dump(mode="json")["published_share"] == 0.5
