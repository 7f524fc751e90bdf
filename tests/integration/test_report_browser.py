"""The page in a real browser: what it shows, and that it asks for nothing and complains of nothing."""

import json
import time

import pyarrow.parquet as pq
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
    assert browser.run("document.querySelectorAll('iframe, img').length") == 0
    assert browser.run("document.querySelectorAll('script').length") == 2, "the questions and the page's own"
    assert browser.requests == []
    assert browser.run("document.title") == "r-diverse-seed0 · rdiverse"


def choose(name, value):
    """A script that sets a control of the list of all questions and tells it so."""
    return f"""(() => {{
        const label = [...document.querySelectorAll('.filters label')].find(each => each.innerText.startsWith({name!r}));
        const control = label.querySelector('input, select');
        control.value = {value!r};
        control.dispatchEvent(new Event(control.tagName === 'INPUT' ? 'input' : 'change'));
        return document.querySelector('#every .note').innerText;
    }})()"""


CARDS = "[...document.querySelectorAll('#every .question')].map(card => card.innerText)"


def test_every_question_is_found_by_search_and_filters(browser, run):
    browser.open(run.report)
    assert browser.run("document.querySelector('#every .note').innerText") == "360 of 360 questions"
    labels = pq.read_table(run.iteration(2) / "labels.parquet").to_pylist()
    wrong = sum(row["truth_agrees"] is False for row in labels)
    browser.run(choose("iteration", "2"))
    assert browser.run(choose("label", "wrong")) == f"{wrong} of 360 questions"
    assert all("is wrong, the truth is" in card for card in browser.run(CARDS))
    browser.run(choose("label", ""))
    failed = sum(row["status"] == "no-program" for row in pq.read_table(run.iteration(2) / "curated.parquet").to_pylist())
    reason = "no parseable function after one retry"
    assert browser.run(choose("SAM failure", reason)) == f"{failed} of 360 questions"
    assert all(f"SAM: {reason}" in card for card in browser.run(CARDS))
    browser.run(choose("SAM failure", ""))
    browser.run(choose("iteration", ""))
    assert browser.run(choose("search", "HOLDS 37 pens")) == "3 of 360 questions"
    assert all("37 pens" in card for card in browser.run(CARDS))
    assert browser.run(choose("search", "no such text")) == "0 of 360 questions"


def test_a_cluster_is_shown_whole_from_one_of_its_cards(browser, run):
    browser.open(run.report)
    browser.run(choose("order", "largest cluster"))
    browser.run("document.querySelector('#every .question button').click()")
    chosen = browser.run("[...document.querySelectorAll('.filters select')].map(each => each.selectedOptions[0].innerText)")
    (name,) = [text for text in chosen if ", number " in text]
    size = int(name.split("(")[1][:-1])
    assert browser.run("document.querySelector('#every .note').innerText") == f"{size} of 360 questions"
    assert size > 1


def test_more_questions_come_when_asked_for(browser, run):
    browser.open(run.report)
    first = browser.run("document.querySelectorAll('#every .question').length")
    browser.run("document.querySelector('.more').click()")
    assert browser.run("document.querySelectorAll('#every .question').length") == 2 * first


def test_without_scripts_the_page_says_what_is_missing_and_shows_samples(browser, run):
    browser.open(run.report, scripts=False)
    assert "scripts, which are off here" in browser.run("document.querySelector('#every').innerText")
    assert browser.run("document.querySelectorAll('details .question').length") > 50


def test_ten_thousand_questions_are_searched_without_a_wait(browser, tmp_path):
    run = make_run(tmp_path, iterations=5, pool=2000, dimension=64)
    write_report(run, run.report)
    browser.open(run.report)
    began = time.monotonic()
    while "10,000 of 10,000" not in browser.run("document.querySelector('#every').innerText"):
        assert time.monotonic() < began + 20
        time.sleep(0.05)
    milliseconds = browser.run(
        f"(() => {{ const began = performance.now(); {choose('search', 'pens')}; return performance.now() - began }})()"
    )
    assert milliseconds < 1000
    assert browser.complaints == []


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
