"""Powers of canonical sums: roots become primes with fractional exponents."""

from fractions import Fraction
from functools import reduce
from math import gcd, lcm

from rdiverse.grading.algebra import (
    NAN,
    ONE,
    UNIT,
    Atom,
    Monomial,
    Sum,
    expanded_power,
    monomial,
    multiply,
    number,
    prime_atom,
    root_atoms,
    scale,
)
from rdiverse.grading.numbers import TooLargeError, factors, power


def raised(base: Sum, exponent: Sum) -> Sum:
    """Raise to any power. Raises TooLargeError for what is too large or has no value (0 ** -1)."""
    constant = exponent.constant
    if constant is not None:
        return rational_power(base, constant)
    result = number(1)
    for term, coefficient in exponent.terms.items():
        one = rational_power(base, coefficient) if term == UNIT else _exponential(base, term, coefficient)
        result = multiply(result, one)
    return result


def rational_power(base: Sum, exponent: Fraction) -> Sum:
    """Raise to a rational power. Raises TooLargeError."""
    if exponent == 0:
        return number(1)
    if exponent == 1:
        return base
    if not base.terms:
        if exponent < 0:
            raise TooLargeError("division by zero")
        return base
    if len(base.terms) == 1:
        [(term, coefficient)] = base.terms.items()
        return _power_of_term(term, coefficient, exponent)
    if exponent.denominator == 1 and exponent > 0:
        expanded = expanded_power(base, int(exponent))
        if expanded is not None:
            return expanded
    return _power_of_sum(base, exponent)


def _power_of_term(term: Monomial, coefficient: Fraction, exponent: Fraction) -> Sum:
    if exponent.denominator == 1:
        whole = {atom: e * exponent for atom, e in term}
        return monomial(whole, power(coefficient, int(exponent)))
    if any(atom.key == "i" for atom, _ in term):
        raise TooLargeError("a root of an imaginary number")
    root = root_atoms(abs(coefficient.numerator), exponent)
    root = multiply(root, root_atoms(coefficient.denominator, -exponent))
    if coefficient < 0:
        root = multiply(root, _power_of_minus_one(exponent))
    return multiply(root, monomial({atom: e * exponent for atom, e in term}, ONE))


def _power_of_minus_one(exponent: Fraction) -> Sum:
    """The real root where there is one, as in the cube root of -8; i for a square root."""
    if exponent.denominator % 2:
        return number(-1 if exponent.numerator % 2 else 1)
    if exponent.denominator == 2:
        imaginary = Atom("i", (1j,) * 3, free=True)
        return monomial({imaginary: Fraction(exponent.numerator)}, ONE)
    raise TooLargeError("an even root of a negative number")


def _power_of_sum(base: Sum, exponent: Fraction) -> Sum:
    """Take out the content, keep the rest as one atom."""
    content, common, rest = _primitive(base, keep_sign=exponent.denominator != 1)
    outside = multiply(_power_of_term((), content, exponent), _power_of_term(common, ONE, exponent))
    values, _ = rest.values()
    # The sum is an atom of its own, about whose relations to others nothing is known.
    inner = Atom(f"({rest.key})", values, free=False, inner=rest)
    return multiply(outside, monomial({inner: exponent}, ONE))


def _primitive(base: Sum, keep_sign: bool) -> tuple[Fraction, Monomial, Sum]:
    """Split a sum into rational content, common monomial and the rest. The content carries the sign of the first term."""
    coefficients = list(base.terms.values())
    content = Fraction(
        reduce(gcd, (abs(c.numerator) for c in coefficients)), reduce(lcm, (c.denominator for c in coefficients))
    )
    shared = reduce(lambda a, b: a & b, ({atom for atom, _ in term} for term in base.terms))
    common = tuple(sorted((a, min(dict(t)[a] for t in base.terms)) for a in shared if not a.prime and a.key != "i"))
    taken = dict(common)
    # Exponents are lowered, not sums multiplied, which would expand what is to be divided.
    rest = Sum({tuple((a, e - taken.get(a, 0)) for a, e in t if e != taken.get(a)): c / content for t, c in base.terms.items()})
    leading = min(rest.terms, key=lambda term: [(atom.key, e) for atom, e in term])
    if rest.terms[leading] < 0 and not keep_sign:
        return -content, common, scale(rest, Fraction(-1))
    return content, common, rest


def _exponential(base: Sum, term: Monomial, coefficient: Fraction) -> Sum:
    """Raise to (coefficient * term) for a term that is no number, one atom for each factor of the base."""
    if not base.terms:
        raise TooLargeError("0 ** x")
    exponent = Sum({term: ONE})
    values, _ = exponent.values()
    free_exponent = all(atom.symbolic for atom, _ in term)
    if len(base.terms) > 1:
        bases, _ = base.values()
        return _exponential_atom(f"({base.key})", bases, exponent.key, values, coefficient, free=False)
    [(factors_, number_)] = base.terms.items()
    result = number(1)
    if number_ < 0:
        result = _exponential_atom("(-1)", (complex(-1),) * len(values), exponent.key, values, coefficient, free=False)
    for part, sign in ((abs(number_.numerator), 1), (number_.denominator, -1)):
        for prime, count in factors(part):
            atom = prime_atom(prime)
            free = free_exponent and atom.free
            one = _exponential_atom(atom.key, atom.values, exponent.key, values, coefficient * sign * count, free)
            result = multiply(result, one)
    for atom, e in factors_:
        free = free_exponent and atom.key == "e"
        result = multiply(result, _exponential_atom(atom.key, atom.values, exponent.key, values, coefficient * e, free))
    return result


def _exponential_atom(
    base: str, bases: tuple[complex, ...], exponent: str, exponents: tuple[complex, ...], times: Fraction, free: bool
) -> Sum:
    values = tuple(_complex_power(b, e) for b, e in zip(bases, exponents, strict=True))
    return monomial({Atom(f"({base}^{{{exponent}}})", values, free): times}, ONE)


def _complex_power(base: complex, exponent: complex) -> complex:
    try:
        return complex(base**exponent)
    except ArithmeticError:
        return NAN


def quotient(a: Sum, b: Sum) -> Sum:
    """A / b. Raises TooLargeError for b = 0."""
    return multiply(a, rational_power(b, Fraction(-1)))
