"""The comparison's page in a real browser."""

import json

import pytest
from tests.support.browser import Browser, chromium
from tests.support.comparison_summaries import THREE, setting, write_all

from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.write import write_comparison

pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed (Debian: apt-get install chromium)")

TABLE = """Object.fromEntries([...document.querySelectorAll('#last td[data-key]')].map(
    cell => [cell.dataset.method + ' ' + cell.dataset.key, Number(cell.querySelector('data').value)]))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    write_all(folder, THREE)
    write_comparison(folder, setting(), Method.R_ZERO, ["r-zero-seed9: <img src='http://127.0.0.1:9/x.png'>"])
    return folder


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_loads_alone_and_without_complaint(browser, folder, width, dark):
    browser.open(folder / "comparison.html", width=width, dark=dark)
    assert browser.requests == []
    assert browser.complaints == []
    assert browser.run("document.querySelectorAll('img, script').length") == 0
    assert browser.run("document.querySelector('#missing li').innerText").startswith("r-zero-seed9: <img")


def test_figures_on_the_screen_are_those_of_the_json_without_any_script(browser, folder):
    browser.open(folder / "comparison.html", scripts=False)
    methods = json.loads((folder / "comparison.json").read_text())["methods"]
    expected = {f"{each['method']} {key}": row["mean"] for each in methods for key, row in each["iterations"][-1].items()}
    assert browser.run(TABLE) == expected


def test_a_phone_scrolls_down_only(browser, folder):
    browser.open(folder / "comparison.html", width=390, height=800)
    browser.run("document.querySelectorAll('details').forEach(part => { part.open = true })")
    assert browser.run("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", ["illusion", "accuracy", "diversity", "labels", "signal"])
def test_a_figure_stands_by_itself(browser, folder, name):
    browser.open(folder / f"{name}.svg")
    assert browser.requests == []
    assert browser.complaints == []
    lines = "[...document.querySelectorAll('polyline')].every(line => getComputedStyle(line).stroke !== 'none')"
    assert browser.run(lines), "lines have the colours that the page gives them"
    inside = """[...document.querySelectorAll('text')].every(text => {
        const box = text.getBoundingClientRect();
        return box.left >= 0 && box.right <= document.documentElement.getBoundingClientRect().right })"""
    assert browser.run(inside), "no text is cut off"
