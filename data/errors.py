"""The mistakes a user can make, one class each, raised with words only.

    TelltaleError
    ├── InvalidDomain        a configs/*.yaml file is wrong
    ├── InvalidParameter     a request parameter is wrong
    ├── UnknownName          no such domain, label, version, clip or receipt
    ├── Conflict             the request contradicts the current state
    ├── Unauthorized         no key, or a key nobody knows
    ├── Forbidden            a key whose role does not allow this
    ├── ClipError
    │   ├── ClipTooLarge     more bytes, seconds, channels or hertz than allowed
    │   ├── UnsupportedClip  not a recording (or image) at all
    │   └── UndecodableClip  the right kind of file, but empty, cut off or damaged
    ├── DownloadError        a data set that could not be fetched whole
    ├── BundleError          a model folder that must not be served
    ├── DeadlineExceeded     the answer would come too late
    ├── Overloaded           more clips than can be answered in time
    └── NotReady             the part that should answer is not up
        ├── DiskFull         there is no room for what should be kept
        └── DecoderKilled    the system ended what was decoding a clip

Lower layers raise them; `serve_app/http/problems.py` alone turns them into HTTP statuses.
A message says what was wrong, the value seen, and what would be right.
"""


class TelltaleError(Exception):
    """Base of every error whose message may be shown to the person who caused it."""


class InvalidDomain(TelltaleError):
    pass


class InvalidParameter(TelltaleError):
    pass


class UnknownName(TelltaleError):
    pass


class Conflict(TelltaleError):
    pass


class Unauthorized(TelltaleError):
    pass


class Forbidden(TelltaleError):
    pass


class ClipError(TelltaleError):
    pass


class ClipTooLarge(ClipError):
    pass


class UnsupportedClip(ClipError):
    pass


class UndecodableClip(ClipError):
    pass


class DownloadError(TelltaleError):
    pass


class BundleError(TelltaleError):
    pass


class DeadlineExceeded(TelltaleError):
    pass


class Overloaded(TelltaleError):
    def __init__(self, words: str, retry_after_s: int = 1) -> None:
        super().__init__(words)
        self.retry_after_s = retry_after_s


class TooSlow(TelltaleError):
    """A clip whose bytes do not come in time."""


class NotReady(TelltaleError):
    pass


class DiskFull(NotReady):
    def __init__(
        self,
        words: str = "the disk is full, so this was not kept; free some space on it, and send it "
        "again",
    ) -> None:
        super().__init__(words)


class DecoderKilled(NotReady):
    """By a limit that is not ours: the machine's memory is at its end. The clip may be why."""
