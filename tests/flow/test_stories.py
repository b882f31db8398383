"""Every story, in memory: the stages as they are, time moved by hand."""

import pytest

from schemas.codec import decoder, encode
from schemas.registry import dead_letters
from streams.driver import Driver
from streams.topology import STAGES
from tests.story import Seen, Story, stories

DECODE = {stage.reads: decoder(stage.records) for stage in STAGES}


def play(story: Story) -> Seen:
    """Run the story: a record that cannot be decoded is a dead letter, as in the runtime."""
    seen = Seen()
    flow = Driver(
        STAGES,
        now=story.start,
        on_write=lambda topic, written: seen.add(topic, written.key, encode(written.value)),
    )
    for each in story.inputs():
        flow.advance(max(flow.now, each.at))
        try:
            record = DECODE[each.topic](each.value)
        except ValueError:
            seen.add(dead_letters(each.topic), each.key, each.value)
        else:
            flow.send(each.topic, each.key, record)
    flow.advance(story.end)
    for topic, letters in flow.dead.items():
        for letter in letters:
            seen.add(dead_letters(topic), letter.written.key, encode(letter.written.value))
    return seen


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.name)
def test_story(story: Story) -> None:
    seen = play(story)
    assert story.problems(seen) == []
    assert story.miscounted(seen) == []
