"""The same stories on real Kafka: all at once, each through its own cases, with simulated time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.runtime.exits import Exit
from deploy.fleet import Fleet
from tests.live.harness import records
from tests.story import DEAD, READ, Seen, Story, bursts, stories

pytestmark = pytest.mark.live
STORIES = stories()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Everything the workers wrote about the stories' cases."""
    told = Seen()
    home: Path = tmp_path_factory.mktemp("stories")
    with Fleet(
        home, roles={"intake": 1, "case": 2, "officers": 1}, begin=min(story.start for story in STORIES), partitions=3
    ) as fleet:
        for burst in bursts(STORIES):
            fleet.advance(burst.at)
            fleet.produce((each.topic, each.key, each.value, each.at) for each in burst.inputs)
            fleet.settle()
        fleet.advance(max(story.end for story in STORIES))
        for topic in (*READ, *DEAD):
            for message in records(fleet.kafka.bootstrap, topic):
                told.add(topic, message.key().decode(), message.value())
        # a worker may have begun before a busy machine's Kafka answered; none may have left in doubt
        assert not [code for codes in fleet.restarts.values() for code in codes if code != Exit.UNAVAILABLE]
        yield told


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story_on_kafka(story: Story, seen: Seen) -> None:
    assert story.problems(seen) == []
