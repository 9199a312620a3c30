"""Every kind of page in a real browser: quiet, offline, light and dark, on a phone, by keyboard, on paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnlab.report.charts import Line, Mark, Row, line_chart, row_chart
from cnnlab.report.compare_page import compare_page
from cnnlab.report.page import write_page
from cnnlab.report.reproduction_page import Claim, Value, Verdict, reproduction_page
from cnnlab.report.run_page import write_run_report

from ..report.records import HOSTILE, comparison, images, predictions, recipe, write_run

PAGES = ("run", "unfinished", "compare", "reproduction", "hostile run", "hostile compare", "plain of style")
PHONE, DESK = 375, 1280
LEAST_CONTRAST = 4.5  # WCAG 2.1, 1.4.3, level AA
PLAIN = (
    "<!doctype html><title>p</title><style>p{color:#aaa;width:900px}</style><p>pale<script>console.error('x')</script>"
)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of every kind, and one that breaks the rules so that each check can be seen to fail."""
    folder = tmp_path_factory.mktemp("pages")
    names = ("a class with a long name", "dog", "ship")
    run, hostile = write_run(folder / "run"), write_run(folder / "hostile", HOSTILE * 2)
    chart = line_chart(
        "Error", [Line("ours", [(20, 0.3), (56, 0.2)])], x_label="layers", shares=True, marks=[Mark("paper", 0.08, 20)]
    )
    verdict = Verdict(True, "ResNet-56 errs less than ResNet-20.")
    return {
        "run": write_run_report(
            run, predictions=predictions(names), images=images(11, 12, 15), named_recipe={**recipe(), "batch_size": 128}
        ),
        "unfinished": write_run_report(write_run(folder / "unfinished", finished=False)),
        "compare": write_page(folder / "compare.html", compare_page(comparison(runs=5), images(7, 8))),
        "reproduction": write_page(
            folder / "reproduction.html",
            reproduction_page(
                title="Degradation",
                claim="Deeper is worse without shortcuts.",
                paper="He et al. 2015",
                verdict=verdict,
                claims=[Claim("ResNet-56 errs less than ResNet-20", True, "Welch, p = 0.01")],
                figures=[chart, row_chart("Parameters", [Row("ResNet-20", 270_000)], bars=True)],
                values=[Value("ResNet-20", "27.0%", "8.75%")],
                differences=["2 epochs in place of 164"],
                budget={"seeds": 3},
            ),
        ),
        "hostile run": write_run_report(hostile, predictions=predictions((HOSTILE * 2, "b", "c")), images=images(12)),
        "hostile compare": write_page(folder / "hostile.html", compare_page(comparison(HOSTILE * 2), images(7))),
        "plain of style": write_page(folder / "plain.html", PLAIN),
    }


class Seen:
    """A page as the browser shows it."""

    def __init__(self, browser: Any, path: Path, *, width: int = DESK, scheme: str = "light", media: str = "") -> None:
        self.browser = browser
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < DESK}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # what earlier pages left
        browser.get(path.as_uri())
        self.path, self.width = path, width

    def outside(self) -> list[str]:
        """The elements that reach beyond the right edge, but those in a frame that scrolls."""
        found: list[str] = self.run(OUTSIDE.replace("WIDTH", str(self.width)))
        return found

    def run(self, script: str) -> Any:
        return self.browser.execute_script(script)

    def complaints(self) -> list[str]:
        """What stands in the console."""
        return [each["message"] for each in self.browser.get_log("browser")]

    def requests(self) -> list[str]:
        """Every address asked for, but the page itself and what lies inside it."""
        events = (json.loads(each["message"])["message"] for each in self.browser.get_log("performance"))
        sent = (each["params"] for each in events if each["method"] == "Network.requestWillBeSent")
        asked = (each["request"]["url"] for each in sent)
        return [url for url in asked if not url.startswith("data:") and url.partition("#")[0] != self.path.as_uri()]


OUTSIDE = """
return [...document.querySelectorAll('body *')].filter(each => {
  const box = each.getBoundingClientRect();
  return !each.closest('.scrolling') && !each.closest('.skip') && box.width > 0 && box.right > WIDTH + 1;
}).map(each => each.tagName + '.' + each.className);
"""

