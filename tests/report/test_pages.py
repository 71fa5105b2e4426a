"""The content of the page, for any names; without a server."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.evaluation import Scores, Tally
from eduguard.report import render
from eduguard.report.drift import Group, Item
from eduguard.report.plots import plot_similarities
from made_up import SCORES, page

HOSTILE = [
    "<script>alert(1)</script>",
    "</style></script></title></textarea>-->",
    '" onmouseover="alert(1)" x=\'',
    "{{ 7 * 7 }}{% raw %}",
    "abc \u202egnp.exe\u202c \u2067אבג\u2069",
    "&lt;b&gt; &amp;",
    "\u0000\u0008 a\u2028b",
]


class Reader(HTMLParser):
    """The tags of a page with the names of their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


HARMLESS = Reader(render(page("x"), {})).tags


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_text_and_nothing_else(text: str) -> None:
    read = Reader(render(page(text), {}))
    assert read.tags == HARMLESS
    if "\0" not in text:
        assert read.text.count(text) >= 20


@pytest.mark.slow
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_name_changes_the_tags_of_the_page(text: str) -> None:
    # A remedy has a button if it contains a command.
    if "inv " not in text and text:
        assert Reader(render(page(text), {})).tags == HARMLESS


@pytest.mark.parametrize("text", HOSTILE)
def test_every_text_that_is_not_ours_is_isolated_from_the_direction_of_others(text: str) -> None:
    html = render(page("\u202e" + text), {})
    body = html[html.index("<main>") :]
    shown = [each for each in re.findall(r"<bdi[^>]*>([^<]*)</bdi>", body) if "\u202e" in each]
    # Apart from these, only the fixed places of a step, a title of ours or a command are left.
    assert len(shown) >= 15


def test_the_page_loads_nothing_and_lets_nothing_else_run() -> None:
    html = render(page("x"), {"student-001-photo-1": "data:image/jpeg;base64,AAAA"})
    policy = unescape(re.findall(r'content="(default-src .*?)">', html)[0])
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    links = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert "http" not in re.sub(r'xmlns="http://www.w3.org/2000/svg"|http-equiv', "", html)
    assert not re.search(r"<[^>]* on[a-z]+=", html)


def test_ten_thousand_findings_are_a_page_of_less_than_five_megabytes() -> None:
    items = tuple(
        Item(f"student-{number:05}-photo-1", "a note of some length, such as two FaceIds " * 2)
        for number in range(10_000)
    )
    group = Group(kind="row", title="rows", remedy="inv sync-faces", items=items)
    names = {item.student: "Antonia Rojas Antilef" for item in items}
    html = render(page("x", unsynced=(group,), apart=(), names=names), {})
    assert html.count("<li>") > 10_000
    assert len(html.encode()) < 5_000_000


def test_names_and_pictures_are_said_at_the_top() -> None:
    both, none = render(page("x"), {}), render(page("x", has_names=False, has_thumbnails=False, names={}), {})
    assert "This page shows names and pictures of students." in both
    assert "It shows no names and no pictures, only ids." in none
    assert "<img" not in none
    assert "no photo" in both


def test_what_could_not_be_read_is_said() -> None:
    empty = page(
        "x",
        migrations=None,
        similarities=None,
        unsearched="Not searched for: why.",
        schools=(),
        look_alikes=(),
        unread=("faces",),
    )
    text = Reader(render(empty, {})).text
    assert "This could not be read:" in text
    assert "They could not be read: there is no database." in text
    assert text.count("Not searched for: why.") == 2
    assert "No school could be read." in text


@pytest.mark.parametrize(
    "scores", [SCORES, replace(SCORES, own=Tally.of([]), strangers=Tally.of([]))], ids=["some", "none"]
)
def test_the_plot_is_svg_in_the_colours_of_the_page_with_the_threshold(scores: Scores) -> None:
    drawn = plot_similarities(scores, 95.5)
    root = ET.fromstring(drawn)  # noqa: S314 -- our own
    assert root.get("viewBox") == "0 0 860 300"
    assert root.get("width") is None
    colours = [each.get("stroke") for each in root.iter() if each.tag.endswith("path")]
    assert colours == ["var(--own)", "var(--strangers)", "var(--threshold)"]
    assert "match_threshold 95.5" in "".join(root.itertext())
    assert not [each for each in root.iter() if each.tag.rpartition("}")[2] in {"script", "style", "image"}]


@given(st.lists(st.floats(0, 100)))
def test_the_plot_takes_any_similarities(similarities: list[float]) -> None:
    ET.fromstring(plot_similarities(replace(SCORES, own=Tally.of(similarities)), 95.0))  # noqa: S314
