"""The probes of ``modality_kd``: what is swapped, and who follows a label that a picture flips."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_modality import settings, trainer

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog, Signature
from phosphene.data.classification_data import ClassificationData
from phosphene.data.classification_world import world_examples
from phosphene.data.dataset import NO_PICTURE
from phosphene.data.world.draw import draw
from phosphene.data.world.splits import Part, World
from phosphene.evaluate.system import Line, Results, SplitResult
from phosphene.recipes.modality_kd import train
from phosphene.recipes.modality_kd_probes import fitting, swap_modality
from phosphene.recipes.modality_kd_results import Trained
from phosphene.recipes.probe import Asked
from phosphene.report.model import HeatMap
from phosphene.reproduce.examples import confounder, examples_of
from phosphene.train.run import open_run

PLAN = settings(system="small", data={"source": "world", "train_examples": 40, "test_examples": 24})

ASKED = Asked(RunLog(None, quiet=True), seeds=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(trainer(tmp_path_factory.mktemp("probed") / "run"), PLAN)


def changed(before: ClassificationData, after: ClassificationData) -> tuple[np.ndarray, np.ndarray]:
    """Of every example: whether it has another picture, and another example's text."""
    places = [next(i for i, text in enumerate(before.texts) if text is own) for own in after.texts]
    return before.picture_of != after.picture_of, np.array(places) != np.arange(len(before))


def test_one_modality_of_every_example_is_swapped_and_either_is_drawn(trained: Trained) -> None:
    data = trained.student.data.test
    pictures, texts = changed(data, swap_modality(data, "image", 1))
    assert pictures.all() and not texts.any()
    pictures, texts = changed(data, swap_modality(data, "text", 1))
    assert texts.all() and not pictures.any()
    pictures, texts = changed(data, swap_modality(data, "either", 1))
    assert (pictures != texts).all()  # exactly one of the two
    assert 4 <= pictures.sum() <= 20
    again = changed(data, swap_modality(data, "either", 2))[0]
    assert (again != pictures).any()


def test_densities_are_of_every_example_or_of_those_of_label_0(trained: Trained) -> None:
    """Half of the world's remarks are benign, which is the first class."""
    asked = Asked(RunLog(None, quiet=True))
    for probe, examples, what in (
        ("density", 12, "the second class, where it is the first"),
        ("density-all", 24, "the second class"),
    ):
        answer = fitting(PLAN)[probe](trained, PLAN, asked)
        signature = f"probability of {what}|values:{examples}"
        score = answer.findings[0].score("student, both", "mean probability")
        assert score.signature == signature
        assert answer.figures[0].title == f"both: probability of {what}"


def test_consistency_has_the_condition_in_which_either_is_swapped(trained: Trained) -> None:
    answer = fitting(PLAN)["consistency"](trained, PLAN, Asked(RunLog(None, quiet=True), seeds=2))
    assert list(answer.findings[0].rows) == [
        "as they are",
        "image swapped",
        "text swapped",
        "one of them swapped",
    ]


def test_words_of_the_student_attend_to_its_regions(trained: Trained) -> None:
    data = trained.student.data.test
    answer = fitting(PLAN)["attention"](trained, PLAN, replace(ASKED, examples=2))
    (found,) = answer.findings
    assert found.title == "test: attention of words to regions"
    assert list(found.rows) == ["layer 1"]
    # Hardly trained, it attends to everything about alike: the share of regions among the rows.
    batch = data.batch(np.arange(len(data)))
    assert batch.regions is not None
    seen, words = batch.regions.mask.sum(dim=1), batch.source.mask.sum(dim=1)
    share = float((words * seen / (words + 2 + seen)).sum() / words.sum())
    for head in ("head 1", "head 2"):
        assert found.score("layer 1", head).value == pytest.approx(100 * share, rel=0.2)
    assert len(answer.figures) == 2 * 2  # examples, heads
    drawn = answer.figures[0]
    assert isinstance(drawn, HeatMap)
    assert len(drawn.rows) == int(words[0]) and len(drawn.columns) == int(seen[0])
    entries = trained.student.reader.wordpiece.entries()
    assert list(drawn.rows) == [entries[index] for index in data.texts[0]]


def test_where_no_example_has_a_picture_its_probes_say_so(trained: Trained) -> None:
    data = trained.student.data.test
    blind = replace(data, picture_of=np.full(len(data), NO_PICTURE))
    student = replace(trained.student, data=replace(trained.student.data, test=blind))
    for probe, why in (
        ("attention", "no test example has both a text and a picture"),
        ("incongruent", "at least 2 different pictures to swap, got 0"),
        ("consistency", "at least 2 different pictures to swap, got 0"),
    ):
        with pytest.raises(InputError, match=why):
            fitting(PLAN)[probe](replace(trained, student=student), PLAN, ASKED)


def test_following_the_label_is_being_right_about_a_text_and_its_confounder(
    trained: Trained,
) -> None:
    asked = Asked(RunLog(None, quiet=True), seeds=1)
    found = fitting(PLAN)["incongruent"](trained, PLAN, asked).findings[1]
    assert list(found.rows) == ["this model", "its teacher"]
    data = trained.student.data.test
    for name, side in (("this model", trained.student), ("its teacher", trained.teacher)):
        said = trained.logits(side, "test", asked.log)[:, 0].argmax(dim=1)
        right = (said == data.targets(np.arange(len(data)))).tolist()
        pairs = [(row, row + 1) for row in range(0, len(data), 2)]
        both = sum(right[one] and right[other] for one, other in pairs)
        score = found.score(name, "follows the label, %")
        assert score.value == pytest.approx(100 * both / len(pairs))
        assert score.signature == f"pairs:{len(pairs)}"


def test_examples_come_with_the_picture_that_flips_their_label(tmp_path: Path) -> None:
    open_run(tmp_path / "run", "modality_kd", PLAN)
    world = World(PLAN.data.world_seed)
    examples, scenes = world_examples("hostility", world, 24, Part.TEST)
    lines = tuple(Line(each.text, each.labels[0], "benign", -1.0) for each in examples)
    other = (*lines[:9], Line(lines[9].source, lines[9].reference, "hostile", -1.0), *lines[10:])
    signature = Signature("0.1", "abc", "d1", "c1", 1, "last")
    systems = {
        name: (
            tmp_path / "run",
            Results(name, "en", signature, (SplitResult("test", 24, (), said, "answers"),)),
        )
        for name, said in (("one", lines), ("other", other))
    }
    assert confounder(tmp_path / "run", lines, 9) == (8,)
    shown = list(examples_of(systems, 4))
    assert [example.source for example in shown] == [lines[9].source, lines[8].source]
    assert {example.reference for example in shown} == {"benign", "hostile"}
    for example, place in zip(shown, (9, 8), strict=True):
        assert example.picture is not None
        picture = np.asarray(Image.open(io.BytesIO(example.picture)))
        assert np.array_equal(picture, draw(scenes[place]))
