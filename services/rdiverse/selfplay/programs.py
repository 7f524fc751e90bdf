"""Solver programs as data: read within bounds, checked to hold one usable function, never executed.

See docs/method.md, section "SAM".
"""

import ast
import io
import tokenize
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

MAX_CHARACTERS = 16_384
MAX_TOKENS = 4096
MAX_LINE_TOKENS = 512
"""Tokens of one logical line: bounds chains such as 1+1+1+..., which nest without any bracket."""
MAX_BRACKETS = 50
MAX_INDENT = 30
MAX_DEPTH = 200
"""Levels of the syntax tree."""
MAX_STRING = 1000
"""Characters of one literal: a formatted one holds code that no token shows."""
SOLVER = "solver"
"""The name that the coder is told to give its function."""

_FILENAME = "<program>"
# The parser reports odd escapes of the text that it reads; nobody here wrote that text.
warnings.filterwarnings("ignore", category=SyntaxWarning, module=_FILENAME)


class ProgramFault(StrEnum):
    """Why there is no program to embed."""

    EMPTY = "empty"
    """The coder wrote nothing."""
    MISSING = "missing"
    """No function anywhere in what it wrote."""
    UNPARSEABLE = "unparseable"
    TOO_LARGE = "too_large"
    UNUSABLE = "unusable"
    """No function that uses a parameter and returns something."""
    ECHO = "echo"
    """The coder's prompt, or its example, given back."""
    REFUSED = "refused"
    """The coder or the encoder could not read its input."""


class ProgramError(ValueError):
    """There is no program to embed; the text says why, in words that may be shown to anybody."""

    def __init__(self, message: str, fault: ProgramFault = ProgramFault.UNPARSEABLE) -> None:
        super().__init__(message)
        self.fault = fault


class Program(NamedTuple):
    """A program that may be embedded."""

    text: str
    """The function with the imports, helpers and constants that it needs; no calls or prints beside it."""
    function: ast.FunctionDef


def parse_program(text: str) -> ast.FunctionDef:
    """The function of a program's text (see `select_program`). Raises ProgramError."""
    return select_program(text, parse_module(text)).function


def parse_module(text: str) -> list[ast.stmt]:
    """Parse a text within bounds; its top-level statements. Raises ProgramError.

    Size and nesting are counted on tokens before the parser sees anything: CPython's parser can be made to exhaust the
    stack, and with it the process.
    """
    if len(text) > MAX_CHARACTERS:
        raise ProgramError(f"the program is longer than {MAX_CHARACTERS} characters", ProgramFault.TOO_LARGE)
    _count_tokens(text)
    try:
        module = ast.parse(text, filename=_FILENAME)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ProgramError("the program does not parse") from error
    _check_depth(module)
    return module.body


def select_program(source: str, statements: Sequence[ast.stmt]) -> Program:
    """The program among the statements of `source`. Raises ProgramError.

    It is the last usable function named `solver`, else the last usable one. Usable: it reads one of its parameters and returns
    something. Imports, and the helpers and constants that it needs, belong to it; what only calls it or prints does not.
    """
    functions = [node for node in statements if isinstance(node, ast.FunctionDef)]
    if not functions:
        raise no_program()
    usable = [node for node in functions if _is_usable(node)]
    if not usable:
        raise ProgramError("no function uses a parameter and returns something", ProgramFault.UNUSABLE)
    function = next((node for node in reversed(usable) if node.name == SOLVER), usable[-1])
    kept = _needed(function, statements)
    if len(kept) == len(statements):
        return Program(source.strip(), function)
    return Program("\n".join(_segment(source, node) for node in kept), function)


def _is_usable(function: ast.FunctionDef) -> bool:
    arguments = function.args
    everything = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    names = {argument.arg for argument in everything if argument is not None}
    reads = any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names
        for statement in function.body
        for node in ast.walk(statement)
    )
    return reads and any(
        isinstance(node, ast.Return)
        and not (node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None))
        for node in _own_nodes(function)
    )


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """All nodes of a function's body except those of functions and classes inside it."""
    waiting: deque[ast.AST] = deque(function.body)
    while waiting:
        node = waiting.popleft()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _needed(function: ast.FunctionDef, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The function, all imports, and the statements that bind a name which these need, in their order."""
    bound: dict[str, list[ast.stmt]] = {}
    for statement in statements:
        # Another definition of the function itself is no helper of it.
        if statement is not function and function.name not in _binds(statement):
            for name in _binds(statement):
                bound.setdefault(name, []).append(statement)
    kept: set[ast.stmt] = {function, *(node for node in statements if isinstance(node, ast.Import | ast.ImportFrom))}
    waiting: list[ast.stmt] = [function]
    while waiting:
        for node in ast.walk(waiting.pop()):
            for statement in bound.get(node.id, ()) if isinstance(node, ast.Name) else ():
                if statement not in kept:
                    kept.add(statement)
                    waiting.append(statement)
    return [statement for statement in statements if statement in kept]


def _binds(statement: ast.stmt) -> list[str]:
    """Names that a top-level definition or assignment gives a meaning."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    if isinstance(statement, ast.AnnAssign | ast.AugAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


def _segment(source: str, node: ast.stmt) -> str:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    lines = [f"@{ast.get_source_segment(source, decorator)}" for decorator in decorators]
    return "\n".join([*lines, ast.get_source_segment(source, node) or ""])


def _count_tokens(program: str) -> None:
    brackets = indent = total = line = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(program).readline):
            total += 1
            line = 0 if token.type == tokenize.NEWLINE else line + 1
            if token.type == tokenize.INDENT:
                indent += 1
            elif token.type == tokenize.DEDENT:
                indent -= 1
            elif token.type == tokenize.OP:
                brackets += (token.string in "([{") - (token.string in ")]}")
            elif token.type == tokenize.STRING and len(token.string) > MAX_STRING:
                raise _too_large(f"the program holds a literal of more than {MAX_STRING} characters")
            if total > MAX_TOKENS or line > MAX_LINE_TOKENS:
                raise _too_large(f"the program is longer than {MAX_TOKENS} tokens, or a line than {MAX_LINE_TOKENS}")
            if brackets > MAX_BRACKETS or indent > MAX_INDENT:
                raise _too_large(f"the program nests deeper than {MAX_BRACKETS} brackets or {MAX_INDENT} blocks")
    except (tokenize.TokenError, SyntaxError, ValueError) as error:
        if isinstance(error, ProgramError):
            raise
        raise ProgramError("the program does not parse") from error


def no_program() -> ProgramError:
    """There is no function in a text."""
    return ProgramError("no program: there is no function", ProgramFault.MISSING)


def _too_large(message: str) -> ProgramError:
    return ProgramError(message, ProgramFault.TOO_LARGE)


def _check_depth(tree: ast.AST) -> None:
    level: deque[tuple[ast.AST, int]] = deque([(tree, 1)])
    while level:
        node, depth = level.popleft()
        if depth > MAX_DEPTH:
            raise _too_large(f"the program's syntax tree is deeper than {MAX_DEPTH} levels")
        level.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
