"""Roles: what the workers run is what the topology says, and a wrong role or setting is told so."""

import pytest
from click.testing import CliRunner

from agents.app import ROLES, UnknownRoleError, build
from agents.cli.worker import worker
from agents.runtime.exits import Exit
from agents.settings import Settings
from schemas.registry import topics
from streams.profiles.load import departments
from streams.topology import EFFECTS, STAGES


def test_every_stage_of_the_topology_runs_in_exactly_one_role() -> None:
    running = [stage.name for role in ROLES.values() for stage in role.stages]
    assert sorted(running) == sorted(stage.name for stage in STAGES)


def test_every_effect_of_the_topology_runs_in_some_role(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CONTACT_KEY": "A" * 43 + "=", "SMS_URL": "http://127.0.0.1:1", "OFFICES": "sandbox"}.items():
        monkeypatch.setenv(f"NIVARAN_{name}", value)
    parts = []
    for name in ROLES:
        built = build(name, Settings())
        parts += [(sink.name, sink.topics, ()) for sink in built._sinks]
        parts += [(sender.name, (sender.reads,), sender.writes) for sender in built._senders]
    assert sorted((n, sorted(r), tuple(w)) for n, r, w in parts) == sorted(
        (effect.name, sorted(effect.reads), effect.writes) for effect in EFFECTS
    )


def test_a_role_needs_only_topics_of_the_registry() -> None:
    known = topics(departments())
    for name in ("intake", "case", "sla", "officers", "board"):
        needs = build(name, Settings(partitions=6)).needs()
        assert set(needs.reads) | needs.writes <= known.keys()
        assert set(needs.reads.values()) == {6}
        assert needs.group == f"nivaran-{name}"


def test_an_unknown_role_is_told_those_there_are() -> None:
    with pytest.raises(UnknownRoleError, match="there are intake, case, sla, sms, officers, board"):
        build("cases", Settings())


def test_the_command_names_a_setting_it_cannot_use() -> None:
    answer = CliRunner().invoke(worker, ["case"], env={"NIVARAN_HTTP_PORT": "many"})
    assert answer.exit_code == Exit.USAGE
    assert "NIVARAN_HTTP_PORT" in answer.output


def test_the_command_says_what_the_exit_codes_mean() -> None:
    answer = CliRunner().invoke(worker, ["--help"])
    assert "Exit code: 0 told to stop" in answer.output
    assert "Example:" in answer.output
