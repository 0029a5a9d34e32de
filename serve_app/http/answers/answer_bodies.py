"""Bodies that go over HTTP: what a caller may send, and how answers are filled.

The answers' own models are in `serve_app/client/`. A prediction, which is hot, is a dictionary of
the same shape: a model would take a third more time.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from data.domains.domain import AudioDomain, Domain, Mode, of_sounds
from data.domains.run_options import RunOptions
from serve_app.client import answers, service_answers
from serve_app.replica.scoring import ScoredClip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.store.clips.clip_rows import Clip
    from data.store.events import Event
    from data.store.review.feedback import Feedback
    from data.store.review.flags import Flag
    from data.store.run_rows import RunRow
    from models.registry.registry import Version


class RetrainOrder(RunOptions):
    mode: Mode = "teach"
    reason: str = Field(
        "", max_length=500, validation_alias=AliasChoices("reason", "trigger_reason")
    )


class Review(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=500)


class Label(BaseModel):
    model_config = ConfigDict(extra="forbid")

    label: str


class Group(BaseModel):
    """Of a recording, machine, patient or speaker; null or empty for none."""

    model_config = ConfigDict(extra="forbid")

    group: str | None


NOT_YET_LEARNT = "heard, not yet learnt: a full training will take it into account"


def prediction(
    answer: ScoredClip, request_id: str, *, top_k: int | None = None, evidence: bool = False
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
        "unknown_reason": scores.unknown_reason,
        "asserted": scores.asserted,
        "probabilities": {
            labels[i]: round(float(scores.probabilities[i]), 6) for i in order[:top_k]
        },
        "model": {"version": served.version, "digest": served.digest},
        **FIELDS_OF_MODALITY[modality](answer, evidence),
        "timings_ms": {
            "prepare": round(answer.prepare_ms, 2),
            "queue": round(answer.queue_ms, 2),
            "network": round(answer.network_ms, 2),
            "total": round(total, 2),
        },
        "disclaimer": served.domain.disclaimer,
    }


def _audio_fields(answer: ScoredClip, evidence: bool) -> dict[str, Any]:
    prepared = answer.prepared
    return {
        "clip": {
            "duration_s": round(prepared.duration_s, 4),
            "sample_rate_hz": prepared.sample_rate_hz,
            "container": prepared.container,
            "windows": len(prepared.features),
            "level_dbfs": None if prepared.level_dbfs is None else round(prepared.level_dbfs, 1),
            **({"warnings": list(prepared.warnings)} if prepared.warnings else {}),
        },
        "evidence": _frames(answer) if evidence else None,
    }


def _frames(answer: ScoredClip) -> dict[str, Any]:
    """Frames of all windows on the clip's own clock. A short clip sits in the middle of its
    window, padded with silence: frames of that alone belong to nothing anybody sent."""
    domain, prepared = of_sounds(answer.served.domain), answer.prepared
    windows = len(prepared.features)
    scores = answer.scores.evidence
    per_window = len(scores) // windows
    first_s, step_s = domain.network.frames_s(domain.input.window_s, per_window)
    last_s = max(0.0, prepared.duration_s - domain.input.window_s)
    lead_s = min(0.0, prepared.duration_s - domain.input.window_s) / 2
    starts = [
        lead_s + min(w * domain.input.hop_s, last_s) + first_s + frame * step_s
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


def _image_fields(answer: ScoredClip, evidence: bool) -> dict[str, Any]:
    from serve_app.http.answers.mask_answers import (
        mask_fields,  # Pillow, which a replica that hears does without
    )

    return mask_fields(answer.prepared, answer.scores.mask, evidence)


FIELDS_OF_MODALITY: dict[str, Callable[[ScoredClip, bool], dict[str, Any]]] = {
    "audio": _audio_fields,
    "image": _image_fields,
}


def json_fields(body: BaseModel) -> dict[str, Any]:
    """As it goes over the wire: from the curator to a replica, or to a client."""
    return body.model_dump(mode="json", exclude_unset=True)


def domain_info(domain: Domain, prefix: str) -> answers.DomainInfo:
    return answers.DomainInfo(
        name=domain.name,
        title=domain.title,
        description=domain.description,
        disclaimer=domain.disclaimer,
        labels=domain.labels,
        modality=domain.modality,
        task=domain.task,
        prefix=prefix,
        **domain.input.model_dump(include={"sample_rate_hz", "window_s"}),
        limits=answers.Limits(**domain.limits.model_dump()),
        live=isinstance(domain, AudioDomain) and domain.stream is not None,
        keeps_predictions=domain.keep is not None,
        history=domain.history,
        examples=domain.examples if isinstance(domain, AudioDomain) else (),
    )


def receipt(feedback: "Feedback") -> answers.Receipt:
    before = answers.PredictionSummary(
        label=feedback.predicted, confidence=feedback.confidence, version=feedback.version
    )
    after = None
    if feedback.after_label is not None and feedback.after_confidence is not None:
        after = answers.PredictionSummary(
            label=feedback.after_label, confidence=feedback.after_confidence
        )
    return answers.Receipt(
        receipt=feedback.receipt,
        state=feedback.state,
        reason=feedback.reason,
        domain=feedback.domain,
        clip=feedback.clip_sha256,
        label=feedback.corrected,
        predicted=feedback.predicted,
        confidence=feedback.confidence,
        mask=feedback.mask,
        who=feedback.who,
        created=feedback.created_at,
        before=before,
        snapshot=feedback.snapshot,
        version=feedback.learnt_version,
        after=after,
        note=NOT_YET_LEARNT if after and after.label != feedback.corrected else "",
    )


def kept_clip(
    clip: "Clip",
    flags: "Sequence[Flag]",
    waiting: "Sequence[Feedback]" = (),
    model: answers.PredictionSummary | None = None,
    *,
    may_forget: bool = False,
) -> answers.KeptClip:
    return answers.KeptClip(
        clip=clip.sha256,
        label=clip.label,
        mask=clip.mask,
        group=clip.group,
        split=clip.split,
        state=clip.state,
        reason=clip.reason,
        who=clip.who,
        source=clip.source,
        duration_s=clip.duration_s,
        sample_rate_hz=clip.sample_rate_hz,
        created=clip.created_at,
        flags=tuple(
            answers.ClipFlag(kind=flag.kind, reason=flag.reason, score=round(flag.score, 4))
            for flag in flags
        ),
        waiting=tuple(receipt(said) for said in waiting),
        model=model,
        may_forget=may_forget,
    )


def run_info(run: "RunRow") -> service_answers.Run:
    result = None if run.result is None else service_answers.RunResult.model_validate(run.result)
    return service_answers.Run(
        id=run.id,
        domain=run.domain,
        mode=run.mode,
        state=run.state,
        reason=run.reason,
        trigger=run.trigger,
        options=run.options,
        who=run.who,
        created=run.created_at,
        finished=run.finished_at,
        result=result,
    )


def last_run(run: "RunRow") -> service_answers.LastRun:
    assert run.finished_at is not None, f"run {run.id} is open"
    return service_answers.LastRun(
        id=run.id,
        mode=run.mode,
        trigger=run.trigger,
        reason=run.reason,
        state=run.state,
        finished=run.finished_at,
    )


def run_event(event: "Event") -> service_answers.RunEvent:
    detail = dict(event.detail)
    return service_answers.RunEvent(id=event.id, at=event.at, kind=event.kind, detail=detail)


def model_version(version: "Version") -> service_answers.ModelVersion:
    tags = version.tags
    metrics: dict[str, float | None] = {
        name: float(tags[name]) for name in ("macro_f1", "accuracy") if name in tags
    }
    return service_answers.ModelVersion(
        version=version.number,
        digest=version.digest,
        aliases=version.aliases,
        created=version.created_at,
        mode=tags.get("mode", ""),
        parent=tags.get("parent") or None,
        snapshot=tags.get("snapshot") or None,
        metrics=metrics,
        verdict=tags.get("verdict", ""),
        reasons=tuple(version.reasons),
    )
