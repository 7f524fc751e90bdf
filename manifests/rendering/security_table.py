"""The tables of docs/security.md: who may do what, and who may talk to whom, read from rendered objects."""

import json
import re
from collections.abc import Iterator
from typing import Any

from manifests.rendering.chart import Object, merged, profile_values, render

INSTANCE, COMPONENT = "app.kubernetes.io/instance", "app.kubernetes.io/component"


def fullest() -> list[Object]:
    """The release with everything that a value can switch on, so that no row is left out."""
    changes = {
        "diversity": {"read": {"replicas": 2, "autoscaling": {"enabled": True}}},
        "tls": {"enabled": True, "certManager": {"enabled": True, "issuer": {"name": "ca"}}},
        "auth": {"tokensSecret": {"name": "tokens"}},
        "monitoring": {"monitors": True, "rules": True, "dashboard": True},
    }
    return render(merged(profile_values("8gpu"), changes))


def rbac_rows(objects: list[Object]) -> list[tuple[str, str, str, str, str]]:
    """(who, by which role, API group, resource, verbs), one row a rule and resource."""
    bound: dict[tuple[str, str], list[str]] = {}
    for each in objects:
        if each["kind"] in {"RoleBinding", "ClusterRoleBinding"}:
            role = (each["roleRef"]["kind"], each["roleRef"]["name"])
            bound.setdefault(role, []).extend(subject["name"] for subject in each["subjects"])
    rows = []
    for each in objects:
        if each["kind"] not in {"Role", "ClusterRole"}:
            continue
        name = each["metadata"]["name"]
        who = ", ".join(bound.get((each["kind"], name), ["nobody"]))
        for rule in each["rules"]:
            for group in rule["apiGroups"]:
                only = "".join(f" {one}" for one in rule.get("resourceNames", []))
                resources = [what + only for what in rule["resources"]]
                rows += [(who, f"{each['kind']} {name}", group, what, ", ".join(rule["verbs"])) for what in resources]
    return rows


def network_rows(objects: list[Object]) -> list[tuple[str, str, str]]:
    """(from, to, port), each line that some NetworkPolicy opens; a line inside counts when both ends open it."""
    into, out = set(), set()
    for each in objects:
        if each["kind"] != "NetworkPolicy":
            continue
        this = each["spec"]["podSelector"]["matchLabels"].get(COMPONENT, "every pod")
        for rule in each["spec"].get("ingress", []):
            into |= {(peer, this, port) for peer in _peers(rule, "from") for port in _ports(rule)}
        for rule in each["spec"].get("egress", []):
            out |= {(this, peer, port) for peer in _peers(rule, "to") for port in _ports(rule)}
    guarded = {end for row in into for end in (row[1],)} | {row[0] for row in out}
    found = {row for row in into if row in out or row[0] not in guarded} | {row for row in out if row[1] not in guarded}
    return sorted(found)


def tables() -> dict[str, str]:
    """Marker -> table."""
    objects = fullest()
    rbac = "\n".join(f"| {' | '.join(cell or '(core)' for cell in row)} |" for row in rbac_rows(objects))
    network = "\n".join(f"| {' | '.join(row)} |" for row in network_rows(objects))
    return {
        "rbac": f"| who | by | API group | resource | verbs |\n|---|---|---|---|---|\n{rbac}",
        "network": f"| from | to | port |\n|---|---|---|\n{network}",
    }


def filled(page: str) -> str:
    """A page with its tables made anew, each between `<!-- table: NAME -->` and `<!-- end -->`. Raises KeyError."""
    made = tables()
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{made[found[2]]}\n{found[3]}",
        page,
        flags=re.DOTALL,
    )


def _peers(rule: Object, key: str) -> Iterator[str]:
    if not rule.get(key):
        yield "any address"
    for peer in rule.get(key) or []:
        yield _peer(peer)


def _peer(peer: Object) -> str:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return f"addresses {block['cidr']}" + (f" but {', '.join(block['except'])}" if "except" in block else "")
    space: Any = peer.get("namespaceSelector")
    pods = peer.get("podSelector", {}).get("matchLabels", {})
    if space is not None:
        labels = space.get("matchLabels", {})
        inside = f" that are {json.dumps(pods)}" if pods else ""
        return ("pods of any namespace" if not labels else f"pods of namespace {', '.join(labels.values())}") + inside
    component = pods[COMPONENT]
    return f"{component}" if INSTANCE in pods else f"{component} (of any release)"


def _ports(rule: Object) -> Iterator[str]:
    if not rule.get("ports"):
        yield "any"
    for port in rule.get("ports") or []:
        yield f"{port['port']}/{port['protocol']}"
