"""The page in a real browser: what it shows, and that it asks for nothing and complains of nothing."""

import json

import pytest
from tests.support.browser import Browser, chromium
from tests.support.report_run import HOSTILE, make_run

from rdiverse.report import write_report

pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed (Debian: apt-get install chromium)")

TABLE = """[...document.querySelectorAll('#figures tbody tr')].map(row => Object.fromEntries(
    [...row.querySelectorAll('td')].map(cell => [cell.dataset.key, cell.querySelector('data')?.value ?? null])))"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("workspace"))
    write_report(run, run.report)
    return run


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


def test_the_browser_of_these_tests_does_notice_requests_scripts_and_errors(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        "<title>bad</title><img src='http://127.0.0.1:9/x.png'><script>document.title = 'taken'; console.error('oh')</script>"
    )
    browser.open(page)
    assert browser.requests == ["http://127.0.0.1:9/x.png"]
    assert any("oh" in complaint for complaint in browser.complaints)
    assert browser.run("document.title") == "taken"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_loads_alone_and_without_complaint(browser, run, width, dark):
    browser.open(run.report, width=width, dark=dark)
    assert browser.requests == []
    assert browser.complaints == []
    assert browser.run("document.title") == "r-diverse-seed0 · rdiverse"


def test_figures_on_the_screen_equal_the_summary_without_any_script(browser, run):
    browser.open(run.report, scripts=False)
    shown = browser.run(TABLE)
    rows = json.loads(run.summary.read_text())["iterations"]
    assert len(shown) == len(rows)
    for cells, row in zip(shown, rows, strict=True):
        assert {key: None if value is None else float(value) for key, value in cells.items()} == {
            key: row[key] for key in cells
        }
    text = browser.run("document.querySelector('#figures tbody tr:last-child td').innerText")
    assert text == f"{rows[-1]['accuracy_sampled'] * 100:.1f} %"


def test_hostile_text_is_read_as_it_was_written(browser, run):
    browser.open(run.report)
    browser.run("document.querySelectorAll('details').forEach(part => { part.open = true })")
    shown = set(browser.run("[...document.querySelectorAll('.question .text')].map(text => text.innerText)"))
    for text in (*HOSTILE[:4], *HOSTILE[5:7], HOSTILE[8]):
        assert text in shown
    assert browser.run("document.querySelectorAll('script, iframe, img').length") == 0
    assert browser.requests == []


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_scrolls_down_only(browser, run, width):
    browser.open(run.report, width=width, height=800)
    browser.run("document.querySelectorAll('details').forEach(part => { part.open = true })")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelector('#figures .wide').scrollWidth") > width, "the wide table scrolls by itself"


CONTRAST = """(() => {
  const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor;
    return colour === 'rgba(0, 0, 0, 0)' ? behind(element.parentElement) : colour;
  };
  const ratio = element => {
    const both = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => b - a);
    return (both[0] + 0.05) / (both[1] + 0.05);
  };
  const texts = 'h1, h2, h3, p, dt, dd, td, th, figcaption, .value, .name, .legend li, summary';
  return Math.min(...[...document.querySelectorAll(texts)].map(ratio));
})()"""
"""The smallest ratio of luminances between a text and what is behind it (WCAG 2.2, 1.4.3)."""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_is_readable_in_both_colour_schemes(browser, run, dark):
    browser.open(run.report, dark=dark)
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 3 * 64) is dark
    assert browser.run(CONTRAST) >= 4.5, "WCAG AA"


def test_labels_of_charts_are_large_enough_on_a_phone(browser, run):
    browser.open(run.report, width=390)
    smallest = browser.run(
        "Math.min(...[...document.querySelectorAll('.tick')].map(text => text.getBoundingClientRect().height))"
    )
    assert smallest >= 9
