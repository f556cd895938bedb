"""The three normalisations, by hand and against the paper's double sums."""

from __future__ import annotations

import pytest
import torch

from phosphene.core.types import AlignedPositions
from phosphene.objectives.alignment import aligned_squares
from phosphene.weighting.alignment import paper, per_term, union

LOSSES = {
    "cls": torch.tensor([1.0, 3.0]),
    "region": torch.tensor([2.0, 2.0, 4.0, 4.0, 0.0, 0.0]),
    "tag": torch.tensor([]),
}


def total(terms: dict[str, object]) -> float:
    return sum(term.mean for term in terms.values())  # type: ignore[attr-defined]


def test_every_kind_weighs_the_same() -> None:
    terms = per_term(LOSSES)
    assert [term.mean for term in terms.values()] == [2.0, 2.0, 0.0]
    assert total(terms) == 4.0


def test_one_mean_over_all_pairs() -> None:
    terms = union(LOSSES)
    everything = torch.cat(list(LOSSES.values()))
    assert total(terms) == pytest.approx(everything.mean().item()) == 2.0
    assert terms["cls"].mean == 0.5


def test_a_kind_that_is_left_out_has_no_term() -> None:
    assert set(per_term({"cls": LOSSES["cls"]})) == {"cls"}
    assert total(union({"cls": LOSSES["cls"]})) == 2.0


def test_equation_4_as_printed() -> None:
    """1/t^2 over a double sum with a binary matrix, averaged over two examples."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(2, 4, 3, generator=generator) for _ in range(2))
    matrix = torch.rand(2, 4, 4, generator=generator) < 0.3
    tags = torch.tensor([4.0, 3.0])
    matrix[1, 3] = matrix[1, :, 3] = False
    printed = [
        sum(
            torch.nn.functional.mse_loss(student[n, i], teacher[n, j]).item()
            for i in range(4)
            for j in range(4)
            if matrix[n, i, j]
        )
        / tags[n].item() ** 2
        for n in range(2)
    ]
    pairs = AlignedPositions(*matrix.nonzero(as_tuple=True))
    losses = {"tag": aligned_squares(student, teacher, pairs)}
    terms = paper(losses, {"tag": pairs.example}, {"tag": tags**2})
    assert terms["tag"].mean == pytest.approx(sum(printed) / 2)


def test_the_printed_square_makes_a_perfect_alignment_small() -> None:
    """Five tags, each matched with a loss of 1: the mean over matches is 1, eq. 4 says 1/5."""
    losses, examples = {"tag": torch.ones(5)}, {"tag": torch.zeros(5, dtype=torch.long)}
    assert per_term(losses)["tag"].mean == 1.0
    assert paper(losses, examples, {"tag": torch.tensor([25.0])})["tag"].mean == pytest.approx(0.2)
