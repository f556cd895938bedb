"""The probes that fit runs of the recipe ``modality_kd``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.types import VIEWS, Modality, View
from phosphene.data.classification_data import ClassificationData, in_order
from phosphene.data.dataset import NO_PICTURE
from phosphene.data.world.splits import swapped
from phosphene.evaluate.classification import Decisions, divergence_by_view
from phosphene.evaluate.classifier import decisions, label_scores, threshold_of
from phosphene.evaluate.probes.confounders import confounders, follows_label
from phosphene.evaluate.probes.consistency import consistency
from phosphene.evaluate.probes.density import (
    Probabilities,
    density,
    distance,
    of_every_example,
    of_interest,
)
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.incongruent import Outcome, incongruent, swapped_pictures
from phosphene.evaluate.score import Score
from phosphene.models.answerer import Answerer
from phosphene.recipes.attention_probe import ask_encoder_attention
from phosphene.recipes.blank_regions import blank_regions
from phosphene.recipes.modality_kd_networks import Side
from phosphene.recipes.modality_kd_results import Trained, mean_weights
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.recipes.probe import Answer, Asked, Fitting, chosen
from phosphene.report.model import Curve, Plot

Swap = Modality | Literal["either"]
_AT_ONCE: Final = 64
_NAMES: Final[Mapping[View, str]] = {"both": "both", "image": "image alone", "text": "text alone"}


def fitting(settings: Settings) -> Fitting:
    """By name: a student beside its teacher, or the teacher alone."""
    taught, alone = settings.system != "teacher", "a teacher alone has no student"
    whole = f"{settings.system} weighs no views"
    return {
        "incongruent": _incongruent,
        "attention": _attention,
        "views": _views,
        "density": partial(_density, of_interest, "test"),
        "density-all": partial(_density, of_every_example, "test, every example"),
        "consistency": _consistency if taught else alone,
        "divergence": _divergence if taught else alone,
        "weights": _weights if taught and settings.views != "none" else whole,
    }


def _sides(trained: Trained, settings: Settings) -> dict[str, Side]:
    both = {"student": trained.student, "teacher": trained.teacher}
    return {"teacher": trained.teacher} if settings.system == "teacher" else both


def _test(side: Side, asked: Asked) -> ClassificationData:
    """The examples of the only test split there is.

    Raises:
        InputError: another one was asked for.
    """
    return chosen({"test": side.data.test}, asked.split)["test"]


def _answers(trained: Trained, side: Side, log: RunLog) -> Float[Tensor, "example view label"]:
    return trained.logits(side, "test", log)


def _threshold(trained: Trained, side: Side, log: RunLog) -> float:
    held_out = side.data.validation
    if not held_out.labels.many:
        return 0.5
    return threshold_of(trained.logits(side, "validation", log), held_out)


def _views(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """The scores with both modalities and with each alone; the answers example by example."""
    findings, plots = [], []
    uncovered = trained.corpus.splits["test"].uncovered
    for name, side in _sides(trained, settings).items():
        data = _test(side, asked)
        logits, threshold = _answers(trained, side, asked.log), _threshold(trained, side, asked.log)
        rows = {
            _NAMES[view]: tuple(label_scores(logits[:, column], data, threshold, uncovered))
            for column, view in enumerate(VIEWS)
        }
        findings.append(Finding(f"test, {name}: with one modality alone", rows))
        plots.append(_ordered(name, logits, data))
    return Answer(tuple(findings), tuple(plots))


def _ordered(
    name: str, logits: Float[Tensor, "example view label"], data: ClassificationData
) -> Plot:
    """Probabilities in all views, examples ordered by that of both modalities (Figure 3)."""
    labels = data.targets(np.arange(len(data)))
    values = [of_every_example(logits[:, column], labels) for column in range(len(VIEWS))]
    order = np.argsort(values[0][1], kind="stable")
    curves = tuple(
        Curve(_NAMES[view], tuple(enumerate(found[order].tolist())))
        for view, (_, found) in zip(VIEWS, values, strict=True)
    )
    return Plot(
        f"{name}: probability of {values[0][0]}", "example, in order", "probability", curves
    )


def _density(
    probability: Callable[[Tensor, Tensor], tuple[str, Probabilities]],
    about: str,
    trained: Trained,
    settings: Settings,
    asked: Asked,
) -> Answer:
    """How probabilities are distributed, and how far from the teacher's, in every view.

    Args:
        probability: of what it is, and its values: over all examples (Figure 1), or over those of
            one kind of answer (Figure 6).
        about: which examples, as the finding calls them.
        trained: the models.
        settings: of the run.
        asked: how the probe is run.
    """
    data = _test(trained.teacher, asked)
    found = {
        name: _answers(trained, side, asked.log) for name, side in _sides(trained, settings).items()
    }
    labels = data.targets(np.arange(len(data)))
    rows: dict[str, tuple[Score, ...]] = {}
    plots = []
    for column, view in enumerate(VIEWS):
        curves = []
        taught = probability(found["teacher"][:, column], labels)
        for name, logits in found.items():
            what, values = probability(logits[:, column], labels)
            signature = f"probability of {what}|values:{len(values)}"
            scores = [Score("mean probability", float(values.mean()), signature)]
            if name != "teacher":
                far = distance(values, taught[1])
                scores.append(Score("distance to the teacher's", far, f"earth mover's|{signature}"))
            rows[f"{name}, {_NAMES[view]}"] = tuple(scores)
            places, heights = density(values)
            points = zip(places.tolist(), heights.tolist(), strict=True)
            curves.append(Curve(name, tuple(points)))
        title = f"{_NAMES[view]}: probability of {taught[0]}"
        plots.append(Plot(title, "probability", "density", tuple(curves)))
    return Answer((Finding(f"{about}: how probabilities are distributed", rows),), tuple(plots))


def _divergence(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """KL from the teacher's answers to the student's (Figure 7)."""
    data = _test(trained.student, asked)
    student, teacher = (_answers(trained, s, asked.log) for s in (trained.student, trained.teacher))
    found = divergence_by_view(student, teacher, many=data.labels.many)
    signature = f"examples:{len(student)}|temperature:1"
    rows = {_NAMES[view]: (Score("KL, nats", value, signature),) for view, value in found.items()}
    return Answer((Finding("test: KL from the teacher to the student", rows),))


def _consistency(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """Agreement as examples are, and with texts or pictures swapped alike for both (Figure 5)."""
    sides = (trained.student, trained.teacher)
    tests = [_test(side, asked) for side in sides]
    thresholds = [_threshold(trained, side, asked.log) for side in sides]

    def drawn(swap: Swap | None, seed: int) -> tuple[Decisions, Decisions]:
        student, teacher = (
            decisions(
                classify(side.model, swap_modality(data, swap, seed)),
                threshold,
                many=data.labels.many,
            )
            for side, data, threshold in zip(sides, tests, thresholds, strict=True)
        )
        return student, teacher

    seeds = range(1, asked.seeds + 1)
    draws = {
        "as they are": [drawn(None, 0)],
        "image swapped": [drawn("image", seed) for seed in seeds],
        "text swapped": [drawn("text", seed) for seed in seeds],
        "one of them swapped": [drawn("either", seed) for seed in seeds],
    }
    return Answer((consistency("test: student and teacher", draws),))


def _weights(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """The weights of the views of every training example."""
    found = mean_weights(trained).double().numpy()
    signature = f"training examples:{len(found)}|{settings.views}"
    rows = {
        _NAMES[view]: (
            Score("mean", float(each.mean()), signature),
            Score("sd", float(each.std()), signature),
            Score("10 %", float(np.percentile(each, 10)), signature),
            Score("90 %", float(np.percentile(each, 90)), signature),
        )
        for view, each in zip(VIEWS, found.T, strict=True)
    }
    ranks = np.linspace(0, 100, 51)
    curves = tuple(
        Curve(
            _NAMES[view],
            tuple(zip(ranks.tolist(), np.percentile(each, ranks).tolist(), strict=True)),
        )
        for view, each in zip(VIEWS, found.T, strict=True)
    )
    plot = Plot("Weights of the views", "percent of the examples at most", "weight", curves)
    return Answer((Finding("training examples: weight of each view", rows),), (plot,))


def _incongruent(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """The student with the right picture, another one, a blank one, none."""
    side = _sides(trained, settings).get("student", trained.teacher)
    data, threshold = _test(side, asked), _threshold(trained, side, asked.log)
    assert data.regions is not None
    names = [data.picture_names[row] for row in data.picture_of if row != NO_PICTURE]
    seeds = range(1, asked.seeds + 1)
    others = {
        "swapped": [swap_modality(data, "image", seed) for seed in seeds],
        "blank": [replace(data, regions=blank_regions(data.regions, names), tags=None)],
        "none": [replace(data, regions=None, tags=None)],
    }
    title = f"test, {len(data)} examples: which picture is shown"
    use = partial(_use, side.model, threshold, trained.corpus.splits["test"].uncovered)
    found = incongruent(title, use, data, others)
    return Answer((found, *_flipped(trained, settings, asked)))


def _flipped(trained: Trained, settings: Settings, asked: Asked) -> tuple[Finding, ...]:
    """Another picture that flips the label (Figure 9), where the test set has such pairs.

    What a model says of a text with its confounder's picture is what it says of the confounder.
    """
    data = trained.teacher.data.test
    if data.labels.many:
        return ()
    labels = data.targets(np.arange(len(data))).numpy()
    groups = data.groups if data.together > 1 else [range(len(data))]
    texts = [example.text for example in data.examples]
    pairs = confounders(texts, data.picture_of, labels, groups)
    if not len(pairs):
        return ()
    sides = {"this model": trained.student}
    if settings.system != "teacher":
        sides["its teacher"] = trained.teacher
    said = {
        name: _answers(trained, side, asked.log)[:, 0].argmax(dim=1).numpy()
        for name, side in sides.items()
    }
    return (follows_label("test: another picture that flips the label", said, labels, pairs),)


def _attention(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """How much the student's words attend to regions, and to which.

    Raises:
        InputError: no example has both words and a picture.
    """
    side = _sides(trained, settings).get("student", trained.teacher)
    data = _test(side, asked)
    said = np.array([bool(text) for text in data.texts])
    rows = np.flatnonzero(said & (data.picture_of != NO_PICTURE))
    if not len(rows):
        raise InputError("attention: no test example has both a text and a picture")
    tests = {"test": data.take(rows)}
    return ask_encoder_attention(side.model.encoder, tests, side.reader.wordpiece, asked)


def _use(model: Answerer, threshold: float, uncovered: int, data: ClassificationData) -> Outcome:
    logits, labels = classify(model, data), data.targets(np.arange(len(data)))
    if data.labels.many:
        right = torch.where(labels > 0.5, F.logsigmoid(logits), F.logsigmoid(-logits)).sum(dim=1)
    else:
        right = F.log_softmax(logits, dim=1)[torch.arange(len(labels)), labels.long()]
    return Outcome(right.double().numpy(), tuple(label_scores(logits, data, threshold, uncovered)))


@torch.no_grad()
def classify(model: Answerer, data: ClassificationData) -> Float[Tensor, "example label"]:
    """The logits of every example with all that is there of it, on the CPU."""
    device = model.classifier.weight.device
    return torch.cat(
        [model(each.to(device)).logits.cpu().float() for each in in_order(data, _AT_ONCE)]
    )


def swap_modality(data: ClassificationData, swap: Swap | None, seed: int) -> ClassificationData:
    """Every example with the picture, or the text, of another one of the whole split.

    ``either``: of each example one of the two, drawn by chance.
    """
    if swap is None:
        return data
    pictures = swapped_pictures(data.picture_of, seed)
    texts = [data.texts[row] for row in swapped(len(data), seed)]
    chosen = np.full(len(data), swap == "image")
    if swap == "either":
        chosen = np.random.default_rng([seed, len(data)]).random(len(data)) < 0.5
    return replace(
        data,
        picture_of=np.where(chosen, pictures, data.picture_of),
        texts=[
            own if image else other
            for image, own, other in zip(chosen, data.texts, texts, strict=True)
        ],
    )


__all__ = ["classify", "fitting", "swap_modality"]
