"""Retrieval, consistency, hidden words, lists of words, clusters, densities: known answers."""

from __future__ import annotations

from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch

from phosphene.core.errors import InputError
from phosphene.data.classification_world import world_examples
from phosphene.data.hidden import HIDDEN, hidden_share, hide
from phosphene.data.world.lexicon import ANIMALS
from phosphene.data.world.splits import Part, World
from phosphene.evaluate.probes.clusters import k_means, mutual_information, principal_axes
from phosphene.evaluate.probes.confounders import confounders, follows_label
from phosphene.evaluate.probes.consistency import consistency
from phosphene.evaluate.probes.degrade import Degraded, degrade
from phosphene.evaluate.probes.density import density, distance, of_every_example, of_interest
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.incongruent import Outcome
from phosphene.evaluate.probes.lexical import Entry, Said, lexical, read_entries
from phosphene.evaluate.probes.retrieval import lower_limit, retrieval, upper_limit
from phosphene.evaluate.probes.tokens import Named, tokens
from phosphene.evaluate.score import Score, Unavailable


def test_identical_features_are_all_found() -> None:
    real = torch.randn(20, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    found = retrieval("photos", real, {"same": [real], "turned": [real.flip(0)]})
    for k in (1, 5, 10, 15):
        assert found.score("same", f"R@{k}").value == 100
        assert found.score("same, uncentred", f"R@{k}").value == 100
        assert found.score("chance", f"R@{k}").value == 5 * k
    assert found.score("turned", "R@1").value == 0
    assert found.score("turned, uncentred", "R@1").value == 0
    assert "cosine of whole features" in found.score("same, uncentred", "R@1").signature
    assert "20 of 20, p " in found.score("same", "R@1").signature


def test_among_fewer_photos_than_are_looked_at_everything_is_found_by_chance() -> None:
    real = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    found = retrieval("photos", real, {"turned": [real.flip(0)]})
    assert [found.score("chance", f"R@{k}").value for k in (1, 5, 15)] == [25, 100, 100]
    assert found.score("chance, upper limit", "R@5").value == 100
    assert "4 of 4, p 1," in found.score("turned", "R@5").signature


def test_the_limit_of_chance_is_the_binomial_quantile() -> None:
    # 1 - (0.99 ** 100 + 100 * 0.01 * 0.99 ** 99 + ...) first falls to 0.025 after three hits.
    terms = [0.366, 0.370, 0.185, 0.061]
    assert 1 - sum(terms[:3]) > 0.025 >= 1 - sum(terms)
    assert upper_limit(100, 0.01) == 3
    assert upper_limit(7, 1.0) == 7
    hits = [comb(100, n) * 0.1**n * 0.9 ** (100 - n) for n in range(6)]
    assert sum(hits[:5]) == pytest.approx(0.0237, abs=1e-4) and sum(hits) > 0.025
    assert lower_limit(100, 0.1) == 5
    assert (lower_limit(100, 0.01), lower_limit(7, 1.0)) == (0, 7)
    real = torch.randn(100, 3, 1, 1, generator=torch.Generator().manual_seed(1))
    found = retrieval("photos", real, {"same": [real]})
    limits = [f"chance, {side} limit" for side in ("upper", "lower")]
    assert [found.score(limit, "R@10").value for limit in limits] == [16, 5]


def test_what_all_photos_share_decides_only_where_nothing_is_centred() -> None:
    real = torch.eye(3)[:, :, None, None]
    own = real + 5 * torch.tensor([1.0, 0.0, 0.0])[None, :, None, None]
    found = retrieval("photos", real, {"shifted": [own]})
    assert found.score("shifted", "R@1").value == 100
    assert found.score("shifted, uncentred", "R@1").value == pytest.approx(100 / 3)


def test_positions_count_only_in_whole_features() -> None:
    real = torch.eye(4)[:3].view(3, 1, 2, 2)  # one bright cell each: all have the same mean
    found = retrieval("photos", real, {"same": [real]})
    assert found.score("same", "R@1").value == 0  # all ties
    assert found.score("same, uncentred", "R@1").value == 100


def test_a_constant_student_agrees_by_the_share_of_its_class_and_kappa_is_0() -> None:
    teacher = np.array([0] * 7 + [1] * 3)
    found = consistency(
        "test",
        {"constant": [(np.zeros(10, dtype=np.int64), teacher)], "same": [(teacher, teacher)]},
    )
    assert found.score("constant", "agreement, %").value == pytest.approx(70)
    assert found.score("constant", "kappa").value == 0
    assert found.score("same", "kappa").value == 1


def test_what_is_lost_by_hiding_words_is_counted_per_example() -> None:
    sentences = ["a red dog", "a red cat", "a bird"]

    def run(texts: list[str]) -> Outcome:  # a nat for every hidden word
        return Outcome(np.array([-float(text.count(HIDDEN)) for text in texts]))

    hidden = [hide(text, {"red"}) for text in sentences]
    versions = {"colours": [Degraded(hidden, hidden_share(hidden))]}
    found = degrade("test", run, sentences, versions)
    assert found.score("whole", "words hidden, %").value == 0
    assert found.score("colours", "words hidden, %").value == 25
    assert found.score("colours", "lost, nats").value == pytest.approx(2 / 3)


def test_lexical_accuracy_counts_whole_words(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(
        "bat | schläger | a bat . | 1.jpg\nbat | fledermaus | a bat flies . | 2.jpg\n"
        "bow | bogen | a bow . | ein bogen . | 3.jpg\n",
        encoding="utf-8",
    )
    said = [Said("a bat .", "ein schläger ."), Said("A bat flies.", "ein fledermausflug .")]
    found = lexical("test", read_entries(path), said)
    assert found.score("all words", "lexical accuracy").value == 50
    assert found.note.startswith("2 of 3 entries")
    assert [entry.picture for entry in read_entries(path)] == ["1.jpg", "2.jpg", "3.jpg"]
    with pytest.raises(InputError, match=r"none of the list's 3 sentences is in the split"):
        lexical("test", read_entries(path), [Said("another", "ein")])
    path.write_text("bat | schläger | a bat . | 1.jpg\nbat | schläger\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"list\.txt:2: expected 'word \| translation"):
        read_entries(path)


@pytest.mark.parametrize(
    ("translation", "said", "right"),
    [
        ("Schläger", "Ein Mann mit einem Schläger.", True),
        ("schläger", "ein mann mit einem schläger .", True),
        ("schläger", "ein mann mit einem tennisschläger .", False),
        ("schläger", "Ein „Schläger“, ein Ball", True),
        ("t-shirt", "ein T @-@ Shirt .", True),
        ("shirt t", "ein T @-@ Shirt .", False),
        ("l&apos; arc", "il tient l'arc .", True),
        ("fliegende fledermaus", "Eine fliegende Fledermaus.", True),
        ("fliegende fledermaus", "eine fledermaus , fliegende vögel .", False),
        ("fliegende fledermaus", "fliegende", False),
        ("-", "ein - schläger", False),
    ],
)
def test_a_translation_is_said_where_its_words_stand_side_by_side(
    translation: str, said: str, right: bool
) -> None:
    found = lexical("test", [Entry("bat", translation, "a bat .")], [Said("A bat.", said)])
    assert found.score("all words", "lexical accuracy").value == 100 * right


CLUB = Entry("bat", "schläger", "a bat .", "http://flickr.com/1/1_0a.jpg")
ANIMAL = Entry("bat", "fledermaus", "a bat .", "2_0b.jpg#3")


@pytest.mark.parametrize(
    ("entries", "said", "accuracy", "counted"),
    [
        # The mirrored sentences, each with its own picture, in either order.
        ([CLUB, ANIMAL], [("schläger", "1_0a.jpg"), ("fledermaus", "2_0b.jpg")], 100, 2),
        ([CLUB, ANIMAL], [("fledermaus", "2_0b.jpg"), ("schläger", "1_0a.jpg")], 100, 2),
        ([CLUB, ANIMAL], [("fledermaus", "1_0a.jpg"), ("schläger", "2_0b.jpg")], 0, 2),
        ([CLUB, ANIMAL], [("schläger", "1_0a.jpg"), ("schläger", "2_0b.jpg")], 50, 2),
        # Nobody knows the pictures of the split: a system cannot have been shown them either.
        ([CLUB, ANIMAL], [("schläger", ""), ("schläger", "")], 50, 2),
        # One picture is known, the other entry is about the rest.
        ([CLUB, ANIMAL], [("schläger", "1_0a.jpg"), ("fledermaus", "")], 100, 2),
        # The list names no picture: every occurrence is asked, the entry counts once.
        ([Entry("bat", "schläger", "a bat .")], [("schläger", "1_0a.jpg"), ("bat", "")], 50, 1),
        # The same sentence about a picture that the list does not speak of is not asked.
        ([CLUB], [("schläger", "1_0a.jpg"), ("fledermaus", "3.jpg")], 100, 1),
        ([CLUB, ANIMAL], [("schläger", "1_0a.jpg"), ("fledermaus", "3.jpg")], 100, 1),
    ],
)
def test_an_entry_is_about_the_sentence_with_its_own_picture(
    entries: list[Entry], said: list[tuple[str, str]], accuracy: float, counted: int
) -> None:
    split = [Said("A bat.", f"ein {word} .", picture) for word, picture in said]
    found = lexical("test", entries, split)
    assert found.score("all words", "lexical accuracy").value == accuracy
    assert found.note.startswith(f"{counted} of {len(entries)} entries")


def test_a_split_with_other_pictures_than_the_list_is_no_answer() -> None:
    with pytest.raises(InputError, match=r"1 of the list's 1 sentences are in the split, but with"):
        lexical("test", [ANIMAL], [Said("a bat .", "eine fledermaus .", "3.jpg")])


def test_clusters_that_are_far_apart_are_found() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat([0, 1, 2], 20)
    points = rng.normal(size=(60, 4)) + 50 * np.eye(4)[groups]
    found = k_means(points, 3, seed=1)
    assert mutual_information(found, groups) == pytest.approx(1)
    assert mutual_information(groups, np.tile([0, 1], 30)) < 0.05
    assert mutual_information([0, 0], [1, 1]) == 0
    with pytest.raises(ValueError, match="2 points cannot form 3 clusters"):
        k_means(points[:2], 3, seed=1)


def test_principal_axes_are_the_directions_of_the_largest_spread() -> None:
    points = np.zeros((4, 3))
    points[:, 1] = [-3, -1, 1, 3]
    points[:, 2] = [1, -1, -1, 1]
    centre, axes = principal_axes(points)
    assert np.allclose(centre, 0)
    assert np.allclose(np.abs(axes), [[0, 1, 0], [0, 0, 1]])


def test_a_density_integrates_to_one_and_distances_move_earth() -> None:
    values = np.random.default_rng(1).beta(2, 5, size=300)
    places, heights = density(values)
    assert np.trapezoid(heights, places) == pytest.approx(1, abs=0.01)
    assert places[heights.argmax()] == pytest.approx(0.2, abs=0.1)  # the mode of beta(2, 5)
    assert distance(values, values + 0.25) == pytest.approx(0.25)


def test_the_probability_of_interest_depends_on_the_task() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    what, values = of_interest(logits, torch.tensor([0, 1]))
    assert what.startswith("the second class") and values.tolist() == [0.5]
    what, values = of_interest(torch.zeros(2, 4), torch.tensor([0, 3]))
    assert what == "the true label" and values.tolist() == [0.25, 0.25]
    what, values = of_interest(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]]))
    assert what == "labels that are not there" and values.tolist() == [0.5, 0.5]


