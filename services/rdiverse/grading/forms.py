"""The shapes that an answer can have."""

from dataclasses import dataclass, field, replace

from rdiverse.grading.algebra import Sum
from rdiverse.grading.parser import Node


@dataclass(frozen=True, slots=True)
class Form:
    """An answer in normal form: a value, a group of forms, or text."""

    kind: str
    """value, percent, text, time, date, a quantity's dimension, or a group's: its brackets, set, union, a relation's sign."""
    key: str
    """The normal form as text; equal keys are equal answers."""
    items: tuple["Form", ...] = field(default=(), compare=False)
    """Members of a group."""
    ordered: bool = field(default=True, compare=False)
    """Whether the order of the members matters."""
    value: Sum | None = field(default=None, compare=False)
    """Of a value; None for what is none."""
    node: Node | None = field(default=None, compare=False)
    """The tree that a value came from."""
    source: str = field(default="", compare=False)
    """The cleaned text that an unread text came from; empty when it is not worth reading by other means."""
    label: str = field(default="", compare=False)
    """What the answer is called, as the x of x = 5."""
    readings: tuple["Form", ...] = field(default=(), compare=False)
    """What else it may stand for against a gold answer: 5 for 5 cm, an equation for a labelled expression."""
    units: frozenset[str] = field(default=frozenset(), compare=False)
    """Units that hold a bare number in its readings."""
    text: str = field(default="", compare=False)
    """The normal form with the units in which it was given, where that is not the key."""

    @property
    def written(self) -> str:
        """An answer that reads as this form."""
        return self.text or self.key


def of_value(value: Sum, node: Node) -> Form:
    """A number or an expression."""
    return Form("value", value.key, value=value, node=node)


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
    kind = "set" if kind == "list" else kind
    key, text = (_written(kind, [getattr(item, name) for item in items]) for name in ("key", "written"))
    units = frozenset[str]().union(*(item.units for item in items))
    # Each member in its first other reading, or each in its second.
    readings = tuple(
        group(kind, [item.readings[min(n, len(item.readings) - 1)] if item.readings else item for item in items], ordered)
        for n in range(max((len(item.readings) for item in items), default=0))
    )
    return Form(kind, key, tuple(items), ordered, readings=readings, units=units, text="" if text == key else text)


_SIGNS = {"union": r"\cup", "intersection": r"\cap", "difference": r"\setminus", "ratio": ":"}


def _written(kind: str, keys: list[str]) -> str:  # noqa: PLR0911  one for each kind
    """A group as text that reads as the same group."""
    if kind == "set":
        distinct = len(set(keys)) == len(keys)
        return (f"{{{', '.join(keys)}}}" if distinct else ", ".join(keys)) if keys else r"\emptyset"
    if kind in _SIGNS:
        return f" {_SIGNS[kind]} ".join(keys)
    if kind in {"matrix", "cases"}:
        name = {"matrix": "pmatrix"}.get(kind, kind)
        rows = r" \\ ".join(" & ".join(key[1:-1].split("; ")) for key in keys)
        return rf"\begin{{{name}}} {rows} \end{{{name}}}"
    if kind == "row":
        return f"[{'; '.join(keys)}]"
    if kind in {"labels", "sequence"}:
        return ", ".join(keys)
    if kind.startswith("chain"):
        return "".join(map("".join, zip(keys, [*(f" {sign} " for sign in kind.split()[1:]), ""], strict=True)))
    if kind.endswith("0"):
        return f"{keys[0]} {kind[:-1]} 0"
    return f"{kind[0]}{', '.join(keys)}{kind[1]}"


def labelled(form: Form, label: str, *readings: Form) -> Form:
    """A form under a name, which may be left out."""
    return replace(form, label=label, readings=(*form.readings, *readings))


def with_label(form: Form) -> Form:
    """A form that is not the same without its name, or under another: one of several."""
    return Form(f"label {form.label}", f"{form.label} = {form.key}", (form,), text=f"{form.label} = {form.written}")
