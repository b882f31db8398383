"""Faults of workers: killed at points, frozen past a session, coming and going, of two builds, their clock wrong."""

import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.faults.netns import THERE
from tests.faults.trial import TAKEN_OVER_S, Trial
from tests.live.stand import Apart, Place, pause
from tests.waiting import until

STRIKES_S = 400.0
"""For all kills at one point."""
MOST_PASSED = 12
CLOCK_STEP_S = 600


def at_point(point: str) -> Callable[[Trial], None]:
    """Workers die there again and again, whenever they come back."""
    # in recovery the first slices are all there may be
    most = 1 if point == "in recovery" else MOST_PASSED

    def arm(trial: Trial, place: Place) -> None:
        trial.stand.start(place, FAULT_POINT=point, FAULT_AFTER=str(trial.draw.randrange(most)))

    def strike(trial: Trial) -> None:
        stand = trial.stand
        for place in stand.places:
            stand.workers[place].stop()
            arm(trial, place)
        deadline = time.monotonic() + STRIKES_S
        while trial.struck < trial.times and time.monotonic() < deadline:
            for place in _died(trial):
                arm(trial, place)
            time.sleep(0.02)
        for place in stand.places:
            stand.workers[place].kill()
            stand.start(place)
        trial.recovers()

    return strike


def _died(trial: Trial) -> list[Place]:
    """Who has ended since the last look: struck at the point, or by itself."""
    found = []
    for place, worker in trial.stand.workers.items():
        code = worker.process.poll()
        if code is None:
            continue
        found.append(place)
        if code == -signal.SIGKILL:
            trial.struck += 1
        else:
            trial.stand.exits.append(code)
    return found


def _taken_over(trial: Trial, others: list[Place], everything: int) -> bool:
    # one of them may have been left in doubt by the same fault
    trial.stand.restart_those_that_left(others)
    return trial.partitions_of(others) >= everything > 0


def zombies(trial: Trial) -> None:
    """One stands still until another has its partitions, then goes on believing that they are its own."""
    stand = trial.stand
    for _ in range(trial.times):
        victim = trial.draw.choice(stand.places)
        others = [place for place in stand.places if place != victim]
        everything = trial.partitions_of(stand.places)
        stand.workers[victim].signal(signal.SIGSTOP)
        try:
            until(partial(_taken_over, trial, others, everything), TAKEN_OVER_S, what="others have its partitions")
            trial.struck += 1
        finally:
            stand.workers[victim].signal(signal.SIGCONT)
        trial.recovers()


def cuts(trial: Trial) -> None:
    """A worker and the brokers hear nothing of each other for longer than its session, then again: nobody was told."""
    stand, cable, proxy = trial.stand, trial.cable, trial.proxy
    assert cable is not None
    assert proxy is not None
    victim, *others = stand.places
    there = {"NIVARAN_KAFKA": f"{proxy.host}:{proxy.port}", "NIVARAN_HTTP_HOST": THERE}
    stand.apart[victim] = Apart(("tests.faults.netns", cable.name), there)
    stand.workers[victim].stop()
    stand.start(victim).wait_ready()
    for _ in range(trial.times):
        until(lambda: trial.partitions_of([victim]) > 0, TAKEN_OVER_S, what="it has partitions to lose")
        everything = trial.partitions_of(stand.places)
        cable.cut()
        try:
            until(partial(_taken_over, trial, others, everything), TAKEN_OVER_S, what="others have its partitions")
            pause(trial.draw, stand.session_s, 2 * stand.session_s)
            trial.struck += 1
        finally:
            cable.mend()
        trial.recovers()


def storm(trial: Trial) -> None:
    """Workers leave and come back every two seconds, by turns told to and killed."""
    stand = trial.stand
    for number in range(trial.times):
        stand.restart_those_that_left()
        place = trial.draw.choice(stand.places)
        if number % 2:
            stand.workers[place].kill()
        else:
            stand.workers[place].stop()
        stand.start(place)
        trial.struck += 1
        pause(trial.draw, 1.0, 2.0)
    trial.recovers()


def kills(trial: Trial) -> None:
    """Any worker at any moment."""
    stand = trial.stand
    for _ in range(trial.times):
        pause(trial.draw, 1.0, 3.0)
        stand.restart_those_that_left()
        place = trial.draw.choice(stand.places)
        stand.workers[place].kill()
        stand.start(place)
        trial.struck += 1
    trial.recovers()


def clock_steps(trial: Trial) -> None:
    """Ten minutes forward, back to where it was, ten minutes back, and right again."""
    stand = trial.stand
    told = stand.folder / "clock"
    _set(told, 0)
    stand.environ = {"FAULT_CLOCK": str(told)}
    for place in stand.places:
        stand.workers[place].stop()
        stand.start(place).wait_ready()
    steps = (CLOCK_STEP_S, 0, -CLOCK_STEP_S, 0)
    for number in range(trial.times):
        step = steps[number % len(steps)]
        _set(told, step)
        pause(trial.draw, 4, 7)
        stand.restart_those_that_left()
        clocks = [worker.wait_ready().quiesced()["clock"] for worker in stand.workers.values()]
        off = [abs(clock / 1000 - time.time() - step) for clock in clocks]
        trial.struck += max(off) < CLOCK_STEP_S / 2
    _set(told, 0)
    trial.recovers()


def _set(clock: Path, ahead_s: int) -> None:
    """In one step: whoever looks meanwhile finds the whole of it."""
    new = clock.with_suffix(".new")
    new.write_text(str(ahead_s))
    new.replace(clock)


def old_build() -> str:
    """The commit before the last change of the product's code; empty where there is no history."""
    command = ["git", "log", "-2", "--format=%H", "--", "agents", "streams", "schemas"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    commits = found.stdout.split()
    return commits[1] if found.returncode == 0 and len(commits) > 1 else ""


def no_old_build() -> str:
    return "" if old_build() else "no older commit in this checkout"


def upgrade(trial: Trial) -> None:
    """Workers of an older build are replaced by this one's, one by one, under load; then back, then forth again."""
    stand = trial.stand
    old = stand.folder / "old"
    old.mkdir()
    archive = subprocess.run(["git", "archive", old_build()], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(old)], input=archive.stdout, check=True)
    of_old = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(old)}
    of_new = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(Path.cwd())}
    for build in (of_old, of_new, of_old, of_new)[: trial.times]:
        stand.environ = build
        for place in stand.places:
            stand.workers[place].stop()
            stand.start(place).wait_ready()
            pause(trial.draw, 1.0, 2.0)
        running = {_source_of(worker.process.pid) for worker in stand.workers.values()}
        trial.struck += running == {build["PYTHONPATH"]}
        trial.recovers()


def _source_of(pid: int) -> str:
    """Where a worker's code is from."""
    told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(each.partition(b"=")[2].decode() for each in told if each.startswith(b"PYTHONPATH="))
