"""Every system of ``clip_prefix``, from command to run folder, on a few scenes of the world."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from pathlib import Path

import pytest
import tomli_w
import torch
from safetensors.torch import load_file
from watching import Watcher

from phosphene.core.config import parse_settings, read_settings
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.data.dataset import TrainingBatches
from phosphene.data.loader import Position
from phosphene.evaluate.results import read_results
from phosphene.models.prefix_folder import load_prefix_translator
from phosphene.models.pretrained_mbart import MBart, MBartSizes
from phosphene.nn.prefix import MappingNetwork
from phosphene.recipes import config_path
from phosphene.recipes.clip_prefix import train
from phosphene.recipes.clip_prefix_data import Withholding, translations
from phosphene.recipes.clip_prefix_settings import ARMS, Settings, System
from phosphene.recipes.launch import train_run
from phosphene.recipes.plan import plan
from phosphene.serve.engine import Request, open_engine
from phosphene.train.trainer import Trainer

BUDGET = {"max_updates": 4, "evaluate_every_updates": 2, "average_last": 2}
TINY = {
    "max_tokens": 128,
    "pretrain": {"budget": BUDGET},
    "caption": {"budget": BUDGET},
    "translate": {"budget": BUDGET},
    "data": {
        "source": "world",
        "directions": [["en", "de"], ["de", "en"]],
        "caption_languages": ["de", "en"],
        "captions_each": 1,
        "merges": 60,
        "tests": ["low-resource"],
        "train_scenes": 30,
        "captioned_scenes": 20,
        "monolingual_scenes": 10,
        "test_scenes": 6,
    },
    "aligned": {
        "encoder": "two-towers",
        "scenes": 16,
        "pictures_per_update": 8,
        "labels": {"pictures_per_update": 8, "budget": {"max_updates": 2, "average_last": 1}},
        "width": 8,
        "budget": {"max_updates": 2, "average_last": 1},
    },
    "network": {"layers": 1, "hidden": 16, "inner": 16, "heads": 2},
    "mapping": {"length": 3},
    "search": {"beam": 2, "max_length": 12},
    "runtime": {"accelerator": "cpu", "threads": 1},
}


def settings(**changes: object) -> Settings:
    return parse_settings(Settings, {**TINY, **changes}, "test")


def write_config(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.toml"
    path.write_text(tomli_w.dumps(TINY), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all runs of this file: they share an aligned encoder."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize("system", ARMS)
def test_every_system_leaves_a_complete_run_folder(folder: Path, system: System) -> None:
    run, config = folder / system, write_config(folder)
    results = train_run("clip_prefix", config, [f"system={system}"], run, quiet=True)
    for name in ("config.toml", "manifest.json", "log.jsonl", "results.json", "report.html"):
        assert (run / name).stat().st_size > 0
    weights = load_file(run / "model" / "model.safetensors")
    prefix = set() if system == "text_only" else {"mapping"}
    assert {name.split(".")[0] for name in weights} == {"embedding", "encoder", "decoder"} | prefix
    assert read_results(run) == results
    views = [""] if system == "text_only" else ["", ".none", ".image"]
    expected = [f"low-resource{way}{view}" for way in ("", ".de-en") for view in views]
    warmed_up = ARMS[system].captions is not None and not ARMS[system].joint
    expected += ["captions"] * warmed_up + ["alignment"] * (system != "text_only")
    assert [split.split for split in results.splits] == expected
    assert train_run("clip_prefix", config, [f"system={system}"], run, quiet=True) == results


def test_systems_share_the_encoder_and_by_their_positions_the_pretrained_translator(
    folder: Path,
) -> None:
    """The words of a translator without a prefix stand where those of the others have it."""
    kinds = [path.name.partition("-")[0] for path in (folder / "shared").iterdir()]
    assert sorted(kinds) == ["pretrained", "pretrained", "two"]


def test_the_exported_model_translates_as_it_was_scored(folder: Path) -> None:
    run = folder / "clip_prefix"
    lines = read_results(run).split("low-resource").lines
    engine = open_engine(run, settings().search)
    asked = [Request(line.source) for line in lines]
    spoken = [found.translation for found in engine.translate(asked)]
    assert spoken == [line.hypothesis for line in lines]


@pytest.mark.parametrize("kept", ["nothing", "encoder", "reading"])
def test_what_is_declared_trainable_moves_and_nothing_else(tmp_path: Path, kept: str) -> None:
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    watcher = Watcher(Trainer(tmp_path, runtime, RunLog(None, quiet=True), 1))
    mapping = {"length": 3, "tune_projection": True}
    trained = train(watcher, settings(kept=kept, mapping=mapping))
    names = {f"translator.{name}" for name, _ in trained.model.named_parameters()}
    reading = {name for name in names if "cross_attention" in name}
    shared = {name for name in names if name.split(".")[1] in ("encoder", "embedding")}
    still = {"nothing": set(), "encoder": shared, "reading": shared | reading}[kept]
    assert reading and shared
    assert watcher.moved["translate"] == names
    assert watcher.moved["caption"] == names - still
    assert "translator.mapping.projection.weight" in names
    assert all(parameter.requires_grad for parameter in trained.model.parameters())
    encoder = trained.encoder.model
    assert not any(part.training for part in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_stage_two_starts_where_stage_one_ended(tmp_path: Path) -> None:
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    nothing = {"budget": {"max_updates": 0}}
    trainer = Trainer(tmp_path, runtime, RunLog(None, quiet=True), 1)
    trained = train(trainer, settings(translate=nothing))
    warmed, start = (trained.moments[name].state_dict() for name in ("caption", "start"))
    found = trained.model.state_dict()
    assert all(torch.equal(found[name], value) for name, value in warmed.items())
    assert not any(
        torch.equal(start[name], value)
        for name, value in warmed.items()
        if name.startswith("mapping.")
    )


def test_withheld_tokens_and_vectors(tmp_path: Path) -> None:
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    trainer = Trainer(tmp_path, runtime, RunLog(None, quiet=True), 1)
    trained = train(trainer, settings(source_masking=0.5, vector_masking=0.5))
    tokenizer = trained.corpus.tokenizer
    data = trained.space.saying(translations(trained.corpus.train, trained.directions, tokenizer))
    batches = TrainingBatches(data, 400, 1)
    tags = {tokenizer.language_id(code) for code in ("en", "de")}
    for share in (0.0, 0.5, 1.0):
        masked = Withholding(batches, 1, tokens=share, vectors=share)
        (_, whole), (_, batch), (_, again) = (
            next(each.iterate(Position())) for each in (batches, masked, masked)
        )
        assert torch.equal(batch.source.ids, again.source.ids)
        lengths = batch.source.mask.sum(dim=1)
        assert set(batch.source.ids[:, 0].tolist()) <= tags
        assert all(
            row[length - 1] == 2 for row, length in zip(batch.source.ids, lengths, strict=True)
        )
        outer = 2 * len(batch)  # language and EOS
        left = (int(lengths.sum()) - outer) / (int(whole.source.mask.sum()) - outer)
        assert left == pytest.approx(1 - share, abs=0.15 if share == 0.5 else 0)
        assert batch.vectors is not None and whole.vectors is not None
        seen = float(batch.vectors.mask.float().mean())
        assert seen == pytest.approx(1 - share, abs=0.3 if share == 0.5 else 0)
        assert not batch.vectors.values[~batch.vectors.mask].any()


def test_the_plan_names_stages_and_terms(folder: Path) -> None:
    found = plan("clip_prefix", write_config(folder), [])
    assert [stage.name for stage in found.stages] == [
        "labels",
        "align",
        "pretrain",
        "caption",
        "translate",
    ]
    assert [set(stage.terms) for stage in found.stages[3:]] == [{"caption"}, {"translation"}]
    assert "captions" in str(found)


def run_to_the_end(folder: Path) -> None:
    """For a process of its own."""
    budget = {**BUDGET, "max_updates": 30, "evaluate_every_updates": 10, "checkpoint_seconds": 0.0}
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    folder.mkdir(parents=True, exist_ok=True)
    log = RunLog(folder / "log.jsonl", quiet=True)
    train(
        Trainer(folder, runtime, log, 1),
        settings(caption={"budget": budget}, translate={"budget": budget}),
    )


def weights(run: Path) -> dict[str, str]:
    return {
        stage: hashlib.sha256(
            (run / "checkpoints" / stage / "final" / "tensors.safetensors").read_bytes()
        ).hexdigest()
        for stage in ("caption", "translate")
    }


def test_both_stages_killed_and_resumed_end_with_the_same_weights(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["phosphene.recipes.clip_prefix"])
    run_to_the_end(tmp_path / "a" / "whole")
    killed = tmp_path / "b" / "killed"
    for stage in ("caption", "translate"):
        process = context.Process(target=run_to_the_end, args=(killed,))
        process.start()
        deadline = time.monotonic() + 60
        here = killed / "checkpoints" / stage
        while not list(here.glob("resume-*")) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
        process.join()
        assert not (here / "final").exists(), stage
    run_to_the_end(killed)
    assert weights(killed) == weights(tmp_path / "a" / "whole")


def test_the_papers_size() -> None:
    """5,253,121 parameters map 512 numbers to 10 rows of 1,024, as in the released code."""
    found = read_settings(Settings, config_path("clip_prefix", "paper"))
    assert found.network.published == "facebook/mbart-large-50"
    with torch.device("meta"):
        model = MBart(MBartSizes(), MappingNetwork(found.mapping, MBartSizes().hidden))
    mapping = sum(parameter.numel() for parameter in model.get_submodule("mapping").parameters())
    assert mapping == 5_253_121
    assert sum(parameter.numel() for parameter in model.parameters()) - mapping == 610_879_488


@pytest.mark.parametrize("config", ["toy", "small", "paper"])
def test_configurations_are_valid(config: str) -> None:
    assert read_settings(Settings, config_path("clip_prefix", config)).system == "clip_prefix"


def test_a_direction_that_the_world_does_not_speak_is_refused(tmp_path: Path) -> None:
    changes = ['data.directions=[["en","es"]]']
    with pytest.raises(InputError, match="the world does not speak 'es'"):
        train_run("clip_prefix", write_config(tmp_path), changes, tmp_path / "run", quiet=True)


def test_a_model_folder_needs_its_encoder(folder: Path) -> None:
    run = folder / "joint" / "model"
    (run / "aligned" / "aligned.safetensors").unlink()
    with pytest.raises(InputError, match=r"aligned\.safetensors: missing"):
        load_prefix_translator(run)
