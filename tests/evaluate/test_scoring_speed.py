"""How long scoring takes, in processor time; run apart, because shape checks slow it down here."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

LINES = 1000
_SCORE = """
import sys, time
from pathlib import Path
from phosphene.evaluate.translation import score_files
out, tok, raw = map(Path, sys.argv[1:])
start = time.process_time()
report = score_files(out, tok, language="de", raw_reference=raw, with_meteor=False)
print(time.process_time() - start)
assert report.sentences == 1000 and len(report.scores) >= 4, report.scores
"""


def write_sentences(folder: Path) -> list[str]:
    """Translations with a wrong word in six, tokenised references, and natural ones."""
    draw = random.Random(1)
    words = [f"wort{number}" for number in range(2000)]
    references = [draw.choices(words, k=draw.randint(6, 18)) for _ in range(LINES)]
    outputs = [
        [draw.choice(words) if draw.random() < 1 / 6 else word for word in each]
        for each in references
    ]
    files = {
        "out": [" ".join([*each, "."]) for each in outputs],
        "tok": [" ".join([*each, "."]) for each in references],
        "raw": [" ".join(each).capitalize() + "." for each in references],
    }
    paths = []
    for name, lines in files.items():
        paths.append(folder / name)
        paths[-1].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [str(path) for path in paths]


def seconds(code: str, *paths: str) -> float:
    """What ``code`` prints, in a process of its own."""
    words = [sys.executable, "-c", code, *paths]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def test_a_thousand_sentences_are_scored_within_three_seconds(tmp_path: Path) -> None:
    """In every convention but METEOR; about 1 s to 1.7 s on a core."""
    assert seconds(_SCORE, *write_sentences(tmp_path)) < 3
