"""A small language for ranking formulas: measures, numbers, `+ - * /`, brackets; compiled once, exact, never Python."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final, NamedTuple

Measures = Mapping[str, int]
"""Name -> count; what is not in it was counted zero times."""
Formula = Callable[[Measures], Fraction | None]
"""The value; None where something is divided by nothing, so that there is no value."""
_TOKEN: Final = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[a-z][a-z0-9_]*)|(?P<sign>[-+*/()])|(?P<bad>\S))")
AGED: Final = re.compile(r"\Apending_over_([1-9][0-9]{0,3})_days\Z")
"""Cases pending, registered more than so many days before: any number of days is a measure."""
DEEPEST: Final = 32
"""Brackets in brackets; deeper ones are no formula a person has read."""


class FormulaError(ValueError):
    """It cannot be read; the message says where and what would be right."""


class Token(NamedTuple):
    kind: str
    text: str
    at: int
    """Where it begins, 1 for the first character."""


def compiled(text: str, known: Iterable[str], defined: Mapping[str, Formula] | None = None) -> Formula:
    """The formula of `text` over the measures `known` and the names `defined` before; raises FormulaError."""
    return _Reader(text, frozenset(known), defined or {}).whole()


def names(text: str) -> frozenset[str]:
    """The measures a formula speaks of."""
    return frozenset(token.text for token in _tokens(text) if token.kind == "name")


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text.rstrip()):
        kind = str(found.lastgroup)
        yield Token(kind, found[kind], found.start(kind) + 1)


class _Reader:
    """Recursive descent: sum of products of factors."""

    def __init__(self, text: str, known: frozenset[str], defined: Mapping[str, Formula]) -> None:
        self._tokens = [*_tokens(text), Token("end", "the end", len(text) + 1)]
        self._known, self._defined, self._next, self._depth = known, defined, 0, 0

    def whole(self) -> Formula:
        formula = self._sum()
        if self._here.kind != "end":
            raise self._expected("an operator")
        return formula

    @property
    def _here(self) -> Token:
        return self._tokens[self._next]

    def _take(self, *signs: str) -> str | None:
        """The sign that stands here, if it is one of these."""
        if self._here.kind != "sign" or self._here.text not in signs:
            return None
        self._next += 1
        return self._tokens[self._next - 1].text

    def _sum(self) -> Formula:
        left = self._product()
        while (sign := self._take("+", "-")) is not None:
            left = _combined(left, sign, self._product())
        return left

    def _product(self) -> Formula:
        left = self._factor()
        while (sign := self._take("*", "/")) is not None:
            left = _combined(left, sign, self._factor())
        return left

    def _factor(self) -> Formula:
        token = self._here
        match token.kind:
            case "number":
                self._next += 1
                constant = Fraction(token.text)
                return lambda _: constant
            case "name":
                self._next += 1
                return self._measure(token)
            case _ if self._take("("):
                return self._bracket()
            case _:
                raise self._expected("a measure, a number or a bracket")

    def _bracket(self) -> Formula:
        self._depth += 1
        if self._depth > DEEPEST:
            raise FormulaError(f"character {self._here.at}: more than {DEEPEST} brackets in one another")
        inner = self._sum()
        if self._take(")") is None:
            raise self._expected("')'")
        self._depth -= 1
        return inner

    def _measure(self, token: Token) -> Formula:
        name = token.text
        if name in self._defined:
            return self._defined[name]
        if name not in self._known and not AGED.match(name):
            there = sorted(self._known | self._defined.keys())
            close = difflib.get_close_matches(name, there, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(there)}"
            raise FormulaError(f"character {token.at}: no measure {name!r}; {hint}")
        return lambda measures: Fraction(measures.get(name, 0))

    def _expected(self, what: str) -> FormulaError:
        return FormulaError(f"character {self._here.at}: {what} is expected, not {self._here.text!r}")


def _combined(left: Formula, sign: str, right: Formula) -> Formula:
    operate = OPERATORS[sign]

    def value(measures: Measures) -> Fraction | None:
        one, other = left(measures), right(measures)
        return None if one is None or other is None else operate(one, other)

    return value


OPERATORS: Final[dict[str, Callable[[Fraction, Fraction], Fraction | None]]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one / other if other else None,
}
