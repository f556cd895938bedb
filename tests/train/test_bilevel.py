"""Learned weights: every route to one gradient, exact resume, and what they are for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_distillation import (
    LABELS,
    AnswerBatches,
    Answers,
    Attentive,
    answers,
    fixed_terms,
    learned_stage,
    learner,
    likelihood,
    losses,
    plain_stage,
    state,
    student,
)
from tiny_training import open_trainer
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig, seed_update
from phosphene.core.types import Batch, Regions, Tokens
from phosphene.data.views import views
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig
from phosphene.objectives.imitation import distillation
from phosphene.recipes.plan import Planner
from phosphene.train.bilevel import Chance, unfit
from phosphene.train.checkpoint import read_checkpoint
from phosphene.train.meta_gradient import ROUTES, MetaGradient, Situation, Student
from phosphene.train.stage import LookAheadConfig
from phosphene.train.trainer import open_updater
from phosphene.weighting.direct import Term
from phosphene.weighting.instance import ViewLosses

TIMES = ("time", "seconds", "per_second")
CPU = Runtime(RuntimeConfig(accelerator="cpu", threads=1))


def situation(
    model: nn.Module,
    rate: float = 0.5,
    seed: int = 0,
    given: tuple[Answers, Answers] | None = None,
) -> Situation:
    batch, meta = given or (answers(5, 10, torch.double), answers(4, 11, torch.double))
    seed_update(seed)
    chance = Chance(torch.device("cpu"))
    now = losses(model, batch)
    generator = torch.Generator().manual_seed(12)
    weights = torch.rand(5, 3, generator=generator, dtype=batch.teacher.dtype).requires_grad_()

    def again() -> Tensor:
        with chance.again():
            return losses(model, batch).views

    def meta_loss() -> Tensor:
        model.eval()
        loss = likelihood(model, meta).total / 4
        model.train()
        return loss

    return Situation(Student({"student": model}), now, weights, rate, again, meta_loss)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_all_routes_lead_to_one_gradient(dropout: float) -> None:
    """The exact ones agree to rounding, differences as far as their steps allow."""
    found = {
        name: route(situation(student(dropout=dropout).double())) for name, route in ROUTES.items()
    }
    exact = found["create_graph"]
    size = float(exact.weights.abs().max())
    assert size > 1e-4
    for name, tolerance in (
        ("create_graph", 0.0),
        ("forward_mode", 1e-12),
        ("central_differences", 1e-5),
        ("one_sided_differences", 1e-3),
    ):
        assert found[name].loss == pytest.approx(exact.loss, rel=1e-12)
        assert (found[name].weights - exact.weights).abs().max() <= tolerance * size, name


@pytest.mark.parametrize("seed", range(4))
def test_in_32_bits_routes_agree_as_far_as_rounding_lets_them(seed: int) -> None:
    """Beside the exact gradient of the same data, weights and student in 64 bits.

    Measured with seeds 0 to 6, relative to the largest: 3e-7, 2e-7, 3e-4 and 2e-2.
    """
    single = answers(5, 10 + seed), answers(4, 50 + seed)
    double = tuple(
        Answers(each.views.double(), each.labels, each.teacher.double()) for each in single
    )
    here = situation(student().double(), given=(double[0], double[1]))
    with torch.no_grad():
        here.weights.copy_(situation(student(), given=single).weights)
    exact = ROUTES["create_graph"](here).weights
    size = float(exact.abs().max())
    assert size > 1e-2
    for name, tolerance in (
        ("create_graph", 1e-6),
        ("forward_mode", 1e-6),
        ("central_differences", 1e-3),
        ("one_sided_differences", 3e-2),
    ):
        found = ROUTES[name](situation(student(), given=single)).weights
        assert found.dtype == torch.float32
        assert (found - exact).abs().max() <= tolerance * size, name


@pytest.mark.parametrize("name", ROUTES)
def test_a_gradient_is_what_moving_a_weight_does(name: str) -> None:
    """Each weight is moved by hand, the student takes its step, the meta loss is read off."""

    def looked_ahead(weights: Tensor) -> float:
        here = situation(student().double())
        with torch.no_grad():
            here.weights.copy_(weights)
        return ROUTES["forward_mode"](here).loss

    here = situation(student().double())
    gradient = ROUTES[name](here).weights
    for example, view in ((0, 0), (3, 1), (4, 2)):
        moved = torch.zeros(5, 3, dtype=torch.double)
        moved[example, view] = 1e-4
        slope = looked_ahead(here.weights + moved) - looked_ahead(here.weights - moved)
        assert float(gradient[example, view]) == pytest.approx(slope / 2e-4, rel=1e-3)


def test_an_encoder_of_words_and_regions_takes_every_route() -> None:
    """Its packed rows, dropout and attention have both derivatives."""
    config = VLEncoderConfig(
        vocab=20, cls_id=2, sep_id=3, layers=2, hidden=8, inner=12, heads=2, feature=3
    )
    seed_update(1)
    encoder = VLEncoder(config).double()
    head = torch.randn(8, LABELS, dtype=torch.double)
    regions = Regions(torch.rand(3, 2, 3).double(), torch.tensor([[1, 1], [1, 0], [0, 0]]).bool())
    batch = Batch(("a", "b", "c"), Tokens.pad([[5, 6], [7], []]), regions=regions)
    taught = torch.randn(3, 3, LABELS, dtype=torch.double)

    def situated() -> Situation:
        seed_update(2)
        chance = Chance(torch.device("cpu"))

        def imitated() -> Tensor:
            with sdpa_kernel(SDPBackend.MATH):
                logits = [encoder(view).cls @ head for view in views(batch)]
            return torch.stack(
                [distillation(o, t, 2.0) for o, t in zip(logits, taught.unbind(1), strict=True)], 1
            )

        def again() -> Tensor:
            with chance.again():
                return imitated()

        def meta_loss() -> Tensor:
            with sdpa_kernel(SDPBackend.MATH):
                return (encoder(batch).cls @ head).square().mean()

        weights = torch.full((3, 3), 0.5, dtype=torch.double).requires_grad_()
        now = ViewLosses({}, imitated())
        student_parts = Student({"encoder": encoder})
        return Situation(student_parts, now, weights, 0.01, again, chance_of(meta_loss))

    def chance_of(compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
        def work() -> Tensor:
            seed_update(9)
            return compute()

        return work

    found = {name: route(situated()).weights for name, route in ROUTES.items()}
    exact = found.pop("create_graph")
    for name, gradient in found.items():
        tolerance = 1e-11 if name == "forward_mode" else 1e-2
        assert (gradient - exact).norm() < tolerance * exact.norm(), name


def test_one_parameter_by_hand() -> None:
    """loss_i = (w - a_i)^2 / 2, meta loss = w^2 / 2, w = 1, a = (0, 3), weights 1 and 1/2.

    The gradient is (1 * 1 + 1/2 * (-2)) / 2 = 0, so the step leads to 1 - 0 = 1; there the meta
    gradient is 1, and d meta / d weights = -alpha / 2 * (1, -2).
    """
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(model.weight)
    aims = torch.tensor([[0.0], [3.0]], dtype=torch.double)

    def views() -> Tensor:
        loss = (model(torch.ones(2, 1, dtype=torch.double)) - aims).square() / 2
        return torch.cat([loss, torch.zeros(2, 2, dtype=torch.double)], 1)

    for name, route in ROUTES.items():
        weights = torch.tensor([[1.0], [0.5]], dtype=torch.double).expand(2, 3).clone()
        here = Situation(
            Student({"model": model}),
            ViewLosses({}, views()),
            weights.requires_grad_(),
            0.1,
            views,
            lambda: model.weight.square().sum() / 2,
        )
        found: MetaGradient = route(here)
        assert found.loss == pytest.approx(0.5)
        assert found.weights.tolist() == [
            pytest.approx([-0.05, 0, 0], rel=1e-3),
            pytest.approx([0.1, 0, 0], rel=1e-3),
        ], name


def test_looking_ahead_leaves_student_statistics_and_chance_alone() -> None:
    for route in ROUTES.values():
        model = student(dropout=0.5).double()
        here = situation(model)
        before, chance = state(model), torch.get_rng_state()
        route(here)
        assert all(torch.equal(value, before[name]) for name, value in state(model).items())
        assert torch.equal(torch.get_rng_state(), chance)
        assert all(parameter.grad is None for parameter in model.parameters())


def test_a_meta_loss_that_nothing_moves_has_no_gradient() -> None:
    here = situation(student().double())
    flat = replace(here, meta_loss=lambda: 0.0 * next(here.student.parameters()).sum())
    for route in ROUTES.values():
        assert not route(flat).weights.any()


@pytest.mark.parametrize("route", ROUTES)
def test_fused_attention_is_written_out_where_it_has_to_be(route: str) -> None:
    """In a whole update; the kernels of a CPU have no second and no forward derivative."""
    weights = []
    for fused in (False, True):
        model, teacher = student(fused=fused), learner()
        config = LookAheadConfig(route=route, rate_factor=100.0)  # type: ignore[arg-type]
        stage = learned_stage(model, teacher, 1, config)
        updater = open_updater(stage, CPU)
        for update in range(1, 4):
            updater(update, answers(8, update), 0.01)
        weights.append(torch.cat([p.detach().flatten() for p in teacher.parameters()]))
        assert model.seen == 9  # three views, three updates
    before = torch.cat([p.detach().flatten() for p in learner().parameters()])
    # Adam makes as much of a small gradient, and of its rounding, as of a large one.
    tolerance = 0.2 if "differences" in route else 0.03
    assert (weights[1] - weights[0]).norm() < tolerance * (weights[0] - before).norm()


def test_the_student_goes_down_with_the_weights_that_were_just_learned() -> None:
    """Algorithm 1, line 6: the update of plain descent with the learner's new weights."""
    batch, ahead = answers(8, 1), LookAheadConfig(learning_rate=0.1, rate_factor=100.0)
    model, teacher = student(), learner()
    old = state(teacher)
    updater = open_updater(learned_stage(model, teacher, 9, ahead), CPU)
    outcome = updater(1, batch, 0.01)
    assert any(not torch.equal(value, old[name]) for name, value in state(teacher).items())
    other = student()
    stage = plain_stage(other, 9)
    weights = teacher(batch.teacher.softmax(-1)).detach()
    plain = open_updater(replace(stage, loss=lambda b: losses(other, b).terms(weights)), CPU)(
        1, batch, 0.01
    )
    assert all(torch.equal(value, state(other)[name]) for name, value in state(model).items())
    assert plain.means.items() <= outcome.means.items()
    assert outcome.means["weight/image"] == pytest.approx(float(weights[:, 1].mean()))
    assert {"meta", "weight/both", "weight/text"} < outcome.means.keys()


