"""Scores: every convention against sacrebleu and against arithmetic done by hand."""

import json
import math
import os
from pathlib import Path

import pytest
import sacrebleu
from sacremoses import MosesTokenizer

from phosphene.core.errors import InputError
from phosphene.data.lines import read_lines
from phosphene.evaluate.moses import LANGUAGES, detokenise, looks_tokenised, unescape
from phosphene.evaluate.score import Score, as_record
from phosphene.evaluate.translation import score_corpus, score_files

HYPOTHESES = [
    "un chien court dans l&apos; herbe .",
    "une femme qu&apos; on voit porte un t-shirt .",
]
REFERENCES = [
    "un chien court sur l&apos; herbe .",
    "une femme qu&apos; on voit porte un t-shirt rouge .",
]
RAW_REFERENCES = ["Un chien court sur l'herbe.", "Une femme qu'on voit porte un T-shirt rouge."]


def by_name(scores: list[Score]) -> dict[str, Score]:
    assert len({score.name for score in scores}) == len(scores)
    return {score.name: score for score in scores}


def test_bleu_of_two_sentences_by_hand() -> None:
    # Hypotheses: 5 + 5 tokens, references 5 + 6.
    # 1-grams 4 + 5 of 10; 2-grams 3 + 4 of 8; 3-grams 2 + 3 of 6; 4-grams 1 + 2 of 4.
    hypotheses = ["a b c d x", "p q r s t"]
    references = ["a b c d e", "p q r s t u"]
    expected = 100 * (9 / 10 * 7 / 8 * 5 / 6 * 3 / 4) ** 0.25 * math.exp(1 - 11 / 10)
    score = score_corpus(hypotheses, references, "en")[0]
    assert score.name == "BLEU tokenised"
    assert score.value == pytest.approx(expected, abs=1e-9)


def test_every_convention_agrees_with_sacrebleu() -> None:
    scores = by_name(score_corpus(HYPOTHESES, REFERENCES, "fr", RAW_REFERENCES))
    plain_hypotheses = ["un chien court dans l'herbe.", "une femme qu'on voit porte un t-shirt."]
    plain_references = [
        "un chien court sur l'herbe.",
        "une femme qu'on voit porte un t-shirt rouge.",
    ]
    unescaped = (
        [line.replace("&apos;", "'") for line in HYPOTHESES],
        [line.replace("&apos;", "'") for line in REFERENCES],
    )

    def bleu(
        hypotheses: list[str], references: list[str], tokenizer: str, lowercase: bool = True
    ) -> float:
        return sacrebleu.corpus_bleu(
            hypotheses, [references], tokenize=tokenizer, lowercase=lowercase, force=True
        ).score

    assert {name: score.value for name, score in scores.items()} == {
        "BLEU tokenised": bleu(HYPOTHESES, REFERENCES, "none"),
        "BLEU 13a on tokens": bleu(HYPOTHESES, REFERENCES, "13a"),
        "BLEU 13a on unescaped tokens": bleu(*unescaped, "13a"),
        "BLEU 13a detokenised": bleu(plain_hypotheses, plain_references, "13a"),
        "BLEU intl detokenised": bleu(plain_hypotheses, plain_references, "intl"),
        "BLEU 13a cased": bleu(plain_hypotheses, RAW_REFERENCES, "13a", lowercase=False),
        "chrF2": sacrebleu.metrics.CHRF(lowercase=True)
        .corpus_score(plain_hypotheses, [plain_references])
        .score,
    }
    assert len(set(scores)) == len({score.signature for score in scores.values()})


def test_natural_text_has_its_own_conventions() -> None:
    hypotheses = ["Ein Hund läuft über die Wiese.", "Zwei Männer spielen."]
    references = ["Ein Hund rennt über die Wiese.", "Zwei Frauen spielen."]
    scores = by_name(score_corpus(hypotheses, references, "de", tokenised=False))
    assert list(scores) == ["BLEU 13a cased", "BLEU 13a", "BLEU intl", "chrF2"]
    cased = sacrebleu.corpus_bleu(hypotheses, [references])
    assert scores["BLEU 13a cased"].value == cased.score
    assert "hyp:raw|ref:raw" in scores["BLEU 13a"].signature


