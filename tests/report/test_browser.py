"""The page in a real browser: on a phone, in the dark, offline, and for whoever cannot see it.

Chromium, without a window. The page stands in a frame of a page that measures it; what was measured
is read from the DOM that the browser prints.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from test_page import report

from phosphene.report.model import HeatMap, Number, Point, Report, Scatter, Table
from phosphene.report.page import render_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDED = bool(os.environ.get("PHOSPHENE_NEEDS_BROWSER"))
"""It is known to be there: then nothing is skipped."""
pytestmark = pytest.mark.skipif(CHROMIUM is None and not NEEDED, reason="Chromium is not installed")
PHONE, DESK = 390, 1280
MEASURE = """
const frame = document.getElementById("page");
const luminance = colour => {
  const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(Number).map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
frame.onload = () => {
  const page = frame.contentDocument, view = frame.contentWindow;
  const all = selector => [...page.querySelectorAll(selector)];
  const style = element => view.getComputedStyle(element);
  const behind = element => {
    while (element && style(element).backgroundColor === "rgba(0, 0, 0, 0)")
      element = element.parentElement;
    return element ? style(element).backgroundColor : "rgb(255, 255, 255)";
  };
  const contrast = element => {
    const [low, high] = [luminance(style(element).color), luminance(behind(element))]
      .sort((one, other) => one - other);
    return (high + 0.05) / (low + 0.05);
  };
  const ids = all("[id]").map(element => element.id);
  const texts = all("p, th, td, caption, a, code, dt, dd, mark, ins, h1, h2, h3, summary, li")
    .filter(element => element.textContent.trim());
  const found = {
    width: page.documentElement.scrollWidth,
    view: page.documentElement.clientWidth,
    paper: style(page.body).backgroundColor,
    fetched: view.performance.getEntriesByType("resource").map(entry => entry.name)
      .filter(name => !name.startsWith("data:")),
    levels: all("h1, h2, h3, h4, h5, h6").map(element => Number(element.tagName[1])),
    language: page.documentElement.lang,
    title: page.title,
    landmarks: all("main").length,
    twice: ids.filter((id, place) => ids.indexOf(id) !== place),
    nowhere: all("a[href^='#']").map(link => link.getAttribute("href").slice(1))
      .filter(id => !ids.includes(id)),
    silent: [
      ...all("img").filter(element => !element.alt),
      ...all("table").filter(element => !element.caption),
      ...all("svg").filter(element => !element.querySelector("title")),
      ...all("[role=region]").filter(
        element => !page.getElementById(element.getAttribute("aria-labelledby"))),
      ...all("th").filter(element => !element.scope),
      ...all("summary, a").filter(element => !element.textContent.trim()),
    ].map(element => element.outerHTML.slice(0, 80)),
    unreachable: all(".scroll").filter(element => element.tabIndex !== 0).length,
    first: page.querySelector("a, button, summary, [tabindex]").className,
    pale: texts.filter(element => contrast(element) < 4.5)
      .map(element => element.outerHTML.slice(0, 80)),
    tables: all("table").length,
    scripts: all("script").length,
  };
  document.body.setAttribute("data-found", JSON.stringify(found));
};
"""


def browse(folder: Path, page: str, width: int, *flags: str) -> tuple[dict[str, Any], str]:
    """What the browser measures of a page, and what it says on its console."""
    assert CHROMIUM is not None, "PHOSPHENE_NEEDS_BROWSER is set, and there is no Chromium"
    frame = f'<iframe id="page" style="width:{width}px;height:900px" srcdoc="{html.escape(page)}">'
    path = folder / "frame.html"
    path.write_text(f"<body>{frame}</iframe><script>{MEASURE}</script></body>", encoding="utf-8")
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *(f"--user-data-dir={folder / 'profile'}", "--disable-background-networking"),
            *("--virtual-time-budget=5000", "--enable-logging=stderr", *flags),
            *("--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    measured = re.search(r'data-found="([^"]*)"', done.stdout)
    assert measured is not None, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(measured[1])), "\n".join(console)


def full() -> Report:
    """A report of everything that there can be."""
    wide = Table(
        "Two systems on many test sets",
        ("system", *(f"data set {n}, test split: BLEU tokenised" for n in range(12))),
        (
            (
                "a system with a long name",
                *(Number(40.0 + n, "tok:none", 2, 0.5) for n in range(12)),
            ),
        ),
    )
    plain = report()
    return Report(
        title=plain.title,
        signature=plain.signature,
        summary=plain.summary,
        tables=(*plain.tables, wide),
        plots=(
            *plain.plots,
            HeatMap(
                "Attention", "words", "regions", ("a", "dog"), ("1", "2"), ((0.0, 1.0), (0.5, 0.0))
            ),
            Scatter("Map", (Point(0.0, 0.0, "dogs", "a dog"), Point(1.0, 1.0, "cats", "a cat"))),
        ),
        examples=plain.examples,
        configuration=plain.configuration,
        costs=plain.costs,
    )


@pytest.mark.parametrize(
    ("width", "flags", "paper"),
    [
        (PHONE, (), "rgb(255, 255, 255)"),
        (DESK, ("--force-dark-mode",), "rgb(21, 21, 26)"),
    ],
    ids=["phone", "dark"],
)
def test_the_page_renders(tmp_path: Path, width: int, flags: tuple[str, ...], paper: str) -> None:
    found, console = browse(tmp_path, render_page([full(), report("Another")]), width, *flags)
    assert found["paper"] == paper
    assert found["width"] <= found["view"], "the page itself scrolls sideways"
    assert console == ""
    assert found["fetched"] == [] and found["scripts"] == 0
    assert found["tables"] >= 8
    # Headings, labels, landmarks, links, contrast: what a checker of accessibility looks for.
    levels = found["levels"]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert (found["language"], found["landmarks"], found["first"]) == ("en", 1, "skip")
    assert found["title"]
    for problem in ("twice", "nowhere", "silent", "pale"):
        assert found[problem] == [], problem
    assert found["unreachable"] == 0


def test_the_checks_find_what_is_wrong(tmp_path: Path) -> None:
    page = """<!doctype html><html><head><title></title><meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src
      'unsafe-inline'"></head><body style="width: 2000px"><h1>A</h1><h3 id="x">B</h3>
      <p id="x" style="color: #ccc">pale</p><a href="#y">z</a><img src="http://127.0.0.1:9/a.png">
      <table><tr><th>c</th></tr></table></body></html>"""
    found, console = browse(tmp_path, page, PHONE)
    assert "CONSOLE" in console, "the forbidden picture"
    assert found["width"] > found["view"] and found["levels"] == [1, 3]
    assert found["twice"] == ["x"] and found["nowhere"] == ["y"]
    assert len(found["silent"]) == 3 and len(found["pale"]) == 1
