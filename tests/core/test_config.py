"""Settings: strict about names, exact on the way out and back in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from phosphene.core.config import Frozen, dump_toml, parse_settings, read_settings, settings_hash
from phosphene.core.errors import InputError


class Inner(Frozen):
    rate: float = 0.1
    name: str = "adam"
    file: Path | None = None


class Outer(Frozen):
    seed: int = 1
    inner: Inner = Inner()
    sizes: tuple[int, ...] = (2, 3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text('seed = 3\n[inner]\nname = "sgd"\n', encoding="utf-8")
    return path


def test_what_the_file_does_not_say_is_the_default(file: Path) -> None:
    assert read_settings(Outer, file) == Outer(seed=3, inner=Inner(name="sgd"))


def test_changes_reach_into_sections_and_keep_their_neighbours(file: Path) -> None:
    changes = ["inner.rate=1e-3", "seed=4", "sizes=[5]", "inner.file=data/x.jsonl"]
    assert read_settings(Outer, file, changes) == Outer(
        seed=4, inner=Inner(rate=1e-3, name="sgd", file=Path("data/x.jsonl")), sizes=(5,)
    )


def test_a_change_may_be_a_bare_word_a_quoted_one_or_contain_an_equals_sign(file: Path) -> None:
    for text, value in (("lion", "lion"), ('"3"', "3"), ("a=b", "a=b")):
        assert read_settings(Outer, file, [f"inner.name={text}"]).inner.name == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("seed", "--set 'seed': expected key=value"),
        ("=1", "--set '=1': expected key=value"),
        ("seed.part=1", "--set 'seed.part=1': 'seed' is a value, not a section"),
        ("inner.rat=1", "settings.toml: unknown key 'inner.rat'"),
        ("seed=soon", "settings.toml: key 'seed': Input should be a valid integer"),
    ],
)
def test_wrong_changes_are_named(file: Path, change: str, message: str) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        read_settings(Outer, file, [change])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"sede = 1\n", "settings.toml: unknown key 'sede'"),
        (b"[inner]\nrte = 1\n", "settings.toml: unknown key 'inner.rte'"),
        (b"seed = \n", "settings.toml: not valid TOML: Invalid value (at line 1"),
        (b'[inner]\nrate = "fast"\n', "settings.toml: key 'inner.rate': Input should be a valid"),
        (b"seed = 1 # \xff\n", "settings.toml: expected UTF-8 text"),
    ],
)
def test_wrong_files_are_named(file: Path, text: bytes, message: str) -> None:
    file.write_bytes(text)
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        read_settings(Outer, file)
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read \(No such file"):
        read_settings(Outer, tmp_path / "none.toml")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Outer().seed = 2  # type: ignore[misc]


outers = st.builds(
    Outer,
    seed=st.integers(-(2**62), 2**62),
    inner=st.builds(
        Inner,
        rate=st.floats(allow_nan=False, allow_infinity=False),
        name=st.text(st.characters(exclude_categories=["Cs"])),
        file=st.none() | st.just(Path("a b/c.jsonl")),
    ),
    sizes=st.lists(st.integers(-5, 5)).map(tuple),
)


@given(outers)
def test_what_is_dumped_reads_back_the_same(settings: Outer) -> None:
    import tomllib

    again = parse_settings(Outer, tomllib.loads(dump_toml(settings)), "dump")
    assert again == settings
    assert settings_hash(again) == settings_hash(settings)


@given(outers, outers)
def test_the_hash_differs_where_the_settings_do(one: Outer, other: Outer) -> None:
    assert (settings_hash(one) == settings_hash(other)) == (one == other)


def test_the_hash_changes_with_every_value() -> None:
    changed = [
        Outer(),
        Outer(seed=2),
        Outer(sizes=(3, 2)),
        Outer(inner=Inner(rate=0.2)),
        Outer(inner=Inner(name="b")),
        Outer(inner=Inner(file=Path("f"))),
    ]
    hashes = {settings_hash(settings) for settings in changed}
    assert len(hashes) == len(changed)
    assert all(len(value) == 12 and int(value, 16) >= 0 for value in hashes)
