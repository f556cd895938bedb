"""From the command ``probe`` to files, and to the run's report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phosphene.core.files import alone_in, make_folder
from phosphene.core.runlog import RunLog
from phosphene.recipes.launch import refresh_report
from phosphene.recipes.probe import Asked
from phosphene.recipes.probe_kinds import check_options, share_of
from phosphene.recipes.probing import Probed, open_run_again, write_probed
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
            that does not go with a probe: then none is asked.
    """
    opened = open_run_again(folder, quiet=quiet)
    for name in names:
        opened.probe(name)
    asked = Asked(opened.log, seeds, split, lists, images)
    shares = {name: share_of(name, names, asked) for name in names}
    for name, share in shares.items():
        check_options(name, share)
    place = folder / "probes" if out is None else out
    make_folder(place)
    found = []
    with alone_in(folder if out is None else out, wait=RunLog(None).say):
        for name, share in shares.items():
            found.append(opened.ask(name, share))
            written = write_probed(found[-1], place)
            write_page(probe_page(found[-1]), written.with_suffix(".html"))
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
