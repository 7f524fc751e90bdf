"""The latest step's figures for Prometheus, on rank 0."""

from typing import Any

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from rdiverse.training.launch.phase import Phase

LEFT_OUT = {"phase", "iteration", "time"}


class Gauges:
    """One gauge a figure, named rdiverse_training_<figure>, labelled with role and iteration."""

    def __init__(self, phase: Phase, serve: bool) -> None:
        """Serve /metrics on `phase.metrics_address` when it is given and this rank is to."""
        self._registry = CollectorRegistry()
        self._labels = {"role": phase.role, "iteration": str(phase.iteration)}
        self._gauges: dict[str, Gauge] = {}
        self._served = serve and bool(phase.metrics_address)
        if self._served:
            host, _, port = phase.metrics_address.rpartition(":")
            start_http_server(int(port), host, self._registry)

    def show(self, row: dict[str, Any]) -> None:
        """Show a row of metrics.jsonl."""
        if not self._served:
            return
        for name, value in row.items():
            if name == "seconds":
                for part, seconds in value.items():
                    self._gauge("seconds", ("part",)).labels(**self._labels, part=part).set(seconds)
            elif name not in LEFT_OUT:
                self._gauge(name, ()).labels(**self._labels).set(value)

    def _gauge(self, name: str, more_labels: tuple[str, ...]) -> Gauge:
        if name not in self._gauges:
            self._gauges[name] = Gauge(
                f"rdiverse_training_{name}",
                f"{name.replace('_', ' ')} of the latest step",
                [*self._labels, *more_labels],
                registry=self._registry,
            )
        return self._gauges[name]
