"""The contrastive test: ties are wrong, and who does not see gets half."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.evaluate.ambiguity import group_accuracy, prefers_correct, ranking_accuracy


def test_by_hand() -> None:
    correct = np.array([1.0, 2.0, 3.0, 1.5])
    contrastive = np.array([2.0, 1.0, 3.0, 1.6])  # right, wrong, tie, right
    assert prefers_correct(correct, contrastive).tolist() == [True, False, False, True]
    score = ranking_accuracy(correct, contrastive, measure="perplexity")
    assert score.value == 50.0
    assert score.signature == "contrastive|measure:perplexity|ties:wrong|n:4"
    grouped = group_accuracy(correct, contrastive, ["bat", "seal", "seal", "bat"], measure="nll")
    assert (grouped.value, grouped.signature[-8:]) == (50.0, "groups:2")


@given(
    st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)).filter(lambda p: p[0] != p[1]), min_size=1)
)
def test_a_blind_model_gets_half_of_mirrored_pairs_and_no_group(
    pairs: list[tuple[float, float]],
) -> None:
    # Each source has two senses; the same two values are asked once from either side.
    correct = np.array([value for pair in pairs for value in pair])
    contrastive = np.array([value for pair in pairs for value in reversed(pair)])
    groups = [source for source, _ in enumerate(pairs) for _ in range(2)]
    assert ranking_accuracy(correct, contrastive, measure="nll").value == 50.0
    assert group_accuracy(correct, contrastive, groups, measure="nll").value == 0.0


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        prefers_correct(np.array([np.nan]), np.array([1.0]))
    with pytest.raises(ValueError, match="at least one item"):
        prefers_correct(np.zeros(0), np.zeros(0))
