"""Canonical sums: the exact normal form of an expression, with its value at a few points beside it.

A sum maps monomials to rational coefficients; a monomial is a product of atoms with rational exponents. Atoms are primes
under a root, symbols, constants, exponentials such as 2^{n}, function values, and sums that do not expand. As long as all
atoms are `free` (known or generally believed to satisfy no relation among each other: roots of primes, symbols, pi, e,
logarithms of primes, exponentials of symbols) two different sums are different expressions. Symbols stand for positive
numbers where roots and logarithms are taken.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from rdiverse.grading.errors import LongProductError
from rdiverse.grading.numbers import factors, is_surely_prime, power, written

POINTS = 3
"""Points at which every sum is evaluated: symbols near 1, near 30 (where floor functions differ), and negative."""
MAX_TERMS = 400
"""A product or power with more terms is not expanded."""

ONE = Fraction(1)
Values = tuple[complex, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """A factor that is not taken apart. Two atoms of one key are the same."""

    key: str
    values: Values
    """At each point; NaN where undefined or out of range."""
    free: bool
    symbolic: bool = False
    """Whether it is a plain symbol (and not a constant)."""
    prime: int = 0
    """The number itself for an integer under a root, else 0."""
    inner: "Sum | None" = None
    """The sum itself for one that was not expanded, else None."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: "Atom") -> bool:
        return self.key < other.key


Monomial = tuple[tuple[Atom, Fraction], ...]
"""Sorted by atom; no exponent is 0."""
UNIT: Monomial = ()


@dataclass(frozen=True, slots=True)
class Sum:
    """A canonical sum. Build it by the functions of this module only."""

    terms: dict[Monomial, Fraction]
    key: str = field(default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _key(self.terms))

    @property
    def constant(self) -> Fraction | None:
        """The value of a sum that is a rational number, else None."""
        if not self.terms:
            return Fraction(0)
        return self.terms.get(UNIT) if len(self.terms) == 1 else None

    @property
    def atoms(self) -> set[Atom]:
        """Every atom of every term."""
        return {atom for monomial in self.terms for atom, _ in monomial}

    @property
    def free(self) -> bool:
        """Whether difference from another free sum shows by the key alone."""
        return all(atom.free for atom in self.atoms)

    def values(self) -> tuple[Values, tuple[float, ...]]:
        """Values at the points, and the sums of the terms' magnitudes, which bound what rounding can have lost."""
        totals, scales = [], []
        for point in range(POINTS):
            parts = [_times(_real(c), [_raised(a.values[point], e) for a, e in m]) for m, c in self.terms.items()]
            totals.append(_added(parts))
            scales.append(_added(map(_magnitude, parts)).real)
        return tuple(totals), tuple(scales)


NAN = complex("nan")


def number(value: Fraction | int) -> Sum:
    """A rational number."""
    return Sum({UNIT: Fraction(value)} if value else {})


def of_atom(atom: Atom) -> Sum:
    """An atom by itself."""
    return Sum({((atom, ONE),): ONE})


def symbol(name: str) -> Sum:
    """A variable, whose values at the points are drawn from its name."""
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).digest()
    near, far, negative = (int.from_bytes(digest[8 * i : 8 * i + 8], "big") / 2**64 for i in range(POINTS))
    values = (complex(0.4 + 2 * near), complex(20 + 20 * far), complex(-0.4 - 2 * negative))
    return of_atom(Atom(name, values, free=True, symbolic=True))


def constant_atom(name: str, value: complex) -> Sum:
    """A transcendental constant, or the imaginary unit."""
    return of_atom(Atom(name, (complex(value),) * POINTS, free=True))


def opaque(key: str, arguments: Iterable[Sum], function: Callable[..., complex], free: bool = False) -> Sum:
    """A function value that is not simplified."""
    columns = [argument.values()[0] for argument in arguments]
    values = tuple(_guarded(function, *(column[point] for column in columns)) for point in range(POINTS))
    return of_atom(Atom(key, values, free))


def add(*sums: Sum) -> Sum:
    """Add up."""
    terms: dict[Monomial, Fraction] = {}
    for one in sums:
        for monomial, coefficient in one.terms.items():
            terms[monomial] = terms.get(monomial, Fraction(0)) + coefficient
    return Sum({monomial: coefficient for monomial, coefficient in terms.items() if coefficient})


def scale(one: Sum, factor: Fraction) -> Sum:
    """Multiply by a rational number."""
    return Sum({monomial: coefficient * factor for monomial, coefficient in one.terms.items()} if factor else {})


