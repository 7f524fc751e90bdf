r"""The grading pool with its real processes: what they find equal, and that none can hold it up or be left behind."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.answers import KINDS, pairs

from rdiverse.grading.pool import GradingPool
from rdiverse.runs.lifeline import held_lifeline
from rdiverse.selfplay.voting import vote


def cube(n: int) -> tuple[str, str]:
    """An equal pair that normal forms leave open."""
    return rf"\sqrt[3]{{{1 + 3 * n}+{3 + n}\sqrt{{{n}}}}}", rf"1+\sqrt{{{n}}}"


OPEN = cube(2)
HANGING = [(r"\sum_{n=1}^{10^{9}} \sin(n^{n})", "5"), (r"\prod_{k=1}^{1000000000} k", "3")]


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "rdiverse.grading.worker" in " ".join(p.cmdline())]


def ended(process: psutil.Process) -> bool:
    """Whether a process is gone, or waits only for whoever inherited it to ask for its status."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    with GradingPool(workers=2) as pool:
        yield pool


@pytest.mark.parametrize(
    ("a", "b"),
    [
        OPEN,
        (r"\frac{1}{n}-\frac{1}{n+1}", r"\frac{1}{n(n+1)}"),
        (r"\sin^2 x + \cos^2 x", "1"),
        (r"\sin 30^\circ", "1/2"),
        (r"\frac{1}{1+\sqrt{2}}", r"\sqrt{2}-1"),
        (r"\frac{1}{\sqrt{2}+\sqrt{3}+\sqrt{5}}", r"\frac{\sqrt{30}}{-12}+\frac{\sqrt2}{4}+\frac{\sqrt3}{6}"),
        (r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt2"),
        (r"\frac{1}{\sqrt{3-2\sqrt{2}}}", r"1+\sqrt2"),
        (r"\sqrt{5-2\sqrt6}", r"\sqrt3-\sqrt2"),
        ("1+2i", r"\frac{5}{1-2i}"),
        (r"\frac{n!}{(n-2)!}", "n(n-1)"),
        (r"\log_{10} 1000 + \log_2 3", r"3+\frac{\ln 3}{\ln 2}"),
        (rf"({OPEN[0]}, 1)", rf"({OPEN[1]}, 1)"),
        (rf"\{{1, {OPEN[0]}\}}", rf"{OPEN[1]}, 1"),
        (r"e^{i\pi}", "-1"),
        (r"\int_0^1 x^2\,dx", r"\frac{1}{3}"),
        (r"\sum_{k=1}^{10} k", "55"),
    ],
)
def test_equal_answers_that_normal_forms_leave_open(pool: GradingPool, a: str, b: str) -> None:
    assert pool.equal(a, b)
    assert pool.equal(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (OPEN[0], r"\sqrt2"),
        (r"\frac{1}{n}-\frac{1}{n+1}", r"\frac{1}{n(n-1)}"),
        (r"\int_0^1 x^2\,dx", r"\frac{1}{2}"),
        (r"\sum_{k=1}^{10} k", "56"),
        ("1.24e-8", r"\int_0^1 0\,dx"),
        (r"\sqrt{10^{16}+1}", r"10^8+\frac{1}{2 \cdot 10^8}"),
    ],
)
def test_different_answers_that_normal_forms_leave_open(pool: GradingPool, a: str, b: str) -> None:
    assert not pool.equal(a, b)
    assert not pool.equal(b, a)


def test_a_vote_does_not_depend_on_the_order_of_its_samples(pool: GradingPool) -> None:
    answers = [OPEN[0], OPEN[1], r"\sqrt2+1", "2.41421", None]
    outcomes = {vote(order, pool.classes)[:4] for order in permutations(answers)}
    assert len(outcomes) == 1
    assert outcomes.pop()[1:] == (0.6, 3, 4)


def test_processes_start_only_when_they_are_needed() -> None:
    with GradingPool(workers=2) as pool:
        before = children()
        assert pool.equal("0.5", r"\frac12")
        assert not pool.equal("7", "8")
        assert children() == before
        assert pool.equal(*OPEN)
        assert len(children()) == len(before) + 1


