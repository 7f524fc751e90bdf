"""`rdiverse memory` for people."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console
from tests.support.diversity_servers import Coder, Lite, Service, running

from rdiverse.diversity import commands
from rdiverse.diversity.client import DiversityClient, Item, RpcFailure


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    lite, coder = Lite(folder), Coder()
    service = Service(folder, lite.uri, coder=coder.address)
    with running(lite, coder, service):
        with DiversityClient(service.address) as client:
            questions = ["What is 1 + 2?", "What is 3 * 4?", "What is [red]5[/red] - 6? 数"]
            programs = ["def f(a, b): return a + b", "def f(a, b): return a * b", "def f(a, b): return a - b"]
            pairs = zip(questions, programs, strict=True)
            client.commit("shown", 1, [Item(question, program, answer="7", share=0.5) for question, program in pairs])
            client.commit("shown", 2, [Item("later", vector=np.eye(256)[0])])
        yield service.address


def printed(show) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    show(console)
    return console.export_text()


def test_score(address):
    text = printed(lambda console: commands.score(address, "shown", ["What is 8 + 9?"], console=console))
    assert "What is 8 + 9?" in text
    assert "What is 1 + 2?" in text
    assert "1 clusters in 1 questions, against 4 items" in text


def test_neighbors(address):
    text = printed(lambda console: commands.neighbors(address, "shown", "What is 8 - 9?", 2, console=console))
    assert "[red]5[/red] - 6? 数" in text, "generated text is shown as it is, never as markup"
    assert "1.000" in text


def test_stats(address):
    assert "shown" in printed(lambda console: commands.stats(address, console=console))
    text = printed(lambda console: commands.stats(address, "shown", console=console))
    assert "program embeddings of 256 components" in text


def rdiverse(*arguments, says=""):
    command = [sys.executable, "-m", "rdiverse.cli", "memory", *arguments]
    return subprocess.run(command, input=says, capture_output=True, text=True, timeout=60, check=False)


def test_everything_that_prints_data_prints_it_as_json_too(address):
    scored = json.loads(rdiverse("score", "shown", "What is 8 + 9?", "--address", address, "--json").stdout)
    assert (scored["clusters"], scored["memory_items"], scored["scores"][0]["question"]) == (1, 4, "What is 8 + 9?")
    assert scored["scores"][0]["nearest"]["question"] == "What is 1 + 2?"
    found = json.loads(rdiverse("neighbors", "shown", "What is 8 - 9?", "--count", "2", "--address", address, "--json").stdout)
    assert found["neighbors"][0]["question"].endswith("数")
    held = json.loads(rdiverse("stats", "shown", "--address", address, "--json").stdout)
    assert [entry["items"] for entry in held["iterations"]] == [3, 1]
    assert "shown" in {one["run"] for one in json.loads(rdiverse("stats", "--address", address, "--json").stdout)}


def test_a_rollback_asks_before_it_drops(address):
    with DiversityClient(address) as client:
        client.commit("asked", 1, [Item("one", vector=np.eye(256)[0])])
        client.commit("asked", 2, [Item("two", vector=np.eye(256)[1])])
    refused = rdiverse("rollback", "asked", "1", "--address", address, says="n\n")
    assert refused.returncode == 1
    assert "Drop everything that asked remembers of iterations after 1? [y/N]" in refused.stderr
    assert rdiverse("rollback", "asked", "1", "--address", address, says="y\n").stdout.endswith("dropped iterations: [2]\n")
    assert rdiverse("rollback", "asked", "1", "--yes", "--address", address).stdout == "dropped iterations: none\n"


def test_export_and_rollback(address, tmp_path):
    assert commands.export(address, "shown", tmp_path / "items.jsonl") == 4
    rows = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert [(row["iteration"], row["index"]) for row in rows] == [(1, 0), (1, 1), (1, 2), (2, 0)]
    assert rows[2]["question"].endswith("数")
    assert commands.rollback(address, "shown", 1) == [2]
    assert commands.export(address, "shown", tmp_path / "items.jsonl") == 3
    with pytest.raises(RpcFailure, match="UNKNOWN_RUN"):
        commands.export(address, "nobody", tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


def test_an_exported_memory_comes_back(address, tmp_path):
    items = [
        Item("What is 1 + 2?", program="def f(a, b): return a + b", answer="3", share=0.5),
        Item("again", "def f(a): return a"),
    ]
    with DiversityClient(address) as client:
        client.commit("kept", 1, items)
        client.commit("kept", 2, items[:1])
        file = tmp_path / "kept.jsonl"
        assert commands.export(address, "kept", file) == 3
        for _ in range(2):
            assert commands.restore(address, "restored", file) == 3
        before, after = (client.get_stats(run) for run in ("kept", "restored"))
        assert [(each.iteration, each.items) for each in after.iterations] == [(1, 2), (2, 1)]
        assert (after.dimension, after.representation) == (before.dimension, before.representation)
        scores = [client.score(run, items, before_iteration=3) for run in ("kept", "restored")]
        assert [(one.s_max, one.s_mean) for one in scores[0]] == [(one.s_max, one.s_mean) for one in scores[1]]
    assert commands.export(address, "restored", tmp_path / "restored.jsonl") == 3
    assert (tmp_path / "restored.jsonl").read_text() == file.read_text()


def test_only_an_exported_memory_is_restored(address, tmp_path):
    (tmp_path / "other.jsonl").write_text('{"question": "What is 1 + 2?"}\n')
    with pytest.raises(commands.NotExportedError, match=r"other\.jsonl: must be a file that `rdiverse memory export` wrote"):
        commands.restore(address, "other", tmp_path / "other.jsonl")
    with pytest.raises(RpcFailure):
        commands.stats(address, "other")
