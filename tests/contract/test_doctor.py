"""The doctor says what is missing, what to do, and never a secret."""

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli import cli

KEY = "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80"
AWAY = {"NIVARAN_KAFKA": "127.0.0.1:1", "NIVARAN_REDIS_URL": "redis://127.0.0.1:1/0"}


def examine(**environment: str) -> tuple[int, dict[str, dict[str, str]], str]:
    unset = {"NIVARAN_CITIZEN_KEY": "", "NIVARAN_CONTACT_KEY": "", "NIVARAN_API_TOKENS": "", **environment}
    answer = CliRunner().invoke(cli, ["doctor", "--json"], env=unset, catch_exceptions=False)
    return answer.exit_code, {each["check"]: each for each in json.loads(answer.stdout)["findings"]}, answer.output


def test_what_is_named_and_away_is_a_fault_with_a_remedy() -> None:
    code, findings, _ = examine(**AWAY)
    assert code == 1
    assert (findings["kafka"]["state"], findings["redis"]["state"]) == ("fail", "fail")
    assert "nivaran local up" in findings["kafka"]["todo"]


def test_what_nobody_named_yet_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in AWAY:
        monkeypatch.delenv(name, raising=False)
    code, findings, _ = examine()
    assert (code, findings["python"]["state"], findings["profiles"]["state"]) == (0, "ok", "ok")


def test_secrets_are_said_to_be_set_and_never_shown() -> None:
    _, findings, output = examine(NIVARAN_CITIZEN_KEY=KEY, NIVARAN_API_TOKENS="officer:s3cret-s3cret-s3cret")
    assert findings["NIVARAN_CITIZEN_KEY"]["state"] == "ok"
    assert findings["NIVARAN_CONTACT_KEY"]["state"] == "warn"
    assert KEY not in output
    assert "s3cret" not in output


def test_a_key_that_is_none_is_a_fault() -> None:
    code, findings, output = examine(NIVARAN_CONTACT_KEY="my-password")
    assert (code, findings["NIVARAN_CONTACT_KEY"]["state"]) == (1, "fail")
    assert "my-password" not in output


def test_placeholder_template_ids_are_pointed_out() -> None:
    assert "placeholder" in examine()[1]["sms templates"]["found"]


def test_a_wrong_setting_is_named() -> None:
    code, findings, _ = examine(NIVARAN_PARTITIONS="many")
    assert code == 1
    assert "NIVARAN_PARTITIONS" in findings["settings"]["found"]


def test_channels_are_named_and_a_setting_that_is_wrong_too() -> None:
    assert examine()[1]["channels"]["found"] == "none beside the API"
    _, findings, _ = examine(NIVARAN_CLOUDEVENTS="on", NIVARAN_OPEN311_URL="")
    assert (findings["channels"]["state"], findings["channels"]["found"]) == ("ok", "/v1/events")
    code, findings, output = examine(NIVARAN_CLOUDEVENTS_SECRETS="desk/officer:s3cret-s3cret")
    assert (code, findings["channels"]["state"]) == (1, "fail")
    assert "NIVARAN_CLOUDEVENTS_SECRETS" in findings["channels"]["found"]
    assert "s3cret" not in output
    code, findings, _ = examine(NIVARAN_OIDC_AUDIENCE="nivaran")
    assert (code, findings["channels"]["found"]) == (1, "NIVARAN_OIDC_ISSUER is not set")


def test_subscriptions_are_read_where_there_are_any(tmp_path: Path) -> None:
    assert "webhooks" not in examine()[1]
    code, findings, _ = examine(NIVARAN_WEBHOOKS=str(tmp_path / "none.toml"))
    assert (code, findings["webhooks"]["state"]) == (1, "fail")
    file = tmp_path / "webhooks.toml"
    file.write_text('[desk]\nurl = "https://desk.example"\nsecrets = ["NIVARAN_WEBHOOK_SECRET_DESK"]\n')
    secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
    _, findings, _ = examine(NIVARAN_WEBHOOKS=str(file), NIVARAN_WEBHOOK_SECRET_DESK=secret)
    assert (findings["webhooks"]["state"], findings["webhooks"]["found"]) == ("ok", "desk")
