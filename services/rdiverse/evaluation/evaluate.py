"""Measures a served model on benchmarks."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from rdiverse.config import EvaluationConfig
from rdiverse.evaluation.answers import EvaluationPlan, Pass
from rdiverse.evaluation.ask import ReportProgress, ask
from rdiverse.evaluation.figures import Evaluation, sum_up
from rdiverse.evaluation.grade import grade, strict
from rdiverse.evaluation.items import Benchmark
from rdiverse.evaluation.scorers import Scorers
from rdiverse.evaluation.store import AnswerStore, passes
from rdiverse.grading.pool import GradingPool
from rdiverse.inference.client import SolverClient
from rdiverse.runs.files import write_json
from rdiverse.runs.lock import locked


def evaluate(
    benchmarks: Sequence[Benchmark],
    solver: SolverClient,
    config: EvaluationConfig,
    *,
    seed: int | None,
    expected_weights: str,
    grader: GradingPool,
    folder: Path | None = None,
    scorers: Scorers | None = None,
    progress: ReportProgress | None = None,
) -> Evaluation:
    """Draw `config.samples` answers to every question, and one greedy answer if `config.greedy`, and score them strictly.

    The score is of what stands in the last balanced box; no box is a wrong answer, and nothing is guessed. Calls hold the
    questions of all benchmarks, so that the engine's batches stay full.

    With a `folder`, answers are kept there and the result is written to its evaluation.json; the same evaluation into the
    same folder asks only what is missing, and with a seed it gets what an undisturbed one would have got. `scorers` say
    what other ways of scoring make of the same responses; they change no other figure.

    Raises ValueError without a benchmark or with two of one name, StoreError when the folder holds another evaluation,
    RunBusyError when another process works in it, WeightsChangedError, and whatever the client raises.
    """
    names = [benchmark.name for benchmark in benchmarks]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"benchmarks: must hold at least one benchmark, each with a name of its own; their names are {names}")
    plan = EvaluationPlan(tuple(benchmarks), config.samples, config.sampling, config.greedy, seed, expected_weights)
    with ExitStack() as stack:
        folder = folder or Path(stack.enter_context(TemporaryDirectory(prefix="rdiverse-evaluation-")))
        stack.enter_context(locked(folder / "lock"))
        store = AnswerStore(folder, plan)
        ask(plan, solver, store, progress)
        evaluation = _score(plan, store, grader, scorers)
        write_json(folder / "evaluation.json", evaluation.to_json())
    return evaluation


def _score(plan: EvaluationPlan, store: AnswerStore, grader: GradingPool, scorers: Scorers | None) -> Evaluation:
    timeouts = grader.timeouts
    answers = passes(plan, store)
    graded = {kind: grade(plan.benchmarks, given, strict(grader)) for kind, given in answers.items()}
    scored = Pass.GREEDY if plan.greedy else Pass.SAMPLED
    others = scorers.table(plan.benchmarks, answers[scored], graded[scored]) if scorers else ()
    return sum_up(plan, graded, store.weights, grader.timeouts - timeouts, others)
