"""Training of ``modality_kd``: what moves, what is exact, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.tiny_bert import published, write
from tiny_modality import STAGE, settings, trainer

from phosphene.core.config import read_settings
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.views import dropping
from phosphene.models.answerer import Answerer, AnswererConfig
from phosphene.models.backbone import BackboneConfig
from phosphene.models.view_answers import answer_views
from phosphene.models.vlencoder import VLEncoderConfig
from phosphene.recipes import config_path
from phosphene.recipes.modality_kd import train
from phosphene.recipes.modality_kd_data import load_data
from phosphene.recipes.modality_kd_networks import matched_layers, side
from phosphene.recipes.modality_kd_settings import Settings, System
from phosphene.train.stage import Finished, Stage
from phosphene.train.trainer import Trainer


def test_weights_1_0_0_are_plain_distillation_bit_for_bit(tmp_path: Path) -> None:
    """With dropout, although the other views are computed too."""
    plain = train(trainer(tmp_path / "kd"), settings(system="kd"))
    weighted = train(
        trainer(tmp_path / "msd"),
        settings(system="msd_population", distillation={"population": (1.0, 0.0, 0.0)}),
    )
    other = train(trainer(tmp_path / "all"), settings(system="msd_population"))
    expected = plain.student.model.state_dict()
    found = weighted.student.model.state_dict()
    assert all(torch.equal(expected[name], value) for name, value in found.items())
    assert not all(
        torch.equal(expected[name], value)
        for name, value in other.student.model.state_dict().items()
    )


class Watcher:
    """Runs stages like the trainer and notes what moved."""

    def __init__(self, inner: Trainer) -> None:
        self.inner = inner
        self.log = inner.log
        self.device = inner.device
        self.moved: dict[str, set[str]] = {}
        self.still: dict[str, set[str]] = {}
        self.teacher: dict[str, torch.Tensor] = {}

    def shared(self, name: str, *identity: object) -> Watcher:
        return self

    def cache(self, name: str, key: str) -> Path | None:
        return None

    def fit(self, stage: Stage) -> Finished:
        before = {name: _copy(module) for name, module in stage.saved.items()}
        finished = self.inner.fit(stage)
        self.moved[stage.name], self.still[stage.name] = set(), set()
        for owner, module in stage.saved.items():
            for name, value in module.state_dict().items():
                kind = self.still if torch.equal(before[owner][name], value) else self.moved
                kind[stage.name].add(f"{owner}.{name}")
        if stage.name == "teach":
            self.teacher = _copy(stage.modules["teacher"])
        return finished


def _copy(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("system", ["small", "kd", "fitnet", "msd_meta"])
def test_what_is_declared_trainable_moves_and_the_teacher_does_not(
    tmp_path: Path, system: System
) -> None:
    watcher = Watcher(trainer(tmp_path / "run"))
    trained = train(watcher, settings(system=system))  # type: ignore[arg-type]
    assert {"detector", "teach", "distil"} == set(watcher.moved)
    owners = {name.partition(".")[0] for name in watcher.moved["distil"]}
    extra = {"fitnet": {"hints"}, "msd_meta": {"learner"}}.get(system, set())
    assert owners == {"student", *extra}
    # The bias of keys has no effect on a softmax; rare words and positions may not occur.
    assert not {name for name in watcher.still["distil"] if name.endswith("norm.weight")}
    teacher = trained.teacher.model
    assert all(torch.equal(watcher.teacher[n], v) for n, v in teacher.state_dict().items())
    assert not any(p.requires_grad for p in teacher.parameters()) and not teacher.training


class Killed(BaseException):
    """Stands for a kill: nobody catches it."""


class KillingLog(RunLog):
    """Ends the run at its ``last``-th event."""

    def __init__(self, path: Path, last: int) -> None:
        super().__init__(path, quiet=True)
        self.left = last

    def event(self, stage: str, at: int, kind: str, **values: Any) -> None:
        super().event(stage, at, kind, **values)
        self.left -= 1
        if self.left == 0:
            raise Killed


def test_a_run_killed_while_it_distils_ends_with_the_same_weights(tmp_path: Path) -> None:
    """The meta-learner's too."""
    often = {**STAGE, "budget": {**STAGE["budget"], "max_updates": 6, "checkpoint_seconds": 0.0}}
    every = settings(system="msd_meta", distil=often, meta={"every_updates": 2, "rate_factor": 50})

    def weights(name: str, log: RunLog) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}

        class Keeping(Trainer):
            def fit(self, stage: Stage) -> Finished:
                finished = super().fit(stage)
                for owner, module in stage.saved.items():
                    found.update({f"{owner}.{k}": v for k, v in _copy(module).items()})
                return finished

        plain = trainer(tmp_path / name, log)
        train(Keeping(plain.folder, plain.runtime, plain.log, plain.seed), every)
        return found

    whole = weights("whole", RunLog(tmp_path / "whole.jsonl", quiet=True))
    for last in (2, 2, 2):
        with pytest.raises(Killed):
            weights("killed", KillingLog(tmp_path / "killed.jsonl", last))
    resumed = weights("killed", RunLog(tmp_path / "killed.jsonl", quiet=True))
    assert any(name.startswith("learner.") for name in whole)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_an_example_is_answered_the_same_alone_and_in_a_batch(tmp_path: Path) -> None:
    trained = train(trainer(tmp_path / "run"), settings(system="small"))
    data, model = trained.student.data.test, trained.student.model
    drop = dropping("mask")
    with torch.no_grad():
        together = answer_views(model, data.batch(np.arange(len(data))), drop)[1]
        for row in range(len(data)):
            alone = answer_views(model, data.batch(np.array([row])), drop)[1]
            torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-6)


