"""Auctions with deadlines: the best bid so far is kept until the end, as query 9 of Nexmark does; most are withdrawn.

After github.com/nexmark/nexmark, q9 (winning bid of each auction until it expires); there nothing is withdrawn and an
auction has some fifteen bids, here it has three, so that the timers are what is measured.
"""

from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from schemas.base import Record, Wake
from streams.stage import Origin, Output, Stage, Step

BIDS: Final = 3
WITHDRAWN: Final = 0.8
"""Share of auctions whose timer is cancelled before it fires."""


class Opened(Record, frozen=True, tag="bench.opened.v1"):
    auction: str
    at: int
    ends_at: int


class Bid(Record, frozen=True, tag="bench.bid.v1"):
    auction: str
    at: int
    amount: int


class Withdrawn(Record, frozen=True, tag="bench.withdrawn.v1"):
    auction: str
    at: int


class Won(Record, frozen=True, tag="bench.won.v1"):
    auction: str
    at: int
    amount: int
    bids: int


class Auction(Struct, frozen=True, array_like=True):
    ends_at: int
    best: int = 0
    bids: int = 0


class Topics(NamedTuple):
    reads: str
    won: str

    @classmethod
    def named(cls, prefix: str) -> "Topics":
        return cls(f"{prefix}.auctions", f"{prefix}.won")


def stages(topics: Topics) -> tuple[Stage[Any], ...]:
    kinds = Opened | Bid | Withdrawn | Wake
    step = partial(_step, topics.won)
    return (Stage("auctions", topics.reads, (topics.won,), kinds, Auction, step, lambda auction: auction.ends_at),)


def _step(to: str, auction: Auction | None, record: Opened | Bid | Withdrawn | Wake, _: Origin) -> Step[Auction]:
    match record:
        case Opened():
            return Step(Auction(record.ends_at), [])
        case Bid() if auction is not None:
            best = max(auction.best, record.amount)
            return Step(replace(auction, best=best, bids=auction.bids + 1), [])
        case Withdrawn():
            return Step(None, [])
        case Wake() if auction is not None and auction.ends_at == record.due_at:
            won = Won(record.key, record.due_at, auction.best, auction.bids)
            return Step(None, [Output(to, record.key, won, record.due_at)])
        case _:
            return Step(auction, [])
