"""From the command ``probe`` to files, and to the run's report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phosphene.core.files import make_folder
from phosphene.recipes.launch import refresh_report
from phosphene.recipes.probe import Asked
from phosphene.recipes.probe_kinds import PROBES, check_options, share_of
from phosphene.recipes.probing import Probed, open_run_again, read_probed, write_probed
from phosphene.report.model import Report
from phosphene.report.page import write_page


def ask_run(
    folder: Path,
    names: Sequence[str],
    *,
    seeds: int,
    split: str | None,
    lists: Path | None,
    images: Path | None,
    out: Path | None,
    quiet: bool,
) -> list[Probed]:
    """Ask several probes of one run; each leaves ``NAME.json`` and a page, ``NAME.html``.

    Where they go into the run folder, the run's own report is written again with them.

    Raises:
        InputError: the folder is no finished run, a probe does not fit it, or an option was given
            that does not go with a probe, or what another probe has found is damaged: then none
            is asked.
    """
    opened = open_run_again(folder, quiet=quiet)
    for name in names:
        opened.probe(name)
    asked = Asked(opened.log, seeds, split, lists, images)
    shares = {name: share_of(name, names, asked) for name in names}
    for name, share in shares.items():
        check_options(name, share)
    if out is None:
        read_probed(folder, [each for each in PROBES if each not in names])  # shown with these
    make_folder(folder / "probes" if out is None else out)
    found = []
    for name, share in shares.items():
        probed = opened.ask(name, share)
        place = write_probed(probed, folder / "probes" if out is None else out)
        write_page(probe_page(probed), place.with_suffix(".html"))
        found.append(probed)
    if out is None:
        refresh_report(folder)
    return found


def probe_page(probed: Probed) -> Report:
    """A page of one probe."""
    return Report(
        title=f"{probed.recipe}, {probed.system}: {probed.probe}",
        signature=probed.signature,
        tables=probed.tables,
        plots=probed.plots,
    )


__all__ = ["ask_run", "probe_page"]
