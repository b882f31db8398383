"""The registry for people: the table of topics and the picture of the flow; `python -m schemas.publish` writes them."""

from collections.abc import Iterator
from typing import Final

from schemas.registry import DEPARTMENT_FEED, Topic, declared, defaults

HEAD: Final = (
    "| topic | what is on it | key | written by | read by | kept | records |",
    "|---|---|---|---|---|---|---|",
)
BEGIN: Final = "<!-- the flow, from schemas/topics.toml -->"
END: Final = "<!-- end of the flow -->"
OUTSIDE: Final = {
    "gateway": "gateway([gateway: HTTP])",
    "load": "load([load: files])",
    "review": "review([review: samples checked])",
    "board": "board([board: Redis read model])",
    "webhooks": "webhooks([webhooks: subscribers by HTTP])",
    "downstream": "downstream([your own consumers])",
}
"""How those that are no stage look in the picture; who is neither here nor a stage is left out of it."""


def table() -> str:
    """Every topic in a row, as Markdown."""
    return "\n".join((*HEAD, *map(_row, declared().values())))


def page() -> str:
    """The page `docs/topics.md`."""
    shared = defaults()
    return (
        "# Topics\n\n"
        "Generated from `schemas/topics.toml` by `python -m schemas.publish`; `nivaran topics apply` creates them.\n\n"
        f"{table()}\n\n"
        f"Partitions: {shared.partitions} unless `nivaran topics apply --partitions` says otherwise, fixed for life, "
        "the same for all topics but the clock. `min.insync.replicas` "
        f"{shared.min_insync_replicas}, one less than the copies where there are fewer than three.\n"
        "Kept: *for ever* where state is rebuilt from the topic.\n"
        f"`{DEPARTMENT_FEED}` stands for one topic per department of the profiles.\n"
        "Topics with dead letters have a companion `<topic>.dlq`, kept for ever; see `nivaran dlq --help`.\n"
    )


def picture() -> str:
    """The flow between processes as a Mermaid graph: an arrow per topic, from each writer to each reader."""
    known = declared().values()
    stages = {writer for topic in known for writer in topic.writers} & {
        each for topic in known for each in topic.readers
    }
    shapes = {**OUTSIDE, **{stage: f"{stage}[{stage}]" for stage in sorted(stages - set(OUTSIDE))}}
    arrows = [
        f"  {writer} -->|{short(topic.name)}| {reader}"
        for topic in known
        for writer in topic.writers
        for reader in topic.readers
        if writer != reader and writer in shapes and reader in shapes
    ]
    return "\n".join(("```mermaid", "flowchart LR", *(f"  {shape}" for shape in shapes.values()), *arrows, "```"))


def with_picture(text: str) -> str:
    """A Markdown text with the picture between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{picture()}\n{END}{after}"


def short(topic: str) -> str:
    """A topic's name without what all have in common."""
    return topic.removeprefix("grievance.").rpartition(".v")[0].replace("{department}", "&lt;department&gt;")


def _row(topic: Topic) -> str:
    return "| " + " | ".join(_cells(topic)) + " |"


def _cells(topic: Topic) -> Iterator[str]:
    yield f"`{topic.name}`" + (" (+ `.dlq`)" if topic.dlq else "")
    yield topic.about
    yield topic.key.replace("|", "\\|")
    yield ", ".join(topic.writers)
    yield ", ".join(topic.readers)
    yield {"keep": "for ever", "compact": "newest per key"}.get(topic.retention, topic.retention)
    yield ", ".join(f"`{value}`" for value in topic.values)
