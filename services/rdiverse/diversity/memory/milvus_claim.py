"""Who may write, decided by the memory itself: the writer that came last."""

import secrets

from rdiverse.diversity.memory import milvus_rows as rows
from rdiverse.diversity.memory.milvus_connection import Deadline
from rdiverse.diversity.memory.milvus_tables import Tables
from rdiverse.diversity.memory.protocol import NotTheWriterError

_DRAWN_BITS = 16


class WriterClaim:
    """One process' place as the writer. Claims are numbered and the highest stands; of two that are made at once, one."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._holder = secrets.token_hex(8)
        self.epoch = 0
        """Its number; 0 before it is made."""

    def make(self, deadline: Deadline) -> None:
        """Become the writer: later claims end this one. Raises NotTheWriterError."""
        # The last bits are drawn, so that two that read the same highest number take different ones.
        highest = max(self._all(deadline), default=0)
        self.epoch = ((highest >> _DRAWN_BITS) + 1 << _DRAWN_BITS) + secrets.randbits(_DRAWN_BITS)
        self._tables.upsert(rows.LEDGERS, [rows.writer_row(self.epoch, self._holder)], deadline)
        self.check(deadline)
        older = [rows.writer_row(epoch, "")["key"] for epoch in self._all(deadline) if epoch < self.epoch]
        self._tables.delete_keys(rows.LEDGERS, older, deadline)

    def check(self, deadline: Deadline) -> None:
        """Raise NotTheWriterError when there is none of this process, or another process has become the writer."""
        claims = self._all(deadline)
        if not self.epoch or max(claims, default=0) != self.epoch or claims[self.epoch] != self._holder:
            raise NotTheWriterError("another process has become the writer of this memory")

    def _all(self, deadline: Deadline) -> dict[int, str]:
        found = self._tables.query(rows.LEDGERS, f'run == "{rows.WRITER}"', ["revision", "content"], deadline)
        return {row["revision"]: row["content"] for row in found}
