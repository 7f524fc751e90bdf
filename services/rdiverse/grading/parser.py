r"""An expression as a tree.

A node is a tuple whose first entry is its kind: ("number", "1/3"), ("symbol", "x_{1}"), ("add", ...), ("multiply", ...),
("power", base, exponent), ("call", name, ...) for the functions of `functions.py`, ("unknown", name, ...) for f(x),
("percent", x), ("degree", x). Trees are plain tuples of strings so that they can be sent to another process.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from rdiverse.grading.errors import UnreadableError
from rdiverse.grading.lexer import Token
from rdiverse.grading.vocabulary import ACCENTS, FUNCTIONS, GREEK

Node = tuple[Any, ...]

MAX_DEPTH = 40
_CLOSING = {"(": ")", "[": "]", "{": "}", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil", "|": "|"}
_ENDS = frozenset([")", "]", "}", r"\}", r"\rfloor", r"\rceil", ",", ";", ":", "=", "<", ">", "&", "+", "-", "|", ""])
_INVERSES = {"sin": "asin", "cos": "acos", "tan": "atan"}


def parse(found: Sequence[Token]) -> Node:
    """Parse all tokens as one expression. Raises UnreadableError."""
    parser = _Parser(found)
    node = parser.sum(0)
    if parser.peek():
        raise UnreadableError(f"{parser.peek()!r} where the expression should end")
    return node


class _Parser:
    def __init__(self, found: Sequence[Token]) -> None:
        self.tokens = [*found, Token("operator", "")]
        self.at = 0
        self.bars = 0

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)].value

    @property
    def kind(self) -> str:
        return self.tokens[self.at].kind

    def take(self, value: str | None = None) -> Token:
        token = self.tokens[self.at]
        if value is not None and token.value != value:
            raise UnreadableError(f"{token.value!r} instead of {value!r}")
        if not token.value:
            raise UnreadableError("the expression ends too early")
        self.at += 1
        return token

    def sum(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise UnreadableError("nested too deeply")
        parts = [self.product(depth)]
        while self.peek() in {"+", "-"}:
            sign = self.take().value
            part = self.product(depth)
            parts.append(part if sign == "+" else _negative(part))
        return parts[0] if len(parts) == 1 else ("add", *parts)

    def product(self, depth: int) -> Node:
        node = self.signed(depth)
        while True:
            operator = self.peek()
            if operator in {"*", "/"}:
                self.take()
                factor = self.signed(depth)
                node = _times(node, factor if operator == "*" else ("power", factor, ("number", "-1")))
            elif self.at_factor():
                node = self.implicit(node, depth)
            else:
                return node

    def implicit(self, node: Node, depth: int) -> Node:
        """Factors side by side; a whole number before a proper fraction is a mixed number."""
        spaced_number = self.kind == "number" and self.tokens[self.at].spaced
        fraction = self.peek() == r"\frac" or spaced_number
        before = self.tokens[self.at - 1]
        if self.kind == "number" and (before.kind == "name" or (before.kind == "number" and not spaced_number)):
            raise UnreadableError("a number behind a letter, or right behind a number")
        factor = self.power(depth)
        if spaced_number and before.kind == "number" and self.peek() == "/" and factor[0] == "number":
            self.take()
            factor = ("multiply", factor, ("power", self.power(depth), ("number", "-1")))
        whole, part = _whole(node), _proper(factor) if fraction and before.kind == "number" else None
        if whole is not None and part is not None:
            return ("number", str(whole + part))
        if spaced_number and before.kind == "number" and not _are_powers(node, factor):
            raise UnreadableError("two numbers in a row")
        return _times(node, factor)

    def at_factor(self) -> bool:
        value = self.peek()
        if value == "|":
            return not self.bars and self.tokens[self.at + 1].value not in _ENDS
        return value not in _ENDS and (
            self.kind in {"number", "name"} or value in {"(", "[", "{", r"\frac", r"\sqrt", r"\binom", r"\lfloor", r"\lceil"}
            or value in FUNCTIONS or value in ACCENTS or value[1:] in GREEK
        )  # fmt: skip

    def signed(self, depth: int) -> Node:
        if self.peek() in {"+", "-"}:
            sign = self.take().value
            if depth > MAX_DEPTH:
                raise UnreadableError("nested too deeply")
            node = self.signed(depth + 1)
            return node if sign == "+" else _negative(node)
        return self.power(depth)

    def power(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise UnreadableError("nested too deeply")
        node = self.postfix(self.atom(depth))
        if self.peek() == "^":
            self.take()
            node = ("power", node, self.exponent(depth))
            node = self.postfix(node)
        return node

    def exponent(self, depth: int) -> Node:
        """What stands behind a caret; powers of powers group to the right."""
        if self.peek() == "{":
            return self.group(depth)
        if self.peek() in {"+", "-"}:
            sign = self.take().value
            node = self.power(depth + 1)
            return node if sign == "+" else _negative(node)
        return self.power(depth + 1)

    def postfix(self, node: Node) -> Node:
        while self.peek() in {"!", "%", r"\degree"}:
            mark = self.take().value
            if mark == "!" and self.peek() == "!":
                self.take()
                node = ("call", "doublefactorial", node)
            else:
                node = ("call", "factorial", node) if mark == "!" else ("percent" if mark == "%" else "degree", node)
        return node

    def group(self, depth: int) -> Node:
        opening = self.take().value
        node = self.sum(depth + 1)
        self.take(_CLOSING[opening])
        return node

    def atom(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise UnreadableError("nested too deeply")
        token = self.tokens[self.at]
        if token.kind == "number":
            self.take()
            if self.peek() == "_":
                raise UnreadableError("a number in another base")
            return ("number", _exact(token.value))
        if token.value in {"(", "[", "{"}:
            return self.group(depth)
        if token.value in FUNCTIONS:
            return self.function(depth)
        if token.kind == "name" or token.value in ACCENTS or token.value[1:] in GREEK:
            return self.name()
        return self.construct(token.value, depth)

    def construct(self, value: str, depth: int) -> Node:
        """What LaTeX writes with a command or a pair of delimiters of its own."""
        if value in {r"\lfloor", r"\lceil"}:
            return ("call", "floor" if value == r"\lfloor" else "ceil", self.group(depth))
        if value == "|" and not self.bars:
            self.bars += 1
            node = self.group(depth)
            self.bars -= 1
            return ("call", "abs", node)
        if value == r"\sqrt":
            return self.root(depth)
        if value == r"\frac":
            self.take()
            top, bottom = self.argument(depth), self.argument(depth)
            return ("multiply", top, ("power", bottom, ("number", "-1")))
        if value == r"\binom":
            self.take()
            return ("call", "binom", self.argument(depth), self.argument(depth))
        raise UnreadableError(f"{value!r} is no expression")

    def argument(self, depth: int) -> Node:
        return self.group(depth) if self.peek() == "{" else self.atom(depth + 1)

    def root(self, depth: int) -> Node:
        self.take()
        degree: Node = ("number", "2")
        if self.peek() == "[":
            degree = self.group(depth)
        node = self.group(depth) if self.peek() in {"{", "("} else self.atom(depth + 1)
        return ("power", node, ("power", degree, ("number", "-1")))

    def function(self, depth: int) -> Node:
        name = FUNCTIONS[self.take().value]
        base = None
        if name == "ln" and self.peek() == "_":
            self.take()
            base = self.argument(depth)
        exponent = None
        if self.peek() == "^":
            self.take()
            exponent = self.exponent(depth)
        if exponent == _negative(("number", "1")):
            name, exponent = _INVERSES.get(name, ""), None
        node = self.applied(name, base, self.function_argument(depth))
        if exponent is None and self.peek() == "^":
            self.take()
            exponent = self.exponent(depth)
        return node if exponent is None else ("power", node, exponent)

    def applied(self, name: str, base: Node | None, argument: Node) -> Node:
        if name == "exp":
            return ("power", ("symbol", "e"), argument)
        if name == "lg":
            base, name = ("number", "10"), "ln"
        if not name:
            raise UnreadableError("an inverse function")
        return ("call", name, argument) if base is None else ("call", "log", argument, base)

    def function_argument(self, depth: int) -> Node:
        """A group, or the factors that stand side by side up to the next function or operator."""
        if self.peek() in {"(", "{", "["}:
            return self.group(depth)
        node = self.power(depth + 1)
        while self.at_factor() and self.peek() not in FUNCTIONS and self.peek() not in {"(", "["}:
            node = _times(node, self.power(depth + 1))
        return node

    def name(self) -> Node:
        """A symbol with accents, subscripts and primes; followed by (t) or (0) it is a function's value."""
        name = self.take().value
        if name in ACCENTS:
            name += "{" + self.raw(keep_commands=True) + "}"
        while self.peek() in {"_", "'"} or (self.peek() == "^" and self.peek(1) in {"'", r"\prime"}) or self.primes_in_braces():
            if self.peek() == "_":
                self.take()
                name += "_{" + self.raw() + "}"
            elif self.peek() == "'":
                self.take()
                name += "'"
            else:
                self.take()
                name += self.raw().replace("prime", "'")
        if (
            self.peek() == "("
            and self.peek(2) == ")"
            and self.tokens[self.at + 1].kind in {"number", "name"}
            and name not in "ei"
        ):
            self.take("(")
            argument = self.atom(0)
            self.take(")")
            return ("unknown", name, argument)
        return ("symbol", name)

    def primes_in_braces(self) -> bool:
        return self.peek() == "^" and self.peek(1) == "{" and self.peek(2) in {"'", r"\prime"}

    def raw(self, keep_commands: bool = False) -> str:
        """The next token, or all tokens of the next brace group, as text."""
        if self.peek() != "{":
            return self.take().value.lstrip("" if keep_commands else "\\")
        self.take("{")
        depth, pieces = 1, []
        while depth:
            piece = self.take().value
            depth += {"{": 1, "}": -1}.get(piece, 0)
            pieces.append(piece if keep_commands else piece.lstrip("\\"))
        return "".join(pieces[:-1])