def multiply(a: Sum, b: Sum) -> Sum:
    """Multiply out. Raises LongProductError beyond MAX_TERMS products."""
    if len(a.terms) * len(b.terms) > MAX_TERMS:
        raise LongProductError("a product of too many terms")
    return add(*(_product(m, n, c * d) for m, c in a.terms.items() for n, d in b.terms.items()))


def _product(a: Monomial, b: Monomial, coefficient: Fraction) -> Sum:
    exponents = dict(a)
    for atom, exponent in b:
        exponents[atom] = exponents.get(atom, Fraction(0)) + exponent
    return monomial(exponents, coefficient)


def monomial(exponents: dict[Atom, Fraction], coefficient: Fraction) -> Sum:
    """One term, with whole powers of primes and of i moved into the coefficient, and positive ones of sums multiplied out."""
    kept = {}
    expanded = None
    for atom, exponent in exponents.items():
        rest = exponent
        if atom.prime:
            rest = exponent % 1
            coefficient *= power(Fraction(atom.prime), int(exponent - rest))
        elif atom.key == "i" and exponent.denominator == 1:
            rest = exponent % 2
            coefficient *= -1 if exponent % 4 >= 2 else 1
        elif atom.inner is not None and exponent.denominator == 1 and exponent > 0:
            factor = expanded_power(atom.inner, int(exponent))
            if factor is not None:
                expanded = factor if expanded is None else multiply(expanded, factor)
                continue
        if rest:
            kept[atom] = rest
    term = Sum({tuple(sorted(kept.items())): coefficient} if coefficient else {})
    return term if expanded is None else multiply(term, expanded)


def expanded_power(base: Sum, exponent: int) -> Sum | None:
    """A positive power multiplied out; None when the result would be long."""
    if exponent > 40 or (len(base.terms) > 2 and len(base.terms) ** min(exponent, 12) > MAX_TERMS):
        return None
    result = base
    for _ in range(exponent - 1):
        result = multiply(result, base)
    return result


def root_atoms(n: int, exponent: Fraction) -> Sum:
    """A power of an integer n >= 1 as primes with fractional exponents."""
    exponents = {prime_atom(base): exponent * count for base, count in factors(n)}
    return monomial(exponents, ONE)


def prime_atom(base: int) -> Atom:
    """The atom of a base that `factors` gave."""
    return Atom(written(Fraction(base)), (_real(Fraction(base)),) * POINTS, free=is_surely_prime(base), prime=base)


def nearly_equal(a: Sum, b: Sum) -> bool:
    """Whether the values agree at every point where both are real, up to what rounding may have lost."""
    (a_values, a_scales), (b_values, b_scales) = a.values(), b.values()
    for x, y, a_scale, b_scale, last in zip(a_values, b_values, a_scales, b_scales, _is_last(), strict=True):
        distance = _magnitude(x - y).real
        if not math.isfinite(distance):
            continue
        if last and max(abs(x.imag), abs(y.imag)) > 1e-12:
            continue  # roots and logarithms of negative symbols depend on the branch taken
        if distance > 1e-9 * (a_scale + b_scale):
            return False
    return True


def _is_last() -> Iterator[bool]:
    return (point == POINTS - 1 for point in range(POINTS))


def _key(terms: dict[Monomial, Fraction]) -> str:
    if not terms:
        return "0"
    return " + ".join(sorted(_term_key(monomial, coefficient) for monomial, coefficient in terms.items()))


def _term_key(monomial: Monomial, coefficient: Fraction) -> str:
    factors_ = [a.key if e == 1 else f"{a.key}^({written(e)})" for a, e in monomial]
    if coefficient != 1 or not factors_:
        factors_.insert(0, written(coefficient))
    return "*".join(factors_)


def _real(value: Fraction) -> complex:
    try:
        return complex(float(value))
    except OverflowError:
        return NAN


def _raised(value: complex, exponent: Fraction) -> complex:
    if exponent == 1:
        return value
    return _guarded(lambda v: v ** (int(exponent) if exponent.denominator == 1 else float(exponent)), value)


def _times(first: complex, others: Iterable[complex]) -> complex:
    product = first
    for other in others:
        product *= other
    return product


def _added(parts: Iterable[complex]) -> complex:
    return sum(parts, complex(0))


def _magnitude(value: complex) -> complex:
    return _guarded(abs, value)


def _guarded(function: Callable[..., complex], *arguments: complex) -> complex:
    try:
        return complex(function(*arguments))
    except (ArithmeticError, ValueError, TypeError):
        return NAN
