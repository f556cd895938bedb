"""Whatever is wrong with the input, the user reads one clear line and gets exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def phosphene(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "phosphene.cli", *words],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
    )


def refused(*words: str, stdin: bytes = b"") -> str:
    """The one line that a refused command prints."""
    done = phosphene(*words, stdin=stdin)
    message = done.stderr.decode()
    assert done.returncode == 2, message
    assert done.stdout == b""
    assert message.startswith("phosphene: ")
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "Missing argument 'recipe'"),
        (["nosuch"], "No such command 'nosuch'"),
        (["train", "inversion_mmt", "--nosuch"], "No such option: --nosuch"),
        (["reproduce", "ikd/table-1", "--seeds", "0"], "Invalid value for '--seeds'"),
    ],
)
def test_wrong_words_are_one_line(words: list[str], message: str) -> None:
    said = refused(*words)
    assert said.startswith(f"phosphene: {message}") and said.endswith("; see --help\n")


def write_pairs(path: Path, records: list[object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def write_config(folder: Path, train: Path, validation: Path, more: str = "") -> str:
    path = folder / "own.toml"
    path.write_text(
        f"""
system = "text_only"
{more}
[budget]
max_updates = 1
[data]
source = "jsonl"
merges = 50
train_file = "{train}"
validation_file = "{validation}"
[teacher]
network = "small_resnet"
side = 64
""",
        encoding="utf-8",
    )
    return str(path)


GOOD = [{"src": "a dog .", "tgt": "ein hund ."}, {"src": "a cat .", "tgt": "eine katze ."}]


def test_an_unknown_recipe_is_named_with_those_there_are() -> None:
    message = refused("train", "inversion_mtm")
    assert "inversion_mtm" in message
    assert "inversion_mmt" in message


def test_an_unknown_configuration_is_named_with_those_there_are() -> None:
    assert "expected" in refused("check", "inversion_mmt", "--config", "tiny")


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    message = refused(
        "train", "inversion_mmt", "--set", "budget.max_update=3", "--run", str(tmp_path / "run")
    )
    assert "budget.max_update" in message
    assert not (tmp_path / "run").exists()


def test_an_unknown_language_is_named_with_those_there_are(tmp_path: Path) -> None:
    message = refused(
        "train", "inversion_mmt", "--set", 'data.languages=["en","xx"]', "--run", str(tmp_path)
    )
    assert "languages" in message
    assert "'de'" in message


def test_a_data_root_that_is_not_there(tmp_path: Path) -> None:
    message = refused(
        "check", "inversion_mmt", "--config", "small", "--data-root", str(tmp_path / "none")
    )
    assert "PHOSPHENE_DATA" in message


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"src": "a dog ."}, "tgt"),
        ({"src": "", "tgt": "ein hund ."}, "empty"),
        ({"src": "a dog .", "tgt": "ein hund .", "image": "none.jpg"}, "none.jpg"),
        (["a dog ."], "JSON object"),
    ],
)
def test_a_bad_line_of_ones_own_data_is_named(
    tmp_path: Path, record: object, expected: str
) -> None:
    train = write_pairs(tmp_path / "train.jsonl", [*GOOD, record])
    config = write_config(tmp_path, train, write_pairs(tmp_path / "valid.jsonl", GOOD))
    message = refused("train", "inversion_mmt", "--config", config, "--run", str(tmp_path / "run"))
    assert f"{train}:3" in message
    assert expected in message
    assert not (tmp_path / "run" / "model").exists()


def test_a_truncated_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    records = [{**record, "image": "cut.png"} for record in GOOD]
    train = write_pairs(tmp_path / "train.jsonl", records)
    config = write_config(tmp_path, train, write_pairs(tmp_path / "valid.jsonl", GOOD))
    message = refused(
        "check", "inversion_mmt", "--config", config, "--set", "system=image_given",
        "--set", "teacher_training.scenes=8", "--set", 'data.tests=["ordinary"]',
    )  # fmt: skip
    assert "cut.png" in message


def test_unequal_line_counts_name_both_files_and_counts(tmp_path: Path) -> None:
    (tmp_path / "hyp").write_text("ein hund .\n", encoding="utf-8")
    (tmp_path / "ref").write_text("ein hund .\neine katze .\n", encoding="utf-8")
    message = refused("score", str(tmp_path / "hyp"), str(tmp_path / "ref"))
    for word in ("hyp", "ref", "1", "2"):
        assert word in message


def test_a_wrong_encoding_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "hyp").write_bytes("ein hund .\nein gr\xfcner ball .\n".encode("latin-1"))
    (tmp_path / "ref").write_text("ein hund .\nein ball .\n", encoding="utf-8")
    message = refused("score", str(tmp_path / "hyp"), str(tmp_path / "ref"))
    assert "hyp, line 2" in message


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    assert str(tmp_path) in refused("evaluate", str(tmp_path))
    assert str(tmp_path) in refused("translate", str(tmp_path), stdin=b"a dog .\n")


def test_a_run_folder_of_another_recipe(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"recipe": "clip_prefix"}', encoding="utf-8")
    message = refused("train", "inversion_mmt", "--run", str(tmp_path))
    assert "clip_prefix" in message
    assert "inversion_mmt" in message


def test_a_folder_with_other_things_in_it_is_not_taken_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    assert "not a run folder" in refused("train", "inversion_mmt", "--run", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("seed=-1", "seed"),
        ("data.tests=[]", "data.tests"),
        ("data.test_scenes=7", "data.test_scenes"),
        ("network.dropout=1.5", "network.dropout"),
        ("network.heads=3", "network"),
        ("runtime.devices=0", "runtime.devices"),
        ("optim.clip_norm=-1", "optim.clip_norm"),
        ("optim.learning_rate=-1", "optim.learning_rate"),
        ("optim.betas=[1.0, 0.9]", "optim.betas.0"),
        ("distillation.photos_per_update=-1", "distillation.photos_per_update"),
    ],
)
def test_a_value_out_of_bounds_is_named_before_anything_is_written(
    tmp_path: Path, change: str, key: str
) -> None:
    message = refused("train", "inversion_mmt", "--set", change, "--run", str(tmp_path / "run"))
    assert f"key '{key}'" in message
    assert not (tmp_path / "run").exists()


def test_learned_weights_in_two_processes_are_refused_before_a_teacher_is_trained() -> None:
    message = refused("check", "modality_kd", "--set", "runtime.devices=2")
    assert "toy.toml: system 'msd_meta': learned loss weights" in message
    assert "expected runtime.devices = 1, got 2" in message


def test_what_one_process_makes_is_not_asked_of_several(tmp_path: Path) -> None:
    several = ("--set", "runtime.devices=2")
    message = refused("cache", "crosslingual_vqa", *several, "--run", str(tmp_path / "run"))
    assert "runtime.devices = 2: one process makes a store, expected 1" in message


def test_keep_going_without_files_of_ones_own() -> None:
    message = refused("check", "modality_kd", "--keep-going")
    assert "key 'data': a section data.files belongs to data.source = 'files'" in message


def test_an_unknown_table_lists_the_tables() -> None:
    message = refused("reproduce", "ikd/table-9")
    assert "ikd/table-9" in message and "ikd/table-2" in message and "msd/figure-8" in message


def test_where_nothing_can_leak_the_input_is_not_to_blame() -> None:
    done = phosphene("check", "modality_kd", "--config", "toy", "--leakage")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == (
        "the world's scenes have seeds of their own: nothing can leak\n"
    )
