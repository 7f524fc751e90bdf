"""The embedded default: a small world of word problems whose truth is known."""
