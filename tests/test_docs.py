"""The documents say what the code does: examples run, commands parse, links and names exist.

A fenced block is checked by its language. ``python`` compiles; after ``<!-- test: run -->`` it is
executed, all such blocks of a page one after the other in one namespace, with their doctests.
``toml`` and ``json`` parse; after ``<!-- test: settings -->`` a ``toml`` block must be valid
settings: the page's own ``Settings`` if its examples define them, else those of ``inversion_mmt``;
after ``<!-- test: table -->`` it must be a table.
In ``sh`` blocks, and in blocks of no language, every ``phosphene`` command is parsed, and so are
the settings that it changes.
"""

from __future__ import annotations

import doctest
import importlib.util
import json
import re
import runpy
import shlex
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from phosphene.cli import app
from phosphene.core.config import parse_settings, read_settings
from phosphene.data.corpus import CorpusConfig
from phosphene.recipes import RECIPES, config_path, load_recipe
from phosphene.recipes.inversion_mmt_settings import Settings
from phosphene.reproduce.tables import PaperTable

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "phosphene"
PAGES = sorted((ROOT / "docs").rglob("*.md")) + sorted(ROOT.glob("*.md"))
GROUP = typer.main.get_command(app)
assert isinstance(GROUP, typer.core.TyperGroup)
COMMANDS = GROUP.commands

FENCE = re.compile(
    r"^(?:<!-- test: (?P<marker>\w+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    """Of its first line, from 1."""
    language: str
    marker: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start("text")) + 1,
            match["language"],
            match["marker"] or "",
            match["text"],
        )
        for match in FENCE.finditer(text)
    ]


def prose_of(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def blocks(language: str, marker: str = "") -> list[Block]:
    return [
        block
        for block in BLOCKS
        if block.language == language and (not marker or block.marker == marker)
    ]


RUNNABLE = sorted({block.page for block in blocks("python", "run")})


def run_page(page: Path, folder: Path) -> dict[str, Any]:
    """Execute the runnable blocks of a page; a traceback shows the page's own line numbers."""
    script = ""
    for block in blocks_of(page):
        if block.language == "python" and block.marker == "run":
            script += "\n" * (block.line - 1 - script.count("\n")) + block.text
    file = folder / f"{page.stem}.py"
    file.write_text(script, encoding="utf-8")
    return runpy.run_path(str(file), run_name="page")


def words_of(block: Block) -> list[list[str]]:
    """The ``phosphene`` commands of a shell block, without the program's name."""
    found = []
    for line in block.text.replace("\\\n", " ").splitlines():
        tokens = shlex.shlex(re.sub(r"\$\w+", "1", line), posix=True, punctuation_chars=True)
        tokens.whitespace_split = True
        command: list[str] = []
        for token in [*tokens, ";"]:
            if set(token) <= set("();<>|&"):
                if command and Path(command[0]).name == "phosphene":
                    found.append(command[1:])
                command = []
            else:
                command.append(token)
    return found


SHELL = [
    pytest.param(words, id=f"{block} {' '.join(words)}")
    for language in ("sh", "")
    for block in blocks(language)
    for words in words_of(block)
]
INLINE_COMMANDS = [
    pytest.param(code.split()[1:], id=f"{page.relative_to(ROOT)} {code}")
    for page in PAGES
    for code in INLINE.findall(prose_of(page))
    if code.startswith("phosphene ")
]


def test_there_is_something_to_check() -> None:
    assert len(SHELL) > 30
    assert len(blocks("python", "run")) >= 9
    assert {page.stem for page in PAGES} >= {"index", "cli", "notation", "world", "CONTRIBUTING"}


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile("def fragment():\n" + textwrap.indent(block.text, "    "), str(block), "exec")


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_page(page, tmp_path)
    runner = doctest.DocTestRunner()
    for name, value in names.items():
        if callable(value) and value.__module__ == "page":
            for test in doctest.DocTestFinder(recurse=False).find(value, name, False, names):
                runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    for block in blocks_of(page):
        if block.marker == "settings":
            kind = names.get("Settings", Settings)
            parse_settings(kind, tomllib.loads(block.text), str(block))


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_parses_and_settings_are_valid(block: Block) -> None:
    values = tomllib.loads(block.text)
    if block.marker == "settings" and block.page not in RUNNABLE:
        parse_settings(Settings, values, str(block))
    if block.marker == "table":
        parse_settings(PaperTable, values, str(block))
    if "data" in values:
        parse_settings(CorpusConfig, values["data"], str(block))


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_lines_parse(block: Block) -> None:
    for line in block.text.splitlines():
        json.loads(line)


@pytest.mark.parametrize("words", SHELL)
def test_commands_parse(words: list[str]) -> None:
    name, *arguments = words
    values = COMMANDS[name].make_context(name, arguments).params
    recipe, config = values.get("recipe"), values.get("config", "")
    if recipe is not None:
        assert recipe in RECIPES
        if not config.endswith(".toml"):
            kind = load_recipe(recipe).Settings
            read_settings(kind, config_path(recipe, config), values["changes"])


@pytest.mark.parametrize("words", INLINE_COMMANDS)
def test_commands_named_in_the_text_exist(words: list[str]) -> None:
    if words[0].startswith("-") or words[0] == "COMMAND":
        return
    options = {option for parameter in COMMANDS[words[0]].params for option in parameter.opts}
    used = {word for word in words[1:] if word.startswith("-") and word != "-"}
    assert used <= options | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_pictures_exist(page: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(prose_of(page))]
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    missing = [
        target
        for target in local
        if target.partition("#")[0] and not (page.parent / target.partition("#")[0]).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_settings_and_modules_named_in_the_text_exist(page: Path) -> None:
    for code in INLINE.findall(prose_of(page)):
        section, _, key = code.partition(".")
        kinds = [
            recipe.model_fields[section].annotation
            for recipe in (load_recipe(name).Settings for name in RECIPES)
            if section in recipe.model_fields
        ]
        if kinds and re.fullmatch(r"[a-z_]+", key) and key != "toml":
            assert any(key in kind.model_fields for kind in kinds), code
        if re.fullmatch(r"phosphene(\.[a-z_]+)+", code):
            assert importlib.util.find_spec(code) is not None, code


def test_every_name_in_the_notation_is_in_the_source() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    known = set(re.findall(r"[A-Za-z_]\w+", source))
    names = {
        name
        for code in INLINE.findall(prose_of(ROOT / "docs" / "notation.md"))
        for name in re.findall(r"[A-Za-z_]\w+", code)
    }
    assert len(names) > 50
    assert not names - known


def test_every_command_is_described() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name, command in COMMANDS.items():
        assert f"### {name}\n" in text
        for parameter in command.params:
            if parameter.name == "seed" and name == "score":
                continue
            for option in parameter.opts:
                assert not option.startswith("--") or option in text, f"{name} {option}"