def _negative(node: Node) -> Node:
    return ("multiply", ("number", "-1"), node)


def _times(node: Node, factor: Node) -> Node:
    """A product, kept flat: text has more factors than Python has stack."""
    return ("multiply", *(node[1:] if node[0] == "multiply" else (node,)), factor)


def _are_powers(node: Node, factor: Node) -> bool:
    """Whether factors side by side are powers all of them, as in 2^6 3^5 5^4."""
    return all(part[0] == "power" for part in (*(node[1:] if node[0] == "multiply" else (node,)), factor))


def _whole(node: Node) -> int | None:
    """The value of a node that is an unsigned whole number."""
    return int(node[1]) if node[0] == "number" and node[1].isdigit() else None


def _proper(node: Node) -> Fraction | None:
    """The value of a node that is a proper fraction of whole numbers."""
    if node[0] != "multiply" or len(node) != 3 or node[2][0] != "power":
        return None
    top, bottom = _whole(node[1]), _whole(node[2][1])
    return Fraction(top, bottom) if top is not None and bottom is not None and 0 < top < bottom else None


def _exact(literal: str) -> str:
    """A decimal literal as the text of a fraction."""
    mantissa, _, exponent = literal.lower().partition("e")
    if len(mantissa) > 3000 or abs(int(exponent or 0)) > 3000:
        raise UnreadableError("a number of thousands of digits")
    return str(Fraction(mantissa) * Fraction(10) ** int(exponent or 0))
