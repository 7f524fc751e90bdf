"""Alerts: valid, tried, and each with a line on what to do."""

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from manifests.rendering.chart import CHART, REPOSITORY, merged, profile_values, render

PROMETHEUS = REPOSITORY / "manifests" / "prometheus"


def promtool(*arguments: str) -> None:
    command = shutil.which("promtool")
    if command is None:
        pytest.skip("promtool is not there; Debian has it in the package prometheus")
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rules(path: Path) -> list[dict]:
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def test_prometheus_takes_them(tmp_path: Path) -> None:
    monitored = {"monitoring": {"rules": True}}
    for release, namespace in (("rdiverse", "rdiverse"), ("other-1", "team-a")):
        objects = render(merged(profile_values("8gpu"), monitored), release, namespace)
        [spec] = [each["spec"] for each in objects if each["kind"] == "PrometheusRule"]
        assert "RELEASE" not in json.dumps(spec)
        assert "NAMESPACE" not in json.dumps(spec)
        path = tmp_path / f"{release}.yaml"
        path.write_text(yaml.safe_dump(spec))
        promtool("check", "rules", str(path))


def test_each_fires_when_it_should_and_is_silent_when_it_should_be() -> None:
    promtool("test", "rules", str(PROMETHEUS / "rules.test.yaml"))


def test_each_is_seen_firing_by_a_test() -> None:
    tests = yaml.safe_load((PROMETHEUS / "rules.test.yaml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in rules(PROMETHEUS / "rules.yaml")}


def test_each_has_a_runbook_entry_and_each_entry_an_alert() -> None:
    entries = dict(re.findall(r"^### (\w+)\n(.+)$", (REPOSITORY / "docs" / "alerts.md").read_text(), re.MULTILINE))
    alerts = rules(CHART / "files" / "rules.yaml")
    assert set(entries) == {rule["alert"] for rule in alerts}
    for rule in alerts:
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_the_log_lines_that_entries_send_to_are_written_by_the_servers() -> None:
    text = (REPOSITORY / "docs" / "alerts.md").read_text()
    quoted = [line for part in re.findall(r"\(log: ([^)]+)\)", text) for line in re.findall(r"`([^`]+)`", part)]
    assert len(quoted) >= 6
    folders = [REPOSITORY / "services" / "rdiverse" / name for name in ("grpcio_kit", "diversity", "inference")]
    literals = {
        node.value
        for folder in folders
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for line in quoted:
        assert any(literal.startswith(line) for literal in literals), line


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "namespace", "release", "run"]
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        position = panel["gridPos"]
        assert position["x"] + position["w"] <= 24
        for target in panel["targets"]:
            assert 'rdiverse_release="$release", namespace="$namespace"' in target["expr"]
            assert target["datasource"]["uid"] == "${datasource}"


def test_the_dashboards_queries_are_promql(tmp_path: Path) -> None:
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    queries = [each["expr"] for panel in dashboard["panels"] for each in panel.get("targets", [])]
    assert len(queries) > 30
    records = [{"record": f"q:{n}", "expr": query.replace("$__rate_interval", "5m")} for n, query in enumerate(queries)]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))
    promtool("check", "rules", str(path))
