"""What the dashboards show. docs/metrics.md says what the series mean.

Only the leader of the api tells of queues, jobs and the projection, so ``max`` bridges the moment in which two replicas seem to.
"""

from tools.dashboards.grafana import Board, Panel, board_json, graph, number

_RATE = "[$__rate_interval]"
_OURS = 'job=~".*millrace.*"'


def _rate(metric: str, *by: str, where: str = "", share: str = "") -> str:
    """The rate of a counter a second, summed up by labels."""
    selector = f"{metric}{{{where}}}" if where else metric
    grouped = f"sum by ({', '.join(by)})" if by else "sum"
    return f"{grouped} (rate({selector}{_RATE})){share}"


def _quantile(share: float, histogram: str, *by: str, where: str = "") -> str:
    """A quantile of a histogram, by labels."""
    return f"histogram_quantile({share}, {_rate(f'{histogram}_bucket', *by, 'le', where=where)})"


def _spread(title: str, histogram: str, by: str, *, where: str = "", about: str = "") -> Panel:
    """Median and 95th percentile of seconds, by a label."""
    legends = ((0.5, "median"), (0.95, "95 %"))
    queries = [(_quantile(share, histogram, by, where=where), f"{{{{{by}}}}} {legend}") for share, legend in legends]
    return graph(title, *queries, unit="s", about=about)


OVERVIEW = Board(
    "millrace-overview",
    "Millrace: overview",
    (
        (
            number("Processes that answer", f"sum(up{{{_OURS}}})"),
            number(
                "Leaders", "sum(millrace_leader)", about="Always 1, but for the second in which another one takes over"
            ),
            number("Jobs running", 'max(millrace_jobs{state="running"})'),
            number("Jobs waiting", 'max(millrace_jobs{state="waiting"})'),
            number(
                "Transcoder slots busy",
                'sum(millrace_slots_busy{consumer="transcoder"}) / sum(millrace_slots{consumer="transcoder"})',
                unit="percentunit",
            ),
            number("Dead letters", 'max(millrace_stream_messages{stream="DEAD"})'),
        ),
        (
            graph(
                "Ends of jobs a minute",
                (_rate("millrace_jobs_ended_total", "end", share=" * 60"), "{{end}}"),
                stacked=True,
            ),
            graph(
                "Film for each second",
                (_rate("millrace_film_seconds_total"), "seconds of film"),
                unit="x",
                about="Duration of the sources of completed jobs for each second that passed: the throughput of the whole",
            ),
            graph("Oldest work", ("max by (consumer) (millrace_queue_oldest_seconds)", "{{consumer}}"), unit="s"),
        ),
        (
            graph(
                "From creation to completion",
                (_quantile(0.5, "millrace_job_seconds"), "median"),
                (_quantile(0.95, "millrace_job_seconds"), "95 %"),
                unit="s",
            ),
            graph(
                "Requests", (_rate("millrace_http_requests_total", "status"), "{{status}}"), unit="reqps", stacked=True
            ),
            graph(
                "Room in the work space",
                ("min(millrace_workspace_free_bytes)", "free"),
                ("max(millrace_workspace_reserve_bytes)", "left free by downloads"),
                unit="bytes",
            ),
        ),
        (
            graph("Projection behind", ("max by (stream) (millrace_projection_lag_seconds)", "{{stream}}"), unit="s"),
            graph(
                "Processor",
                (
                    f"sum by (job) (rate(process_cpu_seconds_total{{{_OURS}}}{_RATE}) "
                    f"+ rate(millrace_children_cpu_seconds_total{_RATE}))",
                    "{{job}}",
                ),
                unit="x",
                about="Cores in use, ffmpeg included. What ffmpeg used is told when it has ended, so long encodes make peaks",
                stacked=True,
            ),
            graph(
                "Memory",
                (f"sum by (job) (process_resident_memory_bytes{{{_OURS}}})", "{{job}}"),
                unit="bytes",
                stacked=True,
            ),
        ),
    ),
)