@pytest.mark.parametrize("pair", [*HANGING, ("9**9**9**9+x", "3x"), ("((4!)!)!", "5"), ("9^{9^{9^{9}}}+x", "3x")])
def test_expressions_that_hang_a_library_cost_seconds_and_are_unequal(pair: tuple[str, str]) -> None:
    with GradingPool() as pool:
        pool.equal(r"\sum_{k=1}^{10} k", "55")  # so that the library is loaded
        start = time.monotonic()
        assert not pool.equal(*pair)
        assert time.monotonic() - start < 5
        assert pool.equal(*OPEN)


def test_a_check_that_runs_out_of_time_is_counted_and_its_process_replaced() -> None:
    before = set(children())
    with GradingPool(timeout=0.5) as pool:
        assert pool.equal(*OPEN)
        [first] = set(children()) - before
        assert not pool.equal(*HANGING[0])
        assert pool.timeouts == 1
        assert not psutil.pid_exists(first.pid)
        assert pool.equal(*cube(3))
        [second] = set(children()) - before
        assert second.pid != first.pid
        # The same pair again is known; the same answer against ever more others is given up.
        start = time.monotonic()
        assert not pool.equal(*reversed(HANGING[0]))
        assert time.monotonic() - start < 0.1
        for other in range(10, 20):
            assert not pool.equal(HANGING[0][0], str(other))
        assert pool.timeouts == 12, "what a time-out decided counts each time"
    assert set(children()) == before


def test_a_killed_process_is_replaced() -> None:
    with GradingPool() as pool:
        before = set(children())
        assert pool.equal(*OPEN)
        [worker] = set(children()) - before
        worker.kill()
        worker.wait()
        assert not pool.equal(*cube(3))
        assert pool.timeouts == 1
        assert pool.equal(*cube(5))


def test_closing_leaves_no_process_and_refuses_work() -> None:
    before = children()
    with GradingPool(workers=2, timeout=1) as pool, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: pool.equal(*cube(n)), range(2, 8)))
        pool.equal(*HANGING[0])
    assert children() == before
    assert not [p for p in psutil.Process().children() if p.status() == psutil.STATUS_ZOMBIE and p not in before]
    pool.close()
    assert pool.equal("0.5", "1/2")
    with pytest.raises(RuntimeError, match="closed"):
        pool.equal(*cube(10))


def test_many_threads_get_the_answers_of_one() -> None:
    pairs = [(cube(n)[0], cube(n)[1] + wrong) for n in (2, 3, 5, 6, 7) for wrong in ("", "-1")]
    with GradingPool(workers=2) as pool, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda pair: pool.equal(*pair), pairs * 3))
        assert answers == [True, False] * 15
        assert pool.timeouts == 0


@pytest.mark.parametrize("arguments", [{"workers": 0}, {"timeout": 0}])
def test_a_pool_needs_workers_and_time(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        GradingPool(**arguments)


def test_r_zeros_rules() -> None:
    with GradingPool(compat=True) as pool:
        assert pool.equal("50%", "50")
        assert not pool.equal("50%", "0.5")
        assert not pool.equal("2/4", "1/2")
        assert pool.equal("x+1", "1+x")
        assert not pool.equal("x+1", "x-1")


@pytest.mark.parametrize("hanging", [False, True], ids=["idle", "in one long multiplication"])
def test_processes_end_with_a_parent_that_was_killed(tmp_path: Path, hanging: bool) -> None:
    """Even one that is deep in a multiplication and runs no Python: the kernel's timer ends it."""
    power = "7^{1000000000}" if hanging else "7"
    code = (
        "import threading, time; from rdiverse.grading.process import Worker; worker = Worker();"
        f"ask = lambda a: worker.ask('latex', a, '3', 2); ask('1'); print(worker.pid, flush=True);"
        f"threading.Thread(target=ask, args=({power!r},), daemon=True).start(); time.sleep(60)"
    )
    with held_lifeline(tmp_path / "lifeline") as environment:
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ | environment)
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.5)
        assert worker.is_running()
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 5
        while not ended(worker) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert ended(worker)


