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
    return Form("percent", f"{value.key}%" if value.key.isdigit() else f"({value.key})%", value=value, node=node)


def of_text(text: str, source: str) -> Form:
    """Words, or mathematics that the grader cannot read."""
    return Form("text", f'"{text}"', source=source)


def group(kind: str, items: list[Form], ordered: bool = True) -> Form:
    """Several forms; the members of an unordered group are sorted, those of a set distinct.

    A set and a list without repetitions are the same, and so are a set of one and its member.
    """
    if not ordered:
        unique = {item.key: item for item in items} if kind == "set" else None
        items = sorted(unique.values() if unique else items, key=lambda item: item.key)
    if kind == "set" and len(items) == 1:
        return items[0]
    keys = [item.key for item in items]
    kind = "set" if kind == "list" else kind
    return Form(kind, _written(kind, keys), tuple(items), ordered)


_SIGNS = {"union": r"\cup", "intersection": r"\cap", "difference": r"\setminus", "ratio": ":"}


def _written(kind: str, keys: list[str]) -> str:
    """A group as text that reads as the same group."""
    if kind == "set":
        distinct = len(set(keys)) == len(keys)
        return (f"{{{', '.join(keys)}}}" if distinct else ", ".join(keys)) if keys else r"\emptyset"
    if kind in _SIGNS:
        return f" {_SIGNS[kind]} ".join(keys)
    if kind == "matrix":
        rows = r" \\ ".join(" & ".join(key[1:-1].split(", ")) for key in keys)
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"
    if kind == "labels":
        return ", ".join(keys)
    if kind.endswith("0"):
        return f"{keys[0]} {kind[:-1]} 0"
    return f"{kind[0]}{', '.join(keys)}{kind[1]}"


def labelled(label: str, form: Form) -> Form:
    """A form under a name, one of several."""
    return Form(f"label {label}", f"{label} = {form.key}", (form,))
