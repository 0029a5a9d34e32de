"""Bodies that go over HTTP: what a caller may send, and how the answers are filled.

The answers' own models, which the API page documents and the client reads, are in
`serve_app/client/answers.py`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from data.domains.domain import Domain, Mode, of_sounds
from serve_app.replica.scoring import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.store.clips import Clip
    from data.store.feedback import Feedback
    from data.store.flags import Flag
    from data.store.runs import RunRow
    from models.registry import Version


class Problem(BaseModel):
    type: str
    title: str
    status: int
    detail: str
    request_id: str


class RetrainOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mode: Mode = "teach"
    reason: str = Field("", max_length=500)


class Review(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=500)


class Label(BaseModel):
    model_config = ConfigDict(extra="forbid")

    label: str


def prediction(
    answer: Answer, request_id: str, *, top_k: int | None = None, evidence: bool = False
) -> dict[str, Any]:
    served, scores = answer.served, answer.scores
    labels, modality = served.bundle.labels, served.domain.modality
    order = np.argsort(-scores.probabilities, kind="stable")  # of equals, the one answered first
    total = answer.prepare_ms + answer.queue_ms + answer.network_ms
    return {
        "request_id": request_id,
        "domain": served.domain.name,
        "label": labels[scores.best],
        "confidence": round(scores.confidence, 6),
        "unknown": scores.unknown,
        "asserted": scores.asserted,
        "probabilities": {
            labels[i]: round(float(scores.probabilities[i]), 6) for i in order[:top_k]
        },
        "model": {"version": served.version, "digest": served.digest},
        **SEEN[modality](answer, evidence),
        "timings_ms": {
            "prepare": round(answer.prepare_ms, 2),
            "queue": round(answer.queue_ms, 2),
            "network": round(answer.network_ms, 2),
            "total": round(total, 2),
        },
        "disclaimer": served.domain.disclaimer,
    }


def _heard(answer: Answer, evidence: bool) -> dict[str, Any]:
    prepared = answer.prepared
    return {
        "clip": {
            "duration_s": round(prepared.duration_s, 4),
            "sample_rate_hz": prepared.sample_rate_hz,
            "container": prepared.container,
            "windows": len(prepared.features),
        },
        "evidence": _frames(answer) if evidence else None,
    }


def _frames(answer: Answer) -> dict[str, Any]:
    """Frames of all windows on the clip's own clock. A short clip sits in the middle of its
    window, padded with silence: those frames belong to nothing anybody sent."""
    domain, prepared = of_sounds(answer.served.domain), answer.prepared
    windows = len(prepared.features)
    scores = answer.scores.evidence
    per_window = len(scores) // windows
    step_s = domain.input.window_s / per_window
    last_s = max(0.0, prepared.duration_s - domain.input.window_s)
    lead_s = min(0.0, prepared.duration_s - domain.input.window_s) / 2
    starts = [
        lead_s + min(w * domain.input.hop_s, last_s) + frame * step_s
        for w in range(windows)
        for frame in range(per_window)
    ]
    heard = [i for i, s in enumerate(starts) if -step_s < s < prepared.duration_s]
    return {
        "labels": list(answer.served.bundle.labels),
        "start_s": [round(max(0.0, starts[i]), 4) for i in heard],
        "step_s": round(step_s, 5),
        "scores": np.round(scores[heard], 4).tolist(),
    }


def _seen(answer: Answer, evidence: bool) -> dict[str, Any]:
    from serve_app.http.mask_answers import seen  # Pillow, which a replica that hears does without

    return seen(answer.prepared, answer.scores.mask, evidence)


SEEN: dict[str, Callable[[Answer, bool], dict[str, Any]]] = {"audio": _heard, "image": _seen}


def domain_facts(domain: Domain, prefix: str) -> dict[str, Any]:
    return {
        "name": domain.name,
        "title": domain.title,
        "description": domain.description,
        "disclaimer": domain.disclaimer,
        "labels": list(domain.labels),
        "modality": domain.modality,
        "task": domain.task,
        "prefix": prefix,
        **domain.input.model_dump(include={"sample_rate_hz", "window_s"}),
        "limits": domain.limits.model_dump(),
    }


def receipt(feedback: "Feedback") -> dict[str, Any]:
    before = {
        "label": feedback.predicted,
        "confidence": feedback.confidence,
        "version": feedback.version,
    }
    after = None
    if feedback.after_label is not None:
        after = {"label": feedback.after_label, "confidence": feedback.after_confidence}
    return {
        "receipt": feedback.receipt,
        "state": feedback.state,
        "reason": feedback.reason,
        "domain": feedback.domain,
        "clip": feedback.clip_sha256,
        "label": feedback.corrected,
        "predicted": feedback.predicted,
        "confidence": feedback.confidence,
        "mask": feedback.mask,
        "who": feedback.who,
        "created": _iso(feedback.created_at),
        "before": before,
        "snapshot": feedback.snapshot,
        "version": feedback.learnt_version,
        "after": after,
    }


def clip_facts(
    clip: "Clip", flags: "Sequence[Flag]", waiting: "Sequence[Feedback]" = ()
) -> dict[str, Any]:
    return {
        "clip": clip.sha256,
        "label": clip.label,
        "mask": clip.mask,
        "group": clip.group,
        "split": clip.split,
        "state": clip.state,
        "reason": clip.reason,
        "who": clip.who,
        "source": clip.source,
        "duration_s": clip.duration_s,
        "sample_rate_hz": clip.sample_rate_hz,
        "created": _iso(clip.created_at),
        "flags": [
            {"kind": flag.kind, "reason": flag.reason, "score": round(flag.score, 4)}
            for flag in flags
        ],
        "waiting": [receipt(said) for said in waiting],
    }


def run_facts(run: "RunRow") -> dict[str, Any]:
    return {
        "id": run.id,
        "domain": run.domain,
        "mode": run.mode,
        "state": run.state,
        "reason": run.reason,
        "who": run.who,
        "created": _iso(run.created_at),
        "finished": _iso(run.finished_at),
        "result": run.result,
    }


def version_facts(version: "Version") -> dict[str, Any]:
    tags = version.tags
    metrics = {name: float(tags[name]) for name in ("macro_f1", "accuracy") if name in tags}
    return {
        "version": version.number,
        "digest": version.digest,
        "aliases": list(version.aliases),
        "created": _iso(version.created_at),
        "mode": tags.get("mode", ""),
        "parent": tags.get("parent") or None,
        "snapshot": tags.get("snapshot") or None,
        "metrics": metrics,
        "verdict": tags.get("verdict", ""),
        "reasons": version.reasons,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
