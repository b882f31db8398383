"""docker-compose.yml and the Dockerfile, read by the tools that will run them; no daemon is needed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from agents import app
from agents.exporter.process import ExporterSettings
from agents.gateway.settings import GatewaySettings
from agents.settings import PREFIX, Settings, load
from agents.sms.settings import SmsSettings
from agents.webhooks.process import WebhookSettings
from deploy.cli import cli
from deploy.local.jars import ensure_jars
from deploy.local.java import find_java
from deploy.local.kafka import KafkaCluster
from deploy.local.kafka_config import LOGGING, SETTINGS

REPOSITORY = Path(__file__).parents[2]
COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
SECRETS = ("NIVARAN_CITIZEN_KEY", "NIVARAN_CONTACT_KEY", "NIVARAN_API_TOKENS", "NIVARAN_RECEIPTS_TOKEN")
GIVEN = dict.fromkeys(SECRETS, "given")
SETTINGS_OF = {
    "webhooks": WebhookSettings,
    "gateway": GatewaySettings,
    "worker-sms": SmsSettings,
    "exporter": ExporterSettings,
}
MONITORING = {"prometheus", "alertmanager", "grafana"}
INFRASTRUCTURE = {"kafka", "redis", *MONITORING}
# a broker of a laptop, not of a container: how much memory and how many threads it may have
FOOTPRINT = {
    "broker.heartbeat.interval.ms",
    "offsets.topic.num.partitions",
    "transaction.state.log.num.partitions",
    "num.network.threads",
    "num.io.threads",
    "background.threads",
    "log.cleaner.dedupe.buffer.size",
    "log.index.size.max.bytes",
}


def tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def compose(*words: str, given: dict[str, str], profile: str | None = "app") -> subprocess.CompletedProcess[str]:
    """Run the real Compose on our file, with nothing of the developer's own settings."""
    profiles = ("--profile", profile) if profile else ()
    command = [tool("docker-compose"), "--env-file", os.devnull, "-f", COMPOSE_FILE, *profiles, *words]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **given}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return json.loads(compose("config", "--format", "json", given=GIVEN, profile="*").stdout)["services"]


@pytest.mark.parametrize("profile", [None, "app", "observability", "webhooks", "*"])
def test_every_profile_is_accepted(profile: str | None) -> None:
    ended = compose("config", "-q", given=GIVEN, profile=profile)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("missing", SECRETS)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_secret_is_named(missing: str, value: str | None) -> None:
    given = {name: "given" for name in SECRETS if name != missing} | ({missing: value} if value is not None else {})
    ended = compose("config", "-q", given=given)
    assert ended.returncode != 0
    assert f"{missing} is missing a value" in ended.stderr


def test_kafka_and_redis_alone_need_no_profile() -> None:
    names = compose("config", "--services", given=GIVEN, profile=None).stdout.split()
    assert set(names) == INFRASTRUCTURE - MONITORING


def test_the_watch_is_a_profile_of_its_own_and_scrapes_every_process(services: dict[str, dict[str, Any]]) -> None:
    watch = compose("config", "--services", given=GIVEN, profile="observability").stdout.split()
    assert set(watch) == INFRASTRUCTURE | {"exporter"}
    prometheus = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "prometheus.yml").read_text())
    jobs = prometheus["scrape_configs"]
    targets = [target for job in jobs for each in job.get("static_configs", ()) for target in each["targets"]]
    looked_up = [name for job in jobs for each in job.get("dns_sd_configs", ()) for name in each["names"]]
    scraped = {target.partition(":")[0] for target in targets} | set(looked_up)
    with_metrics = {name for name in services if name.startswith("worker-")} | {"gateway", "exporter", "webhooks"}
    assert scraped == with_metrics | {"127.0.0.1"}
    assert all(Path(volume["source"]).exists() for name in MONITORING for volume in services[name]["volumes"]
               if volume["type"] == "bind")  # fmt: skip


def test_every_process_has_its_service(services: dict[str, dict[str, Any]]) -> None:
    roles = {service["command"][1] for service in services.values() if (service.get("command") or [""])[0] == "worker"}
    assert roles == set(app.ROLES)
    assert {"topics", "gateway", "sms-sandbox", "webhooks"} <= services.keys()


def test_every_process_gets_settings_it_knows_and_a_command_there_is(services: dict[str, dict[str, Any]]) -> None:
    for name in services.keys() - INFRASTRUCTURE:
        if name != "sms-sandbox":  # told by its options, not by settings
            kind = SETTINGS_OF.get(name, Settings)
            given = services[name]["environment"]
            assert given.keys() <= {PREFIX + field.upper() for field in kind.__struct_fields__}, name
            load(kind, given)
        understood(cli, services[name]["command"])