def test_students_whose_words_lie_elsewhere_are_told_from_those_whose_do_not() -> None:
    states = torch.eye(3).repeat(2, 1)
    teacher = Named(states, ("a", "b", "c", "a", "b", "c"))
    other = Named(states, ("b", "c", "a", "b", "c", "a"))
    found = tokens("words", [("words", teacher, teacher), ("others", teacher, other)])
    assert found.score("words, teacher to student", "nearest centroid").value == 100
    assert found.score("others, teacher to student", "nearest centroid").value == 0
    assert found.score("words among others, teacher", "nearest centroid").value == 100
    assert found.score("words among others, student", "nearest centroid").value == 0
    with pytest.raises(ValueError, match="width 3 and 2"):
        tokens("words", [("words", teacher, Named(torch.eye(2), ("a", "b")))])


def test_words_of_a_student_are_looked_for_among_its_regions() -> None:
    words = Named(torch.tensor([[1.0, 0], [0, 1], [0, 1], [0, 1]]), ("a", "a", "b", "c"))
    regions = Named(torch.tensor([[2.0, 0], [4, 0], [0, 2], [9, 9]]), ("a", "a", "b", "d"))
    teacher = Named(torch.zeros(1, 2), ("a",))
    found = tokens("states", [("words", teacher, words), ("regions", teacher, regions)])
    # Centroids (3, 0), (0, 2), (9, 9): the first word lies at its own, the second at that of b,
    # the third at its own, and no region shows a c.
    assert found.score("words among regions, student", "nearest centroid").value == 50
    assert "words among regions, teacher" in found.rows