def test_signatures_say_what_the_value_depends_on() -> None:
    scores = by_name(score_corpus(HYPOTHESES, REFERENCES, "fr", RAW_REFERENCES))
    assert scores["BLEU tokenised"].signature == (
        f"nrefs:1|case:lc|eff:no|tok:none|smooth:exp|version:{sacrebleu.__version__}"
        "|lang:fr|hyp:tokenised|ref:tokenised"
    )
    for fragment in ("case:mixed", "tok:13a", "hyp:detokenised|ref:raw", "sacremoses:"):
        assert fragment in scores["BLEU 13a cased"].signature


@pytest.mark.parametrize("signature", ["", "  "])
def test_no_score_without_a_signature(signature: str) -> None:
    with pytest.raises(ValueError, match="without a signature"):
        Score("BLEU", 41.0, signature)


def test_no_score_that_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="not a number"):
        Score("BLEU", math.nan, "case:lc")


def test_a_score_as_a_record() -> None:
    assert as_record(Score("BLEU", 41.5, "case:lc")) == {
        "name": "BLEU",
        "value": 41.5,
        "signature": "case:lc",
    }


@pytest.mark.parametrize(
    ("language", "tokens", "text"),
    [
        (
            "fr",
            "l&apos; homme s&apos; assied à côté d&apos; elle .",
            "l'homme s'assied à côté d'elle.",
        ),
        ("fr", "qu&apos; est-ce que c&apos; est ?", "qu'est-ce que c'est ?"),
        ("fr", "un panneau &quot; stop &quot; rouge .", 'un panneau "stop" rouge.'),
        (
            "de",
            "ein schild , auf dem &quot; halt ! &quot; steht .",
            'ein schild, auf dem "halt!" steht.',
        ),
        ("de", "ein saftig @-@ grünes feld ( im juni ) .", "ein saftig-grünes feld (im juni)."),
        ("de", "rock &amp; roll : er lacht .", "rock & roll: er lacht."),
        ("en", "the man &apos;s dog doesn &apos;t run .", "the man's dog doesn't run."),
        ("en", "a sign that says &quot; no dogs &quot; .", 'a sign that says "no dogs".'),
        ("en", "&#91; a &#93; &#124; b &lt; c &amp;amp; d", "[a] | b < c &amp; d"),
    ],
)
def test_detokenised(language: str, tokens: str, text: str) -> None:
    assert detokenise([tokens], language) == [text]


@pytest.mark.parametrize("language", LANGUAGES)
def test_detokenising_undoes_tokenising(language: str) -> None:
    text = ["zwei (2) worte, ein satz.", 'sie sagt "ja" & geht; er bleibt.', "eins-zwei!"]
    tokenizer = MosesTokenizer(lang=language)
    tokens = [tokenizer.tokenize(line, return_str=True) for line in text]
    assert tokens != text
    # French sets a space before a semicolon, an exclamation mark and the like.
    expected = (
        [line.replace(";", " ;").replace("!", " !") for line in text] if language == "fr" else text
    )
    assert detokenise(tokens, language) == expected


def test_only_the_tokenisers_own_entities_are_replaced() -> None:
    assert unescape("l&apos; &amp;quot; &copy &eacute;") == "l' &quot; &copy &eacute;"


def test_form_of_a_text() -> None:
    assert looks_tokenised(["a dog .", "a cat", "two dogs ."]) is True
    assert looks_tokenised(["A dog.", "No!", "A dog runs . . ."]) is False
    assert looks_tokenised(["no final mark", ""]) is None


