"""A line in, a line out: order, empty lines, long lines, lines that are not text."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.data.text import Tokenizer
from phosphene.models.folder import Vision, save_translator
from phosphene.models.search import SearchConfig
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.models.translator import Fusion, GeneratorConfig, TranslatorConfig, build
from phosphene.nn.visual import freeze
from phosphene.serve.engine import Engine, Request, Translation, open_engine
from phosphene.serve.stream import translate_stream

LINES = ["a dog runs .", "a cat", "the red house stands by the sea .", "dog"]


def save(folder: Path, fusion: Fusion = "none", generator: GeneratorConfig | None = None) -> Path:
    """An untrained translator: what it says is nonsense, but the same nonsense every time."""
    torch.manual_seed(0)
    tokenizer = Tokenizer.learn([*LINES, "ein hund rennt .", "das rote haus"] * 2, merges=40)
    config = TranslatorConfig(
        vocab=len(tokenizer),
        layers=1,
        hidden=16,
        inner=24,
        heads=2,
        fusion=fusion,
        feature=4,
        generator=generator,
    )
    model = build(config)
    save_translator(folder, model, config, tokenizer)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    save(folder / "model")
    return folder


@pytest.fixture(scope="module")
def engine(run: Path) -> Engine:
    return open_engine(run, SearchConfig(beam=2, max_length=12))


def say(engine: Engine, lines: list[str]) -> list[Translation]:
    return engine.translate([Request(line) for line in lines])


def stream(run: Path, path: Path, content: bytes) -> list[str]:
    path.write_bytes(content)
    return [line.translation for line in translate_stream(run, str(path), beam=1)]


def test_a_line_is_translated_the_same_alone_and_among_others(engine: Engine) -> None:
    together = say(engine, LINES)
    assert [line.source for line in together] == LINES
    assert len({line.score for line in together}) == len(LINES)
    for line in LINES:
        (alone,) = say(engine, [line])
        (found,) = [other for other in together if other.source == line]
        assert alone.translation == found.translation
        assert alone.score == pytest.approx(found.score, abs=1e-5)
    backwards = say(engine, LINES[::-1])
    assert [line.translation for line in backwards] == [line.translation for line in together[::-1]]


def test_an_empty_line_stays_empty_in_its_place(engine: Engine) -> None:
    found = say(engine, ["", "dog", "  \t ", "dog", ""])
    assert [bool(line.translation) for line in found] == [False, True, False, True, False]
    assert found[0].score == 0.0
    assert found[1].translation == found[3].translation
    assert say(engine, []) == []


def test_a_record_is_source_translation_and_score(engine: Engine) -> None:
    (line,) = say(engine, ["dog"])
    assert line.record() == {
        "source": "dog",
        "translation": line.translation,
        "score": line.score,
    }
    assert line.score < 0


def test_more_lines_than_are_read_ahead(run: Path, tmp_path: Path) -> None:
    lines = [LINES[number % 4] if number % 7 else "" for number in range(600)]
    found = stream(run, tmp_path / "in", "\n".join(lines).encode())
    assert len(found) == 600
    by_line = dict(zip(lines, found, strict=True))
    assert found == [by_line[line] for line in lines]
    assert by_line[""] == ""


@pytest.mark.parametrize(
    ("content", "count"),
    [(b"", 0), (b"\n", 1), (b"dog", 1), (b"dog\n", 1), (b"dog\r\n\r\ndog\n\n", 4)],
)
def test_line_ends(run: Path, tmp_path: Path, content: bytes, count: int) -> None:
    found = stream(run, tmp_path / "in", content)
    assert len(found) == count
    if count == 4:
        assert [bool(line) for line in found] == [True, False, True, False]
        assert found[0] == found[2] == stream(run, tmp_path / "one", b"dog")[0]


def test_other_line_separators_of_unicode_do_not_end_a_line(run: Path, tmp_path: Path) -> None:
    assert len(stream(run, tmp_path / "in", "dog\u2028cat\x0cdog\x85\n".encode())) == 1


def test_a_byte_order_mark_is_not_a_word(run: Path, tmp_path: Path) -> None:
    plain = stream(run, tmp_path / "in", b"dog\ndog\n")
    assert stream(run, tmp_path / "in", b"\xef\xbb\xbfdog\ndog\n") == plain


def test_a_line_of_ten_thousand_words_is_translated(run: Path, tmp_path: Path) -> None:
    found = stream(run, tmp_path / "in", b"dog\n" + b"dog " * 10_000 + b"\ndog\n")
    assert len(found) == 3
    assert found[0] == found[2]
    assert 0 < len(found[1].split()) <= SearchConfig().max_length


def test_a_line_that_is_not_utf8_is_named_and_those_before_it_are_translated(
    run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"dog\na cat\nc\xe4t\ndog\n")
    found = []
    with pytest.raises(InputError, match=r"in:3: not UTF-8 \(byte 2\)"):
        for line in translate_stream(run, str(path), beam=1):
            found.append(line.source)
    assert found == ["dog", "a cat"]


def test_a_missing_file_or_a_folder_is_named(run: Path, tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=f"{path.name}: cannot be read .{reason}"):
            list(translate_stream(run, str(path), beam=1))


def test_a_reader_that_leaves_early_leaves_nothing_running(run: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"dog\n" * 5000)
    lines = translate_stream(run, str(tmp_path / "in"), beam=1)
    before = threading.active_count()
    next(lines)
    assert threading.active_count() == before + 1
    lines.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_model_folder_itself_is_a_run_too(run: Path, engine: Engine) -> None:
    again = open_engine(run / "model", engine.config)
    assert say(again, ["dog"]) == say(engine, ["dog"])


def test_a_run_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json; expected the model folder of a fin"):
        open_engine(tmp_path, SearchConfig())


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "model") / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"model\.safetensors: missing, damaged"):
        open_engine(tmp_path, SearchConfig())


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained translator that looks at pictures through an untrained network."""
    folder = tmp_path_factory.mktemp("looking")
    torch.manual_seed(0)
    vision = TeacherConfig(network="small_resnet", side=64)
    network = freeze(build_teacher(vision, 5))
    tokenizer = Tokenizer.learn([*LINES, "ein hund rennt ."] * 2, merges=40)
    config = TranslatorConfig(
        vocab=len(tokenizer),
        layers=1,
        hidden=16,
        inner=24,
        heads=2,
        fusion="multimodal",
        feature=network.stages[-1].shape.channels,
    )
    save_translator(folder / "model", build(config), config, tokenizer, Vision(vision, network))
    return folder


