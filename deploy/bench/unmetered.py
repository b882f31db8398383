"""`python -m deploy.bench.unmetered worker case`: the product's worker whose metrics count nothing, to compare with."""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram


def silence() -> None:
    """Let the three kinds of metrics take what they are told and keep nothing; everything around them goes on."""

    def ignored(*_: Any, **__: Any) -> None:
        """Do not count."""

    for kind, names in ((Counter, ("inc",)), (Gauge, ("set", "inc", "dec")), (Histogram, ("observe",))):
        for name in names:
            setattr(kind, name, ignored)


if __name__ == "__main__":
    silence()
    from deploy.cli import main

    main()
