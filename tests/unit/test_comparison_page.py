"""The comparison's files say what the summaries say; the page needs nothing, runs nothing and escapes everything."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from tests.support.comparison_summaries import THREE, setting, summary, write_all

from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison.compared import compare
from rdiverse_pipelines.comparison.figures import figures
from rdiverse_pipelines.comparison.write import write_comparison

FIGURES = ("illusion", "accuracy", "diversity", "labels", "signal")
HOSTILE = "<script>document.title = 'taken'</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    write_all(folder, THREE)
    write_comparison(folder, setting(), Method.R_ZERO, [f"r-zero-seed9: {HOSTILE}"])
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "comparison.html").read_text(encoding="utf-8")


def cells(page, section):
    """{(measure, method): exact value} of a section's table."""
    part = page.split(f'<section id="{section}">')[1].split("</section>")[0]
    found = re.findall(r'<td data-key="(\w+)" data-method="([\w-]+)">.*?<data value="([^"]+)">', part)
    return {(key, method): float(value) for key, method, value in found}


def test_json_has_every_figure_with_its_seeds(folder):
    data = json.loads((folder / "comparison.json").read_text())
    assert data["reference"] == "r-zero"
    assert data["setting"]["files"]["model"] == "b0"
    assert data["setting"]["digest"] == setting().digest
    diverse = data["methods"][1]
    assert diverse["method"] == "r-diverse"
    assert diverse["seeds"] == [0, 1, 2, 3]
    last = diverse["iterations"][-1]["accuracy_sampled"]
    assert last["values"] == {"0": 0.53, "1": 0.65, "2": 0.71, "3": 0.99}
    assert last["mean"] == pytest.approx(0.72)
    assert diverse["differences"][-1]["accuracy_sampled"]["higher"] == 3
    assert [run["wall_seconds"] for run in data["runs"]] == [60, 61, 62, 60, 61, 62, 63, 60]
    assert data["missing"] == [f"r-zero-seed9: {HOSTILE}"]
    assert set(data["measures"]) >= {"accuracy_sampled", "p_map_spread", "coverage"}


def test_the_pages_figures_are_those_of_the_json(folder, page):
    data = json.loads((folder / "comparison.json").read_text())
    for section, part in (("last", "iterations"), ("differences", "differences")):
        expected = {
            (key, method["method"]): found["mean"]
            for method in data["methods"]
            if method[part]
            for key, found in method[part][-1].items()
        }
        assert cells(page, section) == expected


def test_the_page_needs_nothing_and_runs_nothing(page):
    assert not re.search(r"<(script|iframe|img|link|object|embed|form|base)\b", page)
    assert not re.search(r"@import|url\(|\son\w+=|\ssrc=|\shref=", page)
    assert "default-src 'none'" in page
    assert HOSTILE not in page
    assert "&lt;script&gt;document.title" in page


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_whole_svg_by_itself(folder, name):
    text = (folder / f"{name}.svg").read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert "--c1:" in text, "colours come with it"
    assert not re.search(r"@import|url\(|href", text)


def test_a_figures_lines_are_the_means(folder):
    comparison = compare(
        [summary(method, seed, value) for method, seeds in THREE.items() for seed, value in seeds.items()],
        setting(),
        Method.R_ZERO,
    )
    drawn = {figure.name: figure for figure in figures(comparison)}
    assert tuple(drawn) == FIGURES
    sampled = drawn["accuracy"].panels[0]
    line = next(line for line in sampled.series if line.name == "r-zero")
    assert [(point.x, point.y) for point in line.points] == [
        (0, pytest.approx(0.4)),
        (1, pytest.approx(0.5)),
        (2, pytest.approx(0.6)),
    ]
    assert line.points[2].low < 0.6 < line.points[2].high
    assert [panel.title for panel in drawn["illusion"].panels] == ["r-zero", "r-diverse"]
    seen, within, across = drawn["illusion"].panels[0].series
    assert [point.y for point in seen.points] == pytest.approx([0.03, 0.01]), "the penalty falls"
    assert [point.y for point in within.points] == pytest.approx([0.6, 0.7]), "while repetition rises"
    assert [point.x for point in across.points] == [2]


def test_a_method_looks_the_same_beside_whichever_others():
    def looks(methods):
        runs = [summary(method, 0, 0.5) for method in methods]
        panel = figures(compare(runs, setting(), methods[0]))[1].panels[0]
        return {line.name: line.slot for line in panel.series}

    every = looks(list(Method))
    assert len(set(every.values())) == len(Method)
    assert looks([Method.R_ZERO, Method.R_DIVERSE]).items() <= every.items()


def test_markdown_has_tables_figures_and_what_is_missing(folder):
    text = (folder / "comparison.md").read_text(encoding="utf-8")
    assert "| sampled | 60.0 % ± 24.8 | 72.0 % ± 31.0 | 45.0 % |" in text
    assert "| sampled | +3.0 ± 5.0 (3/3) | −5.0 (0/1) |" in text
    assert "Seeds differ by method" in text
    assert "Commit abc; a machine, 2 cores.\nWall time of all runs together: 8 minutes." in text, "8 runs of 60 s and 9 s more"
    assert all(f"({name}.svg)" in text for name in FIGURES)
    assert f"- r-zero-seed9: {HOSTILE}" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)


def test_without_an_oracle_and_skills_there_is_a_page_all_the_same(tmp_path):
    run = summary(Method.R_ZERO, 0, 0.5, label_accuracy=None, ill_posed_share=None)
    run.skills.update(names=[], accuracy_sampled=[[], [], []])
    run.write(tmp_path / "summaries" / run.name)
    found = write_comparison(tmp_path, setting(), Method.R_ZERO)
    assert found.groups == []
    assert 'id="skills"' not in (tmp_path / "comparison.html").read_text()


def test_the_same_summaries_make_the_same_files(folder, tmp_path):
    write_all(tmp_path, THREE)
    write_comparison(tmp_path, setting(), Method.R_ZERO, [f"r-zero-seed9: {HOSTILE}"])
    for path in folder.glob("comparison.*"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
