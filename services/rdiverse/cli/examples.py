"""An example for the help of every command."""

from collections.abc import Mapping
from typing import Final

import typer

EXAMPLES: Final[Mapping[str, str]] = {
    "run": "run --config configs/local.yaml --method r-zero --seed 1 solver.samples=10",
    "serve": "serve solver --config configs/local.yaml --listen 127.0.0.1:9000 --metrics-port 9100",
    "train": "train solver --config configs/local.yaml --dataset questions.parquet --output trained/solver",
    "evaluate": "evaluate --address 127.0.0.1:9000 --benchmarks gsm8k,mine=questions.jsonl --output results",
    "compare": "compare --config configs/local.yaml --methods r-zero,r-diverse --seeds 3 --output compared",
    "report": "report workspace/runs/r-diverse-seed0 --watch",
    "runs": "runs --workspace workspace --json",
    "memory score": "memory score my-run 'What is 2 + 3?' 'What is 7 + 9?' --address 127.0.0.1:9000",
    "memory neighbors": "memory neighbors my-run 'What is 2 + 3?' --count 3 --address 127.0.0.1:9000",
    "memory stats": "memory stats my-run --address 127.0.0.1:9000",
    "memory export": "memory export my-run my-run.jsonl --address 127.0.0.1:9000",
    "memory restore": "memory restore my-run my-run.jsonl --address 127.0.0.1:9000",
    "memory rollback": "memory rollback my-run 2 --yes --address 127.0.0.1:9000",
    "nano pretrain": "nano pretrain --out checkpoint --seed 1",
    "nano controlled": "nano controlled --config configs/local.yaml --output controlled --seeds 3",
    "pipeline compile": "pipeline compile --iterations 3 --image-prefix registry.example/team",
    "pipeline upload": "pipeline upload rdiverse-3.yaml --endpoint http://127.0.0.1:8888",
    "pipeline submit": "pipeline submit --config configs/qwen3-4b.yaml --package rdiverse-5.yaml --endpoint http://127.0.0.1:8888",
    "pipeline status": "pipeline status 1f3c0f4e-7a51-4f0c-9d0c-2f2f3a4b5c6d --endpoint http://127.0.0.1:8888",
}
"""Command -> its example, without the program's name."""


def add_examples(app: typer.Typer, prefix: str = "") -> None:
    """Put an example under the help of every command of `app` and of its groups. Raises KeyError for one that has none."""
    for command in app.registered_commands:
        name = str(command.name or getattr(command.callback, "__name__", ""))
        command.epilog = f"Example: rdiverse {EXAMPLES[prefix + name]}"
    for group in app.registered_groups:
        if group.typer_instance is not None:
            add_examples(group.typer_instance, f"{group.name} ")
