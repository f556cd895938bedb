"""METEOR: the real program where it is installed, and clean refusals where it is not."""

import importlib.util
import shutil

import pytest

from phosphene.evaluate import meteor as module
from phosphene.evaluate.meteor import MeteorUnavailable, find_jar, meteor

needs_meteor = pytest.mark.skipif(
    importlib.util.find_spec("pycocoevalcap") is None or shutil.which("java") is None,
    reason="needs Java and the extra `meteor`",
)

GERMAN = ["ein hund läuft .", "zwei männer spielen fußball ."]


@needs_meteor
@pytest.mark.pretrained
def test_german_by_exact_and_stem_matches() -> None:
    references = ["ein hund läuft .", "zwei männer spielten fußball ."]
    same, other = meteor(GERMAN, GERMAN, "de"), meteor(GERMAN, references, "de")
    assert same.name == "METEOR 1.5 exact+stem"
    assert same.value == pytest.approx(100.0)
    assert same.signature.startswith("meteor-1.5-wo-de-norm-")
    assert "-ex_st-" in same.signature
    assert 50.0 < other.value < 100.0


@needs_meteor
@pytest.mark.pretrained
def test_an_odd_line_end_inside_a_sentence_shifts_nothing() -> None:
    hypotheses = ["ein\u2028hund\r läuft .", GERMAN[1]]
    assert meteor(hypotheses, GERMAN, "de").value == pytest.approx(100.0)


@needs_meteor
@pytest.mark.pretrained
@pytest.mark.slow
def test_english_with_synonyms_and_paraphrases() -> None:
    score = meteor(["a hound runs ."], ["a dog runs ."], "en")
    assert score.name == "METEOR 1.5"
    assert "-ex_st_sy_pa-" in score.signature
    # By hand: "hound" and "dog" are synonyms, so every word matches in one chunk.
    assert score.value > 90.0


def test_unknown_language() -> None:
    with pytest.raises(MeteorUnavailable, match="no parameters for the language 'ja'"):
        meteor(["a"], ["a"], "ja")


def test_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(MeteorUnavailable, match="java is not installed"):
        meteor(["a"], ["a"], "de")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MeteorUnavailable, match="pycocoevalcap is not installed"):
        find_jar()


def test_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="1 hypotheses for 2 references"):
        meteor(["a"], ["a", "b"], "de")
