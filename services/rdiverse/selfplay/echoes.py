"""Whether a coder gave its own prompt back: such programs look alike and would put all questions into one giant cluster."""

import ast
import copy
import re
from functools import cache
from typing import NamedTuple

from rdiverse.selfplay.extraction import find_programs
from rdiverse.selfplay.programs import Program, ProgramError, ProgramFault
from rdiverse.selfplay.prompts import PLACEHOLDER, PromptTemplate

QUOTE_CHARACTERS = 30
"""A line of the instructions this long inside a program is an echo."""

_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|\.\d+")


class _Example(NamedTuple):
    """An example in the coder's prompt."""

    computation: str
    numbers: frozenset[float]


def check_echo(program: Program, template: PromptTemplate, question: str) -> None:
    """Refuse a program that is the prompt's and not the question's (docs/method.md, section "SAM"). Raises ProgramError.

    An echo is one of the prompt's examples up to names, with the example's numbers as its defaults, for a question that does
    not state all of these; or it quotes a line of the instructions. The example's numbers alone are no echo: a question may
    have them.
    """
    computation, numbers = _computation(program.function), _defaults(program.function)
    stated = {float(number.replace(",", "")) for number in _NUMBER.findall(question)}
    echoes = any(
        example.numbers and example == (computation, numbers) and not example.numbers <= stated
        for example in _examples(template)
    )
    written = " ".join(program.text.split())
    if echoes or any(line in written for line in _instructions(template)):
        raise ProgramError("the coder repeated its prompt", ProgramFault.ECHO)


def is_near_echo(program: Program, template: PromptTemplate) -> bool:
    """Whether the program is an example's computation with numbers of its own: legitimate, and suspicious when most are."""
    computation, numbers = _computation(program.function), _defaults(program.function)
    return any(example.computation == computation and example.numbers != numbers for example in _examples(template))


@cache
def _examples(template: PromptTemplate) -> tuple[_Example, ...]:
    texts = (template.system, template.user)
    return tuple(
        _Example(_computation(program.function), _defaults(program.function))
        for text in texts
        for program in find_programs(text)
    )


@cache
def _instructions(template: PromptTemplate) -> tuple[str, ...]:
    """The lines of the prompt that no program may hold: neither the question's nor an example's."""
    texts = (template.system, template.user)
    code = {" ".join(line.split()) for text in texts for program in find_programs(text) for line in program.text.splitlines()}
    lines = {" ".join(line.split()) for text in texts for line in text.splitlines() if PLACEHOLDER not in line}
    return tuple(sorted(line for line in lines - code if len(line) >= QUOTE_CHARACTERS))


def _computation(function: ast.FunctionDef) -> str:
    """The function without its defaults, annotations and docstring, its own names replaced by their order."""
    function = copy.deepcopy(function)
    arguments = function.args
    arguments.defaults, arguments.kw_defaults = [], [None] * len(arguments.kwonlyargs)
    function.decorator_list, function.returns = [], None
    if ast.get_docstring(function) is not None and len(function.body) > 1:
        del function.body[0]
    own = {function.name: "f"}
    for node in ast.walk(function):
        name = node.arg if isinstance(node, ast.arg) else node.id if isinstance(node, ast.Name) and _is_bound(node) else None
        if name is not None:
            own.setdefault(name, f"v{len(own)}")
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            node.arg, node.annotation = own[node.arg], None
        elif isinstance(node, ast.Name):
            node.id = own.get(node.id, node.id)
    function.name = "f"
    return ast.dump(function)


def _is_bound(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _defaults(function: ast.FunctionDef) -> frozenset[float]:
    """The numbers among a function's defaults."""
    found = set()
    for default in [*function.args.defaults, *function.args.kw_defaults]:
        sign, value = (-1, default.operand) if isinstance(default, ast.UnaryOp) else (1, default)
        if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
            found.add(float(sign * value.value))
    return frozenset(found)
