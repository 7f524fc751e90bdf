"""Runs the benchmarks and rewrites results.json: python -m benchmarks [NAME ...] (default: all).

Every benchmark runs in a process of its own, one after another, and its ratios come from that one run on the machine that is
named beside them. Results of benchmarks that were not asked for are kept.
"""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names or NAMES:
        print(f"{name} ...", flush=True)
        code = f"import json; from benchmarks.{name} import measure; print(json.dumps(measure()))"
        done = subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parent, stdout=subprocess.PIPE, text=True, check=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        results[name] = figures | {"machine": machine(), "measured": datetime.now(UTC).date().isoformat()}
        RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")


def machine() -> dict[str, str | int]:
    """Where the figures were taken."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    return {"processor": model, "cores": os.cpu_count() or 0, "python": platform.python_version(), "system": platform.system()}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main(sys.argv[1:])
