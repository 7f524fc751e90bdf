"""Programs are read strictly and within bounds: what a coder writes can be wrong, never dangerous."""

import subprocess
import sys

import pytest

from rdiverse.selfplay.extraction import find_program
from rdiverse.selfplay.programs import MAX_STRING, ProgramError, parse_program

BOMBS = {
    "open brackets": "(" * 10_000,
    "balanced brackets": f"def f(x):\n    return {'(' * 8000}x{')' * 8000}",
    "brackets within the size limit": f"def f(x):\n    return {'[' * 7000}",
    "minus signs": f"def f(x):\n    return {'-' * 16_000}x",
    "not not not": f"def f(x):\n    return {'not ' * 4000}x",
    "a long sum": f"def f(x):\n    return {'+'.join(['x'] * 8000)}",
    "a tower of powers": f"def f(x):\n    return {'x**' * 5000}x",
    "attributes": f"def f(x):\n    return x{'.a' * 8000}",
    "lambdas": f"def f(x):\n    return {'lambda:' * 2000}x",
    "conditions": f"def f(x):\n    return {'x if x else ' * 1300}x",
    "brackets inside a formatted text": "def f(x):\n    return f'{" + "(" * 10_000 + "}'",
    "minus signs inside a formatted text": "def f(x):\n    return f'{" + "-" * 15_000 + "x}'",
    "nested blocks": "def f(x):\n" + "".join(" " * depth + "if x:\n" for depth in range(1, 120)) + " " * 120 + "pass",
    "many branches": "def f(x):\n if x: pass\n" + " elif x: pass\n" * 1100,
    "an endless number": f"def f(x):\n    return {'9' * 16_000}",
    "a megabyte": "x" * 2**20,
    "unclosed text": "def f(x):\n    return '''" + "a" * 10_000,
    "surrogates": "def f(x):\n    return '\ud800'",
    "tabs and spaces": "def f(x):\n\tif x:\n        return 1\n",
}


def test_no_program_takes_the_process_down():
    """In a process of its own, as the failure to be ruled out is its sudden end."""
    script = (
        "import sys, ast\n"
        "from rdiverse.diversity.sam.structural import StructuralEncoder\n"
        "bombs = ast.literal_eval(sys.stdin.read())\n"
        "results = StructuralEncoder(64).encode(list(bombs.values()))\n"
        "print([name for name, result in zip(bombs, results) if not isinstance(result, Exception)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=repr(BOMBS), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[]", "each of them is refused"


def test_formatted_texts_are_bounded_because_their_code_shows_no_tokens():
    assert parse_program(f"def f(x):\n    return x, f'{'a' * (MAX_STRING - 10)}'")
    with pytest.raises(ProgramError, match="literal"):
        parse_program(f"def f(x):\n    return x, f'{'a' * MAX_STRING}'")


def test_programs_are_never_executed(tmp_path):
    mark = tmp_path / "executed"
    find_program(f"<code>import os\ndef solver(n1=open({str(mark)!r}, 'w')):\n    return os.system('touch {mark}', n1)</code>")
    assert not mark.exists()
