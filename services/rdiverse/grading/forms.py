"""The shapes that an answer can have."""

from dataclasses import dataclass, field

from rdiverse.grading.algebra import Sum
from rdiverse.grading.parser import Node


@dataclass(frozen=True, slots=True)
class Form:
    """An answer in normal form: a value, a group of forms, or text."""

    kind: str
    """value, percent, text, label, or that of a group: its brackets, set, union, a relation's sign, ratio and so on."""
    key: str
    """The normal form as text; equal keys are equal answers."""
    items: tuple["Form", ...] = field(default=(), compare=False)
    """Members of a group."""
    ordered: bool = field(default=True, compare=False)
    """Whether the order of the members matters."""
    value: Sum | None = field(default=None, compare=False)
    """Of a value (a percentage's is the number before the sign); None for text."""
    node: Node | None = field(default=None, compare=False)
    """The tree that a value came from."""
    source: str = field(default="", compare=False)
    """The cleaned text that an unread text came from; empty when it is not worth reading by other means."""


def of_value(value: Sum, node: Node) -> Form:
    """A number or an expression."""
    return Form("value", value.key, value=value, node=node)


def of_percent(value: Sum, node: Node) -> Form:
    """A percentage; value and tree are of the number before the sign."""
    return Form("percent", f"{value.key}%", value=value, node=node)


def of_text(text: str, source: str) -> Form:
    """Words, or mathematics that the grader cannot read."""
    return Form("text", f'"{text}"', source=source)


def group(kind: str, items: list[Form], ordered: bool = True) -> Form:
    """Several forms; the members of an unordered group are sorted, those of a set distinct."""
    if not ordered:
        unique = {item.key: item for item in items} if kind == "set" else None
        items = sorted(unique.values() if unique else items, key=lambda item: item.key)
    if kind == "set" and len(items) == 1:
        return items[0]
    written = ", ".join(item.key for item in items)
    if kind in {"set", "list"}:
        # A set and a list without repetitions are the same.
        return Form("set", f"{{{written}}}", tuple(items), ordered=False)
    if len(kind) == 2 and kind[0] in "([":
        return Form(kind, f"{kind[0]}{written}{kind[1]}", tuple(items))
    return Form(kind, f"{kind}({written})", tuple(items), ordered)
