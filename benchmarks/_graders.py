"""Other graders beside ours, in this process: math-verify, and mathruler as R-Zero uses it."""

import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "build" / "benchmarks" / "graders"
# mathruler has no declared requirements; of what it imports, only this is not there already.
PACKAGES = ("mathruler==0.1.0", "pylatexenc==2.10")
SECONDS = 2
"""For one comparison; none of the two stops by itself. What takes longer is unequal."""

Equal = Callable[[str, str], bool]


def math_verify() -> Equal:
    """Either direction, each answer read once."""
    from math_verify import parse, verify

    warnings.simplefilter("ignore")
    read: dict[str, Any] = {}

    def equal(a: str, b: str) -> bool:
        for text in (a, b):
            if text not in read:
                read[text] = parse(f"${text}$", parsing_timeout=None)
        return any([verify(read[x], read[y], timeout_seconds=None) for x, y in ((a, b), (b, a))])  # noqa: C419  both are asked

    return equal


def mathruler() -> Equal:
    """Either direction, as R-Zero's vote asks it."""
    if not (FOLDER / "mathruler").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(FOLDER), *PACKAGES]
        subprocess.run(command, check=True, stdout=sys.stderr)
    sys.path.append(str(FOLDER))
    from mathruler.grader import grade_answer

    return lambda a, b: bool(grade_answer(a, b) or grade_answer(b, a))


def first_matches(answers: list[str], equal: Equal) -> list[list[str]]:
    """R-Zero's vote: an answer joins the first class whose first answer equals it."""
    classes: list[list[str]] = []
    for answer in answers:
        found = next((one for one in classes if one[0] == answer or limited(equal, one[0], answer)), None)
        if found is None:
            classes.append([answer])
        else:
            found.append(answer)
    return classes


def limited(equal: Equal, a: str, b: str) -> bool:
    """The verdict, or False after SECONDS or an error."""
    try:
        with _alarm():
            return equal(a, b)
    except Exception:  # noqa: BLE001  whatever another grader stumbles over, it did not find the two equal
        return False


@contextmanager
def _alarm() -> Iterator[None]:
    def late(_signal: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
