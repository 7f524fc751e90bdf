"""What a problem of the nano world means: a chain of steps on one running number.

The first step makes a number of two or three given ones (six bases), every later step changes it by one given number
(eight modifiers). A *skill* is the chain of operations, whatever the numbers and the words. The world counts from 0 to
99: a chain whose running number is at some step no whole number within those bounds is ill-posed and has no truth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

LARGEST = 99
"""The largest number of the world; each of 0..99 is one token."""

Value = Callable[..., int]


@dataclass(frozen=True)
class Operation:
    """One kind of step."""

    name: str
    given: int
    """How many numbers its sentence states."""
    value: Value
    """The new number: of the given ones (bases), or of the running number and the given one (modifiers)."""
    expression: str
    """The same in Python with `x` for the running number and `{0}`, `{1}`, `{2}` for the given ones; tokens by spaces."""


BASES: tuple[Operation, ...] = (
    Operation("sum", 2, lambda a, b: a + b, "{0} + {1}"),
    Operation("product", 2, lambda a, b: a * b, "{0} * {1}"),
    Operation("difference", 2, lambda a, b: a - b, "{0} - {1}"),
    Operation("batch", 3, lambda a, b, c: a + b * c, "{0} + {1} * {2}"),
    Operation("larger", 2, max, "max ( {0} , {1} )"),
    Operation("gap", 2, lambda a, b: abs(a - b), "abs ( {0} - {1} )"),
)
MODIFIERS: tuple[Operation, ...] = (
    Operation("more", 1, lambda x, c: x + c, "x + {0}"),
    Operation("fewer", 1, lambda x, c: x - c, "x - {0}"),
    Operation("times", 1, lambda x, c: x * c, "x * {0}"),
    Operation("share", 1, lambda x, c: x // c if c else -1, "x // {0}"),
    Operation("leftover", 1, lambda x, c: x % c if c else -1, "x % {0}"),
    Operation("at-least", 1, max, "max ( x , {0} )"),
    Operation("distance", 1, lambda x, c: abs(x - c), "abs ( x - {0} )"),
    Operation("missing", 1, lambda x, c: c - x, "{0} - x"),
)
OPERATIONS = {operation.name: operation for operation in (*BASES, *MODIFIERS)}
BASE_NAMES = frozenset(operation.name for operation in BASES)


@dataclass(frozen=True)
class ChainLink:
    """One operation with the numbers that its sentence states, each in 0..99."""

    operation: str
    numbers: tuple[int, ...]

    def apply(self, running: int | None) -> int | None:
        """The next running number; None when it leaves 0..99. `running` is None before the first step."""
        arguments = self.numbers if running is None else (running, *self.numbers)
        value = OPERATIONS[self.operation].value(*arguments)
        return value if 0 <= value <= LARGEST else None


@dataclass(frozen=True)
class Problem:
    """A base step and the modifiers after it. Raises ValueError when that is not its form."""

    steps: tuple[ChainLink, ...]

    def __post_init__(self) -> None:
        if [step.operation in BASE_NAMES for step in self.steps] != [True] + [False] * (len(self.steps) - 1):
            raise ValueError("a problem is one base step and modifiers after it")

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The running number after each step, up to the first step that leaves 0..99."""
        values: list[int] = []
        for step in self.steps:
            value = step.apply(values[-1] if values else None)
            if value is None:
                break
            values.append(value)
        return tuple(values)

    @property
    def truth(self) -> int | None:
        """The answer in 0..99; None when the problem is ill-posed."""
        return self.values[-1] if len(self.values) == len(self.steps) else None

    @property
    def depth(self) -> int:
        """How many modifiers follow the base."""
        return len(self.steps) - 1

    @property
    def skill(self) -> str:
        """The chain of operations, such as `sum.times.fewer`."""
        return skill_name([step.operation for step in self.steps])

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every stated number, in the order of the text."""
        return tuple(number for step in self.steps for number in step.numbers)

    @property
    def program(self) -> str:
        """The one canonical solver program, tokens joined by single spaces; parses as Python and is never run."""
        parameters = " , ".join(f"n{index} = {number}" for index, number in enumerate(self.numbers, 1))
        body, used = "", 0
        for step in self.steps:
            names = [f"n{used + index}" for index in range(1, len(step.numbers) + 1)]
            used += len(names)
            body += f"x = {OPERATIONS[step.operation].expression.format(*names)} ; "
        return f"def solver ( {parameters} ) : {body}return x"


def skill_name(operations: Sequence[str]) -> str:
    """The name of a chain of operations."""
    return ".".join(operations)


def all_skills(depth: int = 2) -> list[str]:
    """Every skill of at most `depth` modifiers, shallow ones first: 438 up to depth 2."""
    modifiers = [operation.name for operation in MODIFIERS]
    return [
        skill_name([base.name, *chain])
        for length in range(depth + 1)
        for base in BASES
        for chain in product(modifiers, repeat=length)
    ]
