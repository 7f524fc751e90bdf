"""Functions of canonical sums: exact where the value is rational, opaque otherwise."""

import cmath
import math
from collections.abc import Callable
from fractions import Fraction

from rdiverse.grading.algebra import Sum, add, nearly_equal, number, of_atom, opaque, prime_atom, scale
from rdiverse.grading.numbers import TooLargeError, factors
from rdiverse.grading.powers import quotient

_MAX_FACTORIAL = 3000
_E = "e"


def _gamma(x: complex) -> complex:
    if x.imag:
        raise ValueError("gamma of a complex number")
    return complex(math.gamma(x.real))


def _real_only(function: Callable[[float], float]) -> Callable[[complex], complex]:
    def apply(x: complex) -> complex:
        if abs(x.imag) > 1e-12:
            raise ValueError("a complex argument")
        return complex(function(x.real))

    return apply


def _double_factorial(x: complex) -> complex:
    odd = (1 - cmath.cos(cmath.pi * x)) / 4
    return complex(2 ** (x / 2 + odd) * cmath.pi**-odd * _gamma(x / 2 + 1))


def _binomial(n: complex, k: complex) -> complex:
    return _gamma(n + 1) / (_gamma(k + 1) * _gamma(n - k + 1))


_OPAQUE: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "cot": lambda x: 1 / cmath.tan(x),
    "sec": lambda x: 1 / cmath.cos(x),
    "csc": lambda x: 1 / cmath.sin(x),
    "asin": cmath.asin,
    "acos": cmath.acos,
    "atan": cmath.atan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
    "abs": lambda x: complex(abs(x)),
    "floor": _real_only(math.floor),
    "ceil": _real_only(math.ceil),
    "factorial": lambda x: _gamma(x + 1),
    "doublefactorial": _double_factorial,
}
_MARKS = {"factorial": "!", "doublefactorial": "!!"}


def apply(name: str, *arguments: Sum) -> Sum:
    """The value of ln, binom or a function of _OPAQUE. Raises TooLargeError for what is too large or undefined."""
    if name == "ln":
        return _ln(arguments[0])
    if name == "binom":
        return _binom(*arguments)
    argument = arguments[0]
    constant = argument.constant
    if constant is not None:
        exact = _exact(name, constant)
        if exact is not None:
            return number(exact)
    if name == "abs" and constant is None:
        sign = _known_sign(argument)
        if sign:
            return scale(argument, Fraction(sign))
    key = f"({argument.key})" + _MARKS[name] if name in _MARKS else f"{name}({argument.key})"
    return opaque(key, [argument], _OPAQUE[name])


def unknown(name: str, *arguments: Sum) -> Sum:
    """A function nobody defined, as in f(x): its values are drawn from its name, and depend on its arguments."""
    frequency = 1 + sum(map(ord, name)) / 100

    def value(*points: complex) -> complex:
        return cmath.sin(frequency * sum((i + 1) * p for i, p in enumerate(points))) + frequency

    key = ", ".join(argument.key for argument in arguments)
    return opaque(f"{name}({key})", arguments, value)


def _exact(name: str, x: Fraction) -> Fraction | int | None:  # noqa: PLR0911  one for each function
    if name == "abs":
        return abs(x)
    if name == "floor":
        return math.floor(x)
    if name == "ceil":
        return math.ceil(x)
    if name == "factorial":
        if x.denominator == 1 and 0 <= x <= _MAX_FACTORIAL:
            return math.factorial(int(x))
        raise TooLargeError("a factorial")
    if name == "doublefactorial":
        if x.denominator == 1 and -1 <= x <= _MAX_FACTORIAL:
            return math.prod(range(int(x), 0, -2))
        raise TooLargeError("a double factorial")
    if x == 0 and name in {"sin", "tan", "asin", "atan", "sinh", "tanh"}:
        return 0
    return 1 if x == 0 and name in {"cos", "sec", "cosh"} else None


def _known_sign(argument: Sum) -> int:
    """1 or -1 for a real constant that is clearly not 0, else 0."""
    if any(atom.symbolic for atom in argument.atoms) or not argument.free or nearly_equal(argument, number(0)):
        return 0
    value = argument.values()[0][0]
    return 0 if value.imag or cmath.isnan(value) else int(math.copysign(1, value.real))


def _ln(argument: Sum) -> Sum:
    """Logarithms of products and powers come apart, those of integers into those of primes."""
    if not argument.terms:
        raise TooLargeError("the logarithm of 0")
    if len(argument.terms) > 1:
        return opaque(f"ln({argument.key})", [argument], cmath.log)
    [(term, coefficient)] = argument.terms.items()
    if coefficient < 0:
        return opaque(f"ln({argument.key})", [argument], cmath.log)
    parts = [
        scale(_ln_of_prime(base), Fraction(sign * count))
        for part, sign in ((coefficient.numerator, 1), (coefficient.denominator, -1))
        for base, count in factors(part)
    ]
    for atom, exponent in term:
        if atom.prime:
            parts.append(scale(_ln_of_prime(atom.prime), exponent))
        elif atom.key == _E:
            parts.append(number(exponent))
        else:
            inside = atom.inner if atom.inner is not None else of_atom(atom)
            parts.append(scale(opaque(f"ln({inside.key})", [inside], cmath.log, free=atom.symbolic), exponent))
    return add(*parts)


def _ln_of_prime(base: int) -> Sum:
    atom = prime_atom(base)
    # Written out, as the atom by itself would fold back into a number.
    return opaque(f"ln({atom.key})", [number(base)], cmath.log, free=atom.free)


def _binom(n: Sum, k: Sum) -> Sum:
    top, bottom = n.constant, k.constant
    if top is not None and bottom is not None and top.denominator == bottom.denominator == 1 and top >= 0:
        if top > _MAX_FACTORIAL:
            raise TooLargeError("a binomial coefficient")
        return number(math.comb(int(top), int(bottom)) if bottom >= 0 else 0)
    return opaque(rf"\binom{{{n.key}}}{{{k.key}}}", [n, k], _binomial)


def logarithm(argument: Sum, base: Sum) -> Sum:
    """The logarithm to a base."""
    return quotient(_ln(argument), _ln(base))
