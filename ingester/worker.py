"""One consumer process: puts the parts together, follows signals, leaves in time."""

import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn, TypeVar

import structlog

from ingester.batch import Topic
from ingester.errors import IngesterError, TemporaryError
from ingester.kafka import Admin, Source, headers_of
from ingester.logs import set_up_logs
from ingester.observing import metric
from ingester.observing.health import Health
from ingester.observing.meter import ProcessMeter
from ingester.observing.metric import Meter, Unmetered
from ingester.observing.page import Page
from ingester.observing.stopwatch import Stopwatch
from ingester.observing.watch import DatabaseWatch, TopicWatch, Watch
from ingester.pipeline import Clock, Pipeline
from ingester.retry import Retry
from ingester.settings import Settings
from ingester.stage import listen
from ingester.store.events import EventStore
from ingester.store.observing import ObservingStore

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

CLOSE_SECONDS_MAX = 1.5
"""librdkafka's close can hang on an unreachable coordinator; the group notices anyway."""


def work_alone(settings: Settings, name: str, targets: Mapping[int, int] | None = None) -> None:
    """Be the only worker of this process group: `work`, with a page of its own."""
    if settings.ingester_metrics_port is None:
        work(settings, name, targets)
        return
    meter = ProcessMeter(name)
    with Page(settings, meter.figures, Health([name])):
        work(settings, name, targets, meter)


def work(
    settings: Settings,
    name: str,
    targets: Mapping[int, int] | None = None,
    meter: ProcessMeter | None = None,
) -> None:
    """Consume until SIGTERM, SIGINT, or until the targets are reached; then leave in time.

    A broker or a database that does not answer is waited for, at the start as later. On a signal
    the open batch is written, or rolled back where that takes longer than
    `ingester_stop_seconds_max`. Raises what ended the work otherwise.
    """
    _tune_interpreter()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))  # nothing is begun that could be finished
    stopping = threading.Event()
    starting = Retry(stopping, meter=meter)
    admin = Admin(settings)
    # A missing topic or a refused login is told at once.
    topic = starting(_turning(meter, lambda: _topic(admin, settings.kafka_topic)))
    store = EventStore(settings, name, headers_of)
    # And an unmigrated database, or offsets of another topic.
    starting(_turning(meter, lambda: store.recognise(topic)))
    source = Source(settings, f"ingester-{name}")
    jobs = ThreadPoolExecutor(1, thread_name_prefix="writer")
    pipeline = Pipeline(
        settings=settings,
        source=source,
        store=store,
        identify=partial(_topic, admin, settings.kafka_topic, patience_seconds=10.0),
        headers_of=headers_of,
        clock=Clock(time.monotonic, lambda: datetime.now(UTC)),
        retry=Retry(stopping, meter=meter),
        jobs=jobs,
        targets=targets,
        meter=meter or Unmetered(),
    )
    if meter is not None:
        listen(Stopwatch(meter, time.monotonic))
    _watch(settings, name, meter, pipeline, admin, stopping)

    def stop(*_: object) -> None:
        pipeline.stop()  # a flag and no more: a second signal may come while this runs

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _stop_with_parent()
    log.info("worker_started", topic=topic.name, pid=os.getpid())
    healthy = caught_up = False
    try:
        caught_up = pipeline.run()
        healthy = True
    finally:
        stopping.set()
        _leave(settings, pipeline, store, source, jobs, write_open_batch=healthy)
        totals = pipeline.totals
        log.info(
            "worker_stopped",
            batches=totals.batches,
            records=totals.records,
            inserted=totals.inserted,
            duplicates=totals.duplicates,
            rejected=totals.rejected,
        )
    if targets is not None and not caught_up:
        raise TemporaryError("stopped before all was stored that the topic held: run it again")


def _turning(meter: Meter | None, job: Callable[[], Result]) -> Callable[[], Result]:
    """The job as a turn of the loop: who waits at the start lives, and need not be restarted."""

    def turn() -> Result:
        if meter is not None:
            meter.set(metric.LOOP, time.time())
        return job()

    return turn


def _watch(
    settings: Settings,
    name: str,
    meter: Meter | None,
    pipeline: Pipeline,
    admin: Admin,
    stopping: threading.Event,
) -> None:
    """Look for what stalls in any case; at the database only where somebody reads the figures."""
    ranges = partial(admin.ranges, settings.kafka_topic)
    stall_seconds = settings.ingester_stall_seconds
    topic = TopicWatch(meter or Unmetered(), pipeline, ranges, time.monotonic, stall_seconds)
    looks = [topic.look]
    if meter is not None:
        looks.append(DatabaseWatch(meter, ObservingStore(settings, name).facts).look)
    Watch(looks, stopping).start()


def _leave(
    settings: Settings,
    pipeline: Pipeline,
    store: EventStore,
    source: Source,
    jobs: ThreadPoolExecutor,
    *,
    write_open_batch: bool,
) -> None:
    try:
        done = pipeline.finish(
            settings.ingester_stop_seconds_max, write_open_batch=write_open_batch
        )
    except IngesterError as error:
        log.warning("open_batch_dropped", detail=str(error))
        done = True
    if not done:
        log.warning("open_batch_rolled_back", detail="it took too long; it is read again next time")
        store.cancel()
    jobs.shutdown(wait=done, cancel_futures=True)
    if done:
        store.close()
    if not source.close(CLOSE_SECONDS_MAX):
        log.warning("group_left_late", detail="the group will notice by its session timeout")


def work_as_child(settings: Settings, name: str, targets: Mapping[int, int] | None) -> None:
    """Be a supervised worker: the exit code says how it ended."""
    set_up_logs(settings, worker=name)
    code = 0
    # The supervisor has the page; what is measured here lies in the directory that it made.
    meter = None if settings.ingester_metrics_port is None else ProcessMeter(name)
    try:
        work(settings, name, targets, meter)
    except IngesterError as error:
        log.error(  # noqa: TRY400 - a refusal that we explain needs no traceback
            "worker_failed", detail=str(error), exit_code=error.exit_code
        )
        code = error.exit_code
    except Exception:
        log.exception("worker_crashed")
        code = 1
    leave_now(code)


def leave_now(code: int) -> NoReturn:
    """End the process without waiting for threads that hang in librdkafka or libpq."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _topic(admin: Admin, name: str, patience_seconds: float = 0.0) -> Topic:
    identity = admin.identity(name, patience_seconds)
    return Topic(name=name, topic_id=identity.topic_id, cluster_id=identity.cluster_id)


def _tune_interpreter() -> None:
    """Settings that a process with one busy and one waiting thread wants.

    The collector: a batch is tens of thousands of live tuples without cycles, and scanning them
    finds nothing. The GIL: when PostgreSQL has answered, the writer should not wait 5 ms for the
    decoding thread to let go, a dozen times a batch (10 % of the throughput).
    """
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        log.warning("supervisor_gone")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
