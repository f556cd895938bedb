"""Hyper-parameter search: what is tried, what is chosen, and that it goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from tiny_modality import TINY

from phosphene.core.config import read_settings, settings_hash
from phosphene.core.errors import InputError
from phosphene.recipes import config_path
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.recipes.search import (
    Space,
    best,
    combinations,
    lowest_loss,
    read_space,
    search,
    search_table,
)
from phosphene.report.model import Number

SPACE = Space.model_validate(
    {
        "every": {"distil.optim.learning_rate": (0.01, 0.02, 0.03)},
        "rows": {
            "small": {"set": ("system=small",)},
            "kd": {"set": ("system=kd",), "choices": {"distillation.temperature": (1.0, 4.0)}},
        },
    }
)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(tomli_w.dumps(TINY))
    return str(path)


def test_trials_differ_and_more_of_them_begin_with_the_same() -> None:
    choices = {"a": (1, 2, 3), "b": (True, False)}
    every = combinations(choices, 6, seed=3)
    assert len(set(every)) == 6
    assert combinations(choices, 2, seed=3) == every[:2]
    with pytest.raises(InputError, match="6 combinations, expected at least 7"):
        combinations(choices, 7, seed=3)


def test_every_row_gets_as_many_trials_and_goes_on_with_more(tmp_path: Path, config: str) -> None:
    folder = tmp_path / "search"
    first = search("modality_kd", config, [], folder, trials=1, space=SPACE, quiet=True)
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*/checkpoints/distil/final/*")}
    found = search("modality_kd", config, [], folder, trials=2, space=SPACE, quiet=True)
    assert [(trial.row, trial.number) for trial in found] == [
        ("small", 1),
        ("small", 2),
        ("kd", 1),
        ("kd", 2),
    ]
    assert [found[0], found[2]] == first
    assert times and all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert len({(trial.row, trial.changes) for trial in found}) == 4
    # one teacher for all of them, and nobody has looked at the test set
    assert len(list((folder / "shared").glob("classifier-*"))) == 1
    assert not list(folder.glob("*/results.json"))
    record = json.loads((folder / "search.json").read_text())
    assert record["best"] == {row: trial.number for row, trial in best(found).items()}
    assert best(found)["kd"].loss == min(trial.loss for trial in found if trial.row == "kd")
    table = search_table(found)
    assert [row[0] for row in table.rows] == ["small", "kd"]
    assert "--set distillation.temperature=" in str(table.rows[1][-1])
    cells = [cell for cell in table.rows[1][1:4] if isinstance(cell, Number)]
    assert {cell.signature for cell in cells} == {
        trial.signature for trial in found if trial.row == "kd"
    }


def test_a_setting_that_does_not_exist_is_found_before_anything_is_trained(
    tmp_path: Path, config: str
) -> None:
    wrong = SPACE.model_copy(update={"every": {"distil.optim.rate": (0.1, 0.2)}})
    with pytest.raises(InputError, match=r"distil\.optim\.rate"):
        search("modality_kd", config, [], tmp_path / "s", trials=1, space=wrong, quiet=True)
    with pytest.raises(InputError, match="unknown row 'sp': expected one of small, kd"):
        search("modality_kd", config, [], tmp_path / "s", trials=1, space=SPACE, rows=["sp"])
    assert not (tmp_path / "s").exists()


def test_the_value_is_that_of_the_last_stage() -> None:
    events = [
        {"kind": "evaluate", "stage": "first", "update": 9, "loss": 0.1},
        {"kind": "evaluate", "stage": "second", "update": 1, "loss": 0.5},
        {"kind": "evaluate", "stage": "second", "update": 2, "loss": 0.4},
        {"kind": "train", "stage": "second", "update": 3, "loss": 0.0},
    ]
    assert lowest_loss(events) == (0.4, 2)
    diverged = {"kind": "evaluate", "stage": "second", "update": 3, "loss": float("nan")}
    assert lowest_loss([*events, diverged]) == (0.4, 2)
    assert lowest_loss([diverged])[0] > 1e300
    with pytest.raises(InputError, match="without an evaluation"):
        lowest_loss(events[3:])


@pytest.mark.parametrize("config", ["toy", "small", "paper"])
def test_the_choices_of_the_package_fit_its_settings(config: str) -> None:
    """Every value of every choice is read, and changes what it names."""
    space, path = read_space("modality_kd", config=config), config_path("modality_kd", config)
    for row in space.rows.values():
        choices = space.every | row.choices
        assert len(set(combinations(choices, 12, seed=0))) == 12
        for key, values in choices.items():
            found = [
                read_settings(Settings, path, [*row.set, f"{key}={json.dumps(value)}"])
                for value in values
            ]
            assert [value_of(settings, key) for settings in found] == list(values)
            assert len(set(map(settings_hash, found))) == len(values)


def value_of(settings: Settings, key: str) -> object:
    """A setting by its dotted name; tuples as lists, as files have them."""
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return list(value) if isinstance(value, tuple) else value


def test_every_base_has_a_row_on_top_of_it_and_rates_fit_the_configuration() -> None:
    space = read_space("modality_kd")
    for base in ("fitnet", "rkd", "sp"):
        row = space.rows[f"msd_meta_{base}"]
        assert row.set == ("system=msd_meta", f"base={base}")
        assert row.choices == space.rows["msd_meta"].choices | space.rows[base].choices
    rate = "distil.optim.learning_rate"
    assert read_space("modality_kd", config="paper").every[rate] == (1e-5, 3e-5, 5e-5, 1e-4)
    assert min(space.every[rate]) == 1e-3
    with pytest.raises(InputError, match="comes with no file of choices"):
        read_space("clip_prefix")


def test_a_choice_without_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text('[every]\n"seed" = []\n[rows.kd]\n')
    with pytest.raises(InputError, match=r"rows\.kd: 'seed' has no values"):
        read_space("modality_kd", path)
