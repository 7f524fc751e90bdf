"""Chooses what the Solver trains on: the band of new questions, replay from the memory; and remembers the new ones."""

import hashlib
import json
from typing import Any

import numpy as np

from rdiverse.diversity.client import DiversityClient, Item, Score
from rdiverse.runs.manifest import Outcome, StepRecord, do_step
from rdiverse.runs.tables import CURATED, DATASET, read_table, write_table
from rdiverse.selfplay import curriculum, repetition
from rdiverse.selfplay.methods import Similarity, memory_name
from rdiverse.selfplay.steps import Step
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.steps.label import finished

Row = dict[str, Any]


def curate(run: RunContext, t: int) -> StepRecord:
    """Write iteration-NN/{curated,dataset}.parquet and commit the kept questions to the memory as iteration t."""
    labels = finished(run, Step.LABEL, t)
    dataset = run.folder.iteration(t) / "dataset.parquet"
    curated = run.folder.iteration(t) / "curated.parquet"
    seed = run.seed(Step.CURATE, t)

    def body() -> Outcome:
        rows = read_table(run.folder.iteration(t) / "labels.parquet")
        run.target.ensure_serving(Step.CURATE, t, {})
        with DiversityClient(run.target.address("diversity")) as diversity:
            measured = _measure(run, diversity, rows, t)
            kept = [row for row in measured if row["status"] == "kept"]
            new = [_training_row(row, "new", t) for row in kept]
            replayed = _replay(run, diversity, len(new), t, seed)
            solver = run.config.solver
            chosen = curriculum.training_rows(new, replayed, solver.training.prompts_per_step, solver.min_questions)
            write_table(curated, CURATED, measured)
            write_table(dataset, DATASET, chosen)
            _commit(run, diversity, kept, t)
        figures = _figures(rows, kept) | {"new": len(new), "replayed": len(replayed), "seed": seed}
        return Outcome((dataset, curated), figures)

    return do_step(run.folder, Step.CURATE, t, {"labels": labels.digest}, body)


def _measure(run: RunContext, diversity: DiversityClient, rows: list[Row], t: int) -> list[Row]:
    """Every labelled question with its status; those in the band with what SAM says of them."""
    low, high = run.config.solver.band
    measured = [
        {key: row[key] for key in ("index", "question", "answer", "share")} | {"status": "kept", "failure": ""} for row in rows
    ]
    for row in measured:
        if not row["answer"] or not curriculum.keep(row["share"], (low, high)):
            row["status"] = "below-band" if not row["answer"] or row["share"] < low else "above-band"
    band = [row for row in measured if row["status"] == "kept"]
    if band:
        scores = diversity.score(
            run.folder.run_id,
            [Item(question=row["question"]) for row in band],
            before_iteration=t,
            penalty=run.config.penalty,
            return_programs=True,
            return_vectors=True,
            return_nearest=True,
        )
        for row, score in zip(band, scores, strict=True):
            row |= _from_score(score)  # noqa: PLW2901 - the row is the one in `measured`
    return measured


def _from_score(score: Score) -> Row:
    if score.failure:
        return {"status": "no-program", "failure": score.failure}
    return {
        "program": score.program,
        "cluster": score.cluster,
        "p_rep": score.p_rep,
        "s_max": score.s_max,
        "s_mean": score.s_mean,
        "p_map": score.p_map,
        "nearest_question": score.nearest.item.question if score.nearest else None,
        "nearest_iteration": score.nearest.item.iteration if score.nearest else None,
        "vector": score.vector,
    }


def _training_row(row: Row, source: str, iteration: int) -> Row:
    return {key: row[key] for key in ("question", "answer", "share")} | {"source": source, "iteration": iteration}


def _replay(run: RunContext, diversity: DiversityClient, new: int, t: int, seed: int) -> list[Row]:
    count = curriculum.replay_count(new, run.config.replay_share) if run.traits.replay and t > 1 else 0
    if not count:
        return []
    items = diversity.sample_replay(run.folder.run_id, before_iteration=t, count=count, seed=seed)
    return [
        {"question": item.question, "answer": item.answer, "share": item.share, "source": "replay", "iteration": item.iteration}
        for item in items
    ]


def _commit(run: RunContext, diversity: DiversityClient, kept: list[Row], t: int) -> None:
    digest = hashlib.sha256(
        json.dumps([[row["question"], row["answer"], row["share"]] for row in kept], ensure_ascii=False).encode()
    ).hexdigest()
    items = [
        Item(question=row["question"], program=row["program"], vector=row["vector"], answer=row["answer"], share=row["share"])
        for row in kept
    ]
    diversity.commit(run.folder.run_id, iteration=t, digest=digest, items=items)
    if run.traits.similarity is Similarity.TEXT:
        # The ablation without SAM is trained against a memory of words; the memory of programs stays for measuring.
        words = [Item(question=row["question"], answer=row["answer"], share=row["share"]) for row in kept]
        memory = memory_name(run.folder.run_id, run.traits.similarity)
        diversity.commit(memory, iteration=t, digest=digest, items=words, representation="text")


def _figures(rows: list[Row], kept: list[Row]) -> dict[str, Any]:
    """Figures of the kept questions (docs/method.md, "What is measured"); null where there is nothing to measure."""
    by_index = {row["index"]: row for row in rows}
    labels = [by_index[row["index"]] for row in kept]
    truths = [row["truth_agrees"] for row in labels if row["truth_agrees"] is not None]
    posed = [row["well_posed"] for row in labels if row["well_posed"] is not None]
    figures: dict[str, Any] = {
        "kept": len(kept),
        "mean_self_consistency": _mean([row["share"] for row in rows]),
        "label_accuracy": _mean(truths),
        "ill_posed_share": None if not posed else 1 - sum(posed) / len(posed),
        "grader_timeouts": sum(row["grader_timeouts"] for row in rows),
        "effective_skills": None,
        "intra_iteration_repetition": None,
        "cross_iteration_repetition": None,
        "mean_cosine": None,
        "mean_s_max": None,
    }
    if len(kept) > 1:
        vectors = np.stack([row["vector"] for row in kept])
        figures |= {
            "effective_skills": repetition.effective_number([row["cluster"] for row in kept]),
            "intra_iteration_repetition": repetition.intra_iteration(vectors),
            "mean_cosine": repetition.mean_cosine(vectors),
        }
    if kept and any(row["nearest_question"] is not None for row in kept):
        figures |= {
            "cross_iteration_repetition": repetition.repeated_share([row["s_max"] for row in kept]),
            "mean_s_max": _mean([row["s_max"] for row in kept]),
        }
    return figures


def _mean(values: list[Any]) -> float | None:
    return sum(values) / len(values) if values else None
