"""The composition root: from settings to a running daemon. The only module that knows every part.

Started in this order and stopped in the reverse: policies, store and cluster side by side, operations,
workers, receiver. So no alert is taken that nobody works on, and operations answer until the work is done.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from remediator.adapters.alertmanager import AlertmanagerSet
from remediator.adapters.archive import Bounds, Folder, Stdout, ThreadedArchive
from remediator.adapters.files import LOOK_EVERY as LOOK_AT_FILES_EVERY
from remediator.adapters.files import FileWatch
from remediator.adapters.helper import run_helper
from remediator.adapters.probe import Prober
from remediator.adapters.prometheus import Prometheus
from remediator.adapters.redis.address import Address as StoreAddress
from remediator.adapters.redis.batch import IntakeBatcher
from remediator.adapters.redis.embedded import EmbeddedServer
from remediator.adapters.redis.store import RedisStore
from remediator.adapters.redis.tls import Tls
from remediator.adapters.runtime import AsyncioRuntime
from remediator.adapters.sender import Sender
from remediator.channels.pagerduty import PagerDuty
from remediator.channels.settings import SENDABLE
from remediator.core.alerts import Notification
from remediator.core.errors import QueueFull, Refused, StoreUnavailable
from remediator.core.plugins import Channel
from remediator.core.policies import ChannelSpec
from remediator.core.store import IncidentStore, IntakeStore, Store
from remediator.http.api import Api
from remediator.http.approving import Approving
from remediator.http.auth import ApiAuth, WebhookAuth, host_rule
from remediator.http.breaking import Breaking
from remediator.http.ops import Doors, Ops, make_ops_app
from remediator.http.pausing import Pausing
from remediator.http.payload import parse_notification, read_alert
from remediator.http.present import Now
from remediator.http.routes import approvals, breakers, controls, incidents, operations, pauses, trust
from remediator.http.server import Listener, check_exposure, load_certificates, parse_listen, tls_context
from remediator.http.trusting import Trusting
from remediator.http.webhook import Webhook, serve_paths
from remediator.policy.explain import Explanation, explain
from remediator.renewal import EVERY as LOOK_AT_SECRETS_EVERY
from remediator.renewal import Renewal
from remediator.routing import meet_at_the_door
from remediator.rulebook import Reading, Rulebook
from remediator.settings import Settings, runs_in_cluster, secret_reader
from remediator.telemetry.metrics import Metrics
from remediator.telemetry.observer import Telemetry
from remediator.telemetry.peers import CountedChannel
from remediator.telemetry.scrape import Work
from remediator.telemetry.watch import LoopLag, Watch
from remediator.workers.crew import Crew, Ports
from remediator.workers.forgotten import ForgottenIsolations
from remediator.workers.pace import DEFAULT_PACE, Pace
from remediator.workers.permissions import PermissionReview, ReviewPace
from remediator.workers.reconciler import ReconcilePace, Reconciler
from remediator.workers.supervisor import Supervisor

if TYPE_CHECKING:
    from remediator.adapters.kubernetes import Kubernetes

ARCHIVE = "archive"
"""Its folder in the data directory."""
RECONSIDERED = 1000
"""Alerts without a rule that are looked at again after a reload."""
DRAIN_WITHIN = 8.0
"""Seconds for what is being worked on when the daemon stops. Short of the time after which another replica
takes it over, and with the listener's own bound short of the 30 s that Kubernetes grants."""
LOOK_EVERY = 1.0
"""Seconds between two looks at the store's health, and at its clock."""
LOOK_AGAIN = 0.1
"""Seconds between two looks while something is wrong."""
LOOK_WITHIN = 3.0

Address = tuple[str, int]
_log = structlog.get_logger(__name__)
STARTING = "it is starting"


