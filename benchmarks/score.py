"""How long scoring takes: a file of translations, and the resampling of comparisons.

    python benchmarks/score.py --sentences 1000

Goals on one thread: every metric but METEOR in 3 s, 1,000 bootstrap resamples in 2 s.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

import numpy as np

from phosphene.evaluate.repeated import of_sums, paired_difference
from phosphene.evaluate.significance import corpus_bleu, paired_bootstrap
from phosphene.evaluate.translation import corpus_statistics, score_corpus

WORDS = "ein eine der die das hund mann frau kind ball rot blau läuft steht und auf in mit dem ."


def sentences(count: int, seed: int) -> list[str]:
    """Made up, about as long as those of Multi30K (12 tokens)."""
    words, rng = WORDS.split(), random.Random(seed)
    return [" ".join(rng.choices(words, k=rng.randint(6, 18))) for _ in range(count)]


def changed(references: list[str], seed: int) -> list[str]:
    """Outputs with every fifth word wrong."""
    rng, words = random.Random(seed), WORDS.split()
    return [
        " ".join(rng.choice(words) if rng.random() < 0.2 else word for word in line.split())
        for line in references
    ]


def show(label: str, work: Callable[[], object]) -> None:
    started = time.process_time()
    work()
    print(f"{label:<32}{time.process_time() - started:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=1000)
    count = parser.parse_args().sentences
    references = sentences(count, 0)
    system, baseline = changed(references, 1), changed(references, 2)

    def statistics(outputs: list[str]) -> np.ndarray:
        found = corpus_statistics("BLEU tokenised", outputs, references, "de")
        assert found is not None
        return found

    score_corpus(system[:10], references[:10], "de")  # what is loaded once
    print(f"{count:,} sentences, processor time")
    show("BLEU in five conventions, chrF", lambda: score_corpus(system, references, "de"))
    ours, theirs = statistics(system), statistics(baseline)
    show("1,000 resamples, one seed", lambda: paired_bootstrap(ours, theirs, seed=1))
    several = [(np.stack([ours] * 5), np.stack([theirs] * 5))]
    show(
        "1,000 resamples, five seeds",
        lambda: paired_difference(several, of_sums(corpus_bleu), seed=1),
    )


if __name__ == "__main__":
    main()
