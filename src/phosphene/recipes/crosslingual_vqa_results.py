"""What the recipe ``crosslingual_vqa`` leaves behind, and how it is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phosphene.core.config import settings_hash
from phosphene.core.runlog import RunLog, sign
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.questions import Reader, encode_questions
from phosphene.data.vqa import Question
from phosphene.evaluate.answers import answer_all, score_answers
from phosphene.evaluate.system import Results, SplitResult
from phosphene.models.answerer import Answerer, AnswererConfig
from phosphene.models.answerer_folder import AnswererFolder, AnswererFolderConfig, save_answerer
from phosphene.recipes.crosslingual_vqa_data import Data, noisy
from phosphene.recipes.crosslingual_vqa_settings import Settings
from phosphene.train.stage import Finished


@dataclass(frozen=True)
class Trained:
    """What the recipe leaves behind."""

    model: Answerer
    corpus: Data
    vocabulary: AnswerVocabulary
    reader: Reader
    finished: Finished
    known: tuple[Question, ...]
    """The questions whose answers the model was trained on last."""
    teacher: tuple[Answerer, Reader] | None = None
    """Whose states a student has imitated, and how it reads."""


def evaluate(trained: Trained, settings: Settings, log: RunLog) -> Results:
    """Answer and score every test split, uncovered answers counted wrong."""
    asked = trained.corpus.asked
    english = settings.system == "teacher"
    tests = asked.english_tests if english else asked.tests
    language = "en" if english else settings.data.language
    splits = []
    for name, questions in tests.items():
        if settings.system == "translate_test":
            splits.append(_translate_test(trained, settings, name, questions, log))
            continue
        data = encode_questions(questions, trained.reader, trained.corpus.table, as_used=True)
        lines = answer_all(trained.model, data, trained.vocabulary, log, name)
        splits.append(
            score_answers(
                name, questions, lines, trained.vocabulary, trained.known, (language, language)
            )
        )
    selection = trained.finished.selection
    signature = sign(trained.corpus.digest(), settings_hash(settings), settings.seed, selection)
    return Results(settings.system, language, signature, tuple(splits))


def export(trained: Trained, settings: Settings, folder: Path) -> None:
    """What answering needs."""
    encoder = trained.model.encoder.config
    config = AnswererFolderConfig(
        answerer=AnswererConfig(
            encoder=encoder, answers=len(trained.vocabulary), dropout=encoder.dropout
        ),
        language=trained.reader.language,
        lengths=settings.lengths,
        geometry=4 if trained.corpus.table is None else trained.corpus.table.geometry,
        known=tuple(sorted(trained.reader.known)),
    )
    save_answerer(
        folder,
        AnswererFolder(
            trained.model,
            config,
            trained.reader.wordpiece,
            trained.vocabulary,
            trained.corpus.vision,
        ),
    )


def _translate_test(
    trained: Trained,
    settings: Settings,
    name: str,
    questions: Sequence[Question],
    log: RunLog,
) -> SplitResult:
    """The English teacher answers the questions in English; its answers are translated back.

    The gold answers' probabilities are those of the English answers that translate to them.
    """
    answers = trained.corpus.asked.answers
    language = settings.data.language
    vocabulary = AnswerVocabulary(
        tuple(answers.get(each, each) for each in trained.vocabulary.answers)
    )
    data = encode_questions(
        noisy(settings, questions, "en"), trained.reader, trained.corpus.table, as_used=True
    )
    lines = answer_all(trained.model, data, vocabulary, log, name)
    return score_answers(
        name, questions, lines, vocabulary, trained.corpus.asked.parallel, (language, language)
    )


__all__ = ["Trained", "evaluate", "export"]
