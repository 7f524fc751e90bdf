"""What coders write around a program: thirty styles of wrapping, over generated programs that are all usable."""

import random
from collections.abc import Callable

Style = Callable[[str, random.Random], str]


def usable_program(source: random.Random) -> str:
    """A function that uses its parameters and returns something, in one of the ways in which people write such functions."""
    names = source.choice([["n1", "n2", "n3"], ["a", "b", "c"], ["rows", "columns", "rate"]])[: source.randint(1, 3)]
    hint = source.choice(["", ": int"])
    head = ", ".join(f"{name}{hint}={source.randint(0, 99)}" if hint else f"{name}={source.randint(0, 99)}" for name in names)
    first, last = names[0], names[-1]
    bodies = [
        [f"return {first} {source.choice('+-*')} {last}"],
        [f"x = {first} * {source.randint(2, 9)}", f"y = x - {last}", "return y"],
        [f"if {first} > {last}:", f"    return {first}", f"return {last}"],
        ["total = 0", f"for i in range({first}):", f"    total += i % ({last} + 1)", "return total"],
        [f"return sum(k * k for k in range({first}) if k != {last})"],
        ["def inner(k):", f"    return k + {last}", f"return inner({first})"],
        [f"return ({first} +", f"        {last})"],
        ['return """a', 'line""" * ' + first],
        ["try:", f"    return {first} // {last}", "except ZeroDivisionError:", "    return 0"],
        [f"values = [{first}, {last}]", "values.sort()", "return tuple(values)"],
    ]
    body = source.choice(bodies)
    result = source.choice(["", " -> int"])
    # A text over several lines may not be moved: its own lines are part of it.
    return f"def solver({head}){result}:\n" + "\n".join(line if line.startswith('line"""') else f"    {line}" for line in body)


def _tagged(opening: str, closing: str) -> Style:
    return lambda program, _: f"{opening}\n{program}\n{closing}"


def _fenced(language: str, mark: str = "```") -> Style:
    return lambda program, _: f"{mark}{language}\n{program}\n{mark}"


def _beside(before: str = "", after: str = "", opening: str = "<code>", closing: str = "</code>") -> Style:
    return lambda program, _: f"{opening}\n{before}{program}{after}\n{closing}"


def _named(program: str, name: str) -> str:
    return program.replace("def solver(", f"def {name}(")


STYLES: dict[str, Style] = {
    "the tag": _tagged("<code>", "</code>"),
    "capital tags": _tagged("<CODE>", "</CODE>"),
    "mixed case": _tagged("<Code>", "</code>"),
    "an attribute": _tagged('<code language="python">', "</code>"),
    "two attributes": _tagged("<code class='python' id=\"a1\">", "</code>"),
    "spaces in the tags": _tagged("< code >", "</ code >"),
    "a space before the end": _tagged("<code >", "</code >"),
    "no closing tag": _tagged("<code>", ""),
    "no opening tag": _tagged("", "</code>"),
    "the tag on the function's line": lambda program, _: f"<code>{program}</code>",
    "a fence": _fenced("python"),
    "a fence without a language": _fenced(""),
    "a fence of capital Python": _fenced("Python3"),
    "a fence of tildes": _fenced("python", "~~~"),
    "an open fence": lambda program, _: f"```python\n{program}",
    "a fence inside the tag": lambda program, _: f"<code>\n```python\n{program}\n```\n</code>",
    "the tag inside a fence": lambda program, _: f"```\n<code>\n{program}\n</code>\n```",
    "bare": lambda program, _: program,
    "prose around the tag": lambda program, _: f"Let us think. It's 3 < 5.\n\n<code>\n{program}\n</code>\nThat is it; done.",
    "prose around the function": lambda program, _: f"Here it is:\n\n{program}\n\nThe function's value is the answer, no?",
    "prose around a fence": lambda program, _: f"Sure! Here's `solver`:\n\n```python\n{program}\n```\n\nHope that helps.",
    "an import": _beside("import math\nfrom fractions import Fraction\n\n"),
    "a helper": _beside("def helper(k):\n    return k + 1\n\n"),
    "a constant": _beside("MOD = 10 ** 9 + 7\n"),
    "a call behind it": _beside(after="\n\nprint(solver())"),
    "a main block behind it": _beside(after="\n\nif __name__ == '__main__':\n    result = solver()\n    print(result)"),
    "a comment above and behind": _beside("# what is asked\n", "\n# done"),
    "an earlier try": lambda program, _: f"<code>\ndef solver(k=1):\n    return k\n</code>\nNo:\n<code>\n{program}\n</code>",
    "a cut try behind it": lambda program, _: f"<code>\n{program}\n\ndef check(value):\n    if value >",
    "another name": lambda program, source: _beside()(_named(program, source.choice(["count", "answer"])), source),
    "Windows line ends": lambda program, _: f"<code>\n{program}\n</code>".replace("\n", "\r\n"),
    "tabs": lambda program, _: f"<code>\n{program}\n</code>".replace("        ", "\t\t").replace("    ", "\t"),
    "a decorator": _beside("from functools import cache\n\n@cache\n"),
    "indented as a list's item": lambda program, _: "1. The code:\n" + "\n".join(
        f"   {line}" for line in f"```python\n{program}\n```".splitlines()
    ),
}  # fmt: skip
