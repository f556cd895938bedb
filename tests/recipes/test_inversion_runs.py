"""Every system of the recipe, from command to run folder, on a few scenes of the world."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from watching import Watcher

from phosphene.core.config import parse_settings, settings_hash
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.data.dataset import evaluation_batches
from phosphene.data.hidden import HIDDEN
from phosphene.evaluate.results import read_results
from phosphene.evaluate.translator import translate_all
from phosphene.models.folder import load_translator
from phosphene.models.search import translate
from phosphene.recipes.inversion_mmt import train
from phosphene.recipes.inversion_mmt_settings import NEEDS_PICTURES, Settings, System
from phosphene.recipes.launch import evaluate_run, train_run
from phosphene.recipes.plan import plan
from phosphene.recipes.probing import probe_run
from phosphene.serve.engine import Request, open_engine
from phosphene.train.trainer import Trainer

SYSTEMS: tuple[System, ...] = (
    "image_free",
    "image_free_without_text",
    "image_given",
    "text_only",
    "imagination",
    "doubly_attentive",
    "gated_fusion",
)

TINY = {
    "max_tokens": 128,
    "budget": {"max_updates": 4, "evaluate_every_updates": 2, "average_last": 2},
    "data": {
        "source": "world",
        "merges": 60,
        "tests": ["ordinary", "ambiguous"],
        "train_scenes": 60,
        "test_scenes": 8,
    },
    "teacher": {"network": "small_resnet", "side": 64},
    "teacher_training": {"scenes": 32, "pictures_per_update": 16, "budget": {"max_updates": 2}},
    "network": {"layers": 1, "hidden": 16, "inner": 16, "heads": 2, "rank": 17},
    "distillation": {"photos_per_update": 2},
    "search": {"beam": 2, "max_length": 12},
    "runtime": {"accelerator": "cpu", "threads": 1},
}


def settings(**changes: object) -> Settings:
    return parse_settings(Settings, {**TINY, **changes}, "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all runs of this file: they share a teacher."""
    return tmp_path_factory.mktemp("runs")


def write_config(folder: Path) -> str:
    import tomli_w

    path = folder / "tiny.toml"
    path.write_text(tomli_w.dumps(TINY), encoding="utf-8")
    return str(path)


def finished(folder: Path, system: System) -> Path:
    """The run of ``system`` in ``folder``, trained by the first test that asks for it."""
    run = folder / system
    train_run("inversion_mmt", write_config(folder), [f"system={system}"], run, quiet=True)
    return run


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_leaves_a_complete_run_folder(folder: Path, system: System) -> None:
    run = finished(folder, system)
    results = read_results(run)
    for name in ("config.toml", "manifest.json", "log.jsonl", "results.json", "report.html"):
        assert (run / name).stat().st_size > 0
    assert sorted(path.name for path in (run / "model").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        *(["vision.json", "vision.safetensors"] if system in NEEDS_PICTURES else []),
    ]
    weights = load_file(run / "model" / "model.safetensors")
    parts = {name.split(".")[0] for name in weights}
    imagines = system.startswith("image_free")
    assert parts == {"embedding", "encoder", "decoder"} | ({"generator"} if imagines else set())
    assert [split.split for split in results.splits] == ["ordinary", "ambiguous", "validation"]
    again = train_run("inversion_mmt", write_config(folder), [f"system={system}"], run, quiet=True)
    assert again == results


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_declared_trainable_moves_and_the_teacher_does_not(
    tmp_path: Path, system: System
) -> None:
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    watcher = Watcher(Trainer(tmp_path, runtime, RunLog(None, quiet=True), 1))
    trained = train(watcher, settings(system=system, smoothing=0.1))
    still = watcher.still.get("translate", set())
    assert not {name for name in watcher.moved["translate"] if name.startswith("teacher.")}
    for name, parameter in trained.model.named_parameters():
        assert parameter.requires_grad
        assert f"translator.{name}" not in still, name


@pytest.mark.parametrize("system", sorted(set(SYSTEMS) - NEEDS_PICTURES))
def test_the_exported_model_translates_as_it_was_scored(folder: Path, system: System) -> None:
    run = finished(folder, system)
    engine = open_engine(run, settings().search)
    for split in read_results(run).splits:
        sources = [line.source for line in split.lines]
        spoken = [
            found.translation for found in engine.translate([Request(line) for line in sources])
        ]
        assert spoken == [line.hypothesis for line in split.lines]


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_output_does_not_depend_on_its_neighbours(folder: Path, system: System) -> None:
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    trainer = Trainer(finished(folder, system), runtime, RunLog(None, quiet=True), 1)
    trained = train(trainer, settings(system=system))
    data = trained.corpus.tests["ambiguous"]
    together = translate_all(trained.model, data, trained.corpus.tokenizer, settings().search)
    for index in range(len(data)):
        alone = replace(
            data,
            pairs=data.pairs[index : index + 1],
            sources=data.sources[index : index + 1],
            targets=data.targets[index : index + 1],
            picture_of=data.picture_of[index : index + 1],
        )
        (_, batch), *_ = evaluation_batches(alone, 100)
        best = translate(trained.model, batch, settings().search)[0][0]
        assert trained.corpus.tokenizer.decode(best.ids) == together[index]


