"""Every table of every paper is there, reads, and asks for settings that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from phosphene.core.config import read_settings
from phosphene.core.errors import InputError
from phosphene.recipes import config_path
from phosphene.recipes.clip_prefix_settings import Settings as PrefixSettings
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.reproduce.grid import Run, lay_out, make_request
from phosphene.reproduce.tables import SIZES, Size, read_table, table_names

EXPECTED = {
    "ikd": [*(f"table-{n}" for n in range(1, 8)), *(f"figure-{n}" for n in (3, 4, 5))],
    "vlp": [*(f"table-{n}" for n in range(1, 8)), "figure-3", "figure-4"],
    "cliptrans": ["main", "controls", "low-resource"],
    "cvil": [*(f"table-{n}" for n in range(1, 6)), "figure-3", "labels", "noise"],
    "msd": [*(f"table-{n}" for n in (1, 2, 3)), *(f"figure-{n}" for n in (1, 3, 4, 5, 6, 7, 8, 9))],
}


def test_they_are_all_there() -> None:
    names = [f"{paper}/{table}" for paper, tables in EXPECTED.items() for table in tables]
    assert sorted(table_names()) == sorted(names)


@pytest.mark.parametrize("size", SIZES)
def test_every_cell_has_settings_that_fit_or_a_reason(size: str, tmp_path: Path) -> None:
    for name in table_names():
        grid = lay_out(make_request(name, size, 2), tmp_path)
        for place, runs in grid.cells.items():
            assert (len(runs) == 2) == (grid.table.kind == "runs" and place not in grid.impossible)
        assert len({run.name for run in grid.runs}) == len(grid.runs)


def test_known_figures() -> None:
    """Spot checks of what was typed, as the papers print it."""
    main = read_table("ikd/table-1")
    ours = next(row for row in main.rows if row.label == "IKD-MMT")
    assert ours.paper[:2] == (41.28, 58.93) and ours.deviations[-1] == 0.34
    assert [column.label for _, column in main.places][:2] == ["Test2016 B", "Test2016 M"]
    assert len(ours.paper) == 10
    bases = {row.label: row.paper for row in read_table("ikd/table-2").rows}
    assert bases["base"][0] - bases["(D) w/o (IrM-KD + IaM-KD) loss"][0] == pytest.approx(7.79)
    meta = {row.label: row for row in read_table("msd/table-1").rows}["MSD (meta learning)"]
    assert meta.paper == (63.86, 68.30, 53.12, 63.00, 74.04)
    assert meta.deviations == (1.28, 0.62, 0.08, 0.09, 0.15)
    stages = read_table("vlp/table-6")
    assert [column.label for _, column in stages.places][6:8] == ["Average ΔB", "Average ΔM"]
    first, *others = [row.paper for row in stages.rows if row.paper]
    for printed in others:
        for metric, average in enumerate(printed[6:]):
            gains = [printed[each] - first[each] for each in (metric, metric + 2, metric + 4)]
            assert sum(gains) / 3 == pytest.approx(average, abs=0.04), "rounded there"
    sizes = read_table("cvil/table-5")
    assert sizes.rows[-1].paper == ("", *["99k (793k)"] * 3) and "83k" in sizes.note
    assert not any(row.paper for row in read_table("cliptrans/main").rows), "not verified"


def test_rows_that_the_paper_quotes_are_marked() -> None:
    quoted = {row.label for row in read_table("vlp/table-3").rows if row.quoted}
    assert {"VMMT", "MeMAD"} <= quoted and "Our model" not in quoted


def test_rows_stand_under_the_papers_subheadings() -> None:
    """As Tables 3 and 4 of Kong and Fan and Table 1 of Peng et al. are divided."""
    semi = ["VMMT, back-translation", "Multimodal-Att, back-translation"]
    for number, middle in (
        (3, [*semi, "Graph-Fusion", "Our model"]),
        (4, ["Graph-Fusion", "Our model"]),
    ):
        rows = read_table(f"vlp/table-{number}").rows
        found = {
            row.group: [each.label for each in rows if each.group == row.group] for row in rows
        }
        assert list(found) == ["constrained", "semi-constrained", "unconstrained"]
        assert found["semi-constrained"] == middle
        assert found["unconstrained"] == ["MeMAD", "CUNI"]
    groups = [row.group for row in read_table("ikd/table-1").rows]
    assert groups == ["image-must"] * 14 + ["image-free"] * 6


def test_runs_are_shared_between_tables(tmp_path: Path) -> None:
    two, three = (
        {run.name for run in lay_out(make_request(f"ikd/table-{n}", "toy", 1), tmp_path).runs}
        for n in (2, 3)
    )
    assert two == three and len(two) == 13


@pytest.mark.parametrize("size", SIZES)
def test_a_share_of_the_updates_is_one_of_the_whole_budget(size: Size, tmp_path: Path) -> None:
    """The last point of Figure 4 of Jin et al. is the run of Table 1, which nobody cut short."""
    figure = lay_out(make_request("msd/figure-4", size, 1), tmp_path)
    main = lay_out(make_request("msd/table-1", size, 1), tmp_path)
    data = {"toy": "SNLI-VE", "small": "easy-VQA", "paper": "SNLI-VE"}[size]
    rows = {row.label: row.changes for row in main.table.run_rows}
    whole = {rows[row]: runs for (row, block), runs in main.cells.items() if block == data}
    blocks = {block.label: block.x for block in figure.table.blocks}
    for row in figure.table.run_rows:
        (run,) = figure.cells[row.label, "100 %"]
        assert [run.name] == [each.name for each in whole[row.changes]]
        for label, percent in blocks.items():
            assert percent == 100 * _updates(figure.cells[row.label, label][0]) / _updates(run)


def _updates(run: Run) -> int:
    """The budget of the student's stage."""
    path = config_path(run.recipe, run.config)
    return read_settings(Settings, path, run.changes).distil.budget.max_updates


