"""What an unfinished job waits for, in words. Pure: what is known is gathered by :mod:`services.api.operator.unfinished`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.api.operator.durations import duration
from shared.bus.attempts import Attempts
from shared.bus.roster import UnderWay, Worker
from shared.bus.topology import FETCHER, TRANSCODER, UPLOADER, Durable
from shared.events import Fetched, PartRequested, PartTranscoded, PartUploaded, Recorded
from shared.waiting import Waiting

Kind = Literal["queue", "admission", "outage", "working", "in_line", "again", "no_worker", "given_up", "unknown"]
"""What kind of thing is waited for: a place; somebody who admits; a source, storage or work space; a worker that is at it; a free
slot; the next delivery; any worker at all; the operator."""

SERVICES: Mapping[str, str] = {FETCHER.name: "fetcher", TRANSCODER.name: "transcoder", UPLOADER.name: "uploader"}


@dataclass(frozen=True)
class Reason:
    """Something that a job waits for. ``work``: the end of the subject of the event that is the work, if it is about one."""

    kind: Kind
    text: str
    work: str | None = None


@dataclass(frozen=True)
class Piece:
    """A piece of a job's work that is not done: the event that has asked for it."""

    durable: Durable
    token: str
    sequence: int


@dataclass(frozen=True)
class Line:
    """A consumer.

    Attributes:
        delivered: place of the newest message that was ever handed out. settled: all up to there are settled.
        waiting: messages that were never handed out. idle: slots that ask for work.
    """

    delivered: int
    settled: int
    waiting: int
    idle: int


@dataclass(frozen=True)
class Places:
    """How the places for running jobs are taken. A limit of 0 is none.

    Attributes:
        running, most: of all organizations. own, most_own: of the job's.
        queued: how many jobs of it wait. place: the job's among them, from 1.
        leader: somebody admits. held_back: none of the organization is admitted, for lack of room in the work space.
    """

    running: int
    most: int
    own: int
    most_own: int
    queued: int
    place: int
    leader: bool
    held_back: bool = False


def pieces_of(recorded: Sequence[Recorded]) -> list[Piece]:
    """What is to be done for a job that is admitted and has not ended, by its events so far."""
    requested: dict[str, int] = {}
    transcoded: dict[str, int] = {}
    uploaded: list[str] = []
    fetched = False
    admitted = 0
    for one in recorded:
        match one.event:
            case Fetched():
                fetched = True
            case PartRequested(part=part):
                requested[part] = one.sequence
            case PartTranscoded(part=part):
                transcoded[part] = one.sequence
            case PartUploaded(part=part):
                uploaded.append(part)
            case event if event.token() == "admitted":
                admitted = one.sequence
    if not fetched or not requested:
        return [Piece(FETCHER, "admitted", admitted)]
    encoding = [
        Piece(TRANSCODER, f"{PartRequested.subject}.{part}", sequence)
        for part, sequence in requested.items()
        if part not in transcoded
    ]
    # Whoever has uploaded the last part has its message until the job is finished, or further ones are requested.
    open_uploads = [part for part in transcoded if part not in uploaded] or ([] if encoding else uploaded[-1:])
    uploading = [
        Piece(UPLOADER, f"{PartTranscoded.subject}.{part}", transcoded[part])
        for part in open_uploads
        if part in transcoded
    ]
    return encoding + uploading


def reason_for_queue(places: Places) -> Reason:
    """Why a job is not admitted."""
    where = f"place {places.place} of {places.queued} in its organization's queue"
    if not places.leader:
        return Reason("admission", f"{where}; no api leads, so that nobody admits jobs")
    if places.held_back:
        return Reason("queue", f"{where}; work of its organization waits for room in the work space")
    if places.most_own and places.own >= places.most_own:
        return Reason("queue", f"{where}; {places.own} of {places.most_own} jobs of its organization are under way")
    if places.running >= places.most:
        return Reason("queue", f"{where}; {places.running} of {places.most} jobs are under way in all")
    return Reason("admission", f"{where}; places are free, so that it should be admitted within seconds")


def reason_for_wait(waiting: Waiting, work: str) -> Reason:
    """What a worker has told that it waits for."""
    since, until = (moment.strftime("%Y-%m-%d %H:%M:%SZ") for moment in (waiting.since, waiting.until))
    return Reason("outage", f"{waiting.code} since {since}, given up at {until}", work)


def reason_for_piece(
    piece: Piece,
    line: Line,
    workers: Sequence[Worker],
    attempts: Attempts | None,
    letters: Mapping[str, str],
    now: datetime,
) -> Reason:
    """Where a piece of work is.

    Args:
        workers: that are alive.
        attempts: what has become of its earlier deliveries, if anything is known.
        letters: reasons of the job's dead letters, by the end of the subject of the message.
    """
    service = SERVICES[piece.durable.name]
    for worker in workers:
        for running in worker.running:
            if (running.consumer, running.sequence) == (piece.durable.name, piece.sequence):
                return Reason("working", _working(worker, running, now), piece.token)
    if piece.token in letters:
        return Reason("given_up", f"given up: {letters[piece.token]}; see dead-letters", piece.token)
    if not any(worker.service == service and not worker.draining for worker in workers):
        return Reason("no_worker", f"no {service} is alive that takes work", piece.token)
    if piece.sequence > line.delivered:
        text = f"waits for a slot of a {service}, as one of {line.waiting} ({line.idle} slots are idle)"
        return Reason("in_line", text, piece.token)
    if piece.sequence <= line.settled:
        return Reason("unknown", f"settled at the {service}s without a result; cancel the job", piece.token)
    return Reason("again", f"comes to a {service} again{_history(attempts)}", piece.token)


def _working(worker: Worker, running: UnderWay, now: datetime) -> str:
    since = duration((now - running.since).total_seconds())
    delivery = f", delivery {running.delivery}" if running.delivery > 1 else ""
    leaving = ", which is draining" if worker.draining else ""
    return f"worked on by {worker.id} for {since}{delivery}{leaving}"


def _history(attempts: Attempts | None) -> str:
    if attempts is None:
        return ", or has just been handed out"
    ends = [f"{kind.replace('_', ' ')} {times}" for kind, times in attempts.ends.items()]
    ends += [f"begun alone {attempts.alone}"] if attempts.alone else []
    waits = [f"waits for {code} since {wait.since:%Y-%m-%d %H:%M:%SZ}" for code, wait in attempts.waits.items()]
    return " (" + ", ".join([*ends, *waits]) + ")" if ends or waits else ""
