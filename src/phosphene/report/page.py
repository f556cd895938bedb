"""One self-contained HTML page: opens offline, on a phone, in the dark, without a mouse.

Nothing is fetched (the page forbids it to itself), nothing runs, and all text is escaped, so a
caption that holds markup is shown and not obeyed.
"""

from __future__ import annotations

import base64
import difflib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from phosphene.core.errors import StorageError
from phosphene.report.heatmaps import heat_map
from phosphene.report.markup import escape
from phosphene.report.model import (
    Cell,
    Example,
    Figure,
    HeatMap,
    Missing,
    Plot,
    Report,
    Scatter,
    Table,
    note_of,
)
from phosphene.report.plots import line_plot
from phosphene.report.scatter import scatter
from phosphene.report.style import STYLE

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_SEVERAL = "Runs side by side"


def write_page(report: Report | Sequence[Report], path: Path) -> None:
    """Write the page of one run, or of several; a reader never sees half a page.

    Raises:
        StorageError: the file could not be written.
    """
    reports = [report] if isinstance(report, Report) else report
    data = render_page(reports).encode("utf-8", errors="replace")
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise StorageError(f"{path}: could not be written ({error.strerror})") from error


def render_page(reports: Sequence[Report]) -> str:
    """The page as text."""
    if not reports:
        raise ValueError("a page needs at least one report")
    several = len(reports) > 1
    title = _SEVERAL if several else reports[0].title
    articles = [
        _article(report, f"run-{number}", level=2 if several else 1)
        for number, report in enumerate(reports, start=1)
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            '<a class="skip" href="#content">Skip to the content</a>',
            *([_contents(title, reports)] if several else []),
            '<main id="content">',
            *articles,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def mark_differences(text: str, other: str, tag: Literal["ins", "mark"]) -> str:
    """``text`` as HTML, with the words that ``other`` does not have in their place inside ``tag``.

    Words are what spaces separate. ``mark_differences("a red dog", "a dog", "ins")`` is
    ``a <ins>red</ins> dog``.
    """
    words, others = text.split(), other.split()
    matcher = difflib.SequenceMatcher(a=words, b=others, autojunk=False)
    parts = []
    for operation, start, end, _, _ in matcher.get_opcodes():
        if start == end:
            continue
        piece = escape(" ".join(words[start:end]))
        parts.append(piece if operation == "equal" else f"<{tag}>{piece}</{tag}>")
    return " ".join(parts)


def _contents(title: str, reports: Sequence[Report]) -> str:
    links = "".join(
        f'<li><a href="#run-{number}">{escape(report.title)}</a></li>'
        for number, report in enumerate(reports, start=1)
    )
    return f'<header><h1>{escape(title)}</h1><nav aria-label="Runs"><ol>{links}</ol></nav></header>'


def _article(report: Report, identifier: str, level: int) -> str:
    configuration = Table("Configuration", ("setting", "value"), report.configuration)
    results = [
        _table(table, f"{identifier}-table-{number}")
        for number, table in enumerate(report.tables, start=1)
    ]
    plots = [
        _figure(plot, f"{identifier}-curve-{number}")
        for number, plot in enumerate(report.plots, start=1)
    ]
    costs = [] if report.costs is None else [_table(report.costs, f"{identifier}-costs")]
    settings = [_table(configuration, f"{identifier}-settings")] if report.configuration else []
    return "\n".join(
        [
            f'<article id="{identifier}" aria-labelledby="{identifier}-title">',
            f'<h{level} id="{identifier}-title">{escape(report.title)}</h{level}>',
            *([f"<p>{escape(report.summary)}</p>"] if report.summary else []),
            f'<p class="signature">Signature: <code>{escape(report.signature)}</code></p>',
            *_section("Results", results, level + 1),
            *_section("Curves and pictures", plots, level + 1),
            *_section("Examples", _examples(report.examples), level + 1),
            *_section("Configuration", settings, level + 1),
            *_section("Cost", costs, level + 1),
            "</article>",
        ]
    )


def _section(title: str, parts: Sequence[str], level: int) -> list[str]:
    if not parts:
        return []
    return ["<section>", f"<h{level}>{title}</h{level}>", *parts, "</section>"]


def _table(table: Table, identifier: str) -> str:
    notes, numeric = table.footnotes(), table.numeric()
    head = "".join(
        f'<th scope="col"{_number_class(is_numeric)}>{escape(heading)}</th>'
        for heading, is_numeric in zip(table.header, numeric, strict=True)
    )
    body = []
    for row in table.rows:
        cells = [f'<th scope="row">{_cell(row[0], notes, identifier)}</th>']
        cells += [
            f"<td{_number_class(is_numeric)}>{_cell(cell, notes, identifier)}</td>"
            for cell, is_numeric in zip(row[1:], numeric[1:], strict=True)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    items = "".join(
        f'<li id="{identifier}-note-{number}"><code>{escape(note)}</code></li>'
        for number, note in enumerate(notes, start=1)
    )
    # The box scrolls sideways on a phone, so the keyboard must be able to reach it.
    return "\n".join(
        [
            f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{identifier}-title">',
            f'<table id="{identifier}">',
            f'<caption id="{identifier}-title">{escape(table.title)}</caption>',
            f"<thead><tr>{head}</tr></thead>",
            "<tbody>",
            *body,
            "</tbody>",
            "</table>",
            "</div>",
            *([f'<p class="note">{escape(table.note)}</p>'] if table.note else []),
            *([f'<ol class="notes">{items}</ol>'] if items else []),
        ]
    )


def _cell(cell: Cell, notes: Sequence[str], identifier: str) -> str:
    note = note_of(cell)
    if note is None:
        return escape(str(cell))
    number = notes.index(note) + 1
    link = (
        f'<sup><a href="#{identifier}-note-{number}" aria-label="note {number}">{number}</a></sup>'
    )
    tip = escape(note)
    match cell:
        case Missing():
            return f'<span title="{tip}" aria-label="no value">{escape(str(cell))}</span>{link}'
        case _:
            return f'<span title="{tip}">{escape(str(cell))}</span>{link}'


def _figure(figure: Figure, identifier: str) -> str:
    """What is drawn, and its values as a table for whoever cannot see it."""
    match figure:
        case Plot():
            return _plot(figure, identifier)
        case HeatMap():
            header = (figure.row_label, *figure.columns)
            cells = tuple(
                (name, *(f"{value:.3f}" for value in values))
                for name, values in zip(figure.rows, figure.values, strict=True)
            )
            table, drawn = Table(f"{figure.title}: values", header, cells), heat_map(figure)
        case Scatter():
            places = tuple(
                (point.group, point.label, f"{point.x:.3g}", f"{point.y:.3g}")
                for point in figure.points
            )
            table = Table(f"{figure.title}: points", ("group", "what", "x", "y"), places)
            drawn = scatter(figure)
    return "\n".join(
        [
            "<figure>",
            drawn,
            "<details><summary>Values of this figure</summary>",
            _table(table, identifier),
            "</details>",
            "</figure>",
        ]
    )


def _plot(plot: Plot, identifier: str) -> str:
    rows = tuple((curve.name, f"{x:g}", f"{y:g}") for curve in plot.curves for x, y in curve.points)
    points = Table(f"{plot.title}: points", ("curve", plot.x_label, plot.y_label), rows)
    return "\n".join(
        [
            "<figure>",
            line_plot(plot.curves, plot.title, plot.x_label, plot.y_label, log_x=plot.log_x),
            "<details><summary>Points of this plot</summary>",
            _table(points, identifier),
            "</details>",
            "</figure>",
        ]
    )


def _examples(examples: Sequence[Example]) -> list[str]:
    if not examples:
        return []
    legend = (
        "<p>In the outputs, <mark>marked</mark> words are not in the reference; in the reference, "
        "<ins>underlined</ins> words are missing from the first output.</p>"
    )
    return [legend, *(_example(example) for example in examples)]


def _example(example: Example) -> str:
    reference = escape(example.reference)
    if example.outputs:
        reference = mark_differences(example.reference, example.outputs[0].text, "ins")
    source_lang, target_lang = _lang(example.source_language), _lang(example.target_language)
    entries = [
        f"<dt>Source</dt><dd{source_lang}>{escape(example.source)}</dd>",
        f"<dt>Reference</dt><dd{target_lang}>{reference}</dd>",
        *(
            f"<dt>{escape(output.system)}</dt>"
            f"<dd{target_lang}>{mark_differences(output.text, example.reference, 'mark')}</dd>"
            for output in example.outputs
        ),
    ]
    picture = []
    if example.picture is not None:
        data = base64.b64encode(example.picture).decode("ascii")
        alt = escape(example.picture_alt)
        picture = [f'<img src="data:image/png;base64,{data}" alt="{alt}">']
    note = [f'<p class="note">{escape(example.note)}</p>'] if example.note else []
    return "\n".join(
        [
            f'<div class="example{" pictured" if picture else ""}">',
            *picture,
            "<div>",
            f"<dl>{''.join(entries)}</dl>",
            *note,
            "</div>",
            "</div>",
        ]
    )


def _number_class(is_numeric: bool) -> str:
    return ' class="number"' if is_numeric else ""


def _lang(language: str) -> str:
    return f' lang="{escape(language)}" dir="auto"' if language else ' dir="auto"'


__all__ = ["mark_differences", "render_page", "write_page"]
