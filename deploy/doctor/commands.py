"""`nivaran doctor`: each check in a line, what to do under it."""

from typing import Final

import click

from agents.cli.shared import json_option, print_json
from deploy.doctor.deployment import deployment
from deploy.doctor.finding import Finding, State
from deploy.doctor.machine import machine

COLOUR: Final[dict[State, str]] = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what is missing on this machine and in this deployment, and what to do.

    `warn`: works, or is not needed everywhere. `fail`: something will not work.

    Exit code: 0 nothing failed; 1 something did; 2 wrong usage.

    \b
    Example:
      nivaran doctor
      nivaran doctor --json | jq '.findings[] | select(.state == "fail")'
    """
    findings = [each for checks in (machine, deployment) for each in checks()]
    failed = any(each.state == "fail" for each in findings)
    if as_json:
        print_json({"ok": not failed, "findings": findings})
    else:
        for each in findings:
            _print(each)
    if failed:
        raise SystemExit(1)


def _print(finding: Finding) -> None:
    state = click.style(f"{finding.state:<5}", fg=COLOUR[finding.state])
    click.echo(f"{state} {finding.check:<20} {finding.found}")
    if finding.todo and finding.state != "ok":
        click.echo(f"{'':<26} {finding.todo}")