def test_a_number_joins_a_unit_only_where_the_vote_holds_one() -> None:
    with GradingPool() as pool:
        assert sorted(map(sorted, pool.classes(["100", "100 cm", "1 m", "1"]))) == [["1"], ["1 m", "100 cm"], ["100"]]
        assert sorted(map(sorted, pool.classes(["100", "100 cm", "100.0 cm", "7"]))) == [["100", "100 cm", "100.0 cm"], ["7"]]
        assert sorted(map(sorted, pool.classes(["8", "8%", "0.08"]))) == [["0.08"], ["8"], ["8%"]]
        assert sorted(map(sorted, pool.classes(["0.08", "8%", "9"]))) == [["0.08", "8%"], ["9"]]
        assert sorted(map(sorted, pool.classes(["x=1,y=2", "x=2,y=1", "1,2"]))) == [["1,2", "x=1,y=2"], ["x=2,y=1"]]
        assert len(pool.classes(["2x-y+1=0", "y=2x+1", "2x+1", "y=2x-1"])) == 2


POOLED = st.sampled_from(
    [text for kind in KINDS for pair in pairs(kind, 4, equal=True, seed=3) for text in (pair.a, pair.b)]
) | (
    st.sampled_from(
        ["5", "5 m", "500 cm", "5%", "0.05", "1/20", "5 s", "x=5", "5, 6", "x=5, y=6", "y=5, x=6", OPEN[0], OPEN[1]]
    )
)


@settings(deadline=None, max_examples=150)
@given(st.lists(POOLED, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_classes_are_an_equivalence_that_no_order_changes(pool: GradingPool, answers: list[str], rng: random.Random) -> None:
    classes = pool.classes(answers)
    assert sorted(member for members in classes for member in members) == sorted(set(answers))
    again = pool.classes(rng.sample(answers, len(answers)))
    assert sorted(map(sorted, classes)) == sorted(map(sorted, again))
    for a in answers:
        assert pool.equal(a, a)
        for b in answers:
            assert pool.equal(a, b) == pool.equal(b, a)


@settings(deadline=None, max_examples=100)
@given(st.lists(POOLED, min_size=2, max_size=6), st.integers(0, 2**32))
def test_classes_are_an_equivalence_whatever_the_library_says(answers: list[str], salt: int) -> None:
    """A library whose verdicts are drawn at random, each by its pair alone."""
    pool = GradingPool()
    pool.ask = lambda kind, a, b: [True, False, None][hash((salt, repr(a), repr(b), kind)) % 3]  # type: ignore[method-assign]
    classes = pool.classes(answers)
    assert sorted(member for members in classes for member in members) == sorted(set(answers))
    assert sorted(map(sorted, pool.classes(answers[::-1]))) == sorted(map(sorted, classes))


@pytest.mark.parametrize(
    "monster",
    [
        "2^{3^{4^{5^{6}}}}",
        "9^{9^{9^{9}}} + x",
        "(((5!)!)!)!",
        "3!!!!!!!!!",
        r"\binom{10^{12}}{10^{11}}",
        r"\binom{99999}{49999}",
        "(" * 400 + "1" + ")" * 400,
        r"\frac{" * 200 + "1" + "}{2}" * 200,
        "5 " + "m kg s ft " * 150,
        "5 m" + "^{9}" * 300,
        "5 ft 6 in " * 150,
        r"\angle " + "A" * 1900 + "! = 3",
        "P(" * 300 + "x" + ")" * 300 + " = 1",
        "the " * 450 + "= 5",
        "1:" * 900 + "1",
        "x_{1}" * 350 + "=1",
        r"\pm" * 900,
        r"\begin{vmatrix}" + r"x & y & z & w & v \\" * 5 + r"\end{vmatrix}",
        "0." + "3" * 1900 + r"\ldots",
        "7" * 1_000_000,
        "x" * 1_000_000,
        "½" * 1900,
        r"\text{" * 600,
        "12:" * 600 + "PM",
        "2^{49999}" + "+3^{31000}" * 150,
        r"\sum_{n=1}^{10^{9}} n^{n^{n}}",
    ],
    ids=range(26),
)
def test_no_answer_holds_a_vote_up(pool: GradingPool, monster: str) -> None:
    pool.equal(r"\sum_{k=1}^{10} k", "55")  # so that the library is loaded
    start = time.process_time()
    assert len(pool.classes([monster, "5", "x+1", "5 m", r"\sum_{k=1}^{10} k"])) >= 4
    assert pool.equal(monster, monster)
    assert not pool.equal(monster, "17")
    assert time.process_time() - start < 3
    assert pool.equal(*OPEN)
