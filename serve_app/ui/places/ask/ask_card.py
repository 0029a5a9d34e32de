"""An answer as a card: what it is, how sure that is in words, what else it might be."""

from collections import Counter

from serve_app.client.answers import ClipInfo, DomainInfo, Evidence, Prediction
from serve_app.ui.markup import bar, named, note, percent, plain, short, text
from serve_app.ui.words.translate import mark, number, t, told

RUNNERS_UP = 2
SURE = (
    (0.95, mark("Almost certain")),
    (0.8, mark("Confident")),
    (0.6, mark("Fairly sure")),
)


def empty() -> str:
    said = t("Here you read what your clip is, how sure that is, and why.")
    return f'<div class="tt-card tt-empty"><p>{said}</p></div>'


def listening() -> str:
    return (
        '<div class="tt-card tt-empty" role="status">'
        f'<p class="tt-pulse">{t("Listening…")}</p></div>'
    )


def answer(found: Prediction, name: str = "") -> str:
    """`name` is the clip's, where there are several."""
    return (
        f'<section class="tt-card tt-answer">{_verdict(found, name)}'
        f"{_measure(found)}{_against(found)}{_warnings(found)}{_disclaimer(found)}"
        f"{_older()}{_folded(found)}</section>"
    )


def choices(domain: DomainInfo, found: Prediction) -> list[tuple[str, str]]:
    """What a correction may say without drawing: of a photograph, that there is nothing in it."""
    labels = domain.labels[:1] if domain.modality == "image" else domain.labels
    return [(plain(label), label) for label in labels if found.unknown or label != found.label]


def failure(message: str) -> str:
    return (
        f'<section class="tt-card tt-failed" role="alert"><p class="tt-over">{t("No answer")}</p>'
        f'<p class="tt-sentence">{text(message)}</p></section>'
    )


def unsure(found: Prediction) -> bool:
    """Known, and not to be relied on; of models that do not know that, by its words."""
    if found.unknown or found.asserted:
        return False
    return found.asserted is False or found.confidence < 0.6


def _verdict(found: Prediction, name: str) -> str:
    """Screen readers are told what it is at once, the rest as it is read."""
    heard = f'<div class="tt-told" role="status">{_heard(found, name)}</div>'
    return heard if found.unknown else f"{heard}{_caution(found)}{_runners_up(found)}"


def _heard(found: Prediction, name: str) -> str:
    over = f'<p class="tt-over">{text(name) or t("The answer")}</p>'
    reason = found.unknown_reason or mark("unlike anything learnt")
    this = t("This is {reason}.", reason=text(told(t(reason))))
    if found.unknown and reason.startswith("too quiet"):
        return (
            f'{over}<p class="tt-label tt-unknown">{t("Too quiet to tell")}</p>'
            f'<p class="tt-sentence">{this} {t("Come nearer, or check the microphone.")}</p>'
        )
    if found.unknown:
        nearest = t("The nearest is <b>{label}</b>; teach it what it is.", label=named(found.label))
        return (
            f'{over}<p class="tt-label tt-unknown">{t("Unknown")}</p>'
            f'<p class="tt-sentence">{this} {nearest}</p>'
        )
    sure = t(
        "{sureness}: <b>{share}</b>", sureness=sureness(found), share=percent(found.confidence)
    )
    return f'{over}<p class="tt-label">{named(found.label)}</p><p class="tt-sentence">{sure}</p>'


def _caution(found: Prediction) -> str:
    """Where the answer is not one to rely on; nothing of models that do not know."""
    if found.asserted is not False:
        return ""
    said = t("A hint only: more than one in five answers as sure as this one are wrong.")
    return f'<p class="tt-small">{said}</p>'


def sureness(found: Prediction) -> str:
    """No big words of an answer that is not to be relied on."""
    for floor, words in SURE:
        if found.confidence >= floor:
            return t(words) if found.asserted is not False else t("Probably")
    return t("No more than a guess")


def _runners_up(found: Prediction) -> str:
    others = [pair for pair in found.probabilities.items() if pair[0] != found.label]
    return _shares(dict(others[:RUNNERS_UP]), t("What else it might be"))


def _shares(probabilities: dict[str, float], said: str, lead: str = "") -> str:
    rows = "".join(
        f"<li><span>{named(label)}</span>{bar(share, 'tt-lead' if label == lead else '')}"
        f"<b>{percent(share)}</b></li>"
        for label, share in probabilities.items()
    )
    return f'<ul class="tt-shares" aria-label="{said}">{rows}</ul>'


def _measure(found: Prediction) -> str:
    """Of what is marked in a photograph; nothing where nothing is."""
    measure = found.measure
    if measure is None or measure.area_percent == 0:
        return ""
    said = t(
        "It covers <b>{area:.2f} %</b> of the photograph, is <b>{length:.0f} px</b> long and "
        "<b>{width:.1f} px</b> wide in the mean.",
        area=measure.area_percent,
        length=measure.length_px,
        width=measure.mean_width_px,
    )
    return f'<p class="tt-sentence">{said}</p>'


def _against(found: Prediction) -> str:
    """Moment by moment a clip may sound like something else than as a whole."""
    evidence = found.evidence
    if found.unknown or not isinstance(evidence, Evidence) or not evidence.scores:
        return ""
    sums: Counter[str] = Counter()
    for row in evidence.scores:
        sums.update(dict(zip(evidence.labels, row, strict=True)))
    ((loudest, _),) = sums.most_common(1)
    if loudest == found.label:
        return ""
    said = t(
        "Moment by moment it speaks more for {label}: listen before you rely on this answer.",
        label=plain(loudest),
    )
    return note(said, "warn")


def _warnings(found: Prediction) -> str:
    sentences = (f"{words[:1].upper()}{words[1:]}." for words in map(told, found.clip.warnings))
    return "".join(note(sentence, "warn") for sentence in sentences)


def _disclaimer(found: Prediction) -> str:
    return note(told(found.disclaimer), "warn") if found.disclaimer else ""


def _older() -> str:
    """Shown once another version serves than did when this was answered: static/standing.js."""
    said = t("Another version serves now: to ask it, give the clip again.")
    return f'<p class="tt-note tt-calm" role="status" data-older hidden>{said}</p>'


def _folded(found: Prediction) -> str:
    timings = found.timings_ms
    facts = [
        *_clip_facts(found.clip),
        f"{t('version {version}', version=text(found.model.version))} {short(found.model.digest)}",
        t("answered in {ms:.0f} ms", ms=timings.get("total", 0)),
    ]
    json = found.model_dump_json(indent=1, exclude={"evidence"}, exclude_unset=True)
    return (
        f'<details class="tt-fold"><summary>{t("Probabilities, version, JSON")}</summary>'
        f"{_shares(found.probabilities, t('Probability of each label'), found.label)}"
        f'<p class="tt-small">{" · ".join(facts)}</p><pre tabindex="0">{text(json)}</pre></details>'
    )


def _clip_facts(clip: ClipInfo) -> list[str]:
    if clip.width_px:
        return [f"{clip.width_px} × {clip.height_px} px {text(clip.container)}"]
    return [
        f"{number(clip.duration_s, '.1f')} s {text(clip.container)}",
        f"{number(clip.sample_rate_hz / 1000, 'g')} kHz",
    ]
