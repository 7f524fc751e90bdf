"""A Solver and a diversity service that answer by rule, as a process of their own: it can be killed and come back.

`python -m tests.support.training_services PORT SECONDS` (of a call). The share of a question is a function of its text;
P_rep is the share of the batch with the same text.
"""

import hashlib
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from rdiverse.v1 import diversity_pb2, diversity_pb2_grpc, solver_pb2, solver_pb2_grpc

ROOT = Path(__file__).parents[2]


def share_of(question: str) -> float:
    """A self-consistency in steps of a tenth, made from the text."""
    return hashlib.sha256(question.encode()).digest()[0] % 11 / 10


class Solver(solver_pb2_grpc.SolverServiceServicer):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def Solve(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[solver_pb2.SolveResponse]:
        settings = next(requests).settings
        problems = [problem for request in requests for problem in request.chunk.problems]
        time.sleep(self._seconds)
        if settings.expected_weights not in {"", "served"}:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "other weights are served")
        for problem in reversed(problems):
            solved = solver_pb2.SolvedProblem(
                index=problem.index, answer="1", share=share_of(problem.question), votes=1, boxed=1, weights="served"
            )
            yield solver_pb2.SolveResponse(problems=[solved])


class Diversity(diversity_pb2_grpc.DiversityServiceServicer):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def Score(self, requests: Iterator[Any], _context: grpc.ServicerContext) -> Iterator[diversity_pb2.ScoreResponse]:
        header = next(requests).header
        questions = [item.question for request in requests for item in request.chunk.items]
        time.sleep(self._seconds)
        same = Counter(questions)
        scores = [
            diversity_pb2.ItemScore(
                p_rep=same[question] / len(questions),
                p_map=0.1 * (header.before_iteration > 1),
                origin=diversity_pb2.ORIGIN_QUESTION,
            )
            for question in questions
        ]
        yield diversity_pb2.ScoreResponse(scores=scores, batch_size=len(questions), clusters=len(same))


def serve(port: int, seconds: float) -> None:
    server = grpc.server(ThreadPoolExecutor(8))
    solver_pb2_grpc.add_SolverServiceServicer_to_server(Solver(seconds), server)
    diversity_pb2_grpc.add_DiversityServiceServicer_to_server(Diversity(seconds), server)
    assert server.add_insecure_port(f"127.0.0.1:{port}") == port
    server.start()
    print("ready", flush=True)
    signal.pause()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_services(port: int, seconds: float = 0.0) -> subprocess.Popen[bytes]:
    """Start the process and wait until it serves."""
    command = [sys.executable, "-m", "tests.support.training_services", str(port), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


@contextmanager
def services(seconds: float = 0.0) -> Iterator[dict[str, str]]:
    """Running services, as the environment that a trainer finds them by."""
    port = free_port()
    process = start_services(port, seconds)
    try:
        yield addresses(port)
    finally:
        process.kill()
        process.wait()


def addresses(port: int) -> dict[str, str]:
    return {"RDIVERSE_SOLVER_ADDRESS": f"127.0.0.1:{port}", "RDIVERSE_DIVERSITY_ADDRESS": f"127.0.0.1:{port}"}


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))
