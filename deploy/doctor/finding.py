"""What one check found."""

from typing import Literal

from msgspec import Struct

State = Literal["ok", "warn", "fail"]


class Finding(Struct, frozen=True):
    """`warn`: works, or is not needed everywhere; `fail`: something will not work. `todo` says what to do."""

    check: str
    state: State
    found: str
    todo: str = ""
