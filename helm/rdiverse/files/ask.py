# ruff: noqa: INP001, T201  a script that stands alone and talks to whoever reads its log
"""`helm test`: one item through the diversity service and back out, one question to each model.

Ends with status 1 on a fault.
"""

import os
import sys
import uuid

from rdiverse.diversity.client import DiversityClient, Item
from rdiverse.grpcio_kit.client import RpcFailure
from rdiverse.inference.client import LanguageModelClient

QUESTION = "What is 12 + 30?"
PROGRAM = "def solver(n1=12, n2=30):\n    return n1 + n2\n"


def ask_diversity(address: str) -> str:
    """Commit an item to a memory of its own, find it again, drop it."""
    run = f"helm-test-{uuid.uuid4().hex[:8]}"
    item = Item(QUESTION, program=PROGRAM, answer="42", share=0.5)
    with DiversityClient(address) as client:
        revision = client.commit(run, 1, [item]).revision
        try:
            score = client.score(run, [item], before_iteration=2, min_revision=revision)[0]
            if score.s_max < 0.999:
                raise ValueError(f"the committed item is not found again: S_max = {score.s_max}")
            dropped = client.rollback(run, 0)[1]
            if dropped != [1]:
                raise ValueError(f"rollback dropped {dropped}, not [1]")
        finally:
            client.delete_run(run)
    return "committed, scored, rolled back"


def ask_coder(address: str) -> str:
    """Let it write a few tokens."""
    client = LanguageModelClient(address)
    written = next(iter(client.generate([("", QUESTION)], timeout=300)))
    if not written.completion_tokens:
        raise ValueError("it wrote nothing")
    return f"wrote {written.completion_tokens} tokens, weights {written.weights}"


def ask_encoder(address: str) -> str:
    """Let it embed a program."""
    vectors, weights = LanguageModelClient(address).embed([PROGRAM], timeout=300)
    return f"{vectors.shape[1]} components, weights {weights}"


def main() -> int:
    """Ask every service that the environment names."""
    faults = 0
    for name, ask in (("diversity", ask_diversity), ("coder", ask_coder), ("encoder", ask_encoder)):
        address = os.environ.get(f"RDIVERSE_{name.upper()}_ADDRESS")
        if not address:
            continue
        try:
            print(f"ok    {name}: {ask(address)}", flush=True)
        except (RpcFailure, ValueError) as error:
            faults += 1
            print(f"fault {name}: {error}", flush=True)
            if name != "diversity":
                print(f"      (a run that ended may have stopped it: plan.rest.{name})", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
