"""The page: well formed, self-contained, escaped, and complete."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from phosphene.core.errors import StorageError
from phosphene.report.model import Curve, Example, Missing, Number, Output, Plot, Report, Table
from phosphene.report.page import mark_differences, render_page, write_page

VOID = {"img", "meta"}


class Outline(HTMLParser):
    """Every element of a page, checked to be closed in the right order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(stream, "PNG")
    return stream.getvalue()


EVIL = "<script>alert(1)</script>"


def report(title: str = "Image-free translation") -> Report:
    return Report(
        title=title,
        signature="version:0.1|commit:abc|seed:1",
        summary=f"A student that needs no picture. {EVIL}",
        tables=(
            Table(
                "Test 2016",
                ("system", "BLEU", "picture needed"),
                (
                    ("student", Number(41.28, "tok:none|case:lc"), "no"),
                    ("teacher", Missing("its pictures are absent"), "yes"),
                ),
                note="Mean of three seeds.",
            ),
        ),
        plots=(
            Plot(
                "Validation",
                "updates",
                "BLEU",
                (
                    Curve("student", ((0.0, 1.0), (100.0, 30.0))),
                    Curve("teacher", ((0.0, 2.0), (100.0, 33.0))),
                ),
            ),
        ),
        examples=(
            Example(
                source=f"a red bat {EVIL}",
                reference="ein roter schläger liegt",
                outputs=(Output("student", "ein schläger fliegt"), Output("none", "")),
                source_language="en",
                target_language="de",
                picture=png(),
                picture_alt=f'a "red" bat {EVIL}',
                note="Ambiguous noun.",
            ),
        ),
        configuration=(("optim.learning_rate", "0.005"), ("text", EVIL)),
        costs=Table("Cost", ("stage", "seconds"), (("distil", Number(61.5, "2 cores")),)),
    )


def test_well_formed_and_complete() -> None:
    outline = Outline(render_page([report()]))
    assert outline.text("h1") == ["Image-free translation"]
    assert outline.text("h2") == [
        "Results",
        "Curves and pictures",
        "Examples",
        "Configuration",
        "Cost",
    ]
    assert [tag for tag, _ in outline.elements].count("polyline") == 2
    for required in ("main", "article", "svg", "desc", "details", "caption", "thead"):
        assert outline.all(required), required
    assert outline.all("html")[0] == {"lang": "en"}


def test_self_contained() -> None:
    page = render_page([report(), report("Another")])
    outline = Outline(page)
    for _, attributes in outline.elements:
        for name in ("src", "href", "srcset", "data", "action", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), value
    for tag in ("script", "link", "iframe", "object"):
        assert outline.all(tag) == []
    assert not re.search(
        r"https?:|url\(|@import|//\w", page.replace(base64.b64encode(png()).decode(), "")
    )
    assert any("default-src 'none'" in str(meta.get("content")) for meta in outline.all("meta"))


def test_markup_in_texts_is_shown_not_obeyed() -> None:
    page = render_page([report()])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4
    assert Outline(page).all("img")[0]["alt"] == f'a "red" bat {EVIL}'


@given(st.text())
def test_no_text_breaks_the_page(text: str) -> None:
    evil = Report(text, f"s{text}", text, configuration=((text, text),))
    outline = Outline(render_page([evil]))
    assert len(outline.all("article")) == 1
    assert {tag for tag, _ in outline.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "a", "main", "article", "h1", "h2"),
        *("p", "code", "section", "div", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    }


def test_the_picture_is_inside() -> None:
    (image,) = Outline(render_page([report()])).all("img")
    encoded = str(image["src"]).removeprefix("data:image/png;base64,")
    assert base64.b64decode(encoded) == png()


def test_tables_can_be_read_without_sight_or_mouse() -> None:
    outline = Outline(render_page([report()]))
    scopes = [attributes.get("scope") for attributes in outline.all("th")]
    assert scopes.count("row") > 0
    assert set(scopes) == {"row", "col"}
    assert len(outline.all("caption")) == len(outline.all("table"))
    regions = [div for div in outline.all("div") if div.get("class") == "scroll"]
    assert all(div["tabindex"] == "0" and div["role"] == "region" for div in regions)
    identifiers = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = {str(link["href"])[1:] for link in outline.all("a")}
    assert targets <= set(identifiers)
    references = {
        str(attributes["aria-labelledby"])
        for _, attributes in outline.elements
        if "aria-labelledby" in attributes
    }
    assert references <= set(identifiers)


def test_every_number_has_its_signature() -> None:
    outline = Outline(render_page([report()]))
    titles = [span.get("title") for span in outline.all("span")]
    assert titles == ["tok:none|case:lc", "its pictures are absent", "2 cores"]
    for signature in titles:
        assert signature in outline.text("code")


def test_differences_by_hand() -> None:
    assert mark_differences("a red dog", "a dog", "ins") == "a <ins>red</ins> dog"
    assert mark_differences("a <b> dog", "a dog ran", "mark") == "a <mark>&lt;b&gt;</mark> dog"
    assert mark_differences("", "a", "mark") == ""


def test_examples_show_what_differs() -> None:
    outline = Outline(render_page([report()]))
    assert outline.text("mark") == ["marked", "fliegt"]
    assert outline.text("ins") == ["underlined", "roter", "liegt"]
    languages = [entry.get("lang") for entry in outline.all("dd")]
    assert languages == ["en", "de", "de", "de"]


@given(st.lists(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd")))
def test_marks_keep_the_words_and_spare_the_common_ones(one: list[str], two: list[str]) -> None:
    marked = mark_differences(" ".join(one), " ".join(two), "mark")
    assert re.sub("</?mark>", "", marked).split() == one
    common = re.sub("<mark>.*?</mark>", "", marked).split()
    rest = iter(two)
    assert all(word in rest for word in common)  # what is not marked occurs there, in this order
    if one == two:
        assert "<mark>" not in marked


def test_several_runs_have_a_list_of_contents() -> None:
    outline = Outline(render_page([report("One"), report("Two")]))
    assert outline.text("h1") == ["Runs side by side"]
    assert outline.text("h2") == ["One", "Two"]
    assert [link["href"] for link in outline.all("a")][1:3] == ["#run-1", "#run-2"]


def test_a_small_report_has_no_empty_sections() -> None:
    outline = Outline(render_page([Report("Small", "seed:1")]))
    assert outline.all("section") == []


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run" / "report.html"
    write_page(report("First"), path)
    first = path.read_text(encoding="utf-8")
    assert first == render_page([report("First")])

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StorageError, match=r"report\.html: could not be written \(No space left"):
        write_page(report("Second"), path)
    assert path.read_text(encoding="utf-8") == first
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_what_may_not_stand_in_a_report() -> None:
    with pytest.raises(ValueError, match="must be a PNG"):
        Example("a", "b", (), picture=b"GIF89a", picture_alt="a dog")
    with pytest.raises(ValueError, match="needs a text"):
        Example("a", "b", (), picture=png())
    with pytest.raises(ValueError, match="without a signature"):
        Report("title", "")
    with pytest.raises(ValueError, match="at least one"):
        render_page([])
