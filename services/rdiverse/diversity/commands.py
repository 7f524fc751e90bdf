"""`rdiverse memory`: the service's answers for people. Commands raise RpcFailure when the service refuses or is away."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rdiverse.diversity.client import DiversityClient, Item, MemoryItem, Representation
from rdiverse.runs.files import written_aside

ALL_ITERATIONS = 1001
"""Greater than any iteration: the whole memory is seen."""
MOST_EXPORTED = 1_000_000


class ExportTooLargeError(ValueError):
    """A memory of more items than one draw can give."""


class NotExportedError(ValueError):
    """A file that `export` did not write."""


def score(
    address: str,
    run: str,
    questions: Sequence[str],
    before_iteration: int = ALL_ITERATIONS,
    console: Console | None = None,
    as_json: bool = False,
) -> None:
    """Print the penalties of some questions, as one batch, against a run's memory."""
    with DiversityClient(address) as client:
        scored = client.score(run, questions, before_iteration, return_nearest=True)
    if as_json:
        names = ("p_rep", "s_max", "s_mean", "p_map", "cluster", "failure")
        rows = [
            {"question": question}
            | {name: getattr(one, name) for name in names}
            | {"nearest": _item(one.nearest.item) if one.nearest else None}
            for question, one in zip(questions, scored, strict=True)
        ]
        _json(console, {"clusters": scored.clusters, "memory_items": scored.memory_items, "scores": rows})
        return
    table = Table("question", "P_rep", "S_max", "S_mean", "P_MAP", "nearest remembered question")
    for question, one in zip(questions, scored, strict=True):
        nearest = one.failure or (one.nearest.item.question if one.nearest else "")
        figures = [f"{value:.3f}" for value in (one.p_rep, one.s_max, one.s_mean, one.p_map)]
        table.add_row(_plain(question), *figures, _plain(nearest))
    _show(console, table, f"{scored.clusters} clusters in {scored.batch_size} questions, against {scored.memory_items} items")


def neighbors(
    address: str,
    run: str,
    question: str,
    count: int = 5,
    before_iteration: int = ALL_ITERATIONS,
    console: Console | None = None,
    as_json: bool = False,
) -> None:
    """Print the remembered questions nearest to one, nearest first."""
    with DiversityClient(address) as client:
        found = client.find_neighbors(run, question, before_iteration, count)
    if as_json:
        near_ones = [{"similarity": near.similarity} | _item(near.item) for near in found.neighbors]
        _json(console, {"program": found.program, "neighbors": near_ones})
        return
    table = Table("cosine", "iteration", "item", "question", "program")
    for near in found.neighbors:
        item = near.item
        table.add_row(
            f"{near.similarity:.3f}", str(item.iteration), str(item.index), _plain(item.question), _plain(item.program)
        )
    _show(console, table, f"read as: {found.program}" if found.program else "")


def stats(address: str, run: str | None = None, console: Console | None = None, as_json: bool = False) -> None:
    """Print what a run's memory holds, or which runs have one."""
    with DiversityClient(address) as client:
        if run is None:
            held = client.list_runs()
            if as_json:
                _json(console, [asdict(one) for one in held])
                return
            table = Table("run", "last iteration", "items")
            for one in held:
                table.add_row(one.run, str(one.last_iteration), str(one.items))
            _show(console, table, "")
            return
        found = client.get_stats(run)
    if as_json:
        _json(console, asdict(found))
        return
    table = Table("iteration", "items", "digest")
    for entry in found.iterations:
        table.add_row(str(entry.iteration), str(entry.items), entry.digest)
    _show(console, table, f"{found.representation} embeddings of {found.dimension} components, revision {found.revision}")


def export(address: str, run: str, path: Path) -> int:
    """Write a run's remembered items to JSON lines, by iteration and index. Returns how many.

    Raises ExportTooLargeError beyond a million items, and writes nothing then.
    """
    with DiversityClient(address) as client:
        held = client.get_stats(run)
        total = sum(entry.items for entry in held.iterations)
        if total > MOST_EXPORTED:
            raise ExportTooLargeError(f"run {run} remembers {total} items; at most {MOST_EXPORTED} can be exported")
        items = list(client.sample_replay(run, ALL_ITERATIONS, MOST_EXPORTED, seed=0, min_revision=held.revision))
    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as file:
        for item in sorted(items, key=_position):
            file.write(json.dumps(asdict(item), ensure_ascii=False) + "\n")
    return len(items)


def restore(address: str, run: str, path: Path, representation: Representation = "program") -> int:
    """Commit what `export` wrote, iteration by iteration, embedded anew. Returns how many items.

    Doing it again does nothing. The service refuses where the run remembers something else. Raises NotExportedError.
    """
    try:
        rows = [MemoryItem(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (TypeError, ValueError) as error:
        raise NotExportedError(f"{path}: must be a file that `rdiverse memory export` wrote: {error}") from error
    with DiversityClient(address) as client:
        for iteration in sorted({row.iteration for row in rows}):
            kept = [row for row in rows if row.iteration == iteration]
            items = [Item(row.question, program=row.program, answer=row.answer, share=row.share) for row in kept]
            client.commit(run, iteration, items, representation=representation)
    return len(rows)


def rollback(address: str, run: str, to_iteration: int) -> list[int]:
    """Drop a run's iterations after `to_iteration`. Returns those that were dropped."""
    with DiversityClient(address) as client:
        return client.rollback(run, to_iteration)[1]


def _position(item: MemoryItem) -> tuple[int, int]:
    return item.iteration, item.index


def _plain(text: str) -> str:
    """Generated text is data: no markup, one line, not endless."""
    line = " ".join(text.split())
    return (line if len(line) <= 120 else line[:119] + "…").replace("[", r"\[")


def _item(item: MemoryItem) -> dict[str, Any]:
    """What is said of a remembered item."""
    return {"iteration": item.iteration, "index": item.index, "question": item.question, "program": item.program}


def _json(console: Console | None, value: Any) -> None:
    """JSON as it is: not wrapped, not coloured."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    (console or Console()).print(text, markup=False, highlight=False, soft_wrap=True)


def _show(console: Console | None, table: Table, note: str) -> None:
    console = console or Console()
    console.print(table)
    if note:
        console.print(note, markup=False, highlight=False)