def test_a_learner_may_be_updated_now_and_then() -> None:
    model, teacher = student(), learner()
    stage = learned_stage(model, teacher, 9, LookAheadConfig(every_updates=3))
    updater = open_updater(stage, CPU)
    changed = []
    for update in range(1, 8):
        before = state(teacher)
        outcome = updater(update, answers(8, update), 0.01)
        changed.append(any(not torch.equal(v, before[n]) for n, v in state(teacher).items()))
        assert ("meta" in outcome.means) == changed[-1]
    assert changed == [True, False, False, True, False, False, True]


def trained(folder: Path, weights: tuple[float, float, float] | None) -> Attentive:
    model = student()
    stage = plain_stage(model, 30)
    if weights is not None:
        stage = replace(stage, loss=lambda batch: fixed_terms(model, batch, weights))
    open_trainer(folder).fit(stage)
    return model


def test_weights_1_0_0_are_plain_distillation_bit_for_bit(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", None)
    first, all_views = (
        trained(tmp_path / str(weights[2]), weights)
        for weights in ((1.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    )
    for name, value in plain.named_parameters():
        assert torch.equal(first.get_parameter(name), value), name
    assert not torch.equal(all_views.head.weight, plain.head.weight)


def test_a_learner_turns_away_from_a_teacher_that_is_wrong(tmp_path: Path) -> None:
    """For the image alone the teacher names another class; that weight falls below the others."""
    data = answers(40, 1)
    wrong = data.teacher.clone()
    wrong[:, 1] = -4 * data.teacher[:, 0]
    model, teacher = student(), learner()
    stage = learned_stage(model, teacher, 60, LookAheadConfig(learning_rate=0.05, rate_factor=50.0))
    batches = AnswerBatches(Answers(data.views, data.labels, wrong), 8, seed=1)
    open_trainer(tmp_path).fit(replace(stage, batches=batches))
    both, image, text = teacher(wrong.softmax(-1)).mean(0).tolist()
    assert image < min(both, text) - 0.2


def test_numbers_of_16_bits_are_refused(tmp_path: Path) -> None:
    runtime = Runtime(RuntimeConfig(accelerator="cpu", precision="bf16-mixed"))
    stage = learned_stage(student(), learner(), 1, LookAheadConfig())
    with pytest.raises(InputError, match=r"need runtime\.precision = '32-true', got 'bf16-mixed'"):
        open_updater(stage, runtime)


def test_a_checkpoint_holds_the_learner_and_its_optimiser(tmp_path: Path) -> None:
    seen: list[dict[str, Tensor]] = []
    stages = tmp_path / "checkpoints" / "distil"

    def look() -> dict[str, float]:
        seen.extend(read_checkpoint(path).tensors for path in sorted(stages.glob("resume-*")))
        return {}

    stage = learned_stage(student(), learner(), 20, LookAheadConfig())
    open_trainer(tmp_path).fit(replace(stage, evaluate=look))
    (tensors,) = seen
    parameters = len(list(learner().parameters()))
    assert sum(name.startswith("learner_optimizer/") for name in tensors) == 3 * parameters
    assert sum(name.startswith("learner.") for name in tensors) == parameters
    assert tensors["meta_position"].tolist() == [2, 2]  # ten updates, four batches an epoch
    final = read_checkpoint(stages / "final").tensors
    assert {name.split(".")[0] for name in final} == {"student", "learner"}


class StoppedError(Exception):
    pass


def test_a_run_broken_off_anywhere_ends_with_the_same_bits(tmp_path: Path) -> None:
    """Between two updates of the learner, inside an epoch of the meta-data, with dropout."""

    def run(folder: Path, stop_before: int | None) -> None:
        def count(batch: Answers) -> ViewLosses:
            nonlocal calls
            calls += 1
            if calls == stop_before:
                raise StoppedError
            return ahead.losses(batch)

        calls = 0
        stage = learned_stage(
            student(dropout=0.2),
            learner(),
            20,
            LookAheadConfig(route="forward_mode", every_updates=2, rate_factor=30.0),
        )
        assert stage.look_ahead is not None
        ahead = stage.look_ahead
        every_update = stage.budget.model_copy(update={"checkpoint_seconds": 0.0})
        open_trainer(folder).fit(
            replace(stage, budget=every_update, look_ahead=replace(ahead, losses=count))
        )

    run(tmp_path / "whole", None)
    for calls_until in (7, 12):
        with pytest.raises(StoppedError):
            run(tmp_path / "broken", calls_until)
    run(tmp_path / "broken", None)
    logs = [RunLog(tmp_path / name / "log.jsonl") for name in ("whole", "broken")]
    shown = [
        [{k: v for k, v in event.items() if k not in TIMES} for event in log.events()]
        for log in logs
    ]
    assert shown[0] == shown[1] and shown[0][-1]["update"] == 20
    final = Path("checkpoints") / "distil" / "final"
    whole, resumed = (read_checkpoint(tmp_path / name / final) for name in ("whole", "broken"))
    assert whole.tensors.keys() == resumed.tensors.keys()
    for name, value in whole.tensors.items():
        assert torch.equal(resumed.tensors[name], value), name


def test_dropout_is_on_for_losses_and_off_for_meta_data_in_every_epoch(tmp_path: Path) -> None:
    """Evaluations in between must not leave the student in evaluation mode."""
    model = student(dropout=0.2)
    stage = learned_stage(model, learner(), 12, LookAheadConfig())
    assert stage.look_ahead is not None
    ahead, modes = stage.look_ahead, {"losses": set[bool](), "meta": set[bool]()}

    def watched_losses(batch: Answers) -> ViewLosses:
        modes["losses"].add(model.training)
        return ahead.losses(batch)

    def watched_meta(batch: Answers) -> Term:
        modes["meta"].add(model.training)
        return ahead.meta_loss(batch)

    watched = replace(ahead, losses=watched_losses, meta_loss=watched_meta)
    each_epoch = stage.budget.model_copy(update={"evaluate_every_updates": 0})
    open_trainer(tmp_path).fit(
        replace(stage, budget=each_epoch, look_ahead=watched, evaluate=lambda: {"loss": 1.0})
    )
    assert modes == {"losses": {True}, "meta": {False}}


def test_a_plan_tries_the_learner_too() -> None:
    planner = Planner(CPU, RunLog(None, quiet=True))
    planner.fit(learned_stage(student(), learner(), 9, LookAheadConfig()))
    (plan,) = planner.stages
    assert plan.modules.keys() == {"student", "learner"}
    assert {"likelihood", "imitation/text", "weight/text", "meta"} <= plan.terms.keys()


def test_several_processes_are_refused() -> None:
    assert unfit(RuntimeConfig(devices=1)) is None
    runtime = Runtime(RuntimeConfig(accelerator="cpu", devices=2))
    stage = learned_stage(student(), learner(), 1, LookAheadConfig())
    message = rf"^stage '{stage.name}': [^\n]* expected runtime.devices = 1, got 2$"
    with pytest.raises(InputError, match=message):
        open_updater(stage, runtime)


def test_two_updaters_in_one_process_share_nothing() -> None:
    """Each ends where it would have ended alone."""

    def trained(sides: Sequence[tuple[LookAheadConfig, int]]) -> list[list[Tensor]]:
        models = [(student(), learner()) for _ in sides]
        updaters = [
            open_updater(learned_stage(*pair, 1, config), CPU)
            for pair, (config, _) in zip(models, sides, strict=True)
        ]
        for update in range(1, 5):
            for updater, (_, seed) in zip(updaters, sides, strict=True):
                updater(update, answers(8, seed + update), 0.01)
        return [[p.detach().clone() for m in pair for p in m.parameters()] for pair in models]

    sides = [(LookAheadConfig(rate_factor=30.0), 100), (LookAheadConfig(every_updates=2), 200)]
    together = trained(sides)
    alone = [trained([side])[0] for side in sides]
    for found, expected in zip(together, alone, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert not all(torch.equal(one, other) for one, other in zip(*together, strict=True))
