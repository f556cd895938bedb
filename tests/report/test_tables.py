"""Tables: the same cells as text, Markdown and CSV, and no number without its signature."""

import csv
import io
from dataclasses import dataclass

import pytest

from phosphene.evaluate.score import Score, Unavailable
from phosphene.evaluate.significance import Comparison, Interval
from phosphene.report.model import Missing, Number, Probability, Table
from phosphene.report.tables import (
    comparison_table,
    score_table,
    to_csv,
    to_markdown,
    to_text,
)

TABLE = Table(
    "Test 2016",
    ("system", "BLEU", "accuracy"),
    (
        ("text only", Number(41.02, "tok:none"), Number(50.0, "n:300", digits=1)),
        ("画像 a|b", Number(9.5, "tok:none"), Missing("its pictures are absent")),
    ),
    note="Averages of three seeds.",
)


def test_text_is_aligned() -> None:
    assert to_text(TABLE) == (
        "Test 2016\n"
        "\n"
        "system          BLEU  accuracy\n"
        "---------  ---------  --------\n"
        "text only  41.02 [1]  50.0 [2]\n"
        "画像 a|b    9.50 [1]     – [3]\n"
        "\n"
        "Averages of three seeds.\n"
        "[1] tok:none\n"
        "[2] n:300\n"
        "[3] its pictures are absent\n"
    )


def test_a_probability_that_is_small_is_not_nothing() -> None:
    shown = [str(Probability(value, "t")) for value in (0.0, 2e-12, 4e-5, 6e-5)]
    assert shown == ["0.0000", "<0.0001", "<0.0001", "0.0001"]


def test_a_difference_that_rounds_to_nothing_has_no_sign() -> None:
    assert [str(Number(value, "t")) for value in (0.004, -0.004)] == ["0.00", "0.00"]
    assert str(Number(1e-9, "t", 2, deviation=0.5, mark="†")) == "0.00 ± 0.50 †"


def test_markdown_escapes_its_own_marks() -> None:
    lines = to_markdown(TABLE).splitlines()
    assert lines[:6] == [
        "**Test 2016**",
        "",
        "| system | BLEU | accuracy |",
        "| --- | ---: | ---: |",
        "| text only | 41.02 [1] | 50.0 [2] |",
        "| 画像 a\\|b | 9.50 [1] | – [3] |",
    ]
    assert lines[-1] == "[3] its pictures are absent"


def test_csv_keeps_full_precision_and_signatures() -> None:
    table = Table("t", ("a, b", "x"), (("é", Number(1 / 3, "s,1")), ("n", Missing("why"))))
    assert list(csv.reader(io.StringIO(to_csv(table)))) == [
        ["a, b", "x", "x signature"],
        ["é", "0.3333333333333333", "s,1"],
        ["n", "", "why"],
    ]
    empty = Table("t", ("a", "x"), (("b", Missing("why")),))
    assert to_csv(empty) == "a,x,x signature\nb,,why\n", "a column without any number says why"


def test_scores_of_several_systems() -> None:
    table = score_table(
        "Scores",
        {
            "ours": [Score("BLEU", 41.25, "tok:none"), Score("chrF2", 60.0, "nc:6")],
            "theirs": [Score("BLEU", 40.0, "tok:none")],
        },
        [Unavailable("METEOR 1.5", "java is not installed")],
    )
    assert table.header == ("score", "ours", "theirs")
    assert table.rows == (
        ("BLEU", Number(41.25, "tok:none"), Number(40.0, "tok:none")),
        ("chrF2", Number(60.0, "nc:6"), Missing("not computed")),
        ("METEOR 1.5", *2 * (Missing("unavailable: java is not installed"),)),
    )


def test_comparison() -> None:
    comparison = Comparison(
        name="BLEU",
        system=41.5,
        system_interval=Interval(40.0, 43.0),
        baseline=41.0,
        baseline_interval=Interval(39.5, 42.5),
        delta=0.5,
        delta_interval=Interval(-0.25, 1.25),
        p_bootstrap=0.25,
        p_randomisation=0.24,
        signature="tok:none|bs:1000",
    )
    line = to_text(comparison_table("Paired", [comparison], system="new", baseline="old"))
    row = line.splitlines()[4]
    assert row.split("  ")[0] == "BLEU"
    for text in ("41.50 [1]", "40.00 to 43.00", "0.50 [1]", "-0.25 to 1.25", "0.2500 [1]"):
        assert text in row


def test_what_may_not_stand_in_a_table() -> None:
    with pytest.raises(ValueError, match="without a signature"):
        Number(41.0, " ")
    with pytest.raises(ValueError, match="not a number"):
        Number(float("nan"), "tok:none")
    with pytest.raises(ValueError, match="needs a reason"):
        Missing("")
    with pytest.raises(ValueError, match="a row of 1 cells under 2 headings"):
        Table("t", ("a", "b"), (("x",),))


@dataclass(frozen=True)
class Accuracy:
    name: str
    value: float
    signature: str


def test_any_signed_value_makes_a_row() -> None:
    table = score_table("t", {"ours": [Accuracy("accuracy", 75.0, "n:4")]})
    assert table.footnotes() == ("n:4",)
