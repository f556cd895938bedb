"""CoMMuTE: whoever does not see is right on exactly half of the mirrored items."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from phosphene.core.errors import InputError
from phosphene.evaluate.probes.contrastive import (
    Candidate,
    Item,
    contrastive,
    read_commute,
    unmirrored,
    unseen,
)


def write(folder: Path, pairs: Sequence[tuple[str, str, str]]) -> Path:
    """Mirrored items in the public layout: source and its two translations."""
    target = folder / "commute" / "en-de"
    target.mkdir(parents=True)
    columns = {"src.en": [], "correct.de": [], "incorrect.de": [], "img.order": []}  # type: ignore[var-annotated]
    for source, one, other in pairs:
        for name, values in (
            ("src.en", (source, source)),
            ("correct.de", (one, other)),
            ("incorrect.de", (other, one)),
            ("img.order", (f"{one}.jpg", f"{other}.jpg")),
        ):
            columns[name] += values
    for name, lines in columns.items():
        (target / name).write_text("\n".join(lines), encoding="utf-8")
    return folder


def by_text(candidates: Sequence[Candidate]) -> np.ndarray:
    """Any text-only scorer: a cost that depends on both texts and on nothing else."""
    texts = [f"{each.source}|{each.translation}".encode() for each in candidates]
    return (
        np.array([int.from_bytes(hashlib.sha256(text).digest()[:4], "big") for text in texts]) + 1.0
    )


def by_picture(candidates: Sequence[Candidate]) -> np.ndarray:
    return np.array([1.0 + (each.picture != f"{each.translation}.jpg") for each in candidates])


PAIRS = [("the bat", "fledermaus", "schläger"), ("the bow", "bogen", "schleife"), ("x", "y", "z")]


def test_a_text_only_scorer_gets_exactly_half_and_no_group(tmp_path: Path) -> None:
    items = read_commute(write(tmp_path, PAIRS), "de")
    for shown in (items, unseen(items)):
        ranking, groups, ties = contrastive(shown, by_text, measure="cost")
        assert (ranking.value, groups.value, ties.value) == (50, 0, 0)
    assert unmirrored(items) == []


def test_a_scorer_that_sees_gets_everything(tmp_path: Path) -> None:
    items = read_commute(write(tmp_path, PAIRS), "de")
    ranking, groups, _ = contrastive(items, by_picture, measure="cost")
    assert (ranking.value, groups.value) == (100, 100)


def test_ties_are_wrong() -> None:
    item = Item(1, Candidate("a", "b", ""), Candidate("a", "c", ""))
    ranking, _, ties = contrastive([item], lambda found: np.ones(len(found)), measure="cost")
    assert (ranking.value, ties.value) == (0, 1)


def test_candidates_are_scored_once_each(tmp_path: Path) -> None:
    asked: list[Candidate] = []

    def cost(found: Sequence[Candidate]) -> np.ndarray:
        asked.extend(found)
        return np.arange(len(found), dtype=float)

    contrastive(unseen(read_commute(write(tmp_path, PAIRS), "de")), cost, measure="cost")
    assert len(asked) == len(set(asked)) == 6


def test_items_without_a_counterpart_are_named(tmp_path: Path) -> None:
    root = write(tmp_path, PAIRS)
    path = root / "commute" / "en-de" / "incorrect.de"
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join(["other", *lines[1:]]), encoding="utf-8")
    assert [item.line for item in unmirrored(read_commute(root, "de"))] == [1, 2]


def test_another_language_or_number_of_lines_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path, PAIRS)
    with pytest.raises(InputError, match="en-cs: no such folder; expected one of en-de"):
        read_commute(root, "cs")
    (root / "commute" / "en-de" / "img.order").write_text("1.jpg", encoding="utf-8")
    with pytest.raises(InputError, match=r"has 6 lines and .* has 1"):
        read_commute(root, "de")


@pytest.mark.realdata
@pytest.mark.skipif("PHOSPHENE_DATA" not in os.environ, reason="needs PHOSPHENE_DATA")
def test_the_public_data_is_mirrored_but_for_two_french_pairs() -> None:
    root = Path(os.environ["PHOSPHENE_DATA"])
    german, french = read_commute(root, "de"), read_commute(root, "fr")
    assert (len(german), len(french)) == (300, 308)
    assert contrastive(german, by_text, measure="cost")[0].value == 50
    assert unmirrored(german) == []
    assert len(unmirrored(french)) == 4  # two pairs of two lines