JOBS = Board(
    "millrace-jobs",
    "Millrace: jobs",
    (
        (
            graph(
                "Jobs",
                ("max by (state) (millrace_jobs)", "{{state}}"),
                ("max(millrace_job_places)", "places"),
                about="Jobs beyond the places run where others wait for a source or a storage",
            ),
            graph("Oldest job that waits", ("max(millrace_jobs_oldest_waiting_seconds)", "admission"), unit="s"),
            graph(
                "Created and ended a minute",
                (_rate("millrace_jobs_created_total", share=" * 60"), "created"),
                (_rate("millrace_jobs_ended_total", share=" * 60"), "ended"),
            ),
        ),
        (
            _spread("Stages", "millrace_job_stage_seconds", "stage"),
            _spread("Steps of fetching", "millrace_fetch_step_seconds", "step"),
            graph(
                "Finishing a presentation",
                (_quantile(0.5, "millrace_finish_seconds"), "median"),
                (_quantile(0.95, "millrace_finish_seconds"), "95 %"),
                unit="s",
            ),
        ),
        (
            graph(
                "Failed jobs a minute",
                (_rate("millrace_jobs_ended_total", "code", where='end="failed"', share=" * 60 > 0"), "{{code}}"),
                stacked=True,
                about="By error code: docs/errors.md",
            ),
            graph(
                "Jobs that wait for an outage",
                ("max by (code) (millrace_jobs_held_up)", "{{code}}"),
                about="A source, a storage or the work space is out of order; the jobs go on by themselves",
            ),
            graph(
                "Failures of work a minute",
                (_rate("millrace_work_failures_total", "code", "verdict", share=" * 60 > 0"), "{{code}} {{verdict}}"),
            ),
        ),
        (
            graph(
                "Webhooks a minute",
                (_rate("millrace_webhook_attempts_total", "outcome", share=" * 60"), "{{outcome}}"),
                stacked=True,
            ),
            graph(
                "Receivers of webhooks",
                (_quantile(0.5, "millrace_webhook_request_seconds"), "median"),
                (_quantile(0.95, "millrace_webhook_request_seconds"), "95 %"),
                unit="s",
            ),
            graph("Clients that follow a job", ("sum(millrace_event_listeners)", "listeners")),
        ),
    ),
)

WORKERS = Board(
    "millrace-workers",
    "Millrace: workers",
    (
        (
            graph(
                "Slots busy",
                ("sum by (consumer) (millrace_slots_busy) / sum by (consumer) (millrace_slots)", "{{consumer}}"),
                unit="percentunit",
            ),
            graph("Slots", ("sum by (consumer) (millrace_slots)", "{{consumer}}")),
            graph(
                "Encoders",
                ("sum by (encoder) (millrace_encoder)", "{{encoder}}"),
                about="Transcoders by chosen encoder",
            ),
        ),
        (
            _spread("Work", "millrace_work_seconds", "consumer"),
            _spread("Wait for a slot", "millrace_work_wait_seconds", "consumer"),
            graph(
                "Outcomes",
                (_rate("millrace_work_total", "consumer", "outcome", share=" > 0"), "{{consumer}} {{outcome}}"),
                unit="ops",
            ),
        ),
        (
            _spread("Parts", "millrace_part_seconds", "encoder"),
            graph(
                "Speed of encoders",
                (
                    f"{_rate('millrace_part_media_seconds_total', 'encoder')} / {_rate('millrace_part_seconds_sum', 'encoder')}",
                    "{{encoder}}",
                ),
                unit="x",
                about="Seconds of film for each second of a slot",
            ),
            graph(
                "Speed of parts",
                (_quantile(0.05, "millrace_part_realtime_factor", "encoder"), "{{encoder}} slowest 5 %"),
                (_quantile(0.5, "millrace_part_realtime_factor", "encoder"), "{{encoder}} median"),
                unit="x",
            ),
        ),
        (
            graph(
                "Redeliveries",
                (_rate("millrace_redeliveries_total", "consumer"), "{{consumer}}"),
                (_rate("millrace_work_put_off_total", "consumer", "reason"), "{{consumer}}, put off for {{reason}}"),
                unit="ops",
            ),
            graph(
                "Leases lost",
                (_rate("millrace_work_total", "consumer", where='outcome="lease_lost"'), "{{consumer}}"),
                unit="ops",
            ),
            graph("GPU encodes repeated on the CPU", (_rate("millrace_gpu_fallbacks_total"), "parts"), unit="ops"),
            graph(
                "Processes without a part of ffmpeg's cage",
                (
                    "count by (job, wall) (millrace_cage_wall) - sum by (job, wall) (millrace_cage_wall)",
                    "{{job}} {{wall}}",
                ),
                about="The network namespace is not missed where system calls are filtered",
            ),
        ),
        (
            graph(
                "Bytes",
                (_rate("millrace_fetched_bytes_total"), "fetched"),
                (_rate("millrace_uploaded_bytes_total"), "uploaded"),
                (_rate("millrace_copied_bytes_total"), "of these copied by the storage"),
                (_rate("millrace_workspace_bytes_total", "direction"), "{{direction}} in the work space"),
                unit="Bps",
            ),
            graph("Objects written", (_rate("millrace_uploaded_objects_total"), "objects"), unit="ops"),
            graph(
                "Event loops",
                (_quantile(0.99, "millrace_event_loop_lag_seconds", "job"), "{{job}} 99 %"),
                unit="s",
                about="How much too late a process does what it has to do; below 50 ms in good order",
            ),
        ),
    ),
)

