"""``phosphene probe``: every probe on a tiny run of every recipe, from run folder to file."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from PIL import Image
from test_crosslingual_runs import TINY as QUESTIONS
from test_inversion_runs import TINY as INVERSION
from test_prefix_runs import TINY as PREFIX
from test_vlp_runs import TINY as VISION
from tiny_modality import TINY as MODALITY
from typer.testing import CliRunner

from phosphene.cli import app
from phosphene.core.errors import InputError
from phosphene.data.dataset import NO_PICTURE, TranslationData
from phosphene.evaluate.probes.contrastive import read_commute
from phosphene.models.resnet import small_resnet
from phosphene.nn.visual import freeze
from phosphene.recipes import RECIPES, inversion_mmt_probes, translation_probes, vlp_mmt_probes
from phosphene.recipes.launch import train_run
from phosphene.recipes.probe import Answer, Asked
from phosphene.recipes.probe_kinds import PROBES, share_of
from phosphene.recipes.probing import (
    open_run_again,
    probe_run,
    read_probed,
    write_probed,
)
from phosphene.recipes.translation_probes import ask_contrastive, perplexities

RUNS: dict[str, tuple[str, dict[str, Any], str]] = {
    "image_free": ("inversion_mmt", INVERSION, "image_free"),
    "image_given": ("inversion_mmt", INVERSION, "image_given"),
    "doubly": ("inversion_mmt", INVERSION, "doubly_attentive"),
    "text": ("inversion_mmt", INVERSION, "text_only"),
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
    "doubly": {"attention", "contrastive", "degrade", "incongruent", "lexical"},
    "text": {"contrastive", "degrade", "incongruent", "lexical"},
    "vlp": {"attention", "contrastive", "degrade", "incongruent", "lambda", "lexical"},
    "prefix": {
        "alignment", "attention", "clusters", "contrastive", "degrade", "incongruent", "lexical",
        "retrieval",
    },
    "questions": {"attention", "incongruent", "tokens"},
    "modality": {
        "attention", "consistency", "density", "density-all", "divergence", "incongruent", "views",
        "weights",
    },
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
    runs: Path, name: str, tmp_path: Path, commute: Path
) -> None:
    opened = open_run_again(runs / name)
    assert set(opened.probes) == FITTING[name]
    for probe in sorted(opened.probes.keys() - {"lexical"}):
        probed = opened.ask(probe, share_of(probe, opened.probes, Asked(opened.log, seeds=2)))
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


def test_mirrored_sentences_are_told_apart_by_their_pictures(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translation_probes, "translate_all", lambda _, data, *__: data.references)
    opened = open_run_again(runs / "image_given")
    subject = inversion_mmt_probes.subject(opened.trained, opened.settings)
    data = subject.tests["ambiguous"].data
    assert len({pair.source for pair in data.pairs}) < len(data)
    words = tmp_path / "words.txt"
    lines = [f"word | {pair.target} | {pair.source} | {pair.id}" for pair in data.pairs]
    words.write_text("\n".join(reversed(lines)), encoding="utf-8")
    asked = Asked(opened.log, lists=words, split="ambiguous")
    (found,) = opened.ask("lexical", asked).findings
    assert found.score("all words", "lexical accuracy").value == 100.0


def test_retrieval_searches_the_training_photos_too(runs: Path, tmp_path: Path) -> None:
    every = probe_run(runs / "image_free", "retrieval", seeds=1, out=tmp_path)
    titles = [finding.title for finding in every.findings]
    assert titles[:2] == ["train: 60 photos", "validation: 16 photos"]
    (alone,) = probe_run(
        runs / "image_free", "retrieval", seeds=1, split="train", out=tmp_path
    ).findings
    assert alone.score("the photos themselves", "R@1").value == 100.0
    assert alone.score("chance", "R@1").value == pytest.approx(100 / 60)


@pytest.mark.parametrize("name", RUNS)
def test_a_split_that_does_not_exist_is_refused_with_those_there_are(
    runs: Path, name: str, tmp_path: Path
) -> None:
    opened = open_run_again(runs / name)
    words = tmp_path / "words.txt"
    words.write_text("bat | schläger | a bat . | 1.jpg\n", encoding="utf-8")
    for probe in sorted(opened.probes):
        if "split" not in PROBES[probe].takes:
            continue
        lists = words if "lists" in PROBES[probe].takes else None
        with pytest.raises(InputError, match="no split 'elsewhere' to probe: expected one of "):
            opened.ask(probe, Asked(opened.log, split="elsewhere", lists=lists))


def test_options_that_do_not_go_with_a_probe_end_the_command_at_once(
    runs: Path, tmp_path: Path
) -> None:
    arguments = ["probe", str(runs / "modality"), "views", "weights", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, [*arguments, "--split", "test", "--quiet"])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("--split: probe 'weights' does not take it; these do: ")
    assert not list(tmp_path.iterdir())  # views was not asked either


def without_photos(trained: Any, *names: str) -> Any:
    """What a run of ``inversion_mmt`` leaves behind, had some test splits no photos."""
    tests = dict(trained.corpus.tests)
    for name in names:
        tests[name] = replace(tests[name], picture_of=np.full(len(tests[name]), NO_PICTURE))
    return replace(trained, corpus=replace(trained.corpus, tests=tests))


def test_a_split_without_photos_is_not_searched(runs: Path) -> None:
    opened = open_run_again(runs / "image_free")
    trained, ask = without_photos(opened.trained, "ordinary"), opened.probe("retrieval")
    every = ask(trained, opened.settings, Asked(opened.log, seeds=1))
    assert [finding.title.split(":")[0] for finding in every.findings] == [
        "train", "validation", "ambiguous",
    ]  # fmt: skip
    with pytest.raises(InputError, match="retrieval: expected two photos or more in ordinary"):
        ask(trained, opened.settings, Asked(opened.log, seeds=1, split="ordinary"))


@pytest.mark.parametrize("probe", ["attention", "degrade", "incongruent", "lexical"])
def test_a_system_that_needs_photos_says_that_no_test_split_has_any(
    runs: Path, tmp_path: Path, probe: str
) -> None:
    opened = open_run_again(runs / "image_given")
    trained = without_photos(opened.trained, "ordinary", "ambiguous")
    words = tmp_path / "words.txt"
    words.write_text("bat | schläger | a bat . | 1.jpg\n", encoding="utf-8")
    with pytest.raises(InputError, match="no test split"):
        opened.probe(probe)(trained, opened.settings, Asked(opened.log, lists=words))


def test_commute_needs_no_test_split(runs: Path, commute: Path) -> None:
    opened = open_run_again(runs / "image_given")
    trained = without_photos(opened.trained, "ordinary", "ambiguous")
    answer = opened.probe("contrastive")(trained, opened.settings, Asked(opened.log))
    assert list(answer.findings[0].rows) == ["no picture", "its picture"]


def test_a_probe_that_found_nothing_says_so(runs: Path) -> None:
    opened = open_run_again(runs / "text")
    silent = replace(opened, fitting={"incongruent": lambda *_: Answer(())})
    with pytest.raises(InputError, match="probe 'incongruent' found nothing to measure"):
        silent.ask("incongruent", Asked(opened.log))


@pytest.fixture
def commute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with one mirrored pair of CoMMuTE; its two pictures lie in ``pictures``."""
    folder = tmp_path / "commute" / "en-de"
    folder.mkdir(parents=True)
    for file, lines in (
        ("src.en", ["a bat .", "a bat ."]),
        ("correct.de", ["eine fledermaus .", "ein schläger ."]),
        ("incorrect.de", ["ein schläger .", "eine fledermaus ."]),
        ("img.order", ["1.png", "2.png"]),
    ):
        (folder / file).write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "pictures").mkdir()
    for name, shade in (("1", 0), ("2", 255)):
        picture = Image.new("RGB", (32, 32), (shade, 0, 255 - shade))
        picture.save(tmp_path / "pictures" / f"{name}.png")
    monkeypatch.setenv("PHOSPHENE_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "why"),
    [("vlp", "regions come from 'world'"), ("image_free", "image_free looks at no pictures")],
)
def test_pictures_that_cannot_be_looked_at_are_refused(
    runs: Path, name: str, why: str, commute: Path
) -> None:
    with pytest.raises(InputError, match=f"contrastive: --images .*pictures: {why}"):
        probe_run(runs / name, "contrastive", images=commute / "pictures", out=commute)


