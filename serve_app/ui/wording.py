"""What a person is told of a failure, and whether the page asks again by itself."""

from serve_app.client.connection import ServiceAway, ServiceError

AWAY = {0, 502, 503, 504}
TOO_LARGE = 413
SILENT = "The service does not answer right now."
LOOK_AGAIN_S = 5.0


def words(error: Exception) -> str:
    """What a person is told, with the way out where there is one."""
    if isinstance(error, ServiceAway):
        return f"{SILENT} Try again in a moment."
    if isinstance(error, ServiceError) and error.status in {401, 403}:
        # How a program sends its key is nothing to whoever reads a page.
        said = ServiceError(str(error).partition(": send it as ")[0])
        return f"{_sentence(said)} Enter a key under “Key” at the top of the page."
    if isinstance(error, ServiceError) and error.request_id and error.status >= 500:
        return f"{_sentence(error)} (request {error.request_id})"
    return _sentence(error)


def _sentence(error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    said = said[0].upper() + said[1:]
    return said if said.endswith((".", "!", "?")) else said + "."


def again_in_s(error: Exception) -> float | None:
    """After how many seconds asking again may help; None where it would be refused again."""
    if not isinstance(error, ServiceError):
        return None
    if error.status == 429:
        return max(1.0, error.retry_after_s)
    return LOOK_AGAIN_S if error.status in AWAY else None


def with_again(error: Exception) -> str:
    """The words, and when the page asks again by itself."""
    wait_s = again_in_s(error)
    if wait_s is None:
        return words(error)
    if isinstance(error, ServiceError) and error.status == 429:
        return f"The service is busy: asking again in {wait_s:.0f} s."
    said = SILENT if isinstance(error, ServiceAway) else words(error)
    return f"{said} This page asks again by itself."
