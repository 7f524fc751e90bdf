"""The pieces of the page: texts made visible, scales, the map, the words for a penalty."""

import itertools
import re
import unicodedata
import xml.etree.ElementTree as ET
from importlib.resources import files

import numpy as np
import pytest

from rdiverse.report import marks, skillmap
from rdiverse.report.charts import Point, Series, histogram, line_chart, stacked_bars
from rdiverse.report.text import visible


def test_characters_that_hide_are_written_out():
    assert visible("a\x00b\x1b[31m\x7f\r") == "a␀b␛[31m␡␍"
    assert visible("\u202eabc\u200b\ufeff\U000e0041") == "⟨U+202E⟩abc⟨U+200B⟩⟨U+FEFF⟩⟨U+E0041⟩"


def test_what_can_be_seen_is_left_alone():
    text = "Сколько? 二加二 كم\n\t<b>&amp;</b> 🙂 √2"
    assert visible(text) == text


def test_no_character_of_unicode_stays_hidden():
    every = "".join(map(chr, range(0x110000)))
    shown = visible(every, len(every))
    assert {c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}} == {"\n", "\t"}


def test_a_long_text_is_cut_and_says_so():
    assert visible("x" * 10_000, 5) == "xxxxx … [10,000 characters in all]"
    assert visible("x" * 5, 5) == "xxxxx"
    assert visible(None) == ""


@pytest.mark.parametrize(
    ("top", "steps"),
    [(1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (0.43, [0, 0.1, 0.2, 0.3, 0.4, 0.5]), (31.4, [0, 10, 20, 30, 40]), (0, [0, 1])],
)
def test_ticks_are_round_and_reach_the_top(top, steps):
    assert marks.ticks(top) == pytest.approx(steps)


def test_ticks_may_begin_above_zero():
    assert marks.ticks(0.61, bottom=0.43) == pytest.approx([0.40, 0.45, 0.50, 0.55, 0.60, 0.65])
    assert marks.ticks(0.5, bottom=0.5) == [0.5, 1.5]


def test_elements_escape_what_they_are_given():
    assert (
        marks.element("text", '<a b="c">', title='"x" & <y>')
        == '<text title="&#34;x&#34; &amp; &lt;y&gt;">&lt;a b=&#34;c&#34;&gt;</text>'
    )


def test_charts_are_well_formed_and_null_when_there_is_nothing_to_draw():
    lines = [Series("<one>", 0, [Point(0, 0.2, 0.1, 0.3), Point(1, 0.4)]), Series("two", 1, [])]
    for chart in (
        line_chart(lines, "t & u"),
        histogram([1, 2], [True, False], ["0", "1"], "h"),
        stacked_bars([("1", [("a", 2.0)])], "b"),
    ):
        ET.fromstring(str(chart))
    assert line_chart([lines[1]], "t") is None
    assert histogram([0, 0], [True, False], ["0", "1"], "h") is None
    assert stacked_bars([("1", [("a", 0.0)])], "b") is None


def test_a_line_stands_where_its_values_are():
    drawn = ET.fromstring(str(line_chart([Series("one", 0, [Point(1, 0.0), Point(2, 0.5), Point(3, 1.0)])], "t")))
    points = [tuple(map(float, p.split(","))) for p in drawn.find(".//polyline").get("points").split()]
    (x1, y1), (x2, y2), (x3, y3) = points
    assert x2 - x1 == pytest.approx(x3 - x2)
    assert y1 - y2 == pytest.approx(y2 - y3)
    assert y1 > y2 > y3


def heights(chart):
    """Vertical positions of the points, of the whiskers' feet and of the axis."""
    drawn = ET.fromstring(str(chart))
    points = [float(p.split(",")[1]) for p in drawn.find(".//polyline").get("points").split()]
    lines = drawn.findall(".//line")
    feet = [float(line.get("y1")) for line in lines if line.get("class").startswith("whisker")]
    (axis,) = [float(line.get("y1")) for line in lines if line.get("class") == "axis"]
    return points, feet, axis


def test_an_axis_that_need_not_begin_at_zero_begins_below_the_lowest_whisker():
    lines = [Series("one", 0, [Point(0, 0.5, 0.42, 0.58), Point(1, 0.6)])]
    (low, high), (foot,), axis = heights(line_chart(lines, "t", zero=False))
    assert low - high == pytest.approx((axis - 10) * 0.1 / 0.2, abs=0.1), "ticks 0.40 to 0.60 fill the height above the axis"
    assert axis - foot == pytest.approx((axis - 10) * 0.02 / 0.2, abs=0.1)


def test_a_whisker_does_not_reach_below_the_axis():
    _, feet, axis = heights(line_chart([Series("one", 0, [Point(0, 0.1, -0.2, 0.4), Point(1, 0.2)])], "t"))
    assert feet == [axis]


def plane(vectors):
    """First two principal components the slow way."""
    centred = vectors - vectors.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    return u[:, :2] * s[:2], (s[:2] ** 2).sum() / (s**2).sum()


def test_the_map_is_the_plane_of_the_first_two_principal_components():
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(60, 3)) * [9, 4, 1]) @ rng.normal(size=(3, 50))
    coordinates, explained = plane(vectors)
    found = skillmap.project(
        [
            (1, vectors[:30].astype(np.float32), [f"q{i}" for i in range(30)]),
            (2, vectors[30:].astype(np.float32), [f"q{i}" for i in range(30, 60)]),
        ]
    )
    assert found.explained == pytest.approx(explained, abs=1e-4)
    assert (found.shown, found.total) == (60, 60)
    at = {dot.question: (dot.x, dot.y) for dot in found.dots}
    names = sorted(at)
    drawn = np.array([at[name] for name in names])
    true = coordinates[[int(name[1:]) for name in names]]
    distance = lambda points: np.linalg.norm(points[:, None] - points[None], axis=2)
    assert np.corrcoef(distance(drawn).ravel(), distance(true).ravel())[0, 1] > 0.999


