"""Distributed traces of jobs: one trace from the request that creates a job to the webhooks that tell of its end.

The context of a trace travels in the headers ``traceparent`` and ``tracestate`` (W3C Trace Context) of requests and messages,
always: a service that records nothing passes on what it was given. Spans are recorded where an endpoint is set; nothing of
OpenTelemetry is loaded elsewhere.
"""
