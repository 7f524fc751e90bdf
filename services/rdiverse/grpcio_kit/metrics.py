"""Prometheus metrics on a port of their own: gRPC's standard server metrics and whatever the process registers."""

import functools
import threading
from wsgiref.simple_server import WSGIServer

import grpc_observability
import prometheus_client
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import DropAggregation, ExplicitBucketHistogramAggregation, View

SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
BYTES = (1024.0, 16_384.0, 262_144.0, 4_194_304.0, 67_108_864.0)

_methods: set[str] = set()


def count_methods(methods: set[str]) -> None:
    """Let these methods (`package.Service/Method`) appear by name; all others are counted together as "other".

    gRPC's plugin knows no asyncio method by itself, and names that callers invent must not become label values.
    """
    _methods.update(methods)


@functools.cache
def observe_grpc() -> grpc_observability.OpenTelemetryPlugin:
    """Measure every gRPC server of this process from now on. To be called before a server is made."""
    views = [
        View(instrument_name="grpc.server.call.duration", aggregation=ExplicitBucketHistogramAggregation(SECONDS)),
        View(instrument_name="grpc.server.call.*_size", aggregation=ExplicitBucketHistogramAggregation(BYTES)),
        View(instrument_name="grpc.client.*", aggregation=DropAggregation()),
    ]
    provider = MeterProvider(
        metric_readers=[PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False)], views=views
    )
    plugin = grpc_observability.OpenTelemetryPlugin(
        meter_provider=provider, generic_method_attribute_filter=_methods.__contains__
    )
    plugin.register_global()
    return plugin


def serve_metrics(host: str, port: int) -> tuple[WSGIServer, threading.Thread]:
    """Answer scrapes at http://host:port/metrics from a daemon thread. Raises OSError when the port is taken."""
    return prometheus_client.start_http_server(port, addr=host)