def understood(command: click.Command, words: list[str]) -> None:
    """Parse `words` as the command line would, and call nothing; click raises UsageError for what it does not know."""
    context = command.make_context("nivaran", list(words))
    if isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words
        understood(found, words[1:])


def test_every_container_is_confined(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["init"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["user"].partition(":")[0]) > 0, name
        assert int(service["mem_limit"]) > 0, name
        assert "stop_grace_period" in service, name
        assert "healthcheck" in service or name == "topics", name


def test_nothing_is_published_beyond_this_machine(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.keys() == {"kafka", "gateway", *MONITORING}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_everything_waits_for_the_topics(services: dict[str, dict[str, Any]]) -> None:
    for name in services.keys() - INFRASTRUCTURE - {"topics", "sms-sandbox", "exporter"}:
        assert services[name]["depends_on"]["topics"]["condition"] == "service_completed_successfully", name


def test_no_secret_has_a_default() -> None:
    text = COMPOSE_FILE.read_text()
    uses = re.findall(r"\$\{(NIVARAN_\w*(?:KEY|TOKEN|SECRET|PASSWORD)\w*)(:?[-?]?)([^}]*)\}", text)
    assert {name for name, _, _ in uses} >= set(SECRETS)
    for name, operator, rest in uses:
        assert operator == ":?" or (name == "NIVARAN_CONTACT_KEY_PREVIOUS" and (operator, rest) == (":-", "")), name


def test_the_example_names_every_variable_and_gives_no_value() -> None:
    used = set(re.findall(r"\$\{(NIVARAN_\w+)", COMPOSE_FILE.read_text()))
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    named = dict(line.removeprefix("#").split("=") for line in lines if re.match(r"#?NIVARAN_\w+=", line))
    assert named.keys() == used
    assert all(named[name] == "" for name in SECRETS)


def test_the_container_broker_is_told_what_the_embedded_one_is(services: dict[str, dict[str, Any]]) -> None:
    told = services["kafka"]["environment"]
    same = {name: value for name, value in SETTINGS.items() if name not in FOOTPRINT}
    assert {name: told.get(f"KAFKA_{name.upper().replace('.', '_')}") for name in same} == same


def test_the_dockerfile_has_no_finding() -> None:
    ended = subprocess.run(
        [tool("hadolint"), REPOSITORY / "deploy" / "docker" / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "")


def rendered(environment: dict[str, str], root: Path) -> dict[str, str]:
    """The server.properties of these variables, by the class the image starts with; ValueError when it refuses."""
    for name in ("default", "mounted", "final"):
        (root / name).mkdir(parents=True)
    for name in ("server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
        (root / "default" / name).write_text("" if name.startswith("server") else LOGGING)
    folders = [f"--{name}-configs-dir={root / name}" for name in ("default", "mounted", "final")]
    ended = subprocess.run(
        [
            find_java().executable,
            "-Xmx128m",
            "-cp",
            f"{ensure_jars()}/*",
            "kafka.docker.KafkaDockerWrapper",
            "setup",
            *folders,
        ],
        env={**environment, "KAFKA_LOG_DIRS": str(root / "data")},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise ValueError(ended.stdout + ended.stderr)
    lines = (root / "final" / "server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.mark.live
def test_the_image_accepts_its_variables_and_kafka_knows_each(
    services: dict[str, dict[str, Any]], tmp_path: Path, kafka: KafkaCluster
) -> None:
    told = rendered(services["kafka"]["environment"], tmp_path)
    assert told["log.retention.ms"] == "-1"
    assert told["advertised.listeners"] == "INSIDE://kafka:9092,HOST://127.0.0.1:9094"
    client = AdminClient({"bootstrap.servers": kafka.bootstrap})
    broker = ConfigResource(ResourceType.BROKER, "1")
    known = client.describe_configs([broker])[broker].result(30)
    assert told.keys() - known.keys() == set()


@pytest.mark.live
@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("KAFKA_PROCESS_ROLES", "brokr", "process.roles"),
        ("KAFKA_LOG_RETENTION_MS", "for ever", "log.retention.ms"),
        ("KAFKA_LISTENERS", "INSIDE://:9092,HOST://:9094", "controller.listener.names"),
        ("KAFKA_ADVERTISED_LISTENERS", "ELSEWHERE://kafka:9092", "ELSEWHERE"),
    ],
)
def test_the_image_refuses_a_wrong_variable(
    services: dict[str, dict[str, Any]], tmp_path: Path, name: str, value: str, answer: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(answer)):
        rendered({**services["kafka"]["environment"], name: value}, tmp_path)
