"""The one place where mistakes become HTTP statuses, with a title and a sentence for people."""

from http import HTTPStatus

from ray import exceptions as ray_exceptions
from ray.serve.exceptions import RayServeException
from starlette.exceptions import HTTPException

from data import errors

STATUS: dict[type[Exception], tuple[int, str]] = {
    errors.InvalidParameter: (400, "Bad parameter"),
    errors.Unauthorized: (401, "Key needed"),
    errors.Forbidden: (403, "Not allowed"),
    errors.UnknownName: (404, "Not found"),
    errors.TooSlow: (408, "Too slow"),
    errors.Conflict: (409, "Conflict"),
    errors.ClipTooLarge: (413, "Clip too large"),
    errors.UnsupportedClip: (415, "Not a supported clip"),
    errors.UndecodableClip: (422, "Clip cannot be decoded"),
    errors.BundleError: (409, "Model cannot be served"),
    errors.Overloaded: (429, "Overloaded"),
    errors.NotReady: (503, "Not ready"),
    errors.DeadlineExceeded: (504, "Too late"),
}


def explain(error: Exception) -> tuple[int, str, str]:
    """Status, title and a sentence for people; what we did not foresee stays unsaid."""
    cause = getattr(error, "cause", None)
    if isinstance(error, ray_exceptions.RayTaskError) and isinstance(cause, Exception):
        return explain(cause)
    for kind in type(error).__mro__:
        if kind in STATUS:
            return (*STATUS[kind], str(error))
    if isinstance(error, HTTPException):
        return error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail)
    if isinstance(error, ray_exceptions.RayActorError | RayServeException):
        return 503, "Not ready", "a part of the service is restarting; try again in a few seconds"
    return 500, "Internal error", "something went wrong on our side; the log has the request id"


def in_words(error: Exception) -> str:
    """For places that anybody may read: ours as it is, anything else without its text."""
    return explain(error)[2] if explain(error)[0] != 500 else f"an error ({type(error).__name__})"
