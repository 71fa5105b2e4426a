"""The page in a real Chromium: clicks work, and the console stays empty."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chromium import PROGRAM, Tab, opened_tab
from eduguard.report import render
from eduguard.report.drift import Group, Item
from made_up import page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PROGRAM is None, reason="NO CHROMIUM: the page was not tried in a browser (apt-get install chromium)"
    ),
]
HOSTILE = "<script>document.title = 'broken'</script>\"'</style>\u202egnp"
LONG = Group(
    kind="row",
    title="rows",
    remedy="inv photos pull FOLDER, then inv enrol --from FOLDER",
    items=tuple(Item(f"student-{number:05}-photo-1") for number in range(10_000)),
)
SHORT = replace(LONG, kind="face", items=LONG.items[:3], remedy="inv sync-faces")
COPIED = "INVOKE_TARGET=local inv photos pull FOLDER && INVOKE_TARGET=local inv enrol --from FOLDER"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = page(HOSTILE, target="local", verdict="drift", unsynced=(LONG, SHORT), apart=())
    file = tmp_path_factory.mktemp("report") / "page.html"
    file.write_text(render(made, {}), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with opened_tab() as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab, file: Path) -> Tab:
    browser.events.clear()
    browser.send("Emulation.setEmulatedMedia", media="", features=[])
    browser.send("Emulation.setDeviceMetricsOverride", width=1000, height=800, deviceScaleFactor=1, mobile=False)
    browser.open(file)
    return browser


def is_seen(tab: Tab, selector: str) -> bool:
    return bool(tab.run(f"document.querySelector({selector!r}).checkVisibility({{contentVisibilityAuto: false}})"))


def test_nothing_complains_nothing_is_loaded_and_no_name_has_run(tab: Tab, file: Path) -> None:
    assert tab.complaints() == []
    assert [url for url in tab.asked_for() if not url.startswith("data:")] == [file.as_uri()]
    assert tab.run("document.title") == "EduGuard DB: local"
    assert tab.run("document.querySelectorAll('script').length") == 1
    assert HOSTILE in tab.run("document.querySelector('main').textContent")


@pytest.fixture
def copied(tab: Tab) -> Callable[[str], str]:
    """Click the button of a list, wait until it says that it has copied, and read the clipboard."""
    tab.send("Browser.grantPermissions", permissions=["clipboardReadWrite"])

    def click(kind: str) -> str:
        button = f"section[data-kind={kind}] button.copy"
        tab.click(button)
        tab.wait_until(f"document.querySelector('{button}').textContent === 'Copied'")
        return str(tab.run("navigator.clipboard.readText()"))

    return click


def test_the_button_copies_the_command(tab: Tab, copied: Callable[[str], str]) -> None:
    assert copied("row") == COPIED
    assert copied("face") == "INVOKE_TARGET=local inv sync-faces"
    assert tab.complaints() == []


def test_the_button_copies_where_the_clipboard_is_kept_from_pages(tab: Tab, copied: Callable[[str], str]) -> None:
    tab.run("navigator.clipboard.writeText = () => Promise.reject(new Error('kept'))")
    assert copied("face") == "INVOKE_TARGET=local inv sync-faces"
    assert copied("row") == COPIED


def test_a_list_opens_and_is_filtered_as_one_types(tab: Tab) -> None:
    section = "section[data-kind=row]"
    assert not is_seen(tab, f"{section} li")
    tab.click(f"{section} summary")
    assert tab.run(f"document.querySelector('{section} details').open")
    tab.click(f"{section} input")
    tab.type("0999")
    shown = "[...document.querySelectorAll('section[data-kind=row] li')].filter(each => !each.hidden).map(each => each.textContent)"
    assert tab.run(shown) == ["student-00999-photo-1", *(f"student-0999{last}-photo-1" for last in range(10))]
    assert tab.run(f"document.querySelector('{section} output').textContent") == "11 of 10,000"
    tab.run(f"document.querySelector('{section} input').select()")
    tab.type(" ")
    assert len(tab.run(shown)) == 10_000
    tab.click(f"{section} summary")
    assert not is_seen(tab, f"{section} li")
    assert tab.complaints() == []


def test_a_short_list_has_no_filter(tab: Tab) -> None:
    tab.click("section[data-kind=face] summary")
    assert tab.run("document.querySelector('section[data-kind=face] .filter').hidden")


def shoot(tab: Tab, file: Path) -> "Image.Image":
    tab.shoot(file)
    with Image.open(file) as picture:
        return picture.convert("L")


def darkness(picture: Any) -> float:
    histogram = picture.histogram()
    return float(sum(histogram[:64]) / sum(histogram))


def test_it_is_light_or_dark_like_the_readers_system_and_always_light_on_paper(tab: Tab, tmp_path: Path) -> None:
    light = darkness(shoot(tab, tmp_path / "light.png"))
    dark_scheme = [{"name": "prefers-color-scheme", "value": "dark"}]
    tab.send("Emulation.setEmulatedMedia", media="screen", features=dark_scheme)
    dark = darkness(shoot(tab, tmp_path / "dark.png"))
    tab.send("Emulation.setEmulatedMedia", media="print", features=dark_scheme)
    printed = darkness(shoot(tab, tmp_path / "print.png"))
    assert light < 0.2
    assert dark > 0.7
    assert printed < 0.2
    assert not is_seen(tab, "button.copy")
    assert not is_seen(tab, "nav")
    assert is_seen(tab, ".command code")


def test_nothing_is_wider_than_a_telephone(tab: Tab) -> None:
    tab.send("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    assert tab.run("document.documentElement.scrollWidth") <= 360


def test_every_text_contrasts_with_its_background(tab: Tab) -> None:
    """WCAG 2 requires a contrast of 4.5 to 1 for small text."""
    for scheme in ("light", "dark"):
        tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        ratios = tab.run(CONTRASTS)
        assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


CONTRASTS = """
(() => {
  const style = getComputedStyle(document.documentElement);
  const light = name => {
    const hex = style.getPropertyValue(name).trim().replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
    return [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
      .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  };
  const found = {};
  for (const front of ["--ink", "--soft", "--link", "--well", "--drift", "--broken", "--own", "--strangers", "--threshold"])
    for (const back of ["--paper", "--card"]) {
      const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
      found[`${front} on ${back}`] = (high + 0.05) / (low + 0.05);
    }
  return found;
})()
"""
