"""Work that needs the whole step's batch: gathered from all ranks, done on the first, handed back."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from rdiverse.training.errors import TrainingError

In = TypeVar("In")
Out = TypeVar("Out")

GRACE_SECONDS = 300.0


class Exchange:
    """Gathers over a process group of its own, whose time-out exceeds that of the work.

    The trainer's group would give up after 30 minutes, while a reward on real models may take longer on rank 0.
    """

    def __init__(self, timeout_seconds: float) -> None:
        """`timeout_seconds`: bound of the work itself."""
        self._timeout = timedelta(seconds=timeout_seconds + GRACE_SECONDS)
        self._group: Any = None

    def on_first_rank(self, items: Sequence[In], work: Callable[[list[In]], Sequence[Out]]) -> list[Out]:
        """Do `work` once, on rank 0, on the items of all ranks in rank order; give each rank the results of its own.

        `work` returns one result an item. When it raises, every rank raises: rank 0 the error itself, the others
        TrainingError with its text. Every rank calls this at the same point.
        """
        import torch.distributed as dist

        if not dist.is_initialized() or dist.get_world_size() == 1:
            return list(work(list(items)))
        if self._group is None:
            self._group = dist.new_group(backend="gloo", timeout=self._timeout)
        world = dist.get_world_size()
        gathered: list[Any] | None = [None] * world if dist.get_rank() == 0 else None
        dist.gather_object(list(items), gathered, dst=0, group=self._group)
        error: BaseException | None = None
        outgoing: list[Any] | None = None
        if gathered is not None:
            try:
                results = list(work([item for share in gathered for item in share]))
                outgoing = _split(results, [len(share) for share in gathered])
            except Exception as caught:  # noqa: BLE001 - whatever it is, the other ranks must hear of it
                error = caught
                outgoing = [TrainingError(f"{type(caught).__name__} on rank 0: {caught}")] * world
        mine: list[Any] = [None]
        dist.scatter_object_list(mine, outgoing, src=0, group=self._group)
        if error is not None:
            raise error
        if isinstance(mine[0], TrainingError):
            raise mine[0]
        return list(mine[0])


def _split(results: list[Out], sizes: list[int]) -> list[list[Out]]:
    if len(results) != sum(sizes):
        raise TrainingError(f"{len(results)} results for {sum(sizes)} items")
    shares, begin = [], 0
    for size in sizes:
        shares.append(results[begin : begin + size])
        begin += size
    return shares
