"""`python -m tests.testdata FOLDER`: fetch the public test data of files.json, each file by URL and digest.

A file that is there with the right digest is kept and not asked for again, so a broken download goes on where it stopped.
"""

import hashlib
import http.client
import json
import sys
import urllib.request
from pathlib import Path

FILES = Path(__file__).with_name("files.json")
TIMEOUT_SECONDS = 60


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fetch(files: list[dict[str, str]], folder: Path) -> int:
    """Bring every file below `folder`; the number of files downloaded. Raises OSError, or ValueError for a wrong digest."""
    downloads = 0
    for file in files:
        path = folder / file["path"]
        if path.is_file() and digest_of(path.read_bytes()) == file["sha256"]:
            continue
        try:
            with urllib.request.urlopen(file["url"], timeout=TIMEOUT_SECONDS) as response:
                content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise OSError(f"{file['path']}: {file['url']} cannot be read: {error}") from error
        if (digest := digest_of(content)) != file["sha256"]:
            raise ValueError(f"{file['path']}: {file['url']} has the sha256 {digest}, expected {file['sha256']}")
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.part")
        aside.write_bytes(content)
        aside.replace(path)
        downloads += 1
    return downloads


def main(folder: Path, files: Path = FILES) -> None:
    wanted = json.loads(files.read_text(encoding="utf-8"))
    try:
        downloads = fetch(wanted, folder)
    except (OSError, ValueError) as error:
        sys.exit(f"testdata: {error}")
    print(f"testdata: {len(wanted)} files in {folder}, {downloads} of them downloaded now")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
