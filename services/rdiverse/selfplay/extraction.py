"""The program in a coder's completion, however the coder wrapped it (docs/method.md, section "SAM")."""

import re
import textwrap
from collections.abc import Iterator

from rdiverse.selfplay.programs import (
    MAX_CHARACTERS,
    Program,
    ProgramError,
    ProgramFault,
    no_program,
    parse_module,
    select_program,
)

_OPENING = re.compile(r"<[ \t]*code\b[^<>]*>", re.IGNORECASE)
_CLOSING = re.compile(r"<[ \t]*/[ \t]*code[ \t]*>", re.IGNORECASE)
_TAG = re.compile(f"{_OPENING.pattern}|{_CLOSING.pattern}", re.IGNORECASE)
_FENCE = re.compile(r"^[^\S\n]*(```|~~~)[^\n]*$", re.MULTILINE)
# A line that begins a top-level statement: not blank, not indented, not the end of a bracket or a comment.
_TOP_LEVEL = re.compile(r"^(?=[^\s)\]}#])", re.MULTILINE)
_DEFINITION = re.compile(r"\bdef\b")
_REACH = 8
"""Lines without indentation that a function may hold, in a text over several lines."""


def find_program(completion: str) -> Program:
    """The last usable function of a completion: inside a tag, else inside a fence, else bare. Raises ProgramError.

    Tags are read in any case, with attributes and spaces, the closing one may be missing. Where a region as a whole does not
    parse, each of its top-level statements counts that does: prose, a cut end or a broken helper loses nothing else.
    Linear in the length of the completion.
    """
    if not completion.strip():
        raise ProgramError("the coder wrote nothing", ProgramFault.EMPTY)
    first = None if _DEFINITION.search(completion) else no_program()
    for region in _regions(completion.replace("\r\n", "\n").replace("\r", "\n")):
        try:
            return _program_in(region)
        except ProgramError as error:
            # What the coder marked as its program tells more than what is tried in its place.
            first = first or error
    raise first or no_program()


def find_programs(text: str) -> list[Program]:
    """Every program that a prompt's text holds between tags or fences, its examples."""
    found = []
    for region in [*_regions(text)][:-1]:
        try:
            found.append(_program_in(region))
        except ProgramError:
            continue
    return found


def _regions(text: str) -> Iterator[str]:
    """Where a program may stand, likeliest first: tags from the last, fences from the last, the end of the text."""
    for opening in reversed(list(_OPENING.finditer(text))):
        end = _TAG.search(text, opening.end())
        yield text[opening.end() : end.start() if end else None]
    marks = list(_FENCE.finditer(text))
    for i in reversed(range(len(marks))):
        yield text[marks[i].end() : marks[i + 1].start() if i + 1 < len(marks) else None]
    yield _TAG.sub("\n", text)[-MAX_CHARACTERS:]


def _program_in(region: str) -> Program:
    source = textwrap.dedent(region).strip("\n")
    try:
        return select_program(source, parse_module(source))
    except ProgramError as error:
        if error.fault is ProgramFault.TOO_LARGE and len(source) > MAX_CHARACTERS:
            raise
        rest = "\n".join(_statements(source))
        if not rest or rest == source:
            raise
        return select_program(rest, parse_module(rest))


def _statements(source: str) -> Iterator[str]:
    """The top-level statements of a text that parse, prose and broken ones left out."""
    starts = [match.start() for match in _TOP_LEVEL.finditer(source)]
    # A decorator stays with what it decorates.
    starts = [start for i, start in enumerate(starts) if i == 0 or not source.startswith("@", starts[i - 1])]
    bounds = [*starts, len(source)]
    i = 0
    while i < len(starts):
        # The lines of a text over several lines look like statements: a function may reach over some.
        reach = _REACH if source.startswith(("def ", "@"), starts[i]) else 1
        ends = range(i + 1, min(i + reach, len(starts)) + 1)
        end = next((end for end in ends if _parses(source[starts[i] : bounds[end]])), None)
        if end is not None:
            yield source[starts[i] : bounds[end]].rstrip()
        i = end or i + 1


def _parses(source: str) -> bool:
    try:
        parse_module(source)
    except ProgramError:
        return False
    return True
