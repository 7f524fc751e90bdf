"""Solver programs as data: read within bounds, checked to be one function, never executed."""

import ast
import io
import tokenize
import warnings
from collections import deque

from rdiverse.selfplay.parsing import extract_program
from rdiverse.selfplay.prompts import RenderedPrompt

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
ECHO_CHARACTERS = 30
"""A piece of the prompt this long inside a program is an echo."""

_FILENAME = "<program>"
# The parser reports odd escapes of the text that it reads; nobody here wrote that text.
warnings.filterwarnings("ignore", category=SyntaxWarning, module=_FILENAME)


class ProgramError(ValueError):
    """There is no program to embed; the text says why, in words that may be shown to anybody."""


def program_of(completion: str, prompt: RenderedPrompt) -> str:
    """The program in a coder's completion (docs/method.md, "SAM"). Raises ProgramError.

    A coder that gives back its own instructions or their example would put all questions into one giant cluster, so
    an echo is an error too.
    """
    program = extract_program(completion)
    if program is None:
        raise ProgramError("no program between <code> and </code>" if completion.strip() else "the coder wrote nothing")
    tree = parse_program(program)
    if _echoes(program, tree, prompt):
        raise ProgramError("the coder repeated its prompt")
    return program


def parse_program(program: str) -> ast.FunctionDef:
    """Parse a program that holds exactly one function, beside imports. Raises ProgramError.

    Size and nesting are counted on tokens before the parser sees anything: CPython's parser can be made to exhaust the
    stack, and with it the process.
    """
    if len(program) > MAX_CHARACTERS:
        raise ProgramError(f"the program is longer than {MAX_CHARACTERS} characters")
    _count_tokens(program)
    try:
        module = ast.parse(program, filename=_FILENAME)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ProgramError("the program does not parse") from error
    _check_depth(module)
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    others = [node for node in module.body if not isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom)]
    if len(functions) != 1 or others:
        raise ProgramError("the program is not one function")
    return functions[0]


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
                raise ProgramError(f"the program holds a literal of more than {MAX_STRING} characters")
            if total > MAX_TOKENS or line > MAX_LINE_TOKENS:
                raise ProgramError(f"the program is longer than {MAX_TOKENS} tokens, or a line than {MAX_LINE_TOKENS}")
            if brackets > MAX_BRACKETS or indent > MAX_INDENT:
                raise ProgramError(f"the program nests deeper than {MAX_BRACKETS} brackets or {MAX_INDENT} blocks")
    except (tokenize.TokenError, SyntaxError, ValueError) as error:
        if isinstance(error, ProgramError):
            raise
        raise ProgramError("the program does not parse") from error


def _check_depth(tree: ast.AST) -> None:
    level: deque[tuple[ast.AST, int]] = deque([(tree, 1)])
    while level:
        node, depth = level.popleft()
        if depth > MAX_DEPTH:
            raise ProgramError(f"the program's syntax tree is deeper than {MAX_DEPTH} levels")
        level.extend((child, depth + 1) for child in ast.iter_child_nodes(node))


def _echoes(program: str, tree: ast.FunctionDef, prompt: RenderedPrompt) -> bool:
    """Whether the program is an example of the prompt, numbers included, or quotes the prompt."""
    for text in prompt:
        example = extract_program(text)
        if example is not None:
            try:
                if ast.dump(parse_program(example)) == ast.dump(tree):
                    return True
            except ProgramError:
                continue
    written = " ".join(program.split())
    lines = {" ".join(line.split()) for text in prompt for line in text.splitlines()}
    return any(line in written for line in lines if len(line) >= ECHO_CHARACTERS)
