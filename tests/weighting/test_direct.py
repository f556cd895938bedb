"""Terms: sums and counts kept apart, so that processes can share them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.train.update import combine
from phosphene.weighting.direct import Term, example_mean, spread_over, token_mean, withheld


def test_the_mean_over_tokens_leaves_padding_out() -> None:
    losses = torch.tensor([[1.0, 2.0, 50.0], [4.0, 50.0, 50.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    term = token_mean(losses, mask, 0.5)
    assert (term.total.item(), term.count, term.weight) == (7.0, 3.0, 0.5)
    assert term.mean == pytest.approx(7 / 3)


def test_the_mean_over_examples() -> None:
    term = example_mean(torch.tensor([1.0, 4.0]), 2.0)
    assert (term.total.item(), term.count, term.weight, term.mean) == (5.0, 2.0, 2.0, 2.5)


def test_a_mean_spread_over_words() -> None:
    term = spread_over(10.0, torch.tensor([2.0, 4.0]), 3.0)
    assert (term.total.item(), term.count, term.weight) == (3.0, 10.0, 3.0)


def test_what_is_withheld_counts_nothing() -> None:
    terms = withheld("one", "two", like=torch.zeros(3))
    assert terms.keys() == {"one", "two"}
    assert [(term.total.item(), term.count, term.mean) for term in terms.values()] == [
        (0.0, 0.0, 0.0)
    ] * 2


def test_an_objective_by_hand() -> None:
    terms = {
        "translation": Term(torch.tensor(6.0), 3.0),
        "distance": Term(torch.tensor(8.0), 2.0, 0.5),
        "absent": Term(torch.tensor(0.0), 0.0, 9.0),
    }
    counts = {name: term.count for name, term in terms.items()}
    assert combine(terms, counts).item() == 6 / 3 + 0.5 * 8 / 2


@given(st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=6), min_size=1, max_size=4))
def test_shares_add_up_to_the_mean_of_the_whole(shares: list[list[float]]) -> None:
    terms = [example_mean(torch.tensor(share, dtype=torch.float64)) for share in shares]
    count = {"loss": sum(term.count for term in terms)}
    together = sum(combine({"loss": term}, count).item() for term in terms)
    every = [value for share in shares for value in share]
    assert together == pytest.approx(sum(every) / len(every), abs=1e-12)


def test_a_term_without_examples_still_has_a_gradient_of_zero() -> None:
    weight = torch.ones(2, requires_grad=True)
    combine({"loss": Term((weight * torch.empty(0, 2)).sum(), 0.0)}, {"loss": 0.0}).backward()
    assert weight.grad is not None and weight.grad.tolist() == [0.0, 0.0]