@pytest.mark.parametrize("size", ["toy", "small"])
def test_every_column_is_measured_or_says_why_not(size: Size) -> None:
    silent = [
        f"{name}: {block.label} {column.label}"
        for name in table_names()
        for block, column in read_table(name).places
        if not column.is_shown(size)
    ]
    assert silent == []


def test_the_english_teacher_stands_under_english(tmp_path: Path) -> None:
    grid = lay_out(make_request("cvil/table-4", "toy", 1), tmp_path)
    run = {place for place, runs in grid.cells.items() if runs}
    teacher, students = "the teacher here, English", ("cViL_AUG", "cViL_KD")
    assert run == {(teacher, "EN"), *((label, "JA") for label in students)}
    assert grid.impossible[teacher, "JA"] == "the teacher answers in English"
    headings = [f"{column.label} {block.label}" for block, column in grid.table.places]
    assert headings == ["VQA v2.0 EN", "VQA v2.0 JA", "VG VQA JA", "VG VQA, BLEU JA"]


def test_a_score_may_be_called_otherwise_at_one_size() -> None:
    columns = {column.label: column for column in read_table("cvil/table-2").columns}
    named = columns["Yes / No"]
    assert named.score_at("toy") == "accuracy, yes-no"
    assert named.score_at("small") == "accuracy, yes/no"


@pytest.mark.parametrize("size", SIZES)
def test_controls_of_captions_differ_and_joint_training_is_as_long(
    size: Size, tmp_path: Path
) -> None:
    grid = lay_out(make_request("cliptrans/controls", size, 1), tmp_path)
    assert len(grid.runs) == len(grid.table.run_rows), "no two rows are one run"
    budgets = {}
    for (row, _), (run,) in grid.cells.items():
        found = read_settings(PrefixSettings, config_path(run.recipe, size), run.changes)
        stages = (found.translate,) if found.system == "joint" else (found.caption, found.translate)
        budgets[row] = sum(stage.budget.max_updates for stage in stages)
    assert budgets["joint"] == budgets["CLIPTrans"]


def test_only_figure_6_of_jin_et_al_is_of_label_0_alone() -> None:
    probes = {number: read_table(f"msd/figure-{number}").probes for number in (1, 6)}
    assert probes == {1: ("density-all",), 6: ("density",)}


def test_a_table_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(InputError, match=r"no table 'ikd/table-9'.*ikd/table-1, ikd/table-2"):
        read_table("ikd/table-9")
    with pytest.raises(InputError, match="--size huge: expected one of toy, small, paper"):
        make_request("ikd/table-1", "huge", 1)


def test_a_table_of_an_unknown_recipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'source = "s"\ntitle = "t"\nrecipe = "nosuch"\nrows = [{ label = "a" }]\n'
        '[[columns]]\nlabel = "c"\nscore = "BLEU"\n',
        encoding="utf-8",
    )
    with pytest.raises(InputError, match=r"own\.toml: no recipe 'nosuch': expected one of inv"):
        read_table(str(path))
    path.write_bytes(b'source = "s"\ntitle = "\xff"\n')
    with pytest.raises(InputError, match=r"own\.toml: expected UTF-8 text"):
        read_table(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "key 'title': Field required"),
        ("x = [", "not valid TOML"),
        ('rows = [{ label = "a" }, { label = "a" }]', "two rows have one label"),
        ('baseline = "b"\nrows = [{ label = "a" }]', "no row 'b' that is run"),
        ('rows = [{ label = "a", quoted = true }]', "quoted, and no figure is given"),
        ('rows = [{ label = "a", paper = [1, 2] }]', "more figures than columns"),
        ('rows = [{ label = "a", group = "b" }]', "'group' belongs to tables with 'grouped_by'"),
        ('rows = [{ label = "a", impossible_on.DE = "b" }]', "row 'a': no block 'DE'"),
        ('kind = "counts"\nrows = [{ label = "a" }]', "'fact' belongs to tables"),
        ('rows = [{ label = "a" }]\ncolour = 1', "unknown key 'colour'"),
        (
            'rows = [{ label = "a" }]\n[[columns]]\nlabel = "b"\nscore = "B"\ngain = true',
            "'gain' needs a baseline",
        ),
        ('rows = [{ label = "a" }]\nprobes = ["nope"]', "no probe 'nope': expected one of incong"),
        (
            'rows = [{ label = "a" }]\n[[columns]]\nlabel = "b"\nscore = "B"\nprobe = "nope"',
            "no probe 'nope': expected one of incongruent, retrieval",
        ),
        (
            'rows = [{ label = "a" }]\n[[columns]]\nlabel = "b"\nscore = "B"\nabsent.toy = " "',
            "no reason",
        ),
        (
            'rows = [{ label = "a" }]\n[[columns]]\nlabel = "b"\nscore = "B"\nsplits.toy = []',
            "at least 1 item",
        ),
        (
            'rows = [{ label = "a" }]\n[[columns]]\nlabel = "b"\nscore = "B"\n'
            'absent.toy = "no data"\nsplits.toy = ["c"]',
            "both measured and absent at toy",
        ),
    ],
)
def test_a_table_of_ones_own_is_checked(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.toml"
    head = 'source = "s"\ntitle = "t"\nrecipe = "inversion_mmt"\n'
    columns = '\n[[columns]]\nlabel = "c"\nscore = "BLEU"\n'
    whole = text if "title" in message or "TOML" in message else head + text + columns
    path.write_text(whole, encoding="utf-8")
    with pytest.raises(InputError, match=r"own\.toml") as raised:
        read_table(str(path))
    assert message in str(raised.value)
