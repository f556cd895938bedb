"""Run folders: made, resumed with the same settings only, and nobody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phosphene.core.config import Frozen, settings_hash
from phosphene.core.errors import InputError
from phosphene.train.run import check_recipe, open_run, recipe_of, settings_of


class Settings(Frozen):
    seed: int = 1
    name: str = "a"


def test_a_new_folder_holds_settings_and_manifest(tmp_path: Path) -> None:
    open_run(tmp_path / "a" / "run", "inversion_mmt", Settings())
    assert (tmp_path / "a" / "run" / "config.toml").read_text() == 'seed = 1\nname = "a"\n'
    manifest = json.loads((tmp_path / "a" / "run" / "manifest.json").read_text())
    assert manifest["recipe"] == recipe_of(tmp_path / "a" / "run") == "inversion_mmt"
    assert manifest["config"] == settings_hash(Settings())


def test_the_same_settings_resume_and_others_do_not(tmp_path: Path) -> None:
    open_run(tmp_path / "run", "inversion_mmt", Settings())
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    open_run(tmp_path / "run", "inversion_mmt", Settings())
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before
    (tmp_path / "run" / "checkpoints").mkdir()
    with pytest.raises(InputError, match=r"started with other settings \(now: seed = 2\); choose"):
        open_run(tmp_path / "run", "inversion_mmt", Settings(seed=2))
    with pytest.raises(InputError, match="a run of recipe 'inversion_mmt', expected 'modality_kd'"):
        open_run(tmp_path / "run", "modality_kd", Settings())


def test_a_setting_that_did_not_exist_then_has_its_default(tmp_path: Path) -> None:
    class Older(Frozen):
        seed: int

    open_run(tmp_path / "run", "inversion_mmt", Older(seed=2))
    (tmp_path / "run" / "checkpoints").mkdir()
    open_run(tmp_path / "run", "inversion_mmt", Settings(seed=2))
    assert settings_of(tmp_path / "run", Settings) == Settings(seed=2)
    with pytest.raises(InputError, match=r"started with other settings \(now: name = .b.\)"):
        open_run(tmp_path / "run", "inversion_mmt", Settings(seed=2, name="b"))


def test_settings_that_were_changed_since_are_refused_and_restored(tmp_path: Path) -> None:
    run = tmp_path / "run"
    open_run(run, "inversion_mmt", Settings(seed=2))
    (run / "checkpoints").mkdir()
    (run / "config.toml").write_text("seed = 2\n")
    with pytest.raises(
        InputError, match=r"config\.toml: changed since the run was started; put back"
    ):
        settings_of(run, Settings)
    open_run(run, "inversion_mmt", Settings(seed=2))
    assert settings_of(run, Settings) == Settings(seed=2)


def test_a_file_is_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(InputError, match="run: a file, expected a run folder"):
        recipe_of(tmp_path / "run")


def test_a_start_that_was_killed_at_once_is_begun_again(tmp_path: Path) -> None:
    open_run(tmp_path / "run", "inversion_mmt", Settings())
    (tmp_path / "run" / "manifest.json").rename(tmp_path / "run" / ".manifest.json.partial")
    open_run(tmp_path / "run", "inversion_mmt", Settings(seed=2))
    assert recipe_of(tmp_path / "run") == "inversion_mmt"
    open_run(tmp_path / "run", "inversion_mmt", Settings(seed=2))


def test_a_start_that_was_refused_may_be_mended(tmp_path: Path) -> None:
    """Nothing was trained: the settings that were wrong do not stand in the way."""
    open_run(tmp_path / "run", "inversion_mmt", Settings())
    (tmp_path / "run" / "log.jsonl").write_text("{}\n")
    open_run(tmp_path / "run", "inversion_mmt", Settings(seed=2))
    assert (tmp_path / "run" / "config.toml").read_text() == 'seed = 2\nname = "a"\n'
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"notes\.txt: a file, expected a run folder"):
        open_run(tmp_path / "notes.txt", "inversion_mmt", Settings())
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="not empty and not a run folder"):
        open_run(tmp_path, "inversion_mmt", Settings())
    with pytest.raises(InputError, match=r"not a run folder \(no manifest\.json\)"):
        check_recipe(tmp_path, "inversion_mmt")


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json: damaged, expected JSON"):
        recipe_of(tmp_path)


def test_a_run_without_its_settings_is_named(tmp_path: Path) -> None:
    open_run(tmp_path / "run", "inversion_mmt", Settings())
    (tmp_path / "run" / "config.toml").unlink()
    with pytest.raises(InputError, match=r"config\.toml: cannot be read"):
        settings_of(tmp_path / "run", Settings)
    open_run(tmp_path / "run", "inversion_mmt", Settings())
    assert settings_of(tmp_path / "run", Settings) == Settings()
