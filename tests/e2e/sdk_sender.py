"""Sends metrics, logs and traces of Python's OpenTelemetry SDK to two receivers at once.

Usage: sdk_sender.py grpc|http WITNESS AGENT

Each export is handed to both receivers as the same object, so what the witness decodes is exactly
what the agent was sent, time stamps included.
"""

import sys
import time

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

ITEMS = 50


class Both:
    """Hands each export to all receivers; succeeds when every one of them did."""

    def __init__(self, exporters, success, failure):
        self.exporters, self.success, self.failure = exporters, success, failure

    def export(self, batch, *arguments, **keywords):
        results = [e.export(batch, *arguments, **keywords) for e in self.exporters]
        if all(result == self.success for result in results):
            return self.success
        print("an export failed:", results, file=sys.stderr)
        Both.failed = True
        return self.failure

    failed = False

    def shutdown(self, *arguments, **keywords):
        for exporter in self.exporters:
            exporter.shutdown()

    def force_flush(self, *arguments, **keywords):
        return True


class BothSpans(Both, SpanExporter):
    pass


class BothLogs(Both, LogRecordExporter):
    pass


class BothMetrics(Both, MetricExporter):
    def __init__(self, exporters, success, failure):
        MetricExporter.__init__(self)
        Both.__init__(self, exporters, success, failure)


def exporters(protocol, endpoints):
    """For spans, metrics and logs: one exporter for each endpoint."""
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return [
            [kind(endpoint=endpoint, insecure=True) for endpoint in endpoints]
            for kind in (OTLPSpanExporter, OTLPMetricExporter, OTLPLogExporter)
        ]
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return [
        [kind(endpoint=endpoint + path) for endpoint in endpoints]
        for kind, path in (
            (OTLPSpanExporter, "/v1/traces"),
            (OTLPMetricExporter, "/v1/metrics"),
            (OTLPLogExporter, "/v1/logs"),
        )
    ]


def send_traces(provider):
    tracer = provider.get_tracer("python.tracer", "1.2.3", schema_url="https://schema.invalid/1")
    for number in range(ITEMS):
        with tracer.start_as_current_span(
            f"outer {number}", kind=trace.SpanKind.SERVER, attributes={"number": number}
        ) as outer:
            link = trace.Link(outer.get_span_context(), {"linked": True})
            with tracer.start_as_current_span("inner", links=[link]) as inner:
                inner.add_event("happened", {"list": [1, 2, 3], "ratio": 0.5, "text": "\u00fc\u4e2d"})
                inner.set_status(trace.StatusCode.ERROR, "broken on purpose")


def send_logs(provider):
    logger = provider.get_logger("python.logger", "4.5.6")
    for number in range(ITEMS):
        logger.emit(
            timestamp=time.time_ns(),
            observed_timestamp=time.time_ns(),
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body={"text": f"line {number}", "nested": {"deep": [1, "two", 3.5, None, b"\x00\xff"]}},
            attributes={"number": number, "flag": number % 2 == 0},
            event_name="python.event",
        )


def send_metrics(provider):
    meter = provider.get_meter("python.meter", "7.8.9")
    counter = meter.create_counter("python.requests", "{request}", "requests")
    gauge = meter.create_gauge("python.temperature", "Cel", "temperature")
    balance = meter.create_up_down_counter("python.balance", "{item}", "balance")
    latency = meter.create_histogram("python.latency", "ms", "latency")
    exponential = meter.create_histogram("python.exponential", "s", "latency on a log scale")
    for number in range(ITEMS):
        attributes = {"number": number, "path": f"/p/{number % 5}"}
        counter.add(number, attributes)
        gauge.set(number / 7, attributes)
        balance.add(-number, attributes)
        latency.record(number * 3.25, attributes)
        exponential.record(number * 0.001, {"path": "/"})


def main():
    protocol, *endpoints = sys.argv[1:]
    spans, metrics, logs = exporters(protocol, endpoints)
    resource = Resource.create({"service.name": "python-sdk", "service.version": "0.1"})

    traces = TracerProvider(resource=resource)
    result = SpanExportResult
    traces.add_span_processor(BatchSpanProcessor(BothSpans(spans, result.SUCCESS, result.FAILURE)))
    send_traces(traces)
    traces.shutdown()

    records = LoggerProvider(resource=resource)
    result = LogRecordExportResult
    records.add_log_record_processor(
        BatchLogRecordProcessor(BothLogs(logs, result.SUCCESS, result.FAILURE))
    )
    send_logs(records)
    records.shutdown()

    result = MetricExportResult
    reader = PeriodicExportingMetricReader(
        BothMetrics(metrics, result.SUCCESS, result.FAILURE), export_interval_millis=3_600_000
    )
    view = View(
        instrument_name="python.exponential", aggregation=ExponentialBucketHistogramAggregation()
    )
    meters = MeterProvider([reader], resource=resource, views=[view])
    send_metrics(meters)
    meters.shutdown()
    sys.exit(1 if Both.failed else 0)


if __name__ == "__main__":
    main()
