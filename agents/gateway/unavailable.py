"""What is answered while the read model is away."""

import logging
from typing import Final

from redis.exceptions import RedisError

from agents.gateway.problems import Kind, Problem

RETRY_UNAVAILABLE: Final = 5
AWAY: Final = (RedisError, OSError, TimeoutError)

logger = logging.getLogger(__name__)


def away(error: BaseException) -> Problem:
    logger.warning("Redis is away (%s): nothing can be read", type(error).__name__)
    return Problem(Kind.UNAVAILABLE, "the read model is away", retry_after=RETRY_UNAVAILABLE)
