"""What a trainer says when it cannot go on."""


class TrainingError(RuntimeError):
    """Training cannot start or go on; the text says why, in one line."""