def test_a_run_is_compared_with_its_baseline(folder: Path) -> None:
    run, baseline = finished(folder, "image_free"), finished(folder, "text_only")
    record, tables = evaluate_run(run, "ambiguous", baseline)
    assert set(record) == {"image_free", "text_only (baseline)", "comparisons"}
    bleu = next(each["rows"][0] for each in record["comparisons"] if "BLEU" in str(each["rows"]))
    assert bleu["difference"]["signature"].count("phosphene:") == 2, "of both runs"
    titles = [table.title for table in tables]
    assert titles[0] == "Scores"
    assert any("against text_only" in title for title in titles[1:])
    json.dumps(record)


def test_meteor_stands_beside_the_other_scores_or_says_why_not(folder: Path) -> None:
    run = finished(folder, "text_only")
    without, _ = evaluate_run(run, None, None)
    record, tables = evaluate_run(run, None, None, with_meteor=True)
    assert record["text_only"]["splits"].keys() == without["text_only"]["splits"].keys()
    for name, split in record["text_only"]["splits"].items():
        *others, last = split["scores"]
        assert others == without["text_only"]["splits"][name]["scores"]
        assert last["name"].startswith("METEOR 1.5")
        assert last.get("signature") or last["reason"]
    assert any(str(row[1]).startswith("METEOR") for row in tables[0].rows)


def test_the_plan_names_stages_terms_and_frozen_teachers(folder: Path) -> None:
    found = plan("inversion_mmt", write_config(folder), [])
    assert [stage.name for stage in found.stages] == ["teacher", "translate"]
    translate_stage = found.stages[1]
    assert set(translate_stage.terms) == {
        "translation",
        "inter_modal",
        "intra_modal",
        "image_space",
    }
    assert translate_stage.frozen == {"teacher": True}
    assert translate_stage.modules["student"][0] > 0
    assert "train" in str(found)


def test_a_released_run_saves_a_generator_it_never_trained(folder: Path) -> None:
    """The authors' checkpoint holds none: at inference theirs is another random one."""
    run = folder / "released"
    train_run("inversion_mmt", write_config(folder), ["variant=released"], run, quiet=True)
    final = load_file(run / "checkpoints" / "translate" / "final" / "tensors.safetensors")
    exported = load_translator(run / "model").model.state_dict()
    name = "generator.project.weight"
    assert not torch.equal(final[f"translator.{name}"], exported[name])


@pytest.mark.slow
def test_the_toy_world_shows_what_a_picture_is_worth(tmp_path: Path) -> None:
    """The claims of the demo: some five minutes on two cores."""
    scores = {}
    for system in ("text_only", "image_free", "image_given"):
        results = train_run(
            "inversion_mmt", "toy", [f"system={system}"], tmp_path / system, quiet=True
        )
        scores[system] = {
            (split.split, score.name): score.value
            for split in results.splits
            for score in split.scores
        }
    blind = ("text_only", "image_free")
    assert [scores[system]["ambiguous", "sense accuracy"] for system in blind] == [50.0, 50.0]
    assert scores["image_given"]["ambiguous", "sense accuracy"] >= 95
    assert scores["image_free"]["ambiguous", "feature retrieval R@10"] >= 20 * 200 / 243


def test_a_run_on_hidden_words_says_so_and_is_asked_about_whole_sentences(
    folder: Path, tmp_path: Path
) -> None:
    changes = ["system=text_only", "data.hidden.words=colours"]
    found = train_run("inversion_mmt", write_config(tmp_path), changes, tmp_path / "a", quiet=True)
    plain = settings(system="text_only")
    hidden = settings(system="text_only", data={**TINY["data"], "hidden": {"words": "colours"}})  # type: ignore[dict-item]
    assert found.signature.config == settings_hash(hidden) != settings_hash(plain)
    assert any(HIDDEN in line.source for split in found.splits for line in split.lines)
    assert not any(HIDDEN in line.reference for split in found.splits for line in split.lines)
    (finding,) = probe_run(tmp_path / "a", "degrade", seeds=1, split="ordinary").findings
    assert finding.score("whole", "words hidden, %").value == 0
    assert finding.score("colours", "words hidden, %").value > 0
    assert all(any("METEOR" in score.name for score in row) for row in finding.rows.values())
    known = [line.likelihood for line in found.split("ordinary").lines]
    said = finding.score("colours", "log-likelihood").value
    assert said == pytest.approx(sum(known) / len(known))
    assert finding.score("whole", "log-likelihood").value != pytest.approx(said)