class App:
    """One daemon. Make one with ``App.running``.

    ``pace``: how patient its replicas are with each other. ``look_at_files_every``: seconds between two looks
    at the policy files where nobody tells that they changed. ``review_pace``: how often it asks what it may
    do. ``reconcile_pace``: how often it asks Alertmanagers, and how soon it believes them.
    """

    pace: Pace = DEFAULT_PACE
    look_at_files_every: float = LOOK_AT_FILES_EVERY
    look_at_secrets_every: float = LOOK_AT_SECRETS_EVERY
    review_pace: ReviewPace = ReviewPace()
    reconcile_pace: ReconcilePace = ReconcilePace()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.replica = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self.runtime = AsyncioRuntime()
        self.metrics = Metrics()
        self.rulebook = Rulebook(settings.policies, self.runtime, self.metrics, run_helper)
        self.observer = Telemetry(self.metrics, self.rulebook.policy)
        self.supervisor = Supervisor(self.runtime, self.observer)
        self.cluster: Kubernetes | None = None
        self.prometheus: Prometheus | None = None
        self.alertmanagers: AlertmanagerSet | None = None
        self.receiver_address: Address = ("", 0)
        self.ops_address: Address = ("", 0)
        self.embedded = False
        self._secret = secret_reader(settings)
        self._renewal = Renewal(self.runtime, self.look_at_secrets_every)
        self._intake: IntakeStore
        self._incidents: IncidentStore
        self._prober: Prober
        self._sender: Sender
        self._trouble: str | None = STARTING
        self._receiving = self._stopping = False
        self._settled = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings) -> AsyncIterator[App]:
        """A daemon from here to the end of the block. Ports of 0 take free ones; see the addresses.

        Raises SettingsError, PolicyError, and StoreUnavailable when a store of our own does not come up.
        """
        app = cls(settings)
        async with AsyncExitStack() as stack:
            await app._start(stack)
            yield app

    async def _start(self, stack: AsyncExitStack) -> None:
        stack.callback(self.runtime.close)
        stack.push_async_callback(self.rulebook.stop)
        webhook_auth, api_auth = self._read_tokens()
        store, self.cluster = await self._open_parts(stack)
        await self._open_probes(stack)
        self._intake = intake = IntakeBatcher(store)
        self._incidents = store
        stack.push_async_callback(intake.drain)
        crew = Crew(self._ports(store, intake), pace=self.pace)
        await self._open_operations(stack, store, crew, api_auth)
        stack.push_async_callback(self._stop_workers)
        self.supervisor.start("health", lambda: self._watch(store, crew))
        await self._review_permissions(store)
        for name, duty in crew.duties().items():
            self.supervisor.start(name, duty)
        self._watch_isolations(store)
        self._watch_for_metrics(store)
        self.supervisor.start("policy files", self._follow_policies)
        self._reconcile(store, crew)
        await self._open_receiver(stack, crew, webhook_auth, self._open_archive(stack))
        self.supervisor.start("renewal", self._renewal.run)
        stack.callback(self._say_stopping)

    def _read_tokens(self) -> tuple[WebhookAuth, ApiAuth]:
        settings = self.settings
        self._keep_token("webhook_token", lambda token: webhook.renew(token))
        self._keep_token("api_token", lambda text: api.renew(text))
        token = settings.secret("webhook_token")
        check_exposure(settings.listen_at, token, settings.client_ca)
        webhook = WebhookAuth(token, certificate=settings.client_ca is not None)
        api = ApiAuth.parse(settings.secret("api_token"))
        return webhook, api

    def _keep_token(self, name: str, take: Callable[[str], None]) -> None:
        """What stands in a file is read anew when that changes."""
        path: Path | None = getattr(self.settings, f"{name}_file")
        self._renewal.keep(name, [path], lambda: self.settings.secret(name) or "", take)

    async def _open_parts(self, stack: AsyncExitStack) -> tuple[RedisStore, Kubernetes | None]:
        """All of them come to their end before the first error is raised: what was opened gets closed."""
        policy, store, cluster = await asyncio.gather(
            self.rulebook.load(),
            self._open_store(stack),
            self._open_cluster(stack),
            return_exceptions=True,
        )
        for outcome in (store, cluster, policy):
            if isinstance(outcome, BaseException):
                raise outcome
        assert isinstance(store, RedisStore)
        assert not isinstance(cluster, BaseException)
        return store, cluster

    async def _open_store(self, stack: AsyncExitStack) -> RedisStore:
        settings = self.settings
        where: str | Callable[[], StoreAddress] = self._store_address
        if settings.secret("redis_url") is None:
            server = await EmbeddedServer.start(settings.data_dir)
            stack.push_async_callback(server.stop)
            where, self.embedded = server.url, True
        store = await RedisStore.connect(
            where,
            prefix=settings.redis_prefix,
            durability=settings.redis_durability,
            retention=settings.retention,
            timed=self.metrics.peers.store_asked,
        )
        stack.push_async_callback(store.close)
        return store

    def _store_address(self) -> StoreAddress:
        """Read anew for each connection, so that a rotated password is found. Raises SettingsError."""
        settings = self.settings
        return StoreAddress.parse(
            settings.secret("redis_url") or "",
            username=settings.redis_username,
            password=settings.secret("redis_password"),
            tls=Tls(ca=settings.redis_ca, cert=settings.redis_cert, key=settings.redis_key),
        )

    async def _open_cluster(self, stack: AsyncExitStack) -> Kubernetes | None:
        kubeconfig = self.settings.kubeconfig
        if kubeconfig is None and not runs_in_cluster():
            return None
        from remediator.adapters import kubernetes  # costs 0.3 s and memory that others need not pay

        cluster = await kubernetes.connect(
            str(kubeconfig) if kubeconfig else None,
            runtime=self.runtime,
            answered=self.metrics.peers.kubernetes_asked,
        )
        stack.push_async_callback(cluster.close)
        return cluster

    async def _open_probes(self, stack: AsyncExitStack) -> None:
        """Nothing is asked yet: what cannot be reached later is unknown to the checks that ask it."""
        settings = self.settings
        self._prober = await stack.enter_async_context(Prober.opened())
        self._sender = await stack.enter_async_context(Sender.opened(self._secret))
        if settings.prometheus_url is not None:
            self._keep_token("prometheus_token", lambda token: prometheus.renew(token))
            url, token = settings.prometheus_url.get_secret_value(), settings.secret("prometheus_token")
            prometheus = await stack.enter_async_context(Prometheus.connected(url, token=token))
            self.prometheus = prometheus

        if urls := settings.alertmanagers:
            self._keep_token("alertmanager_token", lambda token: alertmanagers.renew(token))
            self.alertmanagers = alertmanagers = await stack.enter_async_context(
                AlertmanagerSet.connected(
                    urls,
                    receiver=settings.alertmanager_receiver,
                    token=settings.secret("alertmanager_token"),
                    read=read_alert,
                )
            )

    def _reconcile(self, store: Store, crew: Crew) -> None:
        if self.alertmanagers is None:
            return
        reconciler = Reconciler(
            alertmanagers=self.alertmanagers,
            store=store,
            receive=crew.journey.receive,
            clock_trouble=crew.clock.trouble,
            runtime=self.runtime,
            observer=self.observer,
            pace=self.reconcile_pace,
        )
        self.supervisor.start("reconciler", reconciler.run)

    async def reload(self, why: str = "asked") -> Reading:
        """Read the policies anew, and take in what no rule matched until now. Raises PolicyError."""
        reading = await self.rulebook.load(why)
        if not reading.changed:
            return reading
        try:
            strangers = await self._incidents.unmatched(RECONSIDERED)
            met = meet_at_the_door(strangers, self.rulebook.rules())
            await self._intake.admit([arrival for arrival in met if arrival.matched], ())
        except (StoreUnavailable, QueueFull) as error:  # the policy is in force; they will be sent again
            self.observer.trouble("reload", error)
        return reading

    async def _follow_policies(self) -> None:
        watch = FileWatch(self.settings.policies, self.runtime, look_every=self.look_at_files_every)
        await self.rulebook.follow(watch.hints(), lambda: self.reload("files changed"))

    def _ports(self, store: Store, intake: IntakeBatcher) -> Ports:
        return Ports(
            store=store,
            intake=intake,
            runtime=self.runtime,
            observer=self.observer,
            rules=self.rulebook.rules,
            channel=self._channel,
            reader=self.cluster.reader if self.cluster else None,
            executor=self.cluster.executor if self.cluster else None,
            ceiling=self.settings.mode,
            replica=self.replica,
            metrics=self.prometheus,
            alert_rules=self.prometheus,
            alertmanagers=self.alertmanagers,
            settled=self.reconcile_pace.settled,
            http=self._prober,
            programs=self.cluster.programs if self.cluster else None,
            sender=self._sender,
            silencer=self.alertmanagers.silencer if self.alertmanagers else None,
        )

    async def _review_permissions(self, store: Store) -> None:
        """Once before anything is worked on, then for as long as it runs."""
        if self.cluster is None:
            return
        review = PermissionReview(
            reviewer=self.cluster.access,
            trust=self.rulebook,
            notices=store,
            runtime=self.runtime,
            observer=self.observer,
            ceiling=self.settings.mode,
            pace=self.review_pace,
        )
        await review.begin()
        self.supervisor.start("permissions", review.run)

    def _channel(self, spec: ChannelSpec) -> Channel:
        if spec.kind not in SENDABLE:
            raise Refused(f"this version cannot send to channels of kind {spec.kind}")
        channel = PagerDuty(
            spec, runtime=self.runtime, secret=self._secret, default_url=self.settings.pagerduty_url
        )
        return CountedChannel(channel, spec.name, self.metrics.peers)

    def _watch_isolations(self, store: Store) -> None:
        """Those that no incident will end."""
        if self.cluster is None:
            return
        forgotten = ForgottenIsolations(
            reader=self.cluster.reader,
            policy=lambda: self.rulebook.rules().policy,
            incidents=store,
            notices=store,
            runtime=self.runtime,
            observer=self.observer,
        )
        self.supervisor.start("isolations", forgotten.run)

    def _watch_for_metrics(self, store: Store) -> None:
        watch = Watch(
            metrics=self.metrics,
            store=store,
            runtime=self.runtime,
            observer=self.observer,
            policy=self.rulebook.policy,
            ceiling=self.settings.mode,
        )
        self.supervisor.start("watch", watch.run)
        self.supervisor.start("loop lag", LoopLag(self.metrics, self.runtime).run)

    async def _open_operations(self, stack: AsyncExitStack, store: Store, crew: Crew, auth: ApiAuth) -> None:
        host, port = parse_listen(self.settings.ops_listen_at)

        async def explained(notification: Notification) -> Explanation:
            rules = self.rulebook.rules()
            now = Now(
                store=store,
                reader=self.cluster.reader if self.cluster else None,
                metrics=self.prometheus,
                alertmanagers=self.alertmanagers,
                policy=rules.policy,
                clock_trouble=crew.clock.trouble,
            )
            return await explain(rules, notification, ceiling=self.settings.mode, present=now)

        api = Api(store=store, runtime=self.runtime, explain=explained)
        ops = Ops(
            metrics=self.metrics,
            store=store,
            trouble=self.trouble,
            reload=self.reload,
            in_thread=self.runtime.in_thread,
            silent=self.observer.silent_alertmanagers,
            work=lambda: {name: Work(*consumer.busy) for name, consumer in crew.consumers.items()},
        )
        pausing = Pausing(store=store, policy=self.rulebook.policy)
        approving = Approving(store=store, runtime=self.runtime)
        trusting = Trusting(store=store, policy=self.rulebook.policy, ceiling=self.settings.mode)
        people = [*approvals(approving), *trust(trusting), *breakers(Breaking(store))]
        routes = [*operations(ops), *incidents(api), *people, *pauses(pausing), *controls(api)]
        listener = Listener(make_ops_app(routes, Doors(bound=host, auth=auth)), host=host, port=port)
        await listener.start()
        stack.push_async_callback(listener.stop)
        self.ops_address = listener.address

    def _open_archive(self, stack: AsyncExitStack) -> ThreadedArchive | None:
        settings = self.settings
        if settings.archive == "off":
            return None
        bounds = Bounds(
            file_size=settings.archive_file_size,
            total_size=settings.archive_size,
            retention=settings.archive_retention,
        )
        sink = Stdout() if settings.archive == "stdout" else Folder(settings.data_dir / ARCHIVE, bounds)
        archive = ThreadedArchive(sink, self.observer, parse=parse_notification)
        archive.start()
        stack.push_async_callback(self.runtime.in_thread, archive.close)
        return archive

    async def _open_receiver(
        self, stack: AsyncExitStack, crew: Crew, auth: WebhookAuth, archive: ThreadedArchive | None
    ) -> None:
        settings = self.settings
        host, port = parse_listen(settings.listen_at)
        tls: ssl.SSLContext | None = None
        if settings.tls_cert is not None and settings.tls_key is not None:
            tls = self._open_tls(settings.tls_cert, settings.tls_key, settings.client_ca)
        hosts = host_rule(host, credentials=auth.required)
        webhook = Webhook(
            crew.journey, auth=auth, hosts=hosts, observe=self.metrics.answered, archive=archive
        )
        listener = Listener(
            serve_paths(webhook), host=host, port=port, tls=tls, observe=self.metrics.answered
        )
        await listener.start()
        stack.push_async_callback(listener.stop)
        self.receiver_address = listener.address
        self._receiving = True

    def _open_tls(self, cert: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
        def read() -> ssl.SSLContext:
            return tls_context(cert, key, client_ca)

        def take(_: ssl.SSLContext) -> None:  # what cannot be used has been found out before
            load_certificates(context, cert, key, client_ca)

        self._renewal.keep("certificate", (cert, key, client_ca), read, take)
        context = read()
        return context

    async def _watch(self, store: Store, crew: Crew) -> None:
        """Learn of the store's health and time, whether or not anything happens."""
        while True:
            trouble = await self._ask(store, crew)
            if trouble != self._trouble:
                _log.info("ready") if trouble is None else _log.warning("not ready", why=trouble)
            self._trouble = trouble
            self._settled.set()
            await self.runtime.sleep(LOOK_EVERY if trouble is None else LOOK_AGAIN)

    async def _ask(self, store: Store, crew: Crew) -> str | None:
        try:
            async with asyncio.timeout(LOOK_WITHIN):
                trouble = await store.trouble()
                if trouble is None:
                    crew.clock.saw((await store.load(None, ())).at)
                return trouble
        except StoreUnavailable as error:
            return str(error)
        except TimeoutError:
            return f"the store does not answer within {LOOK_WITHIN:.0f} s"

    def trouble(self) -> str | None:
        """Why no alerts should be sent here, or None."""
        if self._stopping:
            return "it is stopping"
        return self._trouble or self.supervisor.trouble() or (None if self._receiving else STARTING)

    async def settled(self) -> str | None:
        """Wait for the first look at the store; why the daemon is not ready then, or None."""
        await self._settled.wait()
        return self.trouble()

    def _say_stopping(self) -> None:
        self._stopping = True
        self._settled.set()  # the first look may never come now, and whoever waits for it holds up the end
        _log.info("stopping")

    async def _stop_workers(self) -> None:
        await self.supervisor.stop()
        await self.rulebook.stop()
        late = await self.runtime.drain(DRAIN_WITHIN)
        if late:
            _log.warning("stopped in the middle of work; another replica takes it over", tasks=late)
