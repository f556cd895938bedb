"""``phosphene probe``: every probe on a tiny run of every recipe, from run folder to file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from test_crosslingual_runs import TINY as QUESTIONS
from test_inversion_runs import TINY as INVERSION
from test_prefix_runs import TINY as PREFIX
from test_vlp_runs import TINY as VISION
from tiny_modality import TINY as MODALITY
from typer.testing import CliRunner

from phosphene.cli import app
from phosphene.core.errors import InputError
from phosphene.recipes import RECIPES
from phosphene.recipes.launch import train_run
from phosphene.recipes.probe import Asked
from phosphene.recipes.probing import PROBES, open_run_again, probe_run, read_probed, write_probed

RUNS: dict[str, tuple[str, dict[str, Any], str]] = {
    "image_free": ("inversion_mmt", INVERSION, "image_free"),
    "image_given": ("inversion_mmt", INVERSION, "image_given"),
    "vlp": ("vlp_mmt", VISION, "vlp_two_stage"),
    "prefix": ("clip_prefix", PREFIX, "clip_prefix"),
    "questions": ("crosslingual_vqa", QUESTIONS, "kd"),
    "modality": ("modality_kd", MODALITY, "msd_meta"),
}
FITTING = {
    "image_free": {
        "attention", "clusters", "contrastive", "degrade", "incongruent", "lexical", "retrieval",
    },
    "image_given": {"attention", "contrastive", "degrade", "incongruent", "lexical"},
    "vlp": {"attention", "contrastive", "degrade", "incongruent", "lambda", "lexical"},
    "prefix": {
        "alignment", "clusters", "contrastive", "degrade", "incongruent", "lexical", "retrieval",
    },
    "questions": {"attention", "incongruent", "tokens"},
    "modality": {"consistency", "density", "divergence", "incongruent", "views", "weights"},
}  # fmt: skip


def configured(name: str) -> dict[str, Any]:
    """With enough test examples for clusters, where these are asked for."""
    tiny = RUNS[name][1]
    if "clusters" not in FITTING[name]:
        return tiny
    return {**tiny, "data": {**tiny["data"], "test_scenes": 16}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each recipe."""
    root = tmp_path_factory.mktemp("probed")
    for name, (recipe, _, system) in RUNS.items():
        config = root / f"{name}.toml"
        config.write_text(tomli_w.dumps(configured(name)), encoding="utf-8")
        train_run(recipe, str(config), [f"system={system}"], root / name, quiet=True)
    return root


@pytest.mark.parametrize("name", RUNS)
def test_every_probe_that_fits_answers(
    runs: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_run_again(runs / name)
    assert set(opened.probes) == FITTING[name]
    commute = tmp_path / "commute" / "en-de"
    commute.mkdir(parents=True)
    for file, lines in (
        ("src.en", ["a bat .", "a bat ."]),
        ("correct.de", ["eine fledermaus .", "ein schläger ."]),
        ("incorrect.de", ["ein schläger .", "eine fledermaus ."]),
        ("img.order", ["1.jpg", "2.jpg"]),
    ):
        (commute / file).write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("PHOSPHENE_DATA", str(tmp_path))
    for probe in sorted(opened.probes.keys() - {"lexical"}):
        probed = opened.ask(probe, Asked(opened.log, seeds=2))
        assert probed.tables and all(table.rows for table in probed.tables)
        path = write_probed(probed, tmp_path / "probes")
        assert json.loads(path.read_text(encoding="utf-8")) == json.loads(json.dumps(probed.record))
    found = read_probed(tmp_path)
    assert {probed.probe for probed in found} == FITTING[name] - {"lexical"}


def test_a_text_that_is_not_looked_up_says_what_it_needs(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lexical: expected a list of ambiguous words"):
        probe_run(runs / "image_free", "lexical")
    words = tmp_path / "words.txt"
    words.write_text("bat | schläger | no such sentence . | 1.jpg\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"words\.txt: ordinary: none of the list's 1 sentences"):
        probe_run(runs / "image_free", "lexical", lists=words, split="ordinary")
    with pytest.raises(InputError, match="no split 'elsewhere' to probe: expected one of ordinary"):
        probe_run(runs / "image_free", "incongruent", split="elsewhere")


def test_a_probe_that_does_not_fit_lists_those_that_do(runs: Path) -> None:
    with pytest.raises(InputError, match=r"no probe 'colours': expected one of incongruent, "):
        probe_run(runs / "image_given", "colours")
    with pytest.raises(
        InputError,
        match=r"probe 'retrieval' does not fit this run of inversion_mmt: image_given distils no "
        r"feature; these do: attention, ",
    ):
        probe_run(runs / "image_given", "retrieval")


def test_a_run_that_is_not_finished_is_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run folder"):
        probe_run(tmp_path, "incongruent")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("manifest.json", "config.toml"):
        (copy / name).write_bytes((runs / "image_free" / name).read_bytes())
    with pytest.raises(InputError, match=r"no results\.json; expected a finished run"):
        probe_run(copy, "incongruent")
    (copy / "results.json").write_bytes((runs / "image_free" / "results.json").read_bytes())
    with pytest.raises(InputError, match="expected the finished stage 'teacher'"):
        probe_run(copy, "incongruent")  # nothing is trained again
    assert not (tmp_path / "shared").exists()


def test_the_command_writes_a_file_and_a_page_and_prints_a_table(
    runs: Path, tmp_path: Path
) -> None:
    arguments = ["probe", str(runs / "image_given"), "incongruent", "--seeds", "2", "--quiet"]
    done = CliRunner().invoke(app, [*arguments, "--split", "ambiguous", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "swapped" in done.output and "lost, nats" in done.output
    record = json.loads((tmp_path / "incongruent.json").read_text(encoding="utf-8"))
    rows = record["findings"][0]["rows"]
    assert list(rows) == ["right", "swapped", "none", "blank"]
    assert "draws:2" in rows["swapped"][0]["signature"]
    page = (tmp_path / "incongruent.html").read_text(encoding="utf-8")
    assert "which picture is shown" in page
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "incongruent.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"incongruent\.json: damaged"):
        read_probed(tmp_path)


def test_every_recipe_says_which_probes_fit(runs: Path) -> None:
    assert {recipe for recipe, _, _ in RUNS.values()} == set(RECIPES)
    named = set[str]().union(*FITTING.values())
    assert named == set(PROBES)
