"""The header as HTML: what is served and since when, whose key counts, and what is taken."""

from serve_app.client.answers import DomainInfo
from serve_app.client.service_answers import DomainStatus
from serve_app.ui.markup import clock, text

LINKS = (
    '<nav class="tt-small tt-links" aria-label="Of the service"><a href="../docs">API</a>'
    '<a href="../metrics">metrics</a><a href="?__theme=light">light</a>'
    '<a href="?__theme=dark">dark</a></nav>'
)

KEYS = {
    "?": "opens and closes this list",
    "← →": "from place to place",
    "J K": "the next and the last clip, event or file; it is played",
    "Enter": "opens the event or file; in Teach, accepts",
    "+ − 0": "zoom the spectrogram, and show all of it; also the wheel with Ctrl",
    "1 … 9": "in Teach, choose a label",
    "X U": "in Teach, reject, and undo the last decision",
    "Space": "in Teach, plays and stops",
}


def keys() -> str:
    """Folded; the key "?" opens it: static/keys.js."""
    rows = "".join(
        f"<dt>{''.join(f'<kbd>{key}</kbd> ' for key in names.split())}</dt><dd>{text(said)}</dd>"
        for names, said in KEYS.items()
    )
    return (
        '<details class="tt-more"><summary>Keys <kbd>?</kbd></summary>'
        f'<dl class="tt-keys">{rows}</dl></details>'
    )


def title(domain: DomainInfo | None) -> str:
    words = domain.description if domain else "A clip goes in; a class and its evidence come out."
    return f'<header class="tt-header"><h1>Telltale</h1><p>{text(words)}</p></header>'


def serving(status: DomainStatus) -> str:
    """Nothing where no version serves."""
    champion = status.champion
    if champion is None:
        return ""
    since = clock(status.serves_since or champion.created)
    return (
        f'<p id="serving" class="tt-small">version {text(champion.version)}, live since {since}</p>'
    )


def role_mark(role: str) -> str:
    """By which the style sheet hides what is not for this role."""
    return f'<i data-role="{text(role)}"></i>'


def limits(domain: DomainInfo) -> str:
    """What is taken, in a sentence; to be read before anything is sent."""
    most = domain.limits
    size = f"{most.max_bytes / 1e6:.0f} MB"
    if domain.modality == "image":
        return f"Photographs up to {most.max_pixels / 1e6:.0f} megapixels and {size}."
    clip = f"Clips up to {_minutes(most.max_duration_s)} and {size}"
    if not most.max_recording_s:
        return f"{clip}."
    return f"{clip}; of longer recordings, up to {_minutes(most.max_recording_s)}, the events."


def _minutes(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