def test_regions_from_a_grid_are_found_in_the_pictures_of_commute(
    runs: Path, commute: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    teacher = freeze(small_resnet(3, 32))  # its features are as wide as those of the world
    monkeypatch.setattr(vlp_mmt_probes, "grid_teacher", lambda regions, device: teacher)
    opened = open_run_again(runs / "vlp")
    regions = opened.settings.regions.model_copy(update={"source": "grid"})
    settings = opened.settings.model_copy(update={"regions": regions})
    subject = vlp_mmt_probes.subject(opened.trained, settings)
    answer = ask_contrastive(subject, Asked(opened.log, images=commute / "pictures"))
    assert list(answer.findings[0].rows) == ["no picture", "its picture"]
    system = next(iter(subject.tests.values())).system
    asked = Asked(opened.log, images=commute / "pictures")
    items = read_commute(commute, "de")
    costs = [
        perplexities(subject, system, [item.correct, item.contrastive], shown)
        for item in items
        for shown in (asked, None)
    ]
    assert not np.allclose(costs[0], costs[1]) and not np.allclose(costs[2], costs[3])
    assert np.allclose(costs[1], costs[3][::-1])  # without pictures the two items ask the same
    assert not np.allclose(costs[0], costs[2][::-1])


def test_a_run_of_text_alone_is_not_moved_by_any_picture(
    runs: Path, commute: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, str] = {}

    def by_source(model: object, data: TranslationData, *_: object) -> list[str]:
        return [said.setdefault(pair.source, pair.target) for pair in data.pairs]

    # Hardly trained, it names no noun: it shall say of every sentence what is right of its first.
    monkeypatch.setattr(translation_probes, "translate_all", by_source)
    opened = open_run_again(runs / "text")
    asked = Asked(opened.log, seeds=2, split="ambiguous", images=None)
    (finding,) = opened.ask("incongruent", asked).findings
    assert list(finding.rows) == ["right", "swapped", "none"]
    for condition in finding.rows:
        assert finding.score(condition, "sense accuracy").value == 50.0
    for condition in ("swapped", "none"):
        assert finding.score(condition, "lost, nats").value == 0.0
        assert finding.score(condition, "p (permutation)").value == 1.0
    (found,) = opened.ask("contrastive", Asked(opened.log)).findings
    assert list(found.rows) == ["no picture"]
    scores = {score.name: score.value for score in found.rows["no picture"]}  # type: ignore[union-attr]
    assert scores["ranking accuracy"] == 50.0 and scores["group accuracy"] == 0.0


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
    with pytest.raises(InputError, match=r"\.tsv: 0 lines, expected \d+"):
        probe_run(copy, "incongruent")
    shutil.copytree(runs / "image_free" / "translations", copy / "translations")
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
    assert record["asked"] == {"seeds": 2, "split": "ambiguous"}
    assert "|probed:" in record["signature"], "the code that asked is not the code that trained"
    page = (tmp_path / "incongruent.html").read_text(encoding="utf-8")
    assert "which picture is shown" in page
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "incongruent.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"incongruent\.json: damaged"):
        read_probed(tmp_path)


def test_a_damaged_file_of_another_probe_is_left_out_of_the_report(
    runs: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs / "image_given", run, ignore=shutil.ignore_patterns("probes"))
    shutil.copytree(runs / "shared", tmp_path / "shared")
    (run / "probes").mkdir()
    (run / "probes" / "attention.json").write_text("{", encoding="utf-8")
    done = CliRunner().invoke(app, ["probe", str(run), "incongruent", "--quiet"])
    assert done.exit_code == 0, done.output
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "damaged and left out: probes/attention.json; ask again." in page
    assert "which picture is shown" in page


def test_every_recipe_says_which_probes_fit(runs: Path) -> None:
    assert {recipe for recipe, _, _ in RUNS.values()} == set(RECIPES)
    named = set[str]().union(*FITTING.values())
    assert named == set(PROBES)