def test_equal_programs_are_one_larger_dot():
    vectors = np.repeat(np.eye(4, dtype=np.float32), [5, 1, 1, 1], axis=0)
    found = skillmap.project([(1, vectors, list("aaaaabcd"))])
    assert sorted(dot.count for dot in found.dots) == [1, 1, 1, 5]


def test_identical_vectors_and_too_few_questions_are_no_accident():
    assert skillmap.project([(1, np.zeros((2, 4), np.float32), ["a", "b"])]) is None
    assert skillmap.project([]) is None
    found = skillmap.project([(1, np.ones((5, 4), np.float32), list("abcde"))])
    assert [dot.count for dot in found.dots] == [5]


def test_a_large_pool_is_thinned_evenly():
    vectors = np.random.default_rng(0).normal(size=(5000, 8)).astype(np.float32)
    found = skillmap.project([(1, vectors, [str(i) for i in range(5000)])])
    assert found.shown <= skillmap.MAX_POINTS
    assert found.total == 5000


def test_iterations_have_colours_of_their_own():
    colours = [skillmap.colour(t, range(1, 11)) for t in range(1, 11)]
    assert len(set(colours)) == 10
    assert skillmap.colour(1, [1]) == colours[0]


MACHADO = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
"""Machado, Oliveira and Fernandes 2009, severity 1.0, of linear RGB."""


def lab(colour, seen_by):
    """CIE 1976 L*a*b* of a colour as somebody sees it."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(np.array(MACHADO[seen_by]) @ linear, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(colours, seen_by):
    """The smallest distance between two of the colours; 2.3 can just be told apart side by side."""
    points = [lab(colour, seen_by) for colour in colours]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2))


@pytest.mark.parametrize("seen_by", MACHADO)
def test_bars_and_iterations_are_told_apart_without_red_or_green(seen_by):
    style = files("rdiverse.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    palettes = [re.findall(r"--b\d: (#[0-9a-f]{6});", scheme) for scheme in style.split("prefers-color-scheme: dark")]
    assert list(map(len, palettes)) == [8, 8]
    for palette in palettes:
        assert nearest(palette, seen_by) > 15
    for iterations in (2, 3, 5):
        assert nearest([skillmap.colour(t, range(iterations)) for t in range(iterations)], seen_by) > 15