def test_a_finding_survives_json() -> None:
    rows = {"right": (Score("a", 1.0, "x"), Unavailable("b", "no data")), "wrong": ()}
    found = Finding("title", rows, "note")
    assert Finding.restore(found.record()) == found
    with pytest.raises(KeyError, match="no 'b' under 'right'"):
        found.score("right", "b")


def test_models_that_look_at_one_modality_do_not_follow_an_exclusive_or() -> None:
    """In the world's binary task exactly every second text and picture makes a pair."""
    examples, scenes = world_examples("hostility", World(1), 80, Part.TEST)
    texts = [example.text for example in examples]
    labels = np.array([example.labels == ("hostile",) for example in examples]).astype(np.int64)
    pairs = confounders(
        texts, np.arange(80), labels, [range(start, start + 4) for start in range(0, 80, 4)]
    )
    assert len(pairs) == 40 and len(set(pairs.ravel().tolist())) == 80
    for one, other in pairs:
        assert texts[one] == texts[other] and labels[one] != labels[other]
        assert scenes[one].focus.kind != scenes[other].focus.kind
    lifeless = np.array([scene.focus.kind not in ANIMALS for scene in scenes]).astype(np.int64)
    models = {"knows": labels, "constant": 0 * labels, "text": labels ^ lifeless, "image": lifeless}
    found = follows_label("test", models, labels, pairs)
    for name, follows, changes in (
        ("knows", 100, 100),
        ("constant", 0, 0),
        ("text", 0, 0),
        ("image", 50, 100),
    ):
        assert found.score(name, "follows the label, %").value == follows, name
        assert found.score(name, "answer changes, %").value == changes, name


def test_confounders_differ_in_picture_and_label_and_share_a_group() -> None:
    texts = ["a", "a", "a", "b", "a"]
    pictures, labels = np.array([1, 1, 2, 3, 4]), np.array([0, 1, 0, 1, 1])
    assert confounders(texts, pictures, labels, [range(5)]).tolist() == [[0, 4], [1, 2], [2, 4]]
    assert confounders(texts, pictures, labels, [range(2), range(2, 4)]).shape == (0, 2)


def test_views_are_shown_of_every_example_and_densities_of_those_of_label_0() -> None:
    """Logits 0 and ln 3 say 1/4 and 3/4."""
    logits = torch.tensor([[0.0, 1.0986123], [1.0986123, 0.0], [0.0, 0.0]])
    labels = torch.tensor([0, 1, 1])
    what, every = of_every_example(logits, labels)
    assert what == "the second class" and every == pytest.approx([0.75, 0.25, 0.5])
    assert of_interest(logits, labels)[1] == pytest.approx([0.75])
    three = torch.zeros(3, 3)
    assert of_every_example(three, labels)[1] == pytest.approx([1 / 3] * 3)
    held = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    assert len(of_every_example(logits, held)[1]) == 6 and len(of_interest(logits, held)[1]) == 3
