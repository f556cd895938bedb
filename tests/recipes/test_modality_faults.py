"""Faults that other toolkits for distillation have had, looked for in ``modality_kd``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_modality import NETWORK, STAGE, settings, trainer
from torch import Tensor

from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.data.classification import Example, LabelSet
from phosphene.data.classification_data import ClassificationData
from phosphene.data.loader import Position
from phosphene.data.taught import TaughtBatches, with_answers
from phosphene.data.views import dropping
from phosphene.models.view_answers import OnlineAnswers, store_answers
from phosphene.recipes.modality_kd import train
from phosphene.recipes.modality_kd_results import Trained
from phosphene.train.stage import Finished, Stage
from phosphene.train.trainer import Trainer, open_updater

CPU = Runtime(RuntimeConfig(accelerator="cpu", threads=1))


class Handing:
    """Trains the teacher like the trainer, and hands over what would distil it."""

    def __init__(self, inner: Trainer) -> None:
        self.inner = inner
        self.log = inner.log
        self.device = inner.device
        self.teacher: dict[str, Tensor] = {}
        self.stage: Stage | None = None

    def shared(self, name: str, *identity: object) -> Handing:
        return self

    def cache(self, name: str, key: str) -> Path | None:
        return None

    def fit(self, stage: Stage) -> Finished:
        if stage.name == "distil":
            self.stage = stage
            return Finished(0, 0.0, "not trained")
        finished = self.inner.fit(stage)
        if stage.name == "teach":
            self.teacher = {
                name: value.clone() for name, value in stage.modules["teacher"].state_dict().items()
            }
        return finished


def handed(folder: Path, **changes: Any) -> tuple[Handing, Stage, Trained]:
    handing = Handing(trainer(folder / "run"))
    trained = train(handing, settings(**changes))  # type: ignore[arg-type]
    assert handing.stage is not None
    return handing, handing.stage, trained


def first_batch(stage: Stage) -> Any:
    return next(iter(stage.batches.iterate(Position())))[1]


@pytest.mark.parametrize("drop", ["mask", "zero", "mean"])
def test_a_student_that_is_its_teacher_has_nothing_to_imitate(tmp_path: Path, drop: str) -> None:
    """In any view: a modality is left out alike for both."""
    handing, stage, _ = handed(
        tmp_path, system="msd_population", drop=drop, network=NETWORK, teacher_network=NETWORK
    )
    batch, student = first_batch(stage), stage.modules["student"].eval()
    names = [f"imitation/{view}" for view in ("both", "image", "text")]
    with torch.no_grad():
        before = [float(stage.loss(batch)[name].total) for name in names]
        student.load_state_dict(handing.teacher)
        after = [float(stage.loss(batch)[name].total) for name in names]
    assert min(before) > 1e-7
    assert max(map(abs, after)) < 1e-6 * min(before)


def test_projections_of_hints_are_optimised_and_clipped(tmp_path: Path) -> None:
    optim = {**STAGE["optim"], "clip_norm": 1e-3}
    _, stage, _ = handed(tmp_path, system="fitnet", distil={**STAGE, "optim": optim})
    updater = open_updater(stage, CPU)
    hints = list(stage.modules["hints"].parameters())
    before = [parameter.detach().clone() for parameter in hints]
    outcome = updater(1, first_batch(stage), 0.01)
    assert outcome.gradient_norm > 0.01
    every = [*hints, *stage.modules["student"].parameters()]
    norm = torch.stack([p.grad.square().sum() for p in every if p.grad is not None]).sum().sqrt()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in hints)
    assert not any(torch.equal(p, old) for p, old in zip(hints, before, strict=True))


def test_answers_carry_no_graph_and_keep_their_dtype_in_storage(tmp_path: Path) -> None:
    """Logits in 32 bits, states in 16, all of them read as 32 and near to what was answered."""
    _, _, trained = handed(tmp_path, system="fitnet")
    data, teacher = trained.teacher.data.train, trained.teacher.model
    for parameter in teacher.parameters():
        parameter.requires_grad_()
    online = OnlineAnswers(teacher, data, dropping("mask"), [1, 2])
    ids = [example.id for example in data.examples][:5]
    answered = online.read(ids)
    assert not any(array.requires_grad for entry in answered for array in entry.values())
    store = store_answers(online, tmp_path / "store", "mask", RunLog(None, quiet=True))
    stored = store.read(ids)
    assert {name: array.dtype for name, array in stored[0].items()} == {
        "logits": torch.float32,
        "states": torch.float16,
        "pooled": torch.float16,
    }
    taught = with_answers(data.batch(np.arange(5)), store)
    assert taught.states is not None and taught.pooled is not None
    for found, name in ((taught.states, "states"), (taught.pooled[:, None], "pooled")):
        expected = torch.stack([entry[name] for entry in answered])
        assert found.dtype == torch.float32 and not found.requires_grad
        torch.testing.assert_close(found, expected, rtol=2**-10, atol=1e-5)
    logits = torch.stack([entry["logits"] for entry in answered])
    torch.testing.assert_close(taught.logits, logits, rtol=0, atol=1e-5)


class Numbered:
    """Answers to each example with the number in its name."""

    def read(self, ids: Iterable[str], names: Sequence[str] = ()) -> list[dict[str, Tensor]]:
        return [{"logits": torch.full((3, 2), float(name.removeprefix("e")))} for name in ids]


def test_answers_match_examples_by_id_in_every_epoch() -> None:
    examples = tuple(Example(f"e{number}", f"{number}", ("a",)) for number in range(23))
    data = ClassificationData(
        examples, LabelSet(("a", "b")), [[5]] * 23, np.full(23, -1, dtype=np.int64), ()
    )
    orders: dict[int, list[str]] = {}
    for position, taught in TaughtBatches(data, Numbered(), 5, seed=1).iterate(Position()):
        expected = [float(name.removeprefix("e")) for name in taught.batch.ids]
        assert taught.logits[:, 0, 0].tolist() == expected
        epoch = position.epoch - (position.batch == 0)
        orders.setdefault(epoch, []).extend(taught.batch.ids)
        if position.epoch == 2:
            break
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != [example.id for example in examples]
