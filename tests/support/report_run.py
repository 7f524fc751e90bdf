"""A run's folder as the pipeline leaves it, with made-up figures and texts that would like to be more than text."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from rdiverse.config import RunConfig, dump_config
from rdiverse.evaluation import Benchmark, BenchmarkItem
from rdiverse.evaluation.answers import EvaluationPlan, Pass
from rdiverse.evaluation.figures import Graded, sum_up
from rdiverse.runs.files import write_json
from rdiverse.runs.folder import RunFolder
from rdiverse.runs.tables import CURATED, LABELS, QUESTIONS, write_table
from rdiverse.selfplay.methods import Method

HOSTILE = (
    "<script>document.title = 'taken'; fetch('http://203.0.113.7/')</script>",
    '<img src="http://203.0.113.7/x.png" onerror="document.title=\'taken\'">',
    "</pre></article></main><style>body { display: none }</style><iframe src='http://203.0.113.7/'></iframe>",
    "{{ 7 * 7 }} {% include '/etc/passwd' %}",
    "NUL \x00 bell \x07 escape \x1b[31m, right to left \u202e and back, zero \u200b width",
    "$(rm -rf ~); `reboot` & ../../etc/passwd",
    "Сколько будет два плюс два? 二加二等于多少？ كم يساوي ٢ + ٢؟",
    "x" * 10_000,
    "&lt;b&gt; is already escaped &amp; stays so",
)
"""Questions that must show as they are and do nothing."""

SKILLS = tuple(
    f"{base} {modifier}" for base in ("a+b", "a*b", "a-b", "max(a,b)") for modifier in ("", "+c", "*c", "%c", "|x-c|")
)


def make_run(workspace: Path, iterations: int = 3, pool: int = 120, dimension: int = 96, oracle: bool = True) -> RunFolder:
    """Write a folder with `iterations` iterations of `pool` questions; the same arguments write the same folder."""
    rng = np.random.default_rng(0)
    run = RunFolder.of(workspace, "r-diverse-seed0")
    run.root.mkdir(parents=True)
    config = RunConfig(model="pkg:rdiverse.nano/checkpoint", method=Method.R_DIVERSE, iterations=max(iterations, 1))
    run.config.write_text(dump_config(config), encoding="utf-8")
    centres = rng.normal(size=(len(SKILLS), dimension))
    rows = []
    past: list[str] = []
    for t in range(iterations + 1):
        evaluation = _evaluate(rng, t / max(iterations, 1), oracle)
        write_json(run.iteration(t) / "evaluation.json", evaluation)
        kept = _write_tables(run, rng, t, pool, centres, past, oracle) if t else 0
        rows.append(_figures(t, evaluation, kept, pool, oracle))
    _write_metrics(run, rng, iterations)
    write_json(
        run.summary,
        {
            "run_id": run.run_id,
            "method": "r-diverse",
            "seed": 0,
            "iterations": rows,
            "wall_seconds": 431.25,
            "cpu_seconds": [
                {"iteration": 0, "step": "evaluate", "cpu_seconds": 4.5},
                {"iteration": 1, "step": "train-solver", "cpu_seconds": 60.25},
                {"iteration": 1, "step": "evaluate", "cpu_seconds": 5.0},
                {"iteration": 2, "step": "train-solver", "cpu_seconds": 61.5},
            ],
        },
    )
    return run


def _write_metrics(run: RunFolder, rng: np.random.Generator, iterations: int) -> None:
    cost = {"tokens_per_second": 15_000.0, "peak_memory_bytes": 700 * 2**20}
    cost |= {"seconds": {"rollout": 1.5, "reward": 0.75, "update": 2.25, "save": 0.125, "step": 4.625}}
    rows = []
    for t in range(1, iterations + 1):
        for step in range(1, 6):
            terms = {"uncertainty": 0.3 + 0.05 * rng.random(), "p_rep": 0.06 - 0.004 * step, "p_map": 0.1 if t > 1 else 0.0}
            figures = terms | {"malformed": 0.2 / step, "reward": -0.2} | _health(rng, step) | cost
            rows.append({"phase": "challenger", "iteration": t, "step": step} | figures)
        solver = {"phase": "solver", "iteration": t, "equal_groups": 0.3} | cost
        rows += [{**solver, "step": step, "reward": 0.5 + 0.01 * step} | _health(rng, step) for step in range(1, 16)]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _health(rng: np.random.Generator, step: int) -> dict[str, float]:
    return {
        "kl": 0.002 * step,
        "entropy": 1.4 - 0.03 * step,
        "gradient_norm": 0.8 + 0.4 * rng.random(),
        "clip_fraction": 0.01 * rng.random(),
        "clip_low": 0.0,
        "clip_high": 0.01 * rng.random(),
        "completion_tokens": 40.0 + step,
        "completion_tokens_max": 64.0,
        "truncated": 0.05,
    }


def _evaluate(rng: np.random.Generator, progress: float, oracle: bool) -> dict[str, Any]:
    items = tuple(BenchmarkItem(f"q{i}", "1", SKILLS[i % len(SKILLS)] if oracle else None) for i in range(200))
    hardness = np.array([0.25 + 0.6 * ((i * 7) % len(SKILLS)) / len(SKILLS) + 0.15 * progress for i in range(200)])[:, None]
    sampled = Graded(rng.random((200, 4)) < hardness, unboxed=11, cut=3, tokens=21_000)
    greedy = Graded(rng.random((200, 1)) < hardness + 0.1, unboxed=2, cut=1, tokens=5_000)
    config = RunConfig(model="m").evaluation.sampling
    weights = f"w{progress:.2f}"
    plan = EvaluationPlan((Benchmark("held-out", items),), 4, config, greedy=True, seed=1, weights=weights)
    return sum_up(plan, {Pass.SAMPLED: [sampled], Pass.GREEDY: [greedy]}, weights, 0).to_json()


def _write_tables(
    run: RunFolder, rng: np.random.Generator, t: int, pool: int, centres: Any, past: list[str], oracle: bool
) -> int:
    questions, labels, curated = [], [], []
    for i in range(pool):
        skill = int(rng.zipf(1.6)) % len(SKILLS)
        text = HOSTILE[i // 2] if i % 2 == 0 and i < 2 * len(HOSTILE) else f"A box holds {i} pens. It gains {skill}. How many?"
        lost = i % 19 == 18
        questions.append(
            {
                "index": i,
                "text": f"<question>{text}" if lost else f"<question>{text}</question> \\boxed{{{i}}}",
                "question": None if lost else text,
                "answer": None if lost else str(i),
                "finish_reason": "length" if lost else "stop",
                "completion_tokens": 40 + i % 9,
                "weights": f"c{t}",
            }
        )
        if lost:
            continue
        fate = _fate(t, i)
        share = {"below": 0.1, "above": 1.0, "kept": 0.5}.get(fate, round(float(rng.beta(2, 1.6)) * 10) / 10)
        labels.append(
            {
                "index": i,
                "question": text,
                "answer": str(i),
                "share": share,
                "votes": round(share * 10),
                "boxed": 10,
                "grader_timeouts": 0,
                "truth": str(i) if oracle and i % 5 else None,
                "truth_agrees": (i % 3 > 0) if oracle and i % 5 else None,
                "skill": SKILLS[skill] if oracle and i % 5 else None,
                "well_posed": bool(i % 5) if oracle else None,
            }
        )
        curated.append(_curate(rng, t, i, text, share, skill, centres, [text] if fate == "kept" else past))
    past += [row["question"] for row in curated if row["status"] == "kept"]
    write_table(run.iteration(t) / "questions.parquet", QUESTIONS, questions)
    write_table(run.iteration(t) / "labels.parquet", LABELS, labels)
    write_table(run.iteration(t) / "curated.parquet", CURATED, curated)
    return sum(row["status"] == "kept" for row in curated)


def _fate(t: int, i: int) -> str:
    """So that every hostile text is shown: rejected at first, later kept for the largest P_MAP, as its own nearest item."""
    if i % 2 or i >= 2 * len(HOSTILE):
        return ""
    first = i // 2 < 5
    return ("below" if first else "above") if t == 1 else "kept" if first is (t == 2) else ""


def _curate(
    rng: np.random.Generator, t: int, i: int, text: str, share: float, skill: int, centres: Any, past: list[str]
) -> dict[str, Any]:
    row: dict[str, Any] = {"index": i, "question": text, "answer": str(i), "share": share, "failure": ""}
    if not 0.3 <= share <= 0.8:
        return row | {"status": "below-band" if share < 0.3 else "above-band"}
    if i % 29 == 28:
        return row | {"status": "no-program", "failure": "no parseable function after one retry"}
    vector = centres[skill] + 0.3 * rng.normal(size=centres.shape[1])
    hostile = past == [text]
    s_max = 0.99 if hostile else 0.55 + 0.4 * float(rng.random()) if past else 0.0
    return row | {
        "status": "kept",
        "program": text if hostile else f"def solver(n1={i}, n2={skill}):\n    x = n1 + n2\n    return x",
        "cluster": skill,
        "p_rep": (1 + skill) / 60,
        "s_max": s_max,
        "s_mean": 0.3 if past else 0.0,
        "p_map": 0.5 * (s_max - 0.5) + 0.025 if past else 0.0,
        "nearest_question": past[i % len(past)] if past else None,
        "nearest_iteration": max(1, t - 1) if past else None,
        "vector": (vector / np.linalg.norm(vector)).astype(np.float32).tolist(),
    }


def _figures(t: int, evaluation: dict[str, Any], kept: int, pool: int, oracle: bool) -> dict[str, Any]:
    """A row of summary.json. Figures need not agree with the tables: the page takes them from here."""
    steps = {"evaluate": 6.28}
    if t:
        steps = {"train-challenger": 31.5 + t, "propose": 3.25, "label": 8.125, "curate": 2.5, "train-solver": 28.75} | steps
    made = t > 0
    return {
        "iteration": t,
        "accuracy_sampled": evaluation["accuracy_sampled"],
        "accuracy_greedy": evaluation["accuracy_greedy"],
        "worst_skill": evaluation["worst_skill"],
        "label_accuracy": 0.81 - 0.05 * t if made and oracle else None,
        "ill_posed_share": 0.04 + 0.021 * t if made and oracle else None,
        "kept": kept if made else None,
        "proposed": pool if made else None,
        "malformed": pool // 19 if made else None,
        "replayed": (kept * 3 // 7 if t > 1 else 0) if made else None,
        "mean_self_consistency": 0.55 if made else None,
        "effective_skills": 31.4 - 1.9 * t if made else None,
        "intra_iteration_repetition": 0.31 + 0.04 * t if made else None,
        "cross_iteration_repetition": 0.22 + 0.05 * t if t > 1 else None,
        "mean_cosine": 0.128 + 0.01 * t if made else None,
        "mean_s_max": 0.71 + 0.02 * t if t > 1 else None,
        "grader_timeouts": 0 if made else None,
        "reward_terms": {"uncertainty": 0.31, "p_rep": 0.062 - 0.008 * t, "p_map": 0.11 if t > 1 else 0.0}
        if made
        else {"uncertainty": None, "p_rep": None, "p_map": None},
        "seconds": steps | {"of which trainer start-up": 22.5 if made else 0.0},
    }
