"""What a failure of the database is to a caller: one table by SQLSTATE, so that no condition is taken for another."""

from __future__ import annotations

import errno
from typing import NamedTuple

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import DatabaseLost, InsufficientStorage, ProblemError, ServiceUnavailable


class Failure(NamedTuple):
    """A condition of the database: what a caller is told, under which code, as which problem."""

    detail: str
    code: ProblemCode = ProblemCode.UNAVAILABLE
    problem: type[ProblemError] = ServiceUnavailable

    def to_problem(self) -> ProblemError:
        return self.problem(self.detail, code=self.code)


_UNREACHABLE = Failure("The database of this service cannot be reached; try again.")
UNANSWERED = Failure("The database of this service does not answer; try again.")
LOST = _UNREACHABLE._replace(problem=DatabaseLost)
_STARTING = Failure("The database of this service is starting or recovering; try again.")
_REFUSES = Failure("The database of this service refuses its connections; the operator has to set them right.")
_MISSING = Failure("The database of this service is not there, or not at the schema that the service needs.")
_READ_ONLY = Failure(
    "The database of this service takes no writes now, as after a failover; try again.", ProblemCode.READ_ONLY
)
_FULL = Failure(
    "The database of this service has no space left; nothing was written.",
    ProblemCode.STORAGE_FULL,
    InsufficientStorage,
)
_NO_SPACE = Failure(
    "This service has no space left for files of its own; nothing was written.",
    ProblemCode.STORAGE_FULL,
    InsufficientStorage,
)
_CROWDED = Failure("The database of this service has no connection or memory left; try again.", ProblemCode.OVERLOADED)
SLOW = Failure("The answer takes longer than this service works on one; ask for less.", ProblemCode.TOO_SLOW)
BUSY = Failure("Other writes are under way and did not end in time; try again.", ProblemCode.BUSY)
_COLLIDED = Failure("Another write changed the same at the same time; try again.", ProblemCode.BUSY)

# PostgreSQL, appendix A; a class stands for those of its conditions that are not listed.
_BY_STATE = {
    "08": LOST,
    "25006": _READ_ONLY,
    "25P03": LOST._replace(detail="The write was idle for too long and was undone; try again."),
    "28": _REFUSES,
    "3D": _MISSING,
    "40001": _COLLIDED,
    "40P01": _COLLIDED,
    "42501": _REFUSES,
    "53": _CROWDED,
    "53100": _FULL,
    "55P03": BUSY,
    "57014": SLOW,
    "57P01": LOST,
    "57P02": LOST,
    "57P03": _STARTING,
    "57P05": LOST,
    "58": Failure("The database of this service has failed to read or write its files; try again."),
}
_NO_SPACE_LEFT = (errno.ENOSPC, errno.EDQUOT)
# Of the driver's own: the connection is closed, or the server ends it between two messages.
BROKEN = (ConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def problem_of(error: BaseException) -> ProblemError | None:
    """The problem that a failure of the database is to the caller; None for what is no failure of it."""
    found = failure_of(error)
    return found and found.to_problem()


def failure_of(error: BaseException) -> Failure | None:
    """The condition of the database by which an error was raised; None for what is no failure of it.

    A time-out of the driver is that of a server that does not answer, since one that does ends its statements itself.
    """
    if isinstance(error, PoolTimeout):
        return _CROWDED
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return LOST
        state = getattr(error.orig, "sqlstate", None)
    elif isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate
    elif isinstance(error, TimeoutError):
        return UNANSWERED
    elif isinstance(error, BROKEN):
        return LOST
    elif isinstance(error, OSError):
        return _NO_SPACE if error.errno in _NO_SPACE_LEFT else _UNREACHABLE
    else:
        return None
    if not state:
        return LOST if isinstance(error, DBAPIError) and isinstance(error.orig, BROKEN) else None
    return _BY_STATE.get(state) or _BY_STATE.get(state[:2])