def test_runs_that_share_a_teacher_name_it_alike() -> None:
    one, other = settings(system="kd"), settings(system="rkd", drop="zero")
    assert one.until_teacher == other.until_teacher
    assert settings(teach={**STAGE, "batch": 9}).until_teacher != one.until_teacher


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="belongs to msd_ systems"):
        settings(system="kd", base="sp")
    with pytest.raises(InputError, match="three weights in"):
        settings(distillation={"population": (1.0, 2.0, 0.0)})
    with pytest.raises(InputError, match=r"needs a section data\.files"):
        settings(data={"source": "files"})


def test_layers_at_the_same_depth() -> None:
    assert matched_layers(4, 12) == ((1, 3), (2, 6), (3, 9), (4, 12))
    assert matched_layers(2, 1) == ((1, 1), (2, 1))


def test_the_papers_networks_have_their_published_sizes() -> None:
    """Built without memory: VisualBERT's 109 million and TinyBERT's 14.5, with regions of 2052."""
    paper = read_settings(Settings, config_path("modality_kd", "paper"))
    sizes = []
    for network in (paper.teacher_network, paper.network):
        encoder = VLEncoderConfig(
            vocab=30_522,
            cls_id=101,
            sep_id=102,
            feature=2048 + 4,
            **network.model_dump(exclude={"weights", "initial_std", "merges", "trim"}),
        )
        with torch.device("meta"):
            model = Answerer(AnswererConfig(encoder=encoder, answers=2))
        sizes.append(sum(parameter.numel() for parameter in model.parameters()))
    # BERT-base and TinyBERT with their poolers; the projection of regions and its norm; two classes
    assert sizes[0] == 109_482_240 + 2052 * 768 + 3 * 768 + 2 * 768 + 2
    assert sizes[1] == 14_350_248 + 2052 * 312 + 3 * 312 + 2 * 312 + 2
    assert as_printed(paper)


def as_printed(paper: Settings) -> bool:
    """Hyper-parameters of Hateful-Memes as the paper prints them."""
    plan = paper.distillation
    return (
        plan.temperature == 4.0
        and plan.label_share == 0.5
        and paper.distil.budget.max_updates == 5000
        and paper.distil.optim.warmup_updates == 500
        and paper.distil.batch == 10
        and paper.meta.learning_rate == 1e-3
    )


def test_what_published_weights_know_of_regions_is_left_alone(tmp_path: Path) -> None:
    """Those without visual parts meet them standardised; those that have some keep them."""
    plan = settings()
    data = load_data(trainer(tmp_path / "run"), plan)
    seen = {
        "img_embedding.weight": torch.randn(12, data.feature),
        "img_embedding.bias": torch.randn(12),
    }
    projections = []
    for name, weights in (("bert", published()), ("oscar", published() | seen)):
        folder = write(tmp_path / name, weights)
        found = side(plan, data, BackboneConfig(weights=str(folder)))
        regions = found.model.encoder.regions
        assert regions is not None
        projections.append(regions.projection)
        trained = {*map(id, found.published)}
        assert (id(regions.projection.weight) in trained) == (name == "oscar")
        assert id(found.model.encoder.embedding.words.weight) in trained
        assert id(found.model.classifier.weight) not in trained
    fresh, kept = projections
    assert torch.equal(kept.weight, seen["img_embedding.weight"])
    assert fresh.bias.abs().max() > 0  # the mean region is taken off
