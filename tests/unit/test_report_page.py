"""The page says what the run's files say, and nothing that a model wrote is more than text on it."""

import base64
import gzip
import hashlib
import html
import json
import re
from collections import Counter
from html.parser import HTMLParser

import pyarrow.parquet as pq
import pytest
from tests.support.report_run import HOSTILE, make_run

from rdiverse.report import write_report
from rdiverse.report.page import COLUMNS
from rdiverse.report.questions import FATES


def unpack(source):
    """The questions of the block that the page's script reads."""
    block = source.split('<script type="text/plain" id="packed">')[1].split("</script>")[0]
    return json.loads(gzip.decompress(base64.b64decode(block)))["rows"]


class Page(HTMLParser):
    """Tags in order, and the table of figures as {iteration: {key: value}}."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.figures: list[dict[str, float | None]] = []
        self._key: str | None = None
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "td" and "data-key" in given:
            self._key = given["data-key"]
            if self._key == COLUMNS[0][0]:
                self.figures.append({})
        elif self._key and tag == "data":
            self.figures[-1][self._key] = float(given["value"])
        elif self._key and tag == "span":
            self.figures[-1][self._key] = None

    def handle_endtag(self, tag):
        if tag == "td":
            self._key = None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("workspace"))
    write_report(run, run.report)
    return run


@pytest.fixture(scope="module")
def source(run):
    return run.report.read_text(encoding="utf-8")


def test_every_figure_of_the_table_is_the_summarys_own(run, source):
    rows = json.loads(run.summary.read_text())["iterations"]
    assert Page(source).figures == [{column.key: row[column.key] for column in COLUMNS} for row in rows]


def test_times_are_the_summarys_own(run, source):
    for row in json.loads(run.summary.read_text())["iterations"]:
        for seconds in row["seconds"].values():
            assert f'<data value="{seconds!r}">' in source


def test_cpu_seconds_stand_by_step_with_their_sums(source):
    table = re.search(r'aria-label="CPU-seconds">(.*?)</table>', source, re.DOTALL).group(1)
    rows = [re.findall(r'data value="([^"]+)"|(–)', row) for row in table.split("<tr>")[2:]]
    assert [[value or dash for value, dash in row] for row in rows] == [
        ["4.5", "–", "4.5"],
        ["5.0", "60.25", "65.25"],
        ["–", "61.5", "61.5"],
        ["9.5", "121.75", "131.25"],
    ]


def test_a_run_without_gpus_has_no_table_of_them(source):
    assert "GPU-hours" not in source


def test_the_trainers_steps_are_summed_by_phase(source):
    row = re.search(r'<tr><th scope="row">2</th><td>solver</td><td>15</td>(.*?)</tr>', source).group(1)
    assert re.findall(r'data value="([^"]+)"', row) == ["22.5", "11.25", "33.75", "1.875", "15000", str(700 * 2**20)]


def test_the_page_needs_nothing_and_runs_only_its_own_script(source):
    tags = Page(source).tags
    assert not {tag for tag, _ in tags} & {"iframe", "img", "link", "object", "embed", "form", "base", "audio", "video"}
    assert not [
        (tag, name)
        for tag, given in tags
        for name, value in given.items()
        if name.startswith("on") or name in {"src", "style"} or (name == "href" and not value.startswith("#"))
    ]
    assert not re.search(r"@import|url\(", source)
    assert [given for tag, given in tags if tag == "script"] == [{"type": "text/plain", "id": "packed"}, {}]
    policy = next(given["content"] for tag, given in tags if given.get("http-equiv") == "Content-Security-Policy")
    code = source.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_the_contents_name_every_section_and_lead_to_it(source):
    tags = Page(source).tags
    anchors = [given["href"][1:] for tag, given in tags if tag == "a"]
    assert anchors == [given["id"] for tag, given in tags if tag == "section"]


def test_every_question_stands_in_the_packed_block(run, source):
    rows = unpack(source)
    for t in (1, 2, 3):
        questions = pq.read_table(run.iteration(t) / "questions.parquet").to_pylist()
        curated = {row["index"]: row for row in pq.read_table(run.iteration(t) / "curated.parquet").to_pylist()}
        found = [row for row in rows if row["iteration"] == t]
        assert [row["index"] for row in found] == [row["index"] for row in questions]
        for shown, written in zip(found, questions, strict=True):
            assert shown["fate"] == (curated[written["index"]]["status"] if written["question"] else "malformed")


def test_exact_copies_are_counted(run, source):
    texts = [row["question"] for t in (1, 2, 3) for row in pq.read_table(run.iteration(t) / "questions.parquet").to_pylist()]
    for row in unpack(source):
        if row["fate"] != "malformed" and len(row["question"]) < 1000 and row["question"] in texts:
            assert row["copies"] == texts.count(row["question"])
    table = re.search(r'aria-label="What became of the questions">(.*?)</table>', source, re.DOTALL).group(1)
    last = re.findall(r'data value="(\d+)"', table.split("<tr>")[-1])
    counts = Counter(row["fate"] for row in unpack(source) if row["iteration"] == 3)
    assert list(map(int, last[:6])) == [120, *(counts[fate] for fate in FATES)]
    assert int(last[7]) == sum(text in texts[:240] for text in texts[240:] if text)
    assert "compared with nothing" in table


def test_a_wrong_label_is_marked_by_sign_and_word_with_the_truth_beside_it(run, source):
    labels = {row["index"]: row for row in pq.read_table(run.iteration(2) / "labels.parquet").to_pylist()}
    for row in unpack(source):
        if row["iteration"] != 2 or row["fate"] == "malformed":
            continue
        label = labels[row["index"]]
        kind = "ill-posed" if not label["well_posed"] else "right" if label["truth_agrees"] else "wrong"
        assert row["label"] == kind
        assert row["verdict"][0] == {"ill-posed": "⚠", "right": "✓", "wrong": "✗"}[kind]
        assert kind != "wrong" or row["verdict"].endswith(f"the truth is {label['truth']}")
    assert '<article class="question wrong">' in source


def test_nothing_is_said_to_be_zero_that_was_compared_with_nothing(source):
    first = [row for row in unpack(source) if row["iteration"] == 1 and row["fate"] == "kept"]
    assert first
    for row in first:
        assert {name for name, _ in row["facts"]}.isdisjoint({"S_max", "S_mean", "P_MAP"})
        assert row["why"].endswith("compared with nothing: the memory was empty")
    charts = re.findall(r"<title>P_MAP[^<]*iteration 1:[^<]*</title>|<title>P_MAP[^<]*, 1: [^<]*</title>", source)
    assert charts == []


def test_every_training_figure_has_a_chart_in_each_phase_and_no_line_crosses_a_border(source):
    section = source.split('<section id="training">')[1].split("</section>")[0]
    for phase in ("Challenger", "Solver"):
        for title in ("KL", "Entropy", "Gradient norm", "Clipped ratios", "Response length", "Truncated\u00a0↓"):
            chart = re.search(rf"<title>{phase}: {title}</title>(.*?)</svg>", section).group(1)
            assert chart.count('class="border"') == 2
            assert chart.count("<polyline") % 3 == 0, "a line an iteration"
            borders = [float(x) for x in re.findall(r'<line x1="([\d.]+)"[^>]*class="border"', chart)]
            for points in re.findall(r'<polyline points="([^"]+)"', chart):
                xs = [float(point.split(",")[0]) for point in points.split()]
                assert len({sum(border < x for border in borders) for x in xs}) == 1


def test_tiles_say_which_way_the_change_goes(run, source):
    rows = json.loads(run.summary.read_text())["iterations"]
    change = (rows[-1]["cross_iteration_repetition"] - rows[2]["cross_iteration_repetition"]) * 100
    assert f'<span class="worse">+{change:.1f} points: worse</span>' in source
    change = (rows[-1]["label_accuracy"] - rows[1]["label_accuracy"]) * 100
    assert f'<span class="worse">−{-change:.1f} points: worse</span>' in source


@pytest.mark.parametrize("text", HOSTILE[:4])
def test_hostile_text_is_escaped_wherever_it_stands(source, text):
    assert text not in source
    assert html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;") in source


def test_control_characters_show(source):
    assert "NUL ␀ bell ␇ escape ␛[31m, right to left ⟨U+202E⟩ and back, zero ⟨U+200B⟩ width" in source
    assert not set(source) & {"\x00", "\x07", "\x1b", "\u202e", "\u200b"}


def test_a_question_of_ten_thousand_characters_is_cut(source):
    assert "[10,000 characters in all]" in source
    assert "x" * 2000 not in source


def test_a_penalty_is_explained_by_its_parts(run, source):
    kept = [row for row in pq.read_table(run.iteration(3) / "curated.parquet").to_pylist() if row["status"] == "kept"]
    worst = max(kept, key=lambda row: row["p_map"])
    part = 0.5 * (worst["s_max"] - 0.5)
    assert f"S_max {worst['s_max']:.3f} over 0.5 costs {part:.3f}; S_mean 0.300 over 0.25 costs 0.025" in source
    assert f"Nearest remembered (iteration {worst['nearest_iteration']}, cosine {worst['s_max']:.3f})" in source
    assert "the memory was empty" in source


def test_every_fate_of_a_question_is_shown(source):
    for title in (
        "Kept, most like",
        "Kept, newest",
        "most repeated within",
        "disagrees with itself",
        "too easy",
        "no program",
        "Malformed",
    ):
        assert title in source


def test_without_an_oracle_figures_that_need_one_are_dashes_and_their_charts_are_left_out(tmp_path):
    run = make_run(tmp_path, iterations=2, oracle=False)
    write_report(run, run.report)
    source = run.report.read_text(encoding="utf-8")
    figures = Page(source).figures
    assert {row[key] for row in figures for key in ("worst_skill", "label_accuracy", "ill_posed_share")} == {None}
    assert "Right labels" not in source
    assert "The hardest skills" not in source


def test_a_run_of_the_base_model_alone_has_a_page(tmp_path):
    run = make_run(tmp_path, iterations=0)
    write_report(run, run.report)
    assert len(Page(run.report.read_text(encoding="utf-8")).figures) == 1


def test_a_missing_table_stops_the_page_with_its_name(tmp_path):
    run = make_run(tmp_path, iterations=1)
    (run.iteration(1) / "labels.parquet").unlink()
    with pytest.raises(OSError, match=r"iteration-01/labels\.parquet"):
        write_report(run, run.report)
    assert not run.report.exists()


def test_the_same_files_make_the_same_page(run, source, tmp_path):
    write_report(run, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == source


def test_five_iterations_of_two_thousand_questions_make_a_page_of_a_few_megabytes(tmp_path):
    run = make_run(tmp_path, iterations=5, pool=2000, dimension=256)
    write_report(run, run.report)
    assert run.report.stat().st_size < 5 * 2**20
    assert len(unpack(run.report.read_text(encoding="utf-8"))) == 10_000
