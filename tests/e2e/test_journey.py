"""A real rule fires on a real Prometheus, and the whole way to its end is real but for the cluster."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.peers import until
from tests.e2e.stage import set_stage


def test_a_broken_service_is_restarted_once_verified_and_nobody_is_paged(tmp_path: Path) -> None:
    with set_stage(tmp_path) as stage:
        stage.cluster.behave("heals_on_rollout")
        incident = stage.wait_for_status("resolved")
        assert stage.cluster.restarts() == 1, stage.story()
        assert [attempt["outcome"] for attempt in incident["attempts"]] == ["verified"], stage.story()
        assert stage.pager.events() == []
        assert (incident["service"], incident["severity"]) == ("web", "SEV-2")
        kinds = [entry["kind"] for entry in stage.daemons[0].timeline(incident["id"])]
        assert kinds[0] == "opened"
        assert kinds[-1] == "resolved"
        metrics = stage.daemons[0].metrics()
        assert (
            'remediator_attempts_total{outcome="verified",runbook="restart-service",service="web"} 1.0'
            in metrics
        )
        assert 'remediator_pages_avoided_total{severity="SEV-2"} 1.0' in metrics


def test_P14_P18_a_service_that_stays_broken_pages_once_by_the_deadline_with_the_reasons(
    tmp_path: Path,
) -> None:
    with set_stage(tmp_path, page_within="6s", verify_within="60s") as stage:
        stage.cluster.behave("stays_broken")
        [page] = until("a page", lambda: stage.pager.events(), 60)
        opened = stage.wait_for_status("verifying")
        assert stage.cluster.restarts() == 1, stage.story()
        assert page["dedup_key"] == f"{opened['id']}/1"
        payload = page["body"]["payload"]
        assert "not verified in time" in payload["summary"]
        details = payload["custom_details"]
        assert "restart deployment/web" in details["tried"]
        assert "0 of 2 pods ready" in details["diagnosed"]
        assert payload["severity"] == "error"
        timeline = stage.daemons[0].timeline(opened["id"])
        at = {entry["kind"]: entry["at"] for entry in timeline}
        assert at["page"] > at["opened"]

        stage.cluster.behave("healthy")  # a person repairs it
        stage.wait_for_status("resolved")
        until("the page's resolve", lambda: stage.pager.events("resolve"), 30)
        assert len(stage.pager.events()) == 1


def test_two_replicas_restart_once(tmp_path: Path) -> None:
    """Both get every webhook; one incident, one restart, nobody paged."""
    with set_stage(tmp_path, replicas=2) as stage:
        stage.cluster.behave("heals_on_rollout")
        stage.wait_for_status("resolved")
        assert stage.cluster.restarts() == 1, stage.story()
        assert stage.pager.events() == []


def test_redis_restarted_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    """Killed and started again while the fix is being verified: what was answered 2xx is still there."""
    with set_stage(tmp_path) as stage:
        stage.cluster.behave("heals_on_rollout")
        stage.wait_for_status("verifying")
        stage.redis.kill()
        stage.redis.start()
        stage.wait_for_status("resolved")
        assert stage.cluster.restarts() == 1, stage.story()
        assert stage.pager.events() == []
