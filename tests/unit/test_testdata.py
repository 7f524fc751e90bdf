"""Fetching the public test data, from a real HTTP server."""

import functools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.support.testdata import data
from tests.testdata.__main__ import FILES, digest_of

CONTENTS = {"benchmarks/a.jsonl": b'{"question": "?"}\n', "crds/b.yaml": b"kind: CustomResourceDefinition\n" * 50_000}


class Site:
    def __init__(self, tmp_path: Path) -> None:
        self.root, self.folder, self.manifest = tmp_path / "site", tmp_path / "testdata", tmp_path / "files.json"
        self.asked: list[str] = []
        site = self

        class Handler(SimpleHTTPRequestHandler):
            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                site.asked.append(self.path.lstrip("/"))

            def log_error(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(self.root)))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        for name, content in CONTENTS.items():
            (self.root / name).parent.mkdir(parents=True)
            (self.root / name).write_bytes(content)
        files = [{"path": name, "url": f"{self.url}/{name}", "sha256": digest_of(text)} for name, text in CONTENTS.items()]
        self.manifest.write_text(json.dumps(files))

    def fetch(self) -> tuple[int, str]:
        """(exit status, what it printed); everything that it asked for is in `asked`."""
        self.asked.clear()
        command = [sys.executable, "-m", "tests.testdata", str(self.folder), str(self.manifest)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def held(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    thread = threading.Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


def test_everything_is_fetched_once(site: Site) -> None:
    assert site.fetch() == (0, f"testdata: 2 files in {site.folder}, 2 of them downloaded now\n")
    assert site.held() == CONTENTS
    assert site.fetch() == (0, f"testdata: 2 files in {site.folder}, 0 of them downloaded now\n")
    assert site.asked == []


def test_a_wrong_digest_is_refused_and_what_is_right_is_kept(site: Site) -> None:
    (site.root / "crds/b.yaml").write_bytes(b"something else")
    status, said = site.fetch()
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(f"testdata: crds/b.yaml: {site.url}/crds/b.yaml has the sha256 {digest_of(b'something else')}")
    assert digest_of(CONTENTS["crds/b.yaml"]) in said
    assert list(site.held()) == ["benchmarks/a.jsonl"]
    (site.root / "crds/b.yaml").write_bytes(CONTENTS["crds/b.yaml"])
    assert site.fetch()[0] == 0
    assert site.asked == ["crds/b.yaml"]
    assert site.held() == CONTENTS


def test_a_file_that_is_not_published_is_named(site: Site) -> None:
    (site.root / "crds/b.yaml").unlink()
    url = f"{site.url}/crds/b.yaml"
    assert site.fetch() == (1, f"testdata: crds/b.yaml: {url} cannot be read: HTTP Error 404: File not found\n")


def test_a_file_that_was_changed_or_cut_off_is_fetched_again(site: Site) -> None:
    assert site.fetch()[0] == 0
    (site.folder / "crds/b.yaml").write_bytes(CONTENTS["crds/b.yaml"][:1000])
    assert site.fetch()[0] == 0
    assert site.asked == ["crds/b.yaml"]
    assert site.held() == CONTENTS


def test_a_server_that_cannot_be_reached_is_one_line(site: Site) -> None:
    site.manifest.write_text(json.dumps([{"path": "a", "url": "http://127.0.0.1:1/a", "sha256": ""}]))
    status, said = site.fetch()
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("testdata: a: http://127.0.0.1:1/a cannot be read: ")


def test_the_manifest_pins_every_file() -> None:
    files = json.loads(FILES.read_text())
    assert len({file["path"] for file in files}) == len(files)
    for file in files:
        assert set(file) == {"path", "url", "sha256"}
        assert file["url"].startswith("https://raw.githubusercontent.com/")
        assert file["url"].split("/")[5] not in {"main", "master", "HEAD"}


@pytest.mark.parametrize("file", json.loads(FILES.read_text()), ids=lambda file: file["path"])
def test_the_data_that_the_tests_read_is_what_is_published(file: dict[str, str]) -> None:
    assert digest_of(data(file["path"]).read_bytes()) == file["sha256"]
