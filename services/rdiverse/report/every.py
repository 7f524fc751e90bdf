"""All questions of a run as one packed block, and the page's one script, which unpacks, searches and filters it."""

import base64
import gzip
import hashlib
import json
from importlib.resources import files

from rdiverse.report.questions import FATES, Shown


def packed(shown: list[Shown]) -> str:
    """Gzipped JSON in base64: a list of questions, each without what is empty. It holds nothing that HTML would read."""
    rows = [{key: value for key, value in vars(each).items() if value not in (None, "", ())} for each in shown]
    text = json.dumps({"fates": FATES, "rows": rows}, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


def script() -> tuple[str, str]:
    """The script, and its digest as a Content-Security-Policy names it: nothing else on the page can run."""
    text = files("rdiverse.report").joinpath("templates/questions.js").read_text(encoding="utf-8")
    return text, "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