PALE = """
const parse = text => text.match(/[\\d.]+/g).map(Number);
const over = (top, share, below) => top.map((value, i) => value * share + below[i] * (1 - share));
const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
function behind(each) {
  for (let place = each; place; place = place.parentElement) {
    const [r, g, b, a] = parse(getComputedStyle(place).backgroundColor);
    if (a === undefined || a > 0) return [r, g, b];
  }
  return [255, 255, 255];
}
const found = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const each = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || ['STYLE', 'SCRIPT', 'title'].includes(each.tagName)) continue;
  const style = getComputedStyle(each), svg = each.namespaceURI.endsWith('svg');
  let back = behind(each);
  const cell = each.classList.contains('cell') && each.parentElement.querySelector('rect');
  if (cell) {
    const shape = getComputedStyle(cell);
    back = over(parse(shape.fill).slice(0, 3), Number(shape.fillOpacity), back);
  }
  const front = parse(svg ? style.fill : style.color).slice(0, 3);
  const [high, low] = [light(front), light(back)].sort((x, y) => y - x);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < LEAST) found.push(texts.currentNode.data + ' ' + ratio.toFixed(2));
}
return found;
""".replace("LEAST", str(LEAST_CONTRAST))

FOCUSABLE = "document.querySelectorAll('a[href], summary, [tabindex=\"0\"], input, button')"


@pytest.mark.parametrize("name", PAGES[:-1])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_quiet_offline_and_readable_on_any_screen(
    name: str, scheme: str, chromium: Any, pages: dict[str, Path]
) -> None:
    for width in (PHONE, DESK):
        seen = Seen(chromium, pages[name], width=width, scheme=scheme)
        assert seen.complaints() == []
        assert seen.requests() == []
        assert seen.run("return document.documentElement.scrollWidth") <= width
        assert seen.outside() == []
        assert seen.run(PALE) == []


@pytest.mark.parametrize("name", PAGES[:-1])
def test_every_link_and_fold_is_reached_by_keyboard_and_shown_to_be(
    name: str, chromium: Any, pages: dict[str, Path]
) -> None:
    from selenium.webdriver.common.keys import Keys

    seen = Seen(chromium, pages[name])
    count = seen.run(f"window.all = [...{FOCUSABLE}]; window.reached = new Set(); return all.length")
    for _ in range(count):
        chromium.switch_to.active_element.send_keys(Keys.TAB)
        shown = seen.run(
            "const each = document.activeElement; reached.add(each); return getComputedStyle(each).outlineStyle"
        )
        assert shown == "solid"
    assert seen.run("return all.filter(each => !reached.has(each)).map(each => each.outerHTML)") == []


def test_a_fold_opens_by_keyboard(chromium: Any, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    seen = Seen(chromium, pages["run"])
    assert not seen.run("return document.querySelector('details').open")
    chromium.find_element(By.CSS_SELECTOR, "summary").send_keys(Keys.ENTER)
    assert seen.run("return document.querySelector('details').open")


def test_dark_is_dark_and_paper_is_white_and_unfolded(chromium: Any, pages: dict[str, Path]) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    light, dark = (Seen(chromium, pages["run"], scheme=each).run(ground) for each in ("light", "dark"))
    paper = Seen(chromium, pages["run"], scheme="dark", media="print")
    assert (light, dark, paper.run(ground)) == ("rgb(244, 245, 247)", "rgb(14, 18, 23)", "rgb(255, 255, 255)")
    assert paper.run("return document.querySelector('details pre').getBoundingClientRect().height") > 0
    assert paper.run(PALE) == []


def test_nothing_hostile_runs(chromium: Any, pages: dict[str, Path]) -> None:
    from selenium.common.exceptions import NoAlertPresentException

    for name in ("hostile run", "hostile compare"):
        seen = Seen(chromium, pages[name])
        with pytest.raises(NoAlertPresentException):
            _ = chromium.switch_to.alert
        assert seen.run("return document.querySelectorAll('script, [onerror]').length") == 0
        assert HOSTILE in seen.run("return document.body.textContent")


def test_the_checks_see_what_breaks_the_rules(chromium: Any, pages: dict[str, Path]) -> None:
    seen = Seen(chromium, pages["plain of style"], width=PHONE)
    assert "x" in seen.complaints()[0]
    assert seen.run("return document.documentElement.scrollWidth") > PHONE
    assert "P." in seen.outside()
    assert seen.run(PALE)[0].startswith("pale 2.3")
