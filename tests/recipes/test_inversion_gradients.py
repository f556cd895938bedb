"""Which loss teaches which part, and that the teacher stays as it was."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from phosphene.core.types import Batch, Pixels, Tokens
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.models.translator import Translator, TranslatorTrace, build, gold
from phosphene.nn.pyramid import InvertedPyramid
from phosphene.nn.visual import VisualTeacher, freeze
from phosphene.objectives.likelihood import label_smoothed
from phosphene.recipes.inversion_mmt import inversion
from phosphene.recipes.inversion_mmt_settings import Settings, translator_config
from phosphene.train.update import combine
from phosphene.weighting.direct import Term, token_mean

NETWORK = {"layers": 1, "hidden": 16, "inner": 16, "heads": 2, "dropout": 0.0, "rank": 16}


@dataclass
class Parts:
    model: Translator
    student: nn.Module
    teacher: VisualTeacher
    batch: Batch
    trace: TranslatorTrace
    terms: dict[str, Term]

    def touched(self, term: str) -> set[str]:
        """Parts with a gradient that is not zero when ``term`` alone is trained."""
        owners = {
            "embedding": self.model.embedding,
            "generator": self.model.generator,
            "student": self.student,
            "teacher": self.teacher,
        }
        for owner in owners.values():
            owner.zero_grad(set_to_none=True)
        combine({term: self.terms[term]}, {term: self.terms[term].count}).backward(
            retain_graph=True
        )
        return {
            name
            for name, owner in owners.items()
            if any(p.grad is not None and p.grad.abs().sum() > 0 for p in owner.parameters())
        }


def parts(variant: str = "paper", granularity: str = "model") -> Parts:
    torch.manual_seed(0)
    settings = Settings.model_validate(
        {
            "variant": variant,
            "budget": {"max_updates": 1},
            "data": {"source": "world"},
            "teacher": {"network": "small_resnet", "side": 64},
            "network": NETWORK,
            "distillation": {"image_space": 1.0, "granularity": granularity},
        }
    )
    teacher = freeze(build_teacher(TeacherConfig(network="small_resnet", side=64), 5))
    model = build(translator_config(settings, 20, teacher)).train()
    student = InvertedPyramid(teacher.picture, teacher.stages).train()
    if variant == "released":
        model.generator.requires_grad_(False)
        student.requires_grad_(False)
    source = Tokens.pad([[4, 5, 2], [6, 7, 8, 2], [9, 2]])
    target = Tokens.pad([[1, 5, 2], [1, 7, 8, 2], [1, 9, 2]])
    pixels = Pixels(torch.rand(2, 3, 64, 64), torch.tensor([0, 2]))
    batch = Batch(("a", "b", "c"), source, target, pixels)
    trace = model(batch)
    words, mask = gold(target)
    terms = {"translation": token_mean(label_smoothed(trace.logits, words, 0.1), mask)}
    terms |= inversion(settings, student, teacher)(batch, trace)
    return Parts(model, student, teacher, batch, trace, terms)


@pytest.mark.parametrize(
    ("term", "taught"),
    [
        ("translation", {"embedding", "generator"}),
        ("inter_modal", {"embedding", "generator", "student"}),
        ("intra_modal", {"embedding", "generator", "student"}),
        ("image_space", {"embedding", "generator", "student"}),
    ],
)
def test_each_loss_teaches_its_parts_and_never_the_teacher(term: str, taught: set[str]) -> None:
    assert parts().touched(term) == taught


@pytest.mark.parametrize("term", ["translation", "inter_modal", "intra_modal", "image_space"])
def test_in_the_released_variant_only_the_embedding_learns(term: str) -> None:
    assert parts("released").touched(term) == {"embedding"}


@pytest.mark.parametrize("granularity", ["model", "block", "layer"])
def test_the_teacher_is_bit_identical_after_a_backward_pass(granularity: str) -> None:
    made = parts(granularity=granularity)

    def fingerprint() -> str:
        state = made.teacher.state_dict()
        return hashlib.sha256(b"".join(v.numpy().tobytes() for v in state.values())).hexdigest()

    before = fingerprint()
    for term in made.terms:
        made.touched(term)
    made.model.train()
    assert fingerprint() == before
    assert not any(module.training for module in made.teacher.modules())


def test_the_intra_modal_gradient_passes_through_the_teacher() -> None:
    """With the image term taken out, the drawn picture still receives a gradient."""
    made = parts()
    drawn = made.student(made.trace.feature_map[made.batch.pixels.rows])
    drawn.image.retain_grad()
    real = made.teacher(made.batch.pixels.values)
    seen = made.teacher.perceive(drawn.image)
    (seen.last - real.last).square().mean().backward()
    assert drawn.image.grad is not None
    assert drawn.image.grad.abs().sum() > 0


def test_the_released_terms_are_numerically_nil() -> None:
    """Even in this tiny batch they are below a hundredth of the loss of a target word."""
    made = parts("released")
    translation = made.terms["translation"].mean
    for name in ("inter_modal", "intra_modal"):
        assert 0 < made.terms[name].mean < 1e-2 * translation
    assert made.terms["inter_modal"].count == made.terms["translation"].count


def test_a_batch_without_photos_adds_nothing_and_does_not_fail() -> None:
    made = parts()
    empty = Pixels(torch.zeros(0, 3, 64, 64), torch.zeros(0, dtype=torch.long))
    batch = Batch(made.batch.ids, made.batch.source, made.batch.target, empty)
    settings = Settings.model_validate(
        {
            "budget": {"max_updates": 1},
            "data": {"source": "world"},
            "teacher": {"network": "small_resnet", "side": 64},
            "network": NETWORK,
        }
    )
    terms = inversion(settings, made.student, made.teacher)(batch, made.model(batch))
    assert {name: term.mean for name, term in terms.items()} == {
        "inter_modal": 0.0,
        "intra_modal": 0.0,
        "image_space": 0.0,
    }
