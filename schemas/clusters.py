"""Cases of different citizens about one place and matter: seen one by one, and suggested to be looked at together."""

from schemas.base import CaseId, Count, Instant, Place, Record, Slug, Token, Wake


class ClusterSighting(Record, frozen=True, tag="cluster.sighting.v1"):
    """A case was registered here; key: `system|district|units|category`."""

    case: CaseId
    system: Slug
    category: Slug
    place: Place
    citizen: Token
    at: Instant


class ClusterSuggested(Record, frozen=True, tag="cluster.suggested.v1"):
    """This case may be of the same matter as earlier ones of other citizens: a hint, each keeps its own case."""

    cluster: CaseId
    """The earliest of them, which stands for the cluster."""
    case: CaseId
    system: Slug
    category: Slug
    place: Place
    at: Instant
    cases: Count
    """How many of how many citizens are in it by now, this one included."""
    citizens: Count
    cause: str


ClusterInput = ClusterSighting | Wake
