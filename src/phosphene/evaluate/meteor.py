"""METEOR 1.5 (Denkowski & Lavie 2014), by its own Java program.

The papers of this field report this program with ``-norm``. NLTK's METEOR is another metric, four
to five points higher on the same outputs, and is not offered. The program comes with the optional
package ``pycocoevalcap``, whose paraphrase table is English only: German and French are therefore
scored with exact and stem matches, Czech with exact ones, and are labelled so.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from phosphene.evaluate.score import Score, Unavailable

NAME = "METEOR 1.5"
MAX_SECONDS = 900

_MODULES = {
    "en": "exact stem synonym paraphrase",
    "de": "exact stem",
    "fr": "exact stem",
    "cs": "exact",
}
_CODES = {"cs": "cz"}  # the program's own name for Czech
_FULL = _MODULES["en"]
_EVAL_ID = re.compile(r"^Eval ID:\s*(\S+)", re.MULTILINE)
_FINAL_SCORE = re.compile(r"^Final score:\s*(\S+)", re.MULTILINE)


class MeteorUnavailable(Exception):  # noqa: N818 (a state of the machine, not a mistake)
    """METEOR cannot run here; the message is the reason, for a row of the table."""


def meteor(hypotheses: Sequence[str], references: Sequence[str], language: str) -> Score:
    """METEOR 1.5 of a corpus with one reference each, from 0 to 100.

    The texts are passed as they are; the program tokenises, lower-cases and normalises punctuation
    itself (``-norm``).

    Raises:
        MeteorUnavailable: Java or the package is missing, the language has no parameters, or the
            program failed.
    """
    if len(hypotheses) != len(references) or not references:
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references")
    if language not in _MODULES:
        raise MeteorUnavailable(f"no parameters for the language {language!r}")
    modules = _MODULES[language]
    output = _run(hypotheses, references, language, modules)
    identity, value = _EVAL_ID.search(output), _FINAL_SCORE.search(output)
    if identity is None or value is None:
        raise MeteorUnavailable("the program printed no final score")
    label = NAME if modules == _FULL else f"{NAME} {modules.replace(' ', '+')}"
    return Score(label, 100.0 * float(value[1]), f"{identity[1]}|lang:{language}|nrefs:1")


def meteor_if_available(
    hypotheses: Sequence[str], references: Sequence[str], language: str
) -> Score | Unavailable:
    """:func:`meteor`, or why it cannot run."""
    try:
        return meteor(hypotheses, references, language)
    except MeteorUnavailable as error:
        return Unavailable(NAME, str(error))


def find_jar() -> Path:
    """The program inside the installed package, which is not imported.

    Raises:
        MeteorUnavailable: the package or the program in it is missing.
    """
    package = importlib.util.find_spec("pycocoevalcap")
    if package is None or not package.submodule_search_locations:
        raise MeteorUnavailable("the package pycocoevalcap is not installed (extra `meteor`)")
    jar = Path(package.submodule_search_locations[0]) / "meteor" / "meteor-1.5.jar"
    if not jar.is_file():
        raise MeteorUnavailable("the package pycocoevalcap has no meteor-1.5.jar")
    return jar


def _run(hypotheses: Sequence[str], references: Sequence[str], language: str, modules: str) -> str:
    java = shutil.which("java")
    if java is None:
        raise MeteorUnavailable("java is not installed")
    jar = find_jar()
    with tempfile.TemporaryDirectory() as folder:
        hypothesis_file, reference_file = Path(folder) / "hypotheses", Path(folder) / "references"
        _write(hypothesis_file, hypotheses)
        _write(reference_file, references)
        command = [java, "-Xmx2G", "-Dfile.encoding=UTF-8", "-jar", str(jar)]
        command += [str(hypothesis_file), str(reference_file)]
        command += ["-l", _CODES.get(language, language), "-norm", "-m", modules]
        try:
            finished = subprocess.run(
                command, capture_output=True, text=True, timeout=MAX_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise MeteorUnavailable(f"no result after {MAX_SECONDS} seconds") from None
    if finished.returncode != 0:
        reason = finished.stderr.strip().splitlines() or ["no message"]
        raise MeteorUnavailable(f"the program failed: {reason[0]}")
    return finished.stdout


def _write(path: Path, sentences: Sequence[str]) -> None:
    """One line per sentence, whatever Java takes for a line end."""
    lines = (" ".join(sentence.split()) for sentence in sentences)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


__all__ = [
    "MAX_SECONDS",
    "NAME",
    "MeteorUnavailable",
    "find_jar",
    "meteor",
    "meteor_if_available",
]