def test_a_model_that_looks_brings_its_network_and_sees(looking: Path, tmp_path: Path) -> None:
    engine = open_engine(looking, SearchConfig(beam=2, max_length=12))
    assert engine.pipeline.needs_pictures
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 90))):
        Image.new("RGB", (80, 64), colour).save(tmp_path / f"{name}.png")
    red, blue = tmp_path / "red.png", tmp_path / "blue.png"
    requests = [Request("dog", red), Request("a cat"), Request("dog", blue), Request("dog")]
    found = engine.translate(requests)
    scores = [line.score for line in found]
    assert len({scores[0], scores[2], scores[3]}) == 3, "the picture makes a difference"
    for request, line in zip(requests, found, strict=True):
        (alone,) = engine.translate([request])
        assert alone.translation == line.translation
        assert alone.score == pytest.approx(line.score, abs=1e-5)


def test_lines_name_their_pictures_and_missing_ones_are_remarked(
    looking: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), (9, 200, 9)).save(tmp_path / "green.png")
    (tmp_path / "in").write_bytes(b"dog\tgreen.png\n\na cat\n")
    said: list[str] = []
    found = list(
        translate_stream(looking, str(tmp_path / "in"), beam=1, images=tmp_path, remark=said.append)
    )
    assert [line.source for line in found] == ["dog", "", "a cat"]
    assert said == ["1 line(s) without a picture; this model was trained to look at one"]
    (tmp_path / "in").write_bytes(b"a cat\ndog\tgrey.png\n")
    with pytest.raises(InputError, match=r"in:2: no picture .*grey\.png, expected sentence, tab"):
        list(translate_stream(looking, str(tmp_path / "in"), beam=1, images=tmp_path))
    (tmp_path / "grey.png").write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"grey\.png: expected a picture"):
        list(translate_stream(looking, str(tmp_path / "in"), beam=1, images=tmp_path))


def test_a_damaged_network_is_named(looking: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(looking / "model", tmp_path / "model")
    (copy / "vision.safetensors").write_bytes(b"short")
    with pytest.raises(InputError, match=r"vision\.safetensors: missing, damaged"):
        open_engine(copy, SearchConfig())


def test_a_model_of_another_kind_is_named(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run / "model", tmp_path / "model")
    record = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**record, "kind": "answerer"}))
    with pytest.raises(InputError, match="a model of kind 'answerer' does not translate"):
        open_engine(copy, SearchConfig())


def test_a_translator_that_makes_its_own_pictures_is_not(tmp_path: Path) -> None:
    save(tmp_path, "multimodal", GeneratorConfig(channels=4, height=2, width=2, rank=3))
    assert say(open_engine(tmp_path, SearchConfig(beam=1)), ["dog"])[0].translation


def test_lines_of_a_pipe_are_answered_as_they_come_and_errors_end_it(run: Path) -> None:
    """The command line on a pipe that stays open: one line, its answer, then a bad one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "phosphene.cli", "translate", str(run), "-", "--beam", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"dog\n")
    process.stdin.flush()
    assert process.stdout.readline().strip()
    process.stdin.write(b"\n\xff\n")
    process.stdin.flush()
    assert process.wait(30) == 2
    assert process.stdout.read() == b"\n"
    assert process.stderr.read() == b"phosphene: standard input:3: not UTF-8 (byte 1)\n"
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
