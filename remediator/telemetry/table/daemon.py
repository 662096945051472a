"""What is told of the daemon's own health."""

from __future__ import annotations

from remediator.core.pauses import ScopeKind
from remediator.core.store import Queue
from remediator.telemetry.table import labels as on
from remediator.telemetry.table.row import Group, Label, Origin, Row, Type

TROUBLES = ("expected", "bug")
WORKER = Label(name="worker", closed=("clerk", "runner", "courier", "notices"))
QUEUE = Label(name="queue", closed=tuple(Queue))
VERBS = ("get", "post", "put", "patch", "delete", "websocket")
VERB = Label(name="verb", closed=VERBS)
CODE = Label(
    name="code", bound="HTTP statuses; `timeout`: no answer in time; `error`: no connection, or it broke"
)

BUILD = Row(
    name="build_info",
    type=Type.GAUGE,
    told="1, for what runs.",
    use="Which version each replica runs; a roll-out as an annotation.",
    labels=(
        Label(name="version", bound="one: the daemon's version"),
        Label(name="python", bound="one: Python's"),
    ),
)
READY = Row(
    name="ready",
    type=Type.GAUGE,
    told="Whether alerts should be sent here: what `/-/ready` answers.",
    use="Alarmed by `RemediatorNotReady`. `/-/ready` says why.",
)
STORE_UP = Row(
    name="store_up",
    type=Type.GAUGE,
    told="Whether the store answered this scrape. While it does not, what is read from it is absent.",
    use="Alarmed by `RemediatorStoreDown`: webhooks are answered 503, nothing is changed, no page leaves.",
)
STORE_TRIPS = Row(
    name="store_trip_seconds",
    type=Type.HISTOGRAM,
    told="From asking the store until its answer was read, its disk's included; waiting for work is not "
    "counted.",
    use="Slower than 0.1 s at the upper quantiles: the store's disk or the way to it.",
    buckets=on.MOMENTS,
)
STORE_FAILURES = Row(
    name="store_trip_failures_total",
    type=Type.COUNTER,
    told="Trips to the store without an answer: refused, broken or too slow.",
    use="A few at a failover are usual; all of them are tried again.",
)
BACKLOG = Row(
    name="backlog",
    type=Type.GAUGE,
    told="Entries that wait or are being worked on.",
    use="Alarmed by `RemediatorBacklog`. `urgent` and `normal`: events; `effects`: looks and changes; "
    "`outbox` and `notices`: messages to people.",
    labels=(QUEUE,),
    origin=Origin.DEPLOYMENT,
)
IN_FLIGHT = Row(
    name="in_flight",
    type=Type.GAUGE,
    told="What a worker of this replica is at work on now.",
    use="At `in_flight_limit` for long while there is a backlog: what it waits for is slow, or add a "
    "replica.",
    labels=(WORKER,),
)
IN_FLIGHT_LIMIT = Row(
    name="in_flight_limit",
    type=Type.GAUGE,
    told="How much of that a worker does side by side at most.",
    use="The line above `in_flight`.",
    labels=(WORKER,),
)
TIMER_LAG = Row(
    name="timer_lag_seconds",
    type=Type.GAUGE,
    told="How late the next timer is.",
    use="Alarmed by `RemediatorTimerLag`: pages and deadlines are that late.",
    origin=Origin.DEPLOYMENT,
)
DEAD = Row(
    name="dead_letters",
    type=Type.GAUGE,
    told="What could not be processed and waits for a person.",
    use="Alarmed by `RemediatorDeadLetters`. `GET /v1/dead-letters` lists them.",
    origin=Origin.DEPLOYMENT,
)
BURIED = Row(
    name="buried_total",
    type=Type.COUNTER,
    told="Entries of queues that became dead letters. A single bad alert of a webhook is counted in "
    "`alerts_total`.",
    use="Whether there are more all the time, however diligently they are dropped.",
    labels=(QUEUE,),
)
LOOP_LAG = Row(
    name="event_loop_lag_seconds",
    type=Type.HISTOGRAM,
    told="How much later than asked the event loop came back, asked four times a second.",
    use="Over 0.1 s: too little CPU, or something that blocks. Heartbeats and answers are that late.",
    buckets=on.MOMENTS,
)
TROUBLE = Row(
    name="troubles_total",
    type=Type.COUNTER,
    told="What tasks met and went on from: a peer that does not answer (`expected`), or a mistake of the "
    "program (`bug`).",
    use="`bug` is alarmed by `RemediatorBug`: its traceback is in the log, send it to us.",
    labels=(
        Label(name="where", bound="the daemon's tasks and the kinds of its entries"),
        Label(name="kind", closed=TROUBLES),
    ),
)
KUBERNETES = Row(
    name="kubernetes_requests_total",
    type=Type.COUNTER,
    told="Requests to the API server, by HTTP method and what was answered.",
    use="`403`: a permission is missing; `409`: others change the same objects; `429` and `5..`: it is "
    "overloaded.",
    labels=(VERB, CODE),
)
KUBERNETES_DURATION = Row(
    name="kubernetes_request_duration_seconds",
    type=Type.HISTOGRAM,
    told="Until the API server had answered; of a WebSocket: until it was open.",
    use="A slow API server makes remediations slow and in the end unknown.",
    labels=(VERB,),
    buckets=on.CALLS,
)
CHANNEL_FAILING = Row(
    name="channel_failing",
    type=Type.GAUGE,
    told="Whether what was last said to a channel was not accepted; absent until something was said.",
    use="Alarmed by `RemediatorChannelFailing`. Pages go to the next channel or level meanwhile.",
    labels=(on.CHANNEL,),
)
CHANNEL_AT = Row(
    name="channel_last_success_timestamp_seconds",
    type=Type.GAUGE,
    told="When a channel last accepted something.",
    use="One that accepted nothing for months may not work any more: drill it.",
    labels=(on.CHANNEL,),
)
PAUSED = Row(
    name="paused",
    type=Type.GAUGE,
    told="Whether all changes are paused.",
    use="Alarmed by `RemediatorPaused` when it lasts. `remediator pauses` says who, why and until when.",
    origin=Origin.DEPLOYMENT,
)
PAUSED_SCOPES = Row(
    name="paused_scopes",
    type=Type.GAUGE,
    told="Scopes that are paused; `all`: every change.",
    use="Pauses of a service or a rule that were forgotten.",
    labels=(Label(name="kind", closed=tuple(ScopeKind)),),
    origin=Origin.DEPLOYMENT,
)
GROUP = Group(
    title="Daemon",
    text="The daemon's own health.",
    rows=(
        BUILD, READY, STORE_UP, STORE_TRIPS, STORE_FAILURES, BACKLOG, IN_FLIGHT, IN_FLIGHT_LIMIT, TIMER_LAG,
        DEAD, BURIED, LOOP_LAG, TROUBLE, KUBERNETES, KUBERNETES_DURATION, CHANNEL_FAILING, CHANNEL_AT, PAUSED,
        PAUSED_SCOPES,
    ),
)  # fmt: skip
