"""What the receiver takes, from whom, and what it answers when it is not sure."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections import Counter
from pathlib import Path

import pytest
import trustme

from remediator.core.alerts import AlertStatus
from remediator.core.errors import QueueFull, SettingsError, StoreUnavailable
from remediator.http.auth import ApiAuth, Denial, HostRule, Principal, Role, WebhookAuth, host_rule
from remediator.http.server import Limits, Listener, check_exposure, parse_listen, tls_context
from remediator.http.webhook import PATH, Webhook, WebhookLimits, serve_paths
from tests.integration.receiver import (
    FIRING,
    RECORDINGS,
    TOKEN,
    RecordingReceiver,
    read_answer,
    request,
    serve,
)

CAPTURES = sorted(each.name.removesuffix(".headers.json") for each in RECORDINGS.glob("*.headers.json"))


@pytest.mark.parametrize("name", CAPTURES)
async def test_what_alertmanager_sent_is_taken(name: str) -> None:
    """Three versions of Alertmanager, with the very headers they sent."""
    document = json.loads((RECORDINGS / f"{name}.json").read_bytes())
    body = json.dumps(document, separators=(",", ":")).encode()
    headers = json.loads((RECORDINGS / f"{name}.headers.json").read_bytes())
    headers = {
        **headers,
        "http": "",
        "Content-Length": str(len(body)),
        "Authorization": headers.get("Authorization", ""),
    }
    rule = host_rule("127.0.0.1", names=["remediator.example"])
    scheme, _, secret = headers["Authorization"].partition(" ")
    token = base64.b64decode(secret).decode().partition(":")[2] if scheme == "Basic" else secret
    async with serve(token=token or None, hosts=rule) as served:
        answer = await served.post(body, headers)
        assert (answer.status, answer.json) == (200, {"new": len(document["alerts"]), "dead_letter": 0})
        [taken] = served.receiver.notifications
        assert taken.group_key == document["groupKey"]
        assert taken.truncated == document["truncatedAlerts"]
        for alert, sent in zip(taken.alerts, document["alerts"], strict=True):
            assert alert.labels == sent["labels"]
            assert alert.fingerprint == sent["fingerprint"]
            assert (alert.ends_at is None) is (alert.status is AlertStatus.FIRING)


async def test_a_group_that_changes_is_taken_post_by_post() -> None:
    posts = json.loads((RECORDINGS / "am033_mixed_group_sequence.json").read_bytes())
    async with serve() as served:
        for post in posts:
            assert (await served.post(post)).status == 200
        statuses = [[alert.status for alert in each.alerts] for each in served.receiver.notifications]
        assert statuses == [[alert["status"] for alert in post["alerts"]] for post in posts]


@pytest.mark.parametrize(
    "error", [StoreUnavailable("redis is loading"), QueueFull("no room"), RuntimeError("a bug")]
)
async def test_P2_an_error_of_the_store_is_503(error: Exception) -> None:
    async with serve() as served:
        served.receiver.error = error
        answer = await served.post(FIRING)
        assert answer.status == 503
        assert answer.json["hint"]
        assert (answer.json["error"] == str(error)) is not isinstance(error, RuntimeError)
        served.receiver.error = None
        assert (await served.post(FIRING)).status == 200
        assert served.codes == {503: 1, 200: 1}


async def test_P2_a_store_that_hangs_is_503_in_time() -> None:
    async with serve(webhook_limits=WebhookLimits(receive=0.05)) as served:
        served.receiver.hangs = True
        answer = await served.post(FIRING)
        assert (answer.status, served.receiver.notifications) == (503, [])
        assert "did not answer" in answer.json["error"]


def test_P2_the_bound_leaves_time_to_answer_within_five_seconds() -> None:
    assert WebhookLimits().receive < 5


async def test_a_request_under_way_is_answered_while_the_listener_stops() -> None:
    async with serve(limits=Limits(stop=5)) as served:
        served.receiver.hangs = True
        address = served.listener.address
        reader, writer = await served.connect()
        writer.write(request(json.dumps(FIRING).encode()))
        await served.receiver.entered.wait()
        stopping = asyncio.ensure_future(served.listener.stop())
        refused = False
        while not refused:
            try:
                _, late = await asyncio.open_connection(*address)
                late.close()
            except ConnectionError:
                refused = True
        served.receiver.go_on.set()
        assert (await read_answer(reader)).status == 200
        await stopping
        writer.close()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("", 401),
        ("Digest username=x", 401),
        (TOKEN, 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 403),
        ("Bearer ", 403),
        ("Bearer", 403),
        (basic("anyone", TOKEN), 200),
        (basic("", TOKEN), 200),
        (basic(TOKEN, "x"), 403),
        (basic("anyone", f"{TOKEN}:"), 403),
        ("Basic !!!", 403),
        ("Basic /w==", 403),
    ],
)
async def test_credentials(header: str, status: int) -> None:
    async with serve() as served:
        answer = await served.post(FIRING, {"Authorization": header})
        assert answer.status == status
        assert (status == 401) is ("www-authenticate" in answer.headers)
        assert (status == 200) is ("error" not in answer.json)
        assert TOKEN.encode() not in answer.body
        assert served.codes == {status: 1}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9095", 200),
        ("127.0.0.1:9095", 200),
        ("[::1]:9095", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("evil.example:9095", 403),
        ("localhost/evil", 403),
        ("", 400),  # HTTP/1.1 demands one
    ],
)
async def test_the_host_header_is_checked(host: str, status: int) -> None:
    """So a page in a browser cannot reach a listener on this machine by a name of its own."""
    async with serve(token=None) as served:
        for path in (PATH, "/other"):
            answer = await served.post(FIRING, {"Host": host}, path=path)
            assert answer.status == (404 if status == 200 and path == "/other" else status)


def test_names_and_the_bound_address_are_allowed_hosts() -> None:
    rule = host_rule("10.0.0.7", names=["Remediator.Example"])
    assert rule.check({"Host": "10.0.0.7:9095"}) is None
    assert rule.check({"Host": "remediator.example"}) is None
    assert rule.check({"Host": "other"}) is not None


def test_credentials_make_any_host_good_enough_off_loopback() -> None:
    assert host_rule("0.0.0.0", credentials=True) == HostRule(allowed=None)
    assert host_rule("127.0.0.1", credentials=True).check({"Host": "evil.example"}) is not None
    assert host_rule("0.0.0.0", names=["a"], credentials=True).check({"Host": "b"}) is not None
    assert host_rule("0.0.0.0", credentials=True).check({"Host": "a b"}) is not None


@pytest.mark.parametrize(
    ("listen", "token", "ca", "fine"),
    [
        ("127.0.0.1:9095", None, None, True),
        ("localhost:9095", None, None, True),
        ("[::1]:9095", None, None, True),
        (":9095", None, None, False),
        ("0.0.0.0:9095", None, None, False),
        ("10.1.2.3:9095", "", None, False),
        ("some-name:9095", None, None, False),
        (":9095", "t", None, True),
        (":9095", None, "ca.pem", True),
    ],
)
def test_nothing_listens_to_the_network_without_credentials(
    listen: str, token: str, ca: str, fine: bool
) -> None:
    if fine:
        check_exposure(listen, token, ca)
        return
    with pytest.raises(SettingsError, match="WEBHOOK_TOKEN"):
        check_exposure(listen, token, ca)


@pytest.mark.parametrize("text", ["", "9095", "host", "host:port", "host:70000", "::1:9095", "host:-1"])
def test_an_address_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="host:port"):
        parse_listen(text)


TOKENS = """
# people
ada    admin     t-ada
oscar  operator  t-oscar
vera   viewer    t-vera
"""


@pytest.mark.parametrize(
    ("text", "header", "expected"),
    [
        (None, None, Principal(name="local", role=Role.ADMIN)),
        ("single\n", "Bearer single", Principal(name="api", role=Role.ADMIN)),
        ("single", "Bearer other", 403),
        ("single", None, 401),
        (TOKENS, "Bearer t-ada", Principal(name="ada", role=Role.ADMIN)),
        (TOKENS, "Bearer t-vera", Principal(name="vera", role=Role.VIEWER)),
        (TOKENS, basic("x", "t-oscar"), Principal(name="oscar", role=Role.OPERATOR)),
        (TOKENS, "Bearer ada", 403),
    ],
)
def test_api_credentials(text: str | None, header: str | None, expected: Principal | int) -> None:
    found = ApiAuth.parse(text).check({"Authorization": header} if header else {})
    assert (found.status if isinstance(found, Denial) else found) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ada admin", "line 1"),
        ("# x\nada root s3cret", "line 2.*viewer, operator, admin"),
        ("a admin s3cret\nb/c admin s3cret2", "line 2"),
        ("a admin s3cret\nb viewer s3cret", "share one token"),
    ],
)
def test_a_wrong_token_file_is_refused_without_showing_tokens(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        ApiAuth.parse(text)
    assert "s3cret" not in str(caught.value)


def test_tokens_are_in_no_repr() -> None:
    for each in (WebhookAuth("s3cret"), ApiAuth.parse("ada admin s3cret"), ApiAuth.parse("s3cret")):
        assert "s3cret" not in repr(each)
        assert "s3cret" not in repr(vars(each))


def test_roles_include_each_other_upwards() -> None:
    assert [[each.includes(other) for other in Role] for each in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


async def test_an_address_in_use_is_said_so() -> None:
    async with serve() as served:
        host, port = served.listener.address
        webhook = Webhook(
            RecordingReceiver(),
            auth=WebhookAuth(None),
            hosts=host_rule(host),
            observe=lambda _code, _seconds: None,
        )
        other = Listener(serve_paths(webhook), host=host, port=port)
        with pytest.raises(SettingsError, match="free port"):
            await other.start()


async def test_client_certificates(tmp_path: Path) -> None:
    """Without one: 401, and on this path only, for callbacks cannot have any. With a strange one: no TLS."""
    ca, stranger = trustme.CA(), trustme.CA()
    server, client, foreign = (
        ca.issue_cert("localhost"),
        ca.issue_cert("am@x.example"),
        stranger.issue_cert("e@x.example"),
    )
    cert, key, authority = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    server.cert_chain_pems[0].write_to_path(cert)
    server.private_key_pem.write_to_path(key)
    ca.cert_pem.write_to_path(authority)
    codes = Counter[int]()
    webhook = Webhook(
        RecordingReceiver(),
        auth=WebhookAuth(None, certificate=True),
        hosts=host_rule("127.0.0.1"),
        observe=lambda code, _: codes.update([code]),
    )
    tls = tls_context(cert, key, authority)
    listener = Listener(serve_paths(webhook), host="127.0.0.1", port=0, tls=tls, limits=Limits(stop=0.5))
    await listener.start()

    async def post(identity: trustme.LeafCert | None) -> int:
        context = ssl.create_default_context()
        ca.configure_trust(context)
        if identity is not None:
            identity.configure_cert(context)
        reader, writer = await asyncio.open_connection(
            *listener.address, ssl=context, server_hostname="localhost"
        )
        try:
            writer.write(request(json.dumps(FIRING).encode(), {"Authorization": ""}))
            return (await read_answer(reader)).status
        finally:
            writer.close()

    try:
        assert await post(client) == 200
        assert await post(None) == 401
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await post(foreign)
        assert codes == {200: 1, 401: 1}
    finally:
        await listener.stop()


def test_unusable_certificates_are_said_so(tmp_path: Path) -> None:
    leaf = trustme.CA().issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    with pytest.raises(SettingsError, match="TLS_CERT"):
        tls_context(cert, key)
    leaf.cert_chain_pems[0].write_to_path(cert)
    leaf.private_key_pem.write_to_path(key)
    with pytest.raises(SettingsError, match="CLIENT_CA"):
        tls_context(cert, key, tmp_path / "missing.pem")


async def test_who_asks_before_sending_is_told_to_go_on() -> None:
    """``Expect: 100-continue``, as curl sends it: whoever is welcome is told so, then the body is read."""
    asking = request(json.dumps(FIRING).encode(), {"Expect": "100-continue"})
    head, _, body = asking.partition(b"\r\n\r\n")
    async with serve() as served:
        reader, writer = await served.connect()
        writer.write(head + b"\r\n\r\n")
        assert (await read_answer(reader)).status == 100
        writer.write(body)
        assert (await read_answer(reader)).status == 200
        writer.close()


async def test_who_may_not_send_is_refused_before_the_body() -> None:
    """With wrong credentials the answer comes at once, and no body is asked for."""
    asking = request(b"?" * 100, {"Expect": "100-continue", "Authorization": "Bearer wrong"})
    async with serve() as served:
        assert (await served.send(asking.rstrip(b"?"))).status == 403
