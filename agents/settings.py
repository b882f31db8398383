"""Settings of every process: environment variables `NIVARAN_*`, read once, typed, refused with the variable's name."""

import os
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

T = TypeVar("T", bound=Struct)
PREFIX = "NIVARAN_"
Port = Annotated[int, Meta(ge=0, le=65535)]
StateStore = Literal["memory", "rocksdb"]
Servers = Annotated[
    str, Meta(pattern=r"\A[^\s,]+:[0-9]{1,5}(,[^\s,]+:[0-9]{1,5})*\Z", description="host:port, comma separated")
]
RedisUrl = Annotated[
    str,
    Meta(
        pattern=r"\A(unix://\S+|rediss?://([^@/\s]*@)?(\[[0-9A-Fa-f:.]+\]|[^:/?#\[\]\s]*)(:[0-9]{1,5})?([/?]\S*)?)\Z",
        description="redis://host:port/0 (or rediss://, unix://)",
    ),
]


class SettingsError(ValueError):
    """A variable is missing or has a value it cannot have; the message names it and says what would be right."""


class Settings(Struct, frozen=True):
    """What every process needs. Durations in seconds unless the name says otherwise."""

    kafka: Servers = "127.0.0.1:9092"
    """Bootstrap servers, comma separated."""
    redis_url: RedisUrl = "redis://127.0.0.1:6379/0"
    partitions: Annotated[int, Meta(ge=1)] = 12
    """Partitions of every co-partitioned topic; fixed for life once topics exist."""
    replication: Annotated[int, Meta(ge=1)] = 3
    http_host: str = "127.0.0.1"
    http_port: Port = 0
    """Endpoints /metrics /healthz /readyz (workers) or the API (gateway); 0 takes a free one and prints it."""
    clock: Literal["wall", "simulated"] = "wall"
    group_prefix: str = "nivaran"
    """Consumer groups and transactional ids are `<prefix>-<role>`."""
    instance: str = ""
    """Static membership: this worker's stable name within its role; empty for dynamic membership."""
    data_dir: str = "var"
    store: StateStore = "memory"
    """Where a worker keeps the states of its stages; `rocksdb` for more than memory holds, and for quick restarts."""
    store_dir: str = ""
    """Folder for `rocksdb`, on a disk of this machine that outlives the process; one for each worker of a role."""
    store_cache_mb: Annotated[int, Meta(ge=8)] = 128
    """Memory of one worker for `rocksdb`, MiB: blocks read, and changes not written out yet."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    """`json`: an object per line, for a log store."""
    tracing: Literal["off", "otlp"] = "off"
    """`otlp`: spans to a collector; trace context is passed on in any case."""
    tracing_url: str = "http://127.0.0.1:4318"
    """Where the collector takes OTLP over HTTP."""
    session_timeout: Annotated[float, Meta(ge=3)] = 10.0
    heartbeat: float = 0.3
    slice_records: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    """Records of one partition handed to an agent as one message."""
    transaction_records: Annotated[int, Meta(ge=1)] = 4000
    """Most records folded into one transaction."""
    commit_gap_ms: Annotated[int, Meta(ge=0)] = 0
    """Least time between the beginnings of two small transactions of a stage.

    It rests as long as its last one took in any case: where a core or a broker has too much to do, there are fewer
    of them, and fuller.
    """
    wake_bound: Annotated[int, Meta(ge=1)] = 1000
    """Wakes of a partition written and not yet folded, at most."""
    wake_ahead_ms: Annotated[int, Meta(ge=1)] = 100
    """How long a worker may take to fold the wakes that are written, judged by the last; 50 a partition in any case.

    About so long, and a transaction, does a record wait that comes in a storm of deadlines.
    """
    fetch_wait_ms: Annotated[int, Meta(ge=1, le=5000)] = 20
    """How long a broker may hold a fetch for less than `fetch_least_bytes`, to a worker that has had something to do.

    Kafka's client has one fetch per broker in flight, and one sent while a partition was being consumed leaves that
    partition out until it returns: on a quiet topic this is the longest wait of a record before each worker.
    """
    fetch_least_bytes: Annotated[int, Meta(ge=1)] = 8192
    """With less than this a broker holds a fetch for `fetch_wait_ms`.

    At some hundred records a second one that is answered at every record costs a worker a third of its CPU, and makes
    transactions of what it brings. Much more, and the wakes of a storm of deadlines wait for each other.
    """
    fetch_bytes: Annotated[int, Meta(ge=65_536)] = 4_194_304
    """Most bytes of one partition in one answer of a broker."""
    in_flight: Annotated[int, Meta(ge=1)] = 24
    """Slices of one topic handed out and not acknowledged, or two a partition; then no more of it is fetched."""
    effect_records: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """Records of one slice for a sender; a crash or rebalance repeats at most the calls of the slices in hand."""
    transaction_timeout: Annotated[float, Meta(ge=5, le=100)] = 20.0
    """A batch not durable after this long ends the worker."""
    dead_letter_share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """A batch of which more than this share is dead letters stops the worker: the reader is wrong, not all input."""
    dead_letter_least: Annotated[int, Meta(ge=1)] = 200
    """Batches smaller than this are never stopped for their dead letters."""
    start_timeout: Annotated[float, Meta(ge=1)] = 30.0
    """How long a worker waits at its start for each answer of Kafka."""
    stuck_after: float = 60.0
    """A worker whose recovery, rebalance or commit makes no progress for this long ends itself."""


def load(kind: type[T], environ: Mapping[str, str] | None = None) -> T:
    """Read `kind`'s fields from `NIVARAN_<FIELD>`; raises SettingsError naming the variable."""
    source = os.environ if environ is None else environ
    raw = {
        field.encode_name: source[PREFIX + field.name.upper()]
        for field in msgspec.structs.fields(kind)
        if source.get(PREFIX + field.name.upper(), "") != ""
    }
    try:
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_named(kind, str(error))) from None


def _named(kind: type[Struct], message: str) -> str:
    """`Expected int, got str - at $.http_port` -> names NIVARAN_HTTP_PORT."""
    head, _, path = message.partition(" - at `$.")
    if path:
        name = path.rstrip("`")
        return f"{PREFIX}{name.upper()}: {(_form(kind, name) if 'matching regex' in head else '') or head}"
    field = message.rpartition("`")[0].rpartition("`")[2]
    return f"{PREFIX}{field.upper()} is not set" if "missing required field" in message else message


def _form(kind: type[Struct], name: str) -> str:
    """What a field with a pattern must look like, in words; empty where it does not say.

    Never the value, which may hold a password.
    """
    info = next(each for each in msgspec.structs.fields(kind) if each.name == name)
    notes = getattr(info.type, "__metadata__", ())
    return next((f"must be {note.description}" for note in notes if note.description), "")