BUS = Board(
    "millrace-bus",
    "Millrace: bus",
    (
        (
            graph(
                "Queues",
                ("max by (consumer) (millrace_queue_messages)", "{{consumer}}"),
                about="Messages never delivered",
            ),
            graph(
                "Oldest in the queue", ("max by (consumer) (millrace_queue_oldest_seconds)", "{{consumer}}"), unit="s"
            ),
            graph(
                "Slots that ask for work",
                ("max by (consumer) (millrace_queue_idle_pulls)", "{{consumer}}"),
                about="None of a consumer, and messages in its queue: its workers are busy or gone",
            ),
        ),
        (
            graph(
                "Delivered and not settled", ("max by (consumer) (millrace_queue_unsettled_messages)", "{{consumer}}")
            ),
            graph(
                "Delivered more than once", ("max by (consumer) (millrace_queue_redelivered_messages)", "{{consumer}}")
            ),
            graph(
                "Messages to handlers",
                (_rate("millrace_handler_received_messages_total", "handler"), "{{handler}}"),
                unit="ops",
            ),
        ),
        (
            graph(
                "Connections to NATS",
                (f"sum by (job) (millrace_nats_connected{{{_OURS}}})", "{{job}}"),
            ),
            graph(
                "Connections lost a minute", (_rate("millrace_nats_disconnects_total", "job", share=" * 60"), "{{job}}")
            ),
            graph("Dead letters a minute", (_rate("millrace_dead_letters_total", "job", share=" * 60"), "{{job}}")),
        ),
        (
            graph("Messages in streams", ("max by (stream) (millrace_stream_messages)", "{{stream}}")),
            graph("Size of streams", ("max by (stream) (millrace_stream_bytes)", "{{stream}}"), unit="bytes"),
            graph("Messages not projected", ("max by (stream) (millrace_projection_lag_messages)", "{{stream}}")),
            graph(
                "Spans dropped a minute",
                (_rate("millrace_spans_dropped_total", share=" * 60"), "spans"),
                about="That the collector of traces did not take; the work goes on without them",
            ),
        ),
    ),
)

BOARDS = (OVERVIEW, JOBS, WORKERS, BUS)


def dashboard_files() -> dict[str, str]:
    """Text of each dashboard by its path below the repository."""
    return {f"deploy/observability/dashboards/{board.uid}.json": board_json(board) for board in BOARDS}
