"""What the chart runs and watches, against real servers on this machine: the CPU profile's, with its rendered configuration."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from manifests.rendering.chart import CHART, merged, profile_values, render
from prometheus_client.parser import text_string_to_metric_families
from tests.support.diversity_servers import Lite, Process, Service, free_port, running
from tests.support.inference_serving import Served, served
from tests.support.training_models import write_phase

from rdiverse.config import RunConfig, load_config
from rdiverse.diversity.client import DiversityClient, Item
from rdiverse.inference.client import ChallengerClient, LanguageModelClient, SolverClient
from rdiverse.lm.weights import resolve_resource
from rdiverse.selfplay.roles import Role
from rdiverse.training.train import train

PROMETHEUS_OWN = {"up"}
NANO = "pkg:rdiverse.nano/checkpoint"
LOCAL = Path(__file__).parents[2] / "configs" / "local.yaml"
CODE = "def solver(n1=2, n2=3):\n    return n1 + n2\n"


class Running:
    """The services of one release."""

    def __init__(self, diversity: Service, models: dict[str, Served]) -> None:
        self.diversity = diversity
        self.models = models

    def environment(self) -> dict[str, str]:
        models = {f"RDIVERSE_{role.upper()}_ADDRESS": server.address for role, server in self.models.items()}
        return models | {"RDIVERSE_DIVERSITY_ADDRESS": self.diversity.address}

    def names(self) -> set[str]:
        """Names of all samples that the servers give."""
        ports = {self.diversity.metrics_port, *(server.serving.metrics_port for server in self.models.values())}
        return {name for port in ports for name in sample_names(f"127.0.0.1:{port}")}


class Diversity(Service):
    """The diversity service with the arguments and the configuration that the chart gives it."""

    def __init__(self, folder: Path, milvus: str, coder: str) -> None:
        super().__init__(folder, milvus, coder=coder)
        objects = render(profile_values("cpu"))
        [config] = [each["data"]["config.yaml"] for each in objects if "config.yaml" in each.get("data", {})]
        (folder / "config.yaml").write_text(config)
        [server] = [each for each in objects if each["kind"] == "StatefulSet"]
        ours = {
            "0.0.0.0:9000": self.address,
            "9100": str(self.metrics_port),
            "/etc/rdiverse/config/config.yaml": str(folder / "config.yaml"),
        }
        arguments = [ours.get(word, word) for word in server["spec"]["template"]["spec"]["containers"][0]["args"]]
        assert len(set(ours.values()) & set(arguments)) == 3
        self._command = [sys.executable, "-m", "rdiverse.cli", *arguments]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("release")
    nano = load_config(LOCAL)
    embedding = RunConfig.model_validate(nano.model_dump() | {"encoder": {"kind": "model", "model": NANO}})
    with ExitStack() as stack:
        models = {role: stack.enter_context(served(role, nano)) for role in ("coder", "solver", "challenger")}
        models["encoder"] = stack.enter_context(served("encoder", embedding))
        lite = Lite(folder / "lite")
        diversity = Diversity(folder / "diversity", lite.uri, models["coder"].address)
        processes: tuple[Process, ...] = (lite, diversity)
        stack.enter_context(running(*processes))
        yield Running(diversity, models)


def sample_names(address: str) -> set[str]:
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {sample.name for family in families for sample in family.samples}


def watched() -> dict[str, set[str]]:
    """Where -> names of metrics in the rules and in the dashboard."""
    rules = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    found = {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}
    for panel in dashboard["panels"]:
        found |= {f"{panel['title']} {each['refId']}": each["expr"] for each in panel.get("targets", [])}
    return {where: metric_names(expression) for where, expression in found.items()}


def metric_names(expression: str) -> set[str]:
    """A metric's name stands before its braces; every selector here has some."""
    return set(re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{", expression))


def test_every_selector_of_a_rule_names_the_release() -> None:
    for group in yaml.safe_load((CHART / "files" / "rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            selectors = re.findall(r"\{([^}]*)\}", rule["expr"])
            assert selectors, rule["alert"]
            for selector in selectors:
                assert selector.startswith('rdiverse_release="RELEASE", namespace="NAMESPACE"'), rule["alert"]


def test_every_metric_that_is_watched_is_exported(release: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_everything(release)
    exported = release.names() | PROMETHEUS_OWN
    for name, value in release.environment().items():
        monkeypatch.setenv(name, value)
    for role in (Role.CHALLENGER, Role.SOLVER):
        exported |= names_of_a_trainer(tmp_path / role, role)

    names = watched()
    assert len(names) > 40
    missing = {f"{where}: {name}" for where, found in names.items() for name in found - exported}
    assert missing == set()
    ours = {name for found in names.values() for name in found if name.startswith(("rdiverse_", "grpc_"))}
    assert len(ours) > 35


def names_of_a_trainer(folder: Path, role: Role) -> set[str]:
    """Train one step for real, and look at what the trainer shows."""
    model = Path(resolve_resource(NANO))
    phase = write_phase(folder, model, role, steps=1, prompts_per_step=4, group_size=4, updates_per_step=1)
    phase = replace(phase, metrics_address=f"127.0.0.1:{free_port()}", run="trained" if role is Role.CHALLENGER else "")
    train(phase, time.time())
    return sample_names(phase.metrics_address)


def ask_everything(release: Running) -> None:
    """Once each, so that metrics with labels are there."""
    address = {role: server.address for role, server in release.models.items()}
    questions = [each.question for each in ChallengerClient(address["challenger"]).propose(8, seed=1) if each.question]
    SolverClient(address["solver"]).solve(questions, 4, seed=1)
    LanguageModelClient(address["encoder"]).embed([CODE])
    with DiversityClient(release.diversity.address) as client:
        client.score("watched", questions, before_iteration=1)
        client.commit("watched", 1, [Item("one", program=CODE, answer="5", share=0.5)])
        client.score("watched", ["two"], before_iteration=2)


def ask(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CHART / "files" / "ask.py")]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False)


def test_helm_test_asks_every_service(release: Running) -> None:
    asked = ask(release.environment())
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert re.fullmatch(
        r"ok    diversity: committed, scored, rolled back\n"
        r"ok    coder: wrote \d+ tokens, weights \w+\n"
        r"ok    encoder: \d+ components, weights \w+\n",
        asked.stdout,
    )
    with DiversityClient(release.diversity.address) as client:
        assert not [run for run in client.list_runs() if run.run.startswith("helm-test")], "it leaves nothing behind"


def test_helm_test_says_which_service_is_at_fault(release: Running) -> None:
    environment = release.environment() | {"RDIVERSE_CODER_ADDRESS": release.diversity.address, "RDIVERSE_ENCODER_ADDRESS": ""}
    asked = ask(environment)
    assert asked.returncode == 1
    assert "ok    diversity" in asked.stdout
    assert "fault coder: LanguageModelService.Generate" in asked.stdout
    assert "Traceback" not in asked.stderr


def test_the_test_pod_runs_this_script_with_the_addresses_of_the_release() -> None:
    objects = render(merged(profile_values("8gpu"), {"auth": {"tokensSecret": {"name": "tokens"}}}))
    [pod] = [each for each in objects if each["kind"] == "Pod"]
    [script] = [each for each in objects if each["kind"] == "ConfigMap" and "ask.py" in each.get("data", {})]
    assert script["data"]["ask.py"].strip() == (CHART / "files" / "ask.py").read_text().strip()
    for each in (pod, script):
        assert each["metadata"]["annotations"]["helm.sh/hook"] == "test"
    [container] = pod["spec"]["containers"]
    assert container["command"] == ["python", "/test/ask.py"]
    environment = {entry["name"] for entry in container["env"]}
    assert {f"RDIVERSE_{name}_ADDRESS" for name in ("DIVERSITY", "CODER", "ENCODER")} <= environment
    assert "RDIVERSE_TOKEN_FILE" in environment
