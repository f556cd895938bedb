"""Lines: one sentence each, and nothing silently shifted."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import InputError
from phosphene.data.lines import parallel, read_lines


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.en"
    path.write_bytes("one\u2028still one\ntwo\x0cstill two\u0085\n\nfour\n".encode())
    assert read_lines(path) == ["one\u2028still one", "two\x0cstill two\u0085", "", "four"]


def test_the_last_newline_is_optional_and_other_line_ends_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "windows.en"
    path.write_bytes("\ufeffun café\r\ndeux".encode())
    assert read_lines(path) == ["un café", "deux"]


def test_a_final_empty_line_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.en"
    path.write_bytes(b"one\n\n")
    assert read_lines(path) == ["one", ""]


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.de.gz"
    path.write_bytes(gzip.compress("grün\nrot\n".encode(), mtime=0))
    assert read_lines(path) == ["grün", "rot"]


@given(st.lists(st.text(st.characters(exclude_characters="\n\r\ufeff", codec="utf-8")), min_size=1))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    assert read_lines(path) == lines


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.de", b"fein\nsch\xf6n\n", r"a\.de, line 2: byte 4 is not valid UTF-8"),
        ("empty.de", b"", r"empty\.de: the file is empty"),
        ("empty.gz", gzip.compress(b"", mtime=0), r"empty\.gz: the file is empty"),
        ("plain.gz", b"not compressed", r"plain\.gz: not a complete gzip file"),
        (
            "cut.gz",
            gzip.compress(b"a long text that is cut", mtime=0)[:-9],
            r"cut\.gz: not a complete gzip",
        ),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_lines(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.en: no such file"):
        read_lines(tmp_path / "missing.en")
    with pytest.raises(InputError, match="cannot be read"):
        read_lines(tmp_path)


def test_parallel_files_need_equal_line_counts(tmp_path: Path) -> None:
    one, two, three = tmp_path / "one", tmp_path / "two", tmp_path / "three"
    one.write_text("a\nb\n")
    two.write_text("c\nd\n")
    three.write_text("e\nf\ng\n")
    assert parallel(one, two) == (["a", "b"], ["c", "d"])
    with pytest.raises(InputError, match=r"one has 2 lines and .*three has 3;"):
        parallel(one, two, three)