@pytest.mark.parametrize(
    ("hypotheses", "references", "language", "message"),
    [
        (["a"], ["a", "b"], "en", "1 hypotheses for 2 references"),
        ([], [], "en", "nothing to score"),
        (["a"], ["a"], "xx", "unknown language 'xx': expected one of cs, de, en, fr"),
    ],
)
def test_bad_input(
    hypotheses: list[str], references: list[str], language: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_corpus(hypotheses, references, language)


def test_raw_references_belong_to_tokenised_text() -> None:
    with pytest.raises(InputError, match="natural text already"):
        score_corpus(["A."], ["A."], "en", ["A."], tokenised=False)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_score_files(tmp_path: Path) -> None:
    hypothesis = write(tmp_path / "hyp", [HYPOTHESES[0], ""])
    reference = write(tmp_path / "ref", REFERENCES)
    baseline = write(tmp_path / "base", ["un chien .", "une femme ."])
    raw = write(tmp_path / "raw", RAW_REFERENCES)
    report = score_files(
        hypothesis,
        reference,
        language="fr",
        baseline=baseline,
        raw_reference=raw,
        with_meteor=False,
    )
    assert report.tokenised
    assert (report.sentences, report.reference_tokens, report.empty_hypotheses) == (2, 17, 1)
    scores = by_name(list(report.scores))
    comparisons = {comparison.name: comparison for comparison in report.comparisons}
    assert set(scores) - set(comparisons) == {"chrF2"}
    for name, comparison in comparisons.items():
        assert comparison.system == pytest.approx(scores[name].value)
        assert comparison.delta == pytest.approx(comparison.system - comparison.baseline)
        assert comparison.signature.startswith(scores[name].signature)
        assert comparison.signature.endswith("|seed:1")
    assert json.loads(json.dumps(report.as_record()))["scores"][0]["name"] == "BLEU tokenised"


def test_score_files_refuses_a_mixture_of_forms(tmp_path: Path) -> None:
    hypothesis = write(tmp_path / "hyp", ["Ein Hund läuft."])
    reference = write(tmp_path / "ref", ["ein hund läuft ."])
    with pytest.raises(InputError, match=r"ref is Moses-tokenised and .*hyp is natural text"):
        score_files(hypothesis, reference, language="de", with_meteor=False)
    report = score_files(hypothesis, reference, language="de", tokenised=True, with_meteor=False)
    assert report.tokenised


def test_score_files_refuses_an_empty_reference(tmp_path: Path) -> None:
    hypothesis = write(tmp_path / "hyp", ["a .", "b ."])
    reference = write(tmp_path / "ref", ["a .", " "])
    with pytest.raises(InputError, match="ref, line 2: empty; expected a reference"):
        score_files(hypothesis, reference, language="en", with_meteor=False)


@pytest.mark.realdata
@pytest.mark.skipif("PHOSPHENE_DATA" not in os.environ, reason="PHOSPHENE_DATA is not set")
def test_multi30k_references() -> None:
    folder = Path(os.environ["PHOSPHENE_DATA"]) / "multi30k" / "task1"
    references = read_lines(folder / "tok" / "test_2016_flickr.lc.norm.tok.de")
    raw = read_lines(folder / "raw" / "test_2016_flickr.de.gz")
    assert sum(len(line.split()) for line in references) == 12_103
    assert looks_tokenised(references) is True
    assert looks_tokenised(raw) is False
    scores = by_name(score_corpus(references, references, "de", raw))
    for name in ("BLEU tokenised", "BLEU 13a detokenised", "BLEU intl detokenised", "chrF2"):
        assert scores[name].value == pytest.approx(100.0)
    # Detokenising restores the natural text, but for case and quotation marks.
    plain = str.maketrans("„“”’", '"""\'')
    same = sum(
        ours == theirs.strip().lower().translate(plain)
        for ours, theirs in zip(detokenise(references, "de"), raw, strict=True)
    )
    assert same >= 990
