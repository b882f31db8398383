"""`python -m tests.instructions`: counts and compares; `--renew` writes the figure, `--input` makes the input anew."""

import argparse
from typing import Final

import msgspec

from agents.simulate.door import Door, stand_in_identity
from agents.simulate.generate import Simulation
from agents.simulate.playback import Playback
from schemas.codec import encode
from schemas.commands import Action
from schemas.intake import Submitted
from schemas.sms import SmsOutcome
from streams.driver import Written
from streams.profiles.load import profile
from streams.topology import STAGES
from tests.instructions.fold import INPUT, Line
from tests.instructions.measure import TOLERANCE, build, figures, measure, parts, write
from tests.instructions.parts import PARTS

SEED: Final = 7
SCALE: Final = 0.002
DAYS: Final = 40


def make() -> list[Line]:
    """What comes from outside in weeks of a small helpline: submissions, actions, and what the SMS gateway answers."""
    simulation = Simulation(profile("up-1076"), SEED, scale=SCALE, days=DAYS)
    given: list[Line] = []

    def note(topic: str, written: Written) -> None:
        if isinstance(written.value, Submitted | Action | SmsOutcome):
            given.append(Line(written.origin.at, topic, written.key, msgspec.Raw(encode(written.value))))

    playback = Playback(STAGES, Door(stand_in_identity()), simulation.truth.start_at, note)
    for line in simulation:
        if line.way != "wire":
            playback.play(line)
    return given


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.instructions", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="write the figure of this build of Python")
    parser.add_argument("--input", action="store_true", help="make the input anew; every figure has to be renewed then")
    parser.add_argument("--parts", action="store_true", help="where the case stage's instructions go, as a table")
    asked = parser.parse_args()
    if asked.parts:
        print("\n".join(f"| {PARTS[name]} | {each:,.0f} |" for name, each in parts().items()))
        return
    if asked.input:
        INPUT.write_bytes(msgspec.json.Encoder().encode_lines(make()))
    found, kept = measure(), figures().get(build())
    print(f"{build()}: {found.each:,.0f} instructions a record, {found.records:,} records")
    if kept is not None:
        print(f"{found.against(kept):+.1%} against the figure kept, {kept.each:,.0f}; {TOLERANCE:.0%} are allowed")
    if asked.renew:
        write(found)


if __name__ == "__main__":
    main()
