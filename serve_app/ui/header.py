"""The header as HTML: what is served and since when, whose key counts, and what is taken."""

from serve_app.client.answers import DomainInfo
from serve_app.client.service_answers import DomainStatus
from serve_app.ui.markup import clock, text
from serve_app.ui.words.translate import NAMES, mark, t, told

KEYS = {
    "?": mark("opens and closes this list"),
    "← →": mark("from place to place"),
    "J K": mark("the next and the last clip, event or file; it is played"),
    mark("Enter"): mark("opens the event or file; in Teach, accepts"),
    "+ − 0": mark("zoom the spectrogram, and show all of it; also the wheel with Ctrl"),
    "1 … 9": mark("in Teach, choose a label"),
    "X U": mark("in Teach, reject, and undo the last decision"),
    mark("Space"): mark("in Teach, plays and stops"),
}


def links() -> str:
    """Those that begin with "?" change the address and leave the rest of it: static/page.js."""
    languages = "".join(
        f'<a href="?lang={one}" lang="{one}" hreflang="{one}">{name}</a>'
        for one, name in NAMES.items()
    )
    return (
        f'<nav class="tt-small tt-links" aria-label="{t("Of the service")}">'
        f'<a href="../docs">API</a><a href="../metrics">{t("metrics")}</a>'
        f'<a href="?__theme=light">{t("light")}</a><a href="?__theme=dark">{t("dark")}</a></nav>'
        f'<nav class="tt-small tt-links" aria-label="{t("Language")}">{languages}</nav>'
    )


def mlflow(address: str) -> str:
    """A link for whoever may see all runs and versions; nothing where MLflow has no page."""
    if not address:
        return ""
    return f'<nav class="tt-small tt-links"><a href="{text(address)}">MLflow</a></nav>'


def keys() -> str:
    """Folded; the key "?" opens it: static/keys.js."""
    rows = "".join(
        f"<dt>{''.join(f'<kbd>{t(key)}</kbd> ' for key in names.split())}</dt><dd>{t(said)}</dd>"
        for names, said in KEYS.items()
    )
    return (
        '<details class="tt-more"><summary>' + t("Keys") + " <kbd>?</kbd></summary>"
        f'<dl class="tt-keys">{rows}</dl><label class="tt-small"><input type="checkbox" checked> '
        f"{t('Letters, digits and signs are keys, too')}</label></details>"
    )


def title(domain: DomainInfo | None) -> str:
    said = (
        told(domain.description)
        if domain
        else t("A clip goes in; a class and its evidence come out.")
    )
    return f'<header class="tt-header"><h1>Telltale</h1><p>{text(said)}</p></header>'


def serving(status: DomainStatus) -> str:
    """Nothing where no version serves."""
    champion = status.champion
    if champion is None:
        return ""
    return t(
        "version {version}, live since {time}",
        version=text(champion.version),
        time=clock(status.serves_since or champion.created),
    )


def role_mark(role: str) -> str:
    """By which the style sheet hides what is not for this role."""
    return f'<i data-role="{text(role)}"></i>'


def limits(domain: DomainInfo) -> str:
    """What is taken, in a sentence; to be read before anything is sent."""
    most = domain.limits
    megabytes = most.max_bytes / 1e6
    if domain.modality == "image":
        return t(
            "Photographs up to {megapixels:.0f} megapixels and {megabytes:.0f} MB.",
            megapixels=most.max_pixels / 1e6,
            megabytes=megabytes,
        )
    longest = _minutes(most.max_duration_s)
    if not most.max_recording_s:
        return t(
            "Clips up to {longest} and {megabytes:.0f} MB.", longest=longest, megabytes=megabytes
        )
    return t(
        "Clips up to {longest} and {megabytes:.0f} MB; of longer recordings, up to {recording}, "
        "the events.",
        longest=longest,
        megabytes=megabytes,
        recording=_minutes(most.max_recording_s),
    )


def _minutes(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
