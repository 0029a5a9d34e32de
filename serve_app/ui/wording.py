"""What a person is told of a failure, and whether the page asks again by itself."""

from serve_app.client.connection import ServiceAway, ServiceError
from serve_app.ui.words.translate import ENGLISH, mark, spoken, t, told

AWAY = {0, 502, 503, 504}
TOO_LARGE = 413
SILENT = mark("The service does not answer right now.")
LOOK_AGAIN_S = 5.0
# What stands before a sentence of the service that is not known in the reader's language.
REFUSED = {
    400: mark("This is not how it can be asked for"),
    401: mark("A key is needed"),
    403: mark("This key does not allow that"),
    404: mark("That is not, or no longer, here"),
    408: mark("It came too slowly"),
    409: mark("That contradicts how things stand"),
    413: mark("It is too large"),
    415: mark("This kind of file cannot be taken"),
    422: mark("The file cannot be read"),
    429: mark("The service is busy"),
}
FAILED = mark("Something went wrong")


def words(error: Exception) -> str:
    """What a person is told, with the way out where there is one."""
    if isinstance(error, ServiceAway):
        return f"{t(SILENT)} {t('Try again in a moment.')}"
    status = error.status if isinstance(error, ServiceError) else 400
    said = str(error).strip() or type(error).__name__
    if status in {401, 403}:
        # How a program sends its key is nothing to whoever reads a page.
        said = _sentence(said.partition(": send it as ")[0], status)
        return f"{said} {t('Enter a key under “Key” at the top of the page.')}"
    if isinstance(error, ServiceError) and error.request_id and status >= 500:
        return f"{_sentence(said, status)} ({t('request {id}', id=error.request_id)})"
    return _sentence(said, status)


def _sentence(said: str, status: int) -> str:
    known = told(said)
    if known == said and spoken() != ENGLISH:
        known = t("{heading}: {detail}", heading=t(REFUSED.get(status, FAILED)), detail=said)
    known = known[0].upper() + known[1:]
    return known if known.endswith((".", "!", "?")) else known + "."


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
        return t("The service is busy: asking again in {wait_s} s.", wait_s=round(wait_s))
    said = t(SILENT) if isinstance(error, ServiceAway) else words(error)
    return f"{said} {t('This page asks again by itself.')}"
