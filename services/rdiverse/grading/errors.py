"""Why an answer has no normal form as an expression."""


class UnreadableError(ValueError):
    """Not an expression that the grader's own parser knows."""


class LongProductError(UnreadableError):
    """An expression that the parser knows, with too many terms to multiply out."""
