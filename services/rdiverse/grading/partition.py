"""The classes that the answers of one vote fall into."""

from collections.abc import Callable, Iterable
from itertools import combinations

from rdiverse.grading.forms import Form


def closure(items: Iterable[str], equal: Callable[[str, str], bool]) -> list[set[str]]:
    """The connected components of a symmetric relation; every pair of different items that is not joined yet is asked once."""
    class_of = {item: {item} for item in items}
    for a, b in combinations(class_of, 2):
        if class_of[a] is not class_of[b] and equal(a, b):
            class_of[a] |= class_of[b]
            for member in class_of[b]:
                class_of[member] = class_of[a]
    return list({id(members): members for members in class_of.values()}.values())


def bridged(classes: list[set[str]], form: Callable[[str], Form], equal: Callable[[Form, Form], bool]) -> list[set[str]]:
    """Join classes of which one may stand for the other, as 5 may for 5 cm, where that is the only thing it may stand for.

    Where the vote holds several units a bare number is an answer of its own; so is whatever may stand for two classes.
    """
    forms = [[form(member) for member in sorted(members)] for members in classes]
    if not any(one.readings for members in forms for one in members):
        return classes
    several = len({unit for members in forms for one in members for unit in one.units}) > 1
    neighbours: dict[int, set[int]] = {i: set() for i in range(len(classes))}
    for i, j in combinations(range(len(classes)), 2):
        pairs = [(a, b) for a in forms[i] for b in forms[j] if a.readings or b.readings]
        if any(equal(a, b) for a, b in pairs if not (several and (a.units or b.units))):
            neighbours[i].add(j)
            neighbours[j].add(i)
    joined = []
    for i, members in enumerate(classes):
        partner = next(iter(neighbours[i])) if len(neighbours[i]) == 1 else i
        if partner == i or len(neighbours[partner]) > 1:
            joined.append(members)
        elif i < partner:
            joined.append(members | classes[partner])
    return joined
