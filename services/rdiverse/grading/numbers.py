"""Bounded arithmetic on integers and fractions: whatever would take long is refused instead."""

from fractions import Fraction
from functools import lru_cache

MAX_BITS = 50_000
"""Largest power worked with, about 15,000 digits."""
_TRIAL_LIMIT = 10_000
_MOST_DECIMAL_BITS = 14_000


class TooLargeError(ArithmeticError):
    """A value that is not worth computing exactly."""


def power(base: Fraction, exponent: int) -> Fraction:
    """Raise to an integer power. Raises TooLargeError before computing anything large, or for 0 ** -1."""
    if base == 0 and exponent < 0:
        raise TooLargeError("division by zero")
    bits = max(abs(base.numerator), base.denominator).bit_length()
    if base not in (0, 1, -1) and (bits - 1 or 1) * abs(exponent) > MAX_BITS:
        raise TooLargeError(f"a number of more than {MAX_BITS} bits")
    return base**exponent if base not in (1, -1) else base ** (exponent % 2)


@lru_cache(maxsize=4096)
def factors(n: int) -> tuple[tuple[int, int], ...]:
    """Factor n >= 1 into (base, exponent) with prime bases, as far as trial division by numbers below 10,000 gets.

    A cofactor above 10**8 is kept as one base, as its exact root where it is a square or a cube.
    """
    found = []
    divisor = 2
    while divisor * divisor <= n and divisor < _TRIAL_LIMIT:
        exponent = 0
        while n % divisor == 0:
            n //= divisor
            exponent += 1
        if exponent:
            found.append((divisor, exponent))
        divisor += 1 if divisor == 2 else 2
    if n > 1:
        found.append(_as_power(n))
    return tuple(found)


def is_surely_prime(base: int) -> bool:
    """Whether a base that `factors` gave is known to be prime."""
    return base < _TRIAL_LIMIT**2


def _as_power(n: int) -> tuple[int, int]:
    if n < _TRIAL_LIMIT**2:
        return n, 1
    for exponent in (2, 3):
        root = _integer_root(n, exponent)
        if root**exponent == n:
            return root, exponent
    return n, 1


def _integer_root(n: int, k: int) -> int:
    low, high = 0, 1 << (n.bit_length() // k + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if middle**k <= n:
            low = middle
        else:
            high = middle - 1
    return low


def written(value: Fraction) -> str:
    """Decimal text of a fraction, hexadecimal where decimal would be refused for its length."""
    if value.denominator == 1:
        return _integer(value.numerator)
    return f"{_integer(value.numerator)}/{_integer(value.denominator)}"


def _integer(n: int) -> str:
    return str(n) if n.bit_length() <= _MOST_DECIMAL_BITS else hex(n)
