"""The command `nivaran`: one table of all its commands, each imported only when it is asked for."""

import gc
import importlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import click

from agents.settings import SettingsError
from streams.profiles.profile import ProfileError


class Entry(NamedTuple):
    """Where a command lives (`module:attribute`) and the line it has in `nivaran --help`."""

    target: str
    help: str


SECTIONS: Final[dict[str, dict[str, Entry]]] = {
    "See it work": {
        "demo": Entry(
            "deploy.demo.commands:demo", "Three weeks of a helpline on real Kafka, checked to the last record."
        ),
        "local": Entry("deploy.local.commands:local_group", "Kafka and Redis on this machine, no Docker, no root."),
        "doctor": Entry("deploy.doctor.commands:doctor", "What is missing on this machine, and what to do."),
    },
    "Run it": {
        "worker": Entry("agents.cli.worker:worker", "One worker of a role: intake, case, sla, sms, officers, board."),
        "gateway": Entry("agents.cli.gateway:gateway", "The HTTP interface for complaints and actions."),
        "token": Entry("agents.cli.token:token", "Signed tokens for a demonstration, by two keys in a file."),
        "sms-sandbox": Entry("agents.cli.sandbox:sms_sandbox", "An SMS gateway that sends nothing and keeps a ledger."),
        "webhooks": Entry("agents.cli.webhooks:webhooks", "Escalations by signed HTTP calls, to those without Kafka."),
        "load": Entry("agents.cli.load:load", "Submissions and actions from NDJSON, CSV or XLSX."),
        "mail": Entry("agents.cli.mail:mail", "Letters from a folder or a mailbox as submissions."),
    },
    "Operate it": {
        "topics": Entry("agents.cli.topics:topics", "Create the topics, or compare them with the registry."),
        "contract": Entry("agents.cli.contract:contract", "What has changed in topics and records, and what breaks."),
        "dlq": Entry("agents.cli.dlq:dlq", "Dead letters: list, show, redrive."),
        "top": Entry("agents.cli.top:top", "Lag, rates, open cases and lateness, live in the terminal."),
        "exporter": Entry("agents.cli.exporter:exporter", "Lag and the state of the helpline, for Prometheus."),
        "audit": Entry("agents.cli.audit:audit", "The reconciliation, on any running system."),
        "explain": Entry("agents.cli.explain:explain", "One case's timeline, each fact with its because."),
        "officers": Entry("agents.cli.officers:officers", "Load offices and officers; absentees, logins, the ladder."),
        "rebuild": Entry("agents.cli.rebuild:rebuild_command", "Board, registers or SLA windows from the log again."),
        "export": Entry("agents.cli.backup:export_command", "A whole deployment's topics as files with checksums."),
        "import": Entry("agents.cli.backup:import_command", "Such files into an empty cluster, at the same offsets."),
        "size": Entry("deploy.sizing.commands:size", "Cores, memory, disk, partitions for so many complaints."),
        "profile": Entry("agents.cli.profile:profile", "A system's settings, each with the mark of its source."),
    },
    "Review it": {
        "board": Entry("agents.cli.board:board", "A district now: departments, levels, ages, who has not looked."),
        "pack": Entry("agents.cli.pack:pack", "The monthly review pack, as of a day: Markdown, CSV, a page to print."),
        "review": Entry("agents.cli.review:review", "Samples that can be drawn again, and what was found in them."),
        "rank": Entry("agents.cli.rank:rank", "Districts or departments by the published formula."),
    },
    "Examine it": {
        "simulate": Entry("agents.cli.simulate:simulate", "A seeded file of inputs, and what must come of it."),
        "replay": Entry("agents.cli.replay:replay", "The whole flow in memory: facts on standard output."),
        "register": Entry("agents.cli.register:register", "The requirements R01 to R24, their stories, the results."),
        "real": Entry("deploy.real.commands:real", "276,633 real cases, compared with an independent recount."),
        "bench": Entry(
            "deploy.bench.commands:bench", "What it costs, how soon it is told, how it compares; on this machine."
        ),
    },
}
INTERRUPTED: Final = 130
"""As a shell counts SIGINT: neither an answer of the command nor a fault."""
COMMANDS: Final = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class SettingsFault(click.ClickException):
    """A variable is missing or wrong: the command cannot begin."""

    exit_code = 2


class Root(click.Group):
    """Imports a command when it is called, so that help is quick and a fault in one command leaves the others whole."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else _imported(cmd_name, entry.target)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for section, entries in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, entry.help) for name, entry in entries.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SettingsError, ProfileError) as error:
            raise SettingsFault(str(error)) from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


def _imported(name: str, target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    gc.disable()  # a tenth of an import: it makes much, and nothing that is forgotten
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise click.ClickException(
            f"`nivaran {name}` cannot be loaded: {error}. `nivaran doctor` says what is missing."
        ) from error
    finally:
        gc.enable()
    if not isinstance(found, click.Command):
        raise TypeError(f"{target} is no command")
    return found


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="nivaran", message="%(prog)s %(version)s")
def cli() -> None:
    """Grievance helplines as streams: route, time, escalate, confirm.

    Settings come from the environment (NIVARAN_KAFKA, NIVARAN_REDIS_URL, ...); a wrong one ends with exit code 2, and
    Ctrl-C with 130 where a command does not say otherwise.

    \b
    Example:
      nivaran demo
      nivaran topics --help
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script."""
    cli.main(args=list(arguments) if arguments is not None else None, prog_name="nivaran")


if __name__ == "__main__":
    main()
