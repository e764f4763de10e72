"""What can fail: every error of this package is a `TertuliaError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .retries import FINAL


class TertuliaError(Exception):
    """An error of this package.

    `is_transient` says whether the same call may succeed later without a change.
    """

    is_transient: bool = False


class NoAnswerError(TertuliaError):
    """No answer arrived before the deadline.

    A command with a key may have been carried out. The same call with the same `key` finds out and acts at most once.
    """

    is_transient = True

    def __init__(self, detail: str, *, key: str | None = None) -> None:
        super().__init__(detail)
        self.key = key
        """The `Idempotency-Key` of the call; `None` for a call without one."""


class CursorError(TertuliaError):
    """The stored cursor cannot be read or written."""


class ProblemError(TertuliaError):
    """The service refused a call, and says why.

        try:
            await conversation.send_text("Hello")
        except ProblemError as problem:
            if problem.code == "dialog-closed": ...
    """

    def __init__(
        self, status: int, members: Mapping[str, Any], *, request_id: str | None = None, key: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        """The HTTP status, from 400 to 599."""
        self.code: str = str(members.get("code", ""))
        """A stable word for the kind of problem, such as `no-open-dialog`; empty if the answer is not the service's own."""
        self.detail: str = str(members.get("detail", ""))
        """What happened, in words."""
        self.title: str = str(members.get("title", ""))
        """The name of the status."""
        platform_code = members.get("platformCode")
        self.platform_code: int | None = platform_code if isinstance(platform_code, int) else None
        """The platform's own code, if the platform refused."""
        platform_text = members.get("platformText")
        self.platform_text: str | None = platform_text if isinstance(platform_text, str) else None
        """The platform's own text, if the platform refused."""
        self.key = key
        """The `Idempotency-Key` of the call; `None` for a call without one."""
        self.request_id = request_id
        """The id of the request in the service's log."""
        self.retry_after = retry_after
        """After how many seconds the service wants to be asked again; `None` if it did not say."""
        self.members = dict(members)
        """All members of the answer."""
        self.is_transient = status in (408, 425, 429) or status >= 500 or self.code == "key-in-use"
        if self.code in FINAL:
            self.is_transient = False
        super().__init__(f"{status} {self.code or self.title}: {self.detail}" if self.detail else f"{status} {self.title}")


class BadRequestError(ProblemError):
    """400, 413 or 422: the request is not valid, for example `text-too-long`."""


class UnauthenticatedError(ProblemError):
    """401: the service does not know the token."""


class NotPermittedError(ProblemError):
    """403: the token may not do this."""


class NotFoundError(ProblemError):
    """404: there is no such thing, or the token does not see it."""


class ConflictError(ProblemError):
    """409: the state does not allow the call, for example `no-open-dialog`."""


class TooManyRequestsError(ProblemError):
    """429: too many requests at a time, until the deadline of the call."""


class UnavailableError(ProblemError):
    """500 to 599: the service could not carry out the call until its deadline."""


class OutcomeUnknownError(UnavailableError):
    """`outcome-unknown`: the command may have been carried out. The same call with the same `key` finds out."""


class PlatformRejectedError(ProblemError):
    """`platform-rejected`: the platform refused, for the reason in `platform_code` and `platform_text`."""


class KeyReusedError(ProblemError):
    """`key-reused`: the key was used with another body within a day."""


_BY_CODE: dict[str, type[ProblemError]] = {
    "outcome-unknown": OutcomeUnknownError,
    "platform-rejected": PlatformRejectedError,
    "key-reused": KeyReusedError,
}

_BY_STATUS: dict[int, type[ProblemError]] = {
    401: UnauthenticatedError,
    403: NotPermittedError,
    404: NotFoundError,
    409: ConflictError,
    429: TooManyRequestsError,
}


def problem_error(
    status: int, members: Mapping[str, Any], *, request_id: str | None = None, key: str | None = None,
    retry_after: float | None = None,
) -> ProblemError:
    """Returns the error of the class that fits the code, or else the status."""
    by_status = _BY_STATUS.get(status, UnavailableError if status >= 500 else BadRequestError)
    kind = _BY_CODE.get(str(members.get("code", "")), by_status)
    return kind(status, members, request_id=request_id, key=key, retry_after=retry_after)
