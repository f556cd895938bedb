"""Ask a finished run one of the probes: ``phosphene probe RUN NAME``.

Nothing is trained. The run's stages are loaded from its checkpoints and its data are read again;
what is found goes to ``RUN/probes/NAME.json`` and into the run's report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.core.runlog import RunLog, commit
from phosphene.core.runtime import Runtime
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.results import read_results
from phosphene.recipes import load_recipe
from phosphene.recipes.probe import SEEDS, Answer, Asked, Fitting, Probe
from phosphene.recipes.probe_files import figure_record, finding_table, restore_figure
from phosphene.recipes.probe_kinds import PROBES, check_options, fitted, fitting_of, fitting_probes
from phosphene.report.model import Figure, Table
from phosphene.train.reopened import Reopened
from phosphene.train.run import recipe_of, settings_of


@dataclass(frozen=True)
class Probed:
    """What a probe found of one run."""

    probe: str
    recipe: str
    system: str
    signature: str
    """Of the run: version, commit, data, configuration, seed, selection rule; then the commit that
    asked."""
    findings: tuple[Finding, ...]
    plots: tuple[Figure, ...]
    """Curves, heat maps and maps of points, for a report."""
    seeds: int = SEEDS
    """How many draws were asked for."""
    split: str | None = None
    """The one split that was asked about; none: all of them."""

    @property
    def is_whole(self) -> bool:
        """Whether every split was asked about, with the usual number of draws."""
        return self.seeds == SEEDS and self.split is None

    @property
    def tables(self) -> tuple[Table, ...]:
        """The findings for a report: a row for every condition, a column for every score."""
        return tuple(finding_table(finding, self.signature) for finding in self.findings)

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "probe": self.probe,
            "recipe": self.recipe,
            "system": self.system,
            "signature": self.signature,
            "asked": {"seeds": self.seeds, "split": self.split},
            "findings": [finding.record() for finding in self.findings],
            "figures": [figure_record(figure) for figure in self.plots],
        }


def probe_run(
    folder: Path,
    name: str,
    *,
    seeds: int = SEEDS,
    split: str | None = None,
    lists: Path | None = None,
    images: Path | None = None,
    out: Path | None = None,
    quiet: bool = True,
) -> Probed:
    """Ask one probe of the run in ``folder`` and keep what it finds.

    Args:
        folder: a finished run.
        name: one of ``PROBES`` that fits it.
        seeds: draws of whatever is drawn.
        split: one test split; all of them if not given.
        lists: ``lexical``: ambiguous words in the MLT format.
        images: ``contrastive``: folder of the CoMMuTE images.
        out: where ``NAME.json`` goes; ``probes`` in the run folder if not given.
        quiet: no progress.

    Raises:
        InputError: the folder is no finished run, the probe does not fit it, or it does not heed
            an option that was given.
    """
    opened = open_run_again(folder, quiet=quiet)
    probed = opened.ask(name, Asked(opened.log, seeds, split, lists, images))
    write_probed(probed, folder / "probes" if out is None else out)
    return probed


@dataclass(frozen=True)
class Opened:
    """A finished run whose models are loaded when the first probe asks for them."""

    folder: Path
    recipe: str
    settings: Any
    """Of its recipe."""
    fitting: Fitting
    """What its recipe says of probes."""
    log: RunLog

    @property
    def probes(self) -> dict[str, Probe]:
        """The probes that fit it."""
        return fitting_probes(self.fitting)

    def probe(self, name: str) -> Probe:
        """One that fits.

        Raises:
            InputError: it does not exist, or does not fit; says why, and names those that do.
        """
        if name not in PROBES:
            raise InputError(f"no probe '{name}': expected one of {', '.join(PROBES)}")
        return fitted(name, self.recipe, self.fitting, str(self.folder))

    def ask(self, name: str, asked: Asked) -> Probed:
        """One probe.

        Raises:
            InputError: it does not exist or does not fit; it does not heed an option that was
                given; what it needs is missing; or there was nothing to measure.
        """
        probe = self.probe(name)
        check_options(name, asked)
        answer: Answer = probe(self.trained, self.settings, asked)
        if not answer.findings:
            raise InputError(f"{self.folder}: probe '{name}' found nothing to measure")
        results = read_results(self.folder)
        return Probed(
            name,
            self.recipe,
            results.system,
            f"{results.signature}|probed:{commit()}",
            answer.findings,
            answer.figures,
            asked.seeds,
            asked.split,
        )

    @cached_property
    def trained(self) -> Any:
        """What the recipe left behind: its stages loaded, its data read again."""
        alone = self.settings.runtime.model_copy(update={"devices": 1, "strategy": "auto"})
        reopened = Reopened(self.folder, Runtime(alone).device, self.log)
        return load_recipe(self.recipe).train(reopened, self.settings)


def open_run_again(folder: Path, *, quiet: bool = True) -> Opened:
    """A finished run, for several probes.

    Raises:
        InputError: the folder is no finished run.
    """
    recipe = recipe_of(folder)
    read_results(folder)
    settings = settings_of(folder, load_recipe(recipe).Settings)
    return Opened(folder, recipe, settings, fitting_of(recipe, settings), RunLog(None, quiet=quiet))


def write_probed(probed: Probed, folder: Path) -> Path:
    """Write ``NAME.json``, whole or not at all."""
    path = folder / f"{probed.probe}.json"
    text = json.dumps(probed.record, ensure_ascii=False, indent=1)
    write_atomically(path, text.encode())
    return path


def read_probed(folder: Path, names: Iterable[str] = PROBES) -> tuple[Probed, ...]:
    """What probes of a run have found, in the order of ``names``; nothing where none was run.

    Raises:
        InputError: a file is damaged.
    """
    paths = (folder / "probes" / f"{name}.json" for name in names)
    return tuple(_read(path) for path in paths if path.is_file())


def readable_probed(folder: Path) -> tuple[tuple[Probed, ...], str]:
    """What probes of a run have found, and which of their files are damaged, as a remark."""
    found, damaged = list[Probed](), list[str]()
    for name in PROBES:
        try:
            found += read_probed(folder, [name])
        except InputError:
            damaged.append(f"probes/{name}.json")
    remark = f"{folder.name}: damaged and left out: {', '.join(damaged)}; ask again."
    return tuple(found), remark if damaged else ""


def holds_whole_probe(path: Path) -> bool:
    """Whether a probe's file is there and whole, and was asked as it is by default."""
    try:
        return path.is_file() and _read(path).is_whole
    except InputError:
        return False


def _read(path: Path) -> Probed:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Probed(
            record["probe"],
            record["recipe"],
            record["system"],
            record["signature"],
            tuple(map(Finding.restore, record["findings"])),
            tuple(map(restore_figure, record["figures"])),
            **record.get("asked", {}),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: damaged, expected what a probe found; delete it, or ask the probe again"
        ) from error


__all__ = [
    "Opened",
    "Probed",
    "holds_whole_probe",
    "open_run_again",
    "probe_run",
    "read_probed",
    "readable_probed",
    "write_probed",
]
