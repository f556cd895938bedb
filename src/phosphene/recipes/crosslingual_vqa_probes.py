"""The probes that fit runs of the recipe ``crosslingual_vqa``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.pharaoh import Alignment
from phosphene.data.questions import QuestionData, encode_questions
from phosphene.data.vqa import Question
from phosphene.evaluate.answering import accuracy_scores
from phosphene.evaluate.answers import answer_all
from phosphene.evaluate.probes.clusters import principal_axes
from phosphene.evaluate.probes.incongruent import Outcome, incongruent, swapped_pictures
from phosphene.evaluate.probes.tokens import Named, named_regions, named_words, tokens
from phosphene.recipes.attention_probe import ask_encoder_attention
from phosphene.recipes.blank_regions import blank_regions
from phosphene.recipes.crosslingual_vqa_data import lessons
from phosphene.recipes.crosslingual_vqa_results import Trained
from phosphene.recipes.crosslingual_vqa_settings import Settings
from phosphene.recipes.probe import Answer, Asked, Fitting, chosen
from phosphene.report.model import Point, Scatter

_SHOWN: Final = 3
"""Kinds of things on the map, the most frequent ones."""
_POINTS: Final = 40
"""Of each kind and model on the map."""


def fitting(settings: Settings) -> Fitting:
    """By name: pictures where the model has any; tokens where a student imitates a teacher."""
    reason = ""
    if not settings.data.pictures:
        reason = "it answers without pictures (data.pictures)"
    elif settings.system == "translate_test":
        reason = "translate_test has no model of its own: ask a run of its teacher"
    alone = reason or f"{settings.system} imitates no teacher"
    return {
        "incongruent": reason or _incongruent,
        "attention": reason or _attention,
        "tokens": _tokens if settings.system == "kd" and not reason else alone,
    }


def _tests(trained: Trained, settings: Settings, asked: Asked) -> dict[str, QuestionData]:
    questions = trained.corpus.asked
    tests = questions.english_tests if settings.system == "teacher" else questions.tests
    return {
        name: encode_questions(each, trained.learner.reader, trained.corpus.table, as_used=True)
        for name, each in chosen(tests, asked.split).items()
    }


def _incongruent(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """Every question about its picture, another one, a blank one, none."""
    findings = []
    for name, data in _tests(trained, settings, asked).items():
        assert data.table is not None
        names = [question.image_id for question in data.questions]
        others = {
            "swapped": [_swapped(data, seed) for seed in range(1, asked.seeds + 1)],
            "blank": [
                replace(data, table=blank_regions(data.table, names), tags=[[] for _ in names])
            ],
            "none": [replace(data, table=None)],
        }
        title = f"{name}, {len(data)} questions: which picture is shown"
        run = partial(_use, trained, data.questions, asked.log)
        findings.append(incongruent(title, run, data, others))
    return Answer(tuple(findings))


def _swapped(data: QuestionData, seed: int) -> QuestionData:
    """Every question about another picture of the split, with that one's tags."""
    _, first, picture_of = np.unique(
        [question.image_id for question in data.questions], return_index=True, return_inverse=True
    )
    rows = first[swapped_pictures(picture_of, seed)].tolist()
    return replace(
        data,
        questions=tuple(
            replace(question, image_id=data.questions[row].image_id)
            for question, row in zip(data.questions, rows, strict=True)
        ),
        tags=[data.tags[row] for row in rows],
    )


def _use(
    trained: Trained, questions: Sequence[Question], log: RunLog, data: QuestionData
) -> Outcome:
    lines = answer_all(trained.learner.model, data, trained.learner.vocabulary, log, "questions")
    said = [line.hypothesis for line in lines]
    scores = accuracy_scores(said, questions, trained.learner.vocabulary, data.language)[:1]
    return Outcome(np.array([line.likelihood for line in lines]), tuple(scores))


def _attention(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """How much the words of a question attend to regions, and to which."""
    learner = trained.learner
    tests = _tests(trained, settings, asked)
    return ask_encoder_attention(learner.model.encoder, tests, learner.reader.wordpiece, asked)


def _tokens(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """Words and regions of the held-out parallel questions, read by teacher and student.

    Raises:
        InputError: their states are of different widths, or no question names a tag.
    """
    if trained.taught_by is None:
        raise InputError("tokens: the run has no teacher")
    student, teacher = trained.learner, trained.taught_by
    part = lessons(settings, trained.corpus, (student.reader, teacher.reader))[1]
    wanted = [_named(lesson.question, lesson.alignment, part.teacher) for lesson in part.all]
    kinds = [
        (
            "words",
            named_words(
                teacher.model, teacher.reader, part.teacher, [there for there, _ in wanted]
            ),
            named_words(student.model, student.reader, part.student, [here for _, here in wanted]),
        ),
        (
            "regions",
            named_regions(teacher.model, part.teacher),
            named_regions(student.model, part.student),
        ),
    ]
    kinds = [each for each in kinds if each[1].names and each[2].names]
    if not kinds:
        raise InputError("tokens: no held-out question names what is in its picture")
    try:
        finding = tokens("held-out parallel questions: states of the last layer", kinds)
    except ValueError as error:
        raise InputError(f"tokens: {error}") from error
    maps = [
        _map(f"{kind} of teacher and student", {"teacher": theirs, "student": own})
        for kind, theirs, own in kinds
    ]
    if len(kinds) == 2:
        (_, _, words), (_, _, regions) = kinds
        maps.append(_map("regions and words of the student", {"region": regions, "word": words}))
    return Answer((finding,), tuple(maps))


def _named(
    question: Question, alignment: Alignment, data: QuestionData
) -> tuple[dict[int, str], dict[int, str]]:
    """The words that are tags of the picture: in English, and what translates them."""
    assert data.table is not None
    tags, english = set(data.table.tags(question.image_id)), question.words_in("en")
    links = [(there, here) for there, here in sorted(alignment) if english[there] in tags]
    return (
        {there: english[there] for there, _ in links},
        {here: english[there] for there, here in links},
    )


def _map(title: str, groups: Mapping[str, Named]) -> Scatter:
    """Some states of the first group's most frequent things, on its principal components."""
    of, first = next(iter(groups.items()))
    frequent = [name for name, _ in Counter(first.names).most_common(_SHOWN)]
    centre, axes = principal_axes(first.states.double().numpy())
    points = []
    for owner, found in groups.items():
        for name in frequent:
            rows = [row for row, other in enumerate(found.names) if other == name][:_POINTS]
            places = (found.states[rows].double().numpy() - centre) @ axes.T
            points += [Point(x, y, f"{name}, {owner}", name) for x, y in places.tolist()]
    return Scatter(title, tuple(points), f"Principal components of '{of}'.")


__all__ = ["fitting"]
