"""kill -9 of the service, of Milvus Lite or of both at random moments: nothing acknowledged is lost, nothing partial is seen.

RDIVERSE_CRASH_ROUNDS and RDIVERSE_CRASH_SEED make it longer, or the same again.
"""

import os
import random
import threading
import time
from contextlib import suppress

import pytest
from grpc import StatusCode
from tests.support.diversity_history import History, Iteration
from tests.support.diversity_servers import Lite, Service, running

from rdiverse.diversity.client import DiversityClient, RpcFailure

ROUNDS = int(os.environ.get("RDIVERSE_CRASH_ROUNDS", "8"))
SEED = int(os.environ.get("RDIVERSE_CRASH_SEED", "20260213"))
RUNS = ("first", "second.text", "third-1")
LONGEST_ROUND = 3.0


class Writer(threading.Thread):
    """Commits, commits again, rolls back and deletes, one call at a time, until told to stop or a call has no answer."""

    def __init__(self, client: DiversityClient, histories: dict[str, History], rng: random.Random) -> None:
        super().__init__()
        self.client, self.histories, self.rng = client, histories, rng
        self.stop = threading.Event()
        self.acknowledged = 0
        self.wrong = ""

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self.write_once()
        except RpcFailure as failure:
            # Killed while it worked: no answer. Anything else would be an answer, and a wrong one.
            if failure.code not in (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED):
                self.wrong = str(failure)

    def write_once(self) -> None:
        history = self.histories[self.rng.choice(RUNS)]
        state, action = history.state, self.rng.random()
        if state and action < 0.12:
            after = state[: self.rng.randrange(len(state))]
            history.trying(after)
            self.client.rollback(history.run, len(after), timeout=20)
        elif state and action < 0.2:
            repeated = state[-1]
            again = self.client.commit(history.run, repeated.number, repeated.as_items(), digest=repeated.digest, timeout=20)
            if not again.already_committed:
                self.wrong = f"{history.run}: {repeated} was committed twice"
            return
        else:
            new = Iteration(len(state) + 1, self.rng.randrange(1000), self.rng.choice([1, 7, 60, 400]))
            after = (*state, new)
            history.trying(after)
            self.client.commit(history.run, new.number, new.as_items(), digest=new.digest, timeout=20)
        history.acknowledged(after)
        self.acknowledged += 1


class Reader(threading.Thread):
    """Scores all the while: one revision of a run is one set of items, whoever asks and whenever."""

    def __init__(self, client: DiversityClient, rng: random.Random, seen: dict[tuple[str, str], int]) -> None:
        super().__init__()
        self.client, self.rng, self.seen = client, rng, seen
        self.stop = threading.Event()
        self.contradictions: list[str] = []

    def run(self) -> None:
        item = Iteration(1, 0, 1).as_items()[0]
        while not self.stop.is_set():
            run = self.rng.choice(RUNS)
            with suppress(RpcFailure):
                scored = self.client.score(run, [item], 1001, timeout=5)
                before = self.seen.setdefault((run, scored.revision), scored.memory_items)
                if before != scored.memory_items:
                    self.contradictions.append(f"{run} at {scored.revision}: {before} items, then {scored.memory_items}")
            time.sleep(0.01)


@pytest.mark.long
@pytest.mark.timeout(120 + 40 * ROUNDS)
def test_nothing_acknowledged_is_lost(tmp_path):
    rng = random.Random(SEED)
    lite = Lite(tmp_path)
    service = Service(tmp_path, lite.uri)
    histories = {run: History(run) for run in RUNS}
    acknowledged = 0
    seen: dict[tuple[str, str], int] = {}
    with running(lite, service):
        for round_number in range(ROUNDS):
            victims = rng.choice([[service], [lite], [service, lite], [lite, service]])
            # Without retries: an answer that is lost stays lost, and the history has to bear it.
            with DiversityClient(service.address, retry_seconds=0) as client:
                writer, reader = Writer(client, histories, rng), Reader(client, random.Random(round_number), seen)
                writer.start()
                reader.start()
                time.sleep(rng.uniform(0.05, LONGEST_ROUND))
                for victim in victims:
                    victim.kill()
                for thread in (writer, reader):
                    thread.stop.set()
                    thread.join(60)
                    assert not thread.is_alive()
                assert not writer.wrong, writer.wrong
                assert not reader.contradictions, reader.contradictions
                acknowledged += writer.acknowledged
            for victim in sorted(victims, key=lambda process: process is service):
                victim.start()
                victim.wait_until_ready()
            service.wait_until_ready()
            with DiversityClient(service.address, retry_seconds=20) as client:
                for history in histories.values():
                    history.resolve(client)
                    history.check(client)
                if sum(len(history.state) for history in histories.values()) > 30:
                    for history in histories.values():
                        if history.state:
                            client.delete_run(history.run)
                            history.acknowledged(())
    assert acknowledged >= ROUNDS, "the writer wrote"
