"""How the fake service fares: its last minutes, what was done, and the exam of what serves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI, Request

from serve_app.client.insight_answers import Insights
from serve_app.client.past_answers import AuditEvents, History
from support.fakes.fake_world import LABELS, Problem, World, now


def offer(app: FastAPI, world: World, admin: Callable[[Request], None]) -> None:
    @app.get("/{domain}/history", response_model=History)
    def history(domain: str, window: str) -> dict[str, Any]:
        step_s = 5 if window == "5m" else 60
        began = datetime.now(UTC) - timedelta(seconds=60 * step_s)
        points = [
            {
                "at": (began + timedelta(seconds=n * step_s)).isoformat(),
                "seconds": step_s,
                "answered_per_s": 2.0 + n % 5,
                "refused_per_s": 0.0,
                "p50_ms": 4.0 + n % 3 if n else None,
                "p95_ms": 9.0 + n % 4 if n else None,
                "replicas": 2,
                "versions": {"1": 2} if n < 30 else {"2": 2},
                "swaps": 2 if n == 30 else 0,
            }
            for n in range(60)
        ]
        return {"domain": domain, "window": window, "points": points}

    @app.get("/{domain}/events", response_model=AuditEvents)
    def events(domain: str, request: Request, kind: str = "") -> dict[str, Any]:
        admin(request)
        if world.log_is_away:
            raise Problem(500, "Failed", "the audit log cannot be read")
        done: dict[str, Any] = {"at": now(), "who": "anna", "domain": domain}
        learnt = {"id": 8, "kind": "model.learnt", "subject": f"model:{domain}:2", **done}
        added = {"id": 7, "kind": "clip.added", "subject": f"clip:{'a' * 64}", **done}
        sent = [
            {
                **done,
                "id": 100 + n,
                "kind": "feedback.added",
                "subject": f"feedback:{row['receipt']}",
                "detail": {"corrected": row["label"], "state": row["state"]},
            }
            for n, row in enumerate(world.feedback.values())
            if row["domain"] == domain
        ]
        found = (
            *reversed(sent),
            {**learnt, "detail": {"clips": 4, "corrections": 3, "fixed": 2}},
            added,
        )
        return {"events": [row for row in found if str(row["kind"]).startswith(kind)]}

    @app.get("/{domain}/insights", response_model=Insights)
    def insights(domain: str, request: Request) -> dict[str, Any]:
        admin(request)
        labels, champion = LABELS[domain], world.champion(domain)
        figures = {"precision": 0.9, "recall": 0.8, "f1": 0.85, "support": 27}
        between = {"value": 0.8, "low": 0.7, "high": 0.9}
        epochs = [{"epoch": n, "train_loss": 1 / n, "validation_loss": 1.2 / n} for n in (1, 2, 3)]
        return {
            "domain": domain,
            "version": champion["version"],
            "digest": champion["digest"],
            "kept": {
                "clips": 3,
                "by_label": {labels[0]: {"accepted": 3}},
                "by_split": {"": 3},
                "by_source": {"upload": 3},
                "by_week": {},
                "sentence": f"3 clips are kept, all of {labels[0]}.",
            },
            "waiting": {"by_label": {labels[0]: 3}, "sentence": "3 clips waiting for training."},
            "learnt": {
                "by_label": dict.fromkeys(labels, 90),
                "train": 80,
                "validation": 10,
                "exam": 27,
            },
            "exam": {
                "accuracy": 0.9,
                "macro_f1": 0.88,
                "per_class": dict.fromkeys(labels, figures),
                "confusion": [[25 if a == b else 1 for b in labels] for a in labels],
                "ece": 0.03,
                "reliability": [{"count": 20, "confidence": 0.95, "accuracy": 0.8}],
                "out_of_fold": {
                    **{"by": "group", "clips": 90, "groups": 60, "folds": 5},
                    **{"calibration_error": 0.05, "chance_error": 0.04},
                    **dict.fromkeys(("accuracy", "macro_f1"), {**between, "value": 0.82}),
                    **dict.fromkeys(("asserted", "asserted_right", "unknown"), between),
                    "each_group_once": {
                        **{"accuracy": 0.81, "macro_f1": 0.79, "unknown": 0.05},
                        **{"asserted": 0.7, "asserted_right": 0.9},
                    },
                    "sentence": "5 models, each asked about a part that it had not learnt.",
                },
                "sentence": f"Weakest is {labels[0]} (F1 0.85).",
            },
            "runs": [{"run": "r", "created": now(), "epochs": epochs}],
            "versions": [],
            "features": {
                "mel_hz": [100.0, 1000.0, 4000.0],
                "log_mel": {label: [n, 2.0, 1.0] for n, label in enumerate(labels)},
                "mfcc": {label: [n, 0.5] for n, label in enumerate(labels)},
                "sentences": {labels[0]: f"{labels[0]} is louder at 1000 Hz."},
            },
        }
