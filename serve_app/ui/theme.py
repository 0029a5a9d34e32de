"""Colours and type of the page; everything comes from this server, nothing from elsewhere."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from serve_app.ui.shared import STATIC, script
from serve_app.ui.words.translate import t

HEAD_SCRIPTS = ("page.js", "moments.js", "table.js", "keys.js")


def style_sheets() -> list[Path]:
    return sorted(STATIC.glob("*.css"))


def head() -> str:
    """Our scripts, our own sign in place of Gradio's, and the page's language, by its own name in
    each dictionary."""
    icon = quote((STATIC / "favicon.svg").read_text(encoding="utf-8"))
    return (
        f'<link rel="icon" type="image/svg+xml" href="data:image/svg+xml,{icon}">'
        f'<script>document.documentElement.lang = "{t("en")}";'
        f"{''.join(map(script, HEAD_SCRIPTS))}</script>"
    )


def theme() -> Any:
    """Petrol on slate. Pairs of text and background keep a contrast of at least 4.5 to 1."""
    # Gradio's files for the weight 600 hold a quarter of the alphabet; 400 and 700 are whole.
    weights = (400, 700)
    sans = (gr.themes.LocalFont("IBM Plex Sans", weights), "system-ui", "sans-serif")
    mono = (gr.themes.LocalFont("IBM Plex Mono", weights), "ui-monospace", "monospace")
    return gr.themes.Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="slate",
        font=sans,
        font_mono=mono,
        radius_size="lg",
        spacing_size="md",
    ).set(
        body_background_fill="#f5f7f9",
        body_background_fill_dark="#0d1420",
        body_text_color="#17212e",
        body_text_color_dark="#e6ecf3",
        body_text_color_subdued="#526071",
        body_text_color_subdued_dark="#9aa8b8",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#141d2b",
        background_fill_secondary="#f5f7f9",
        background_fill_secondary_dark="#0d1420",
        border_color_primary="#dbe2ea",
        border_color_primary_dark="#263345",
        border_color_accent="#0f766e",
        border_color_accent_dark="#2dd4bf",
        color_accent="#0f766e",
        color_accent_soft="#e3f4f1",
        color_accent_soft_dark="#10302f",
        block_background_fill="#ffffff",
        block_background_fill_dark="#141d2b",
        block_border_width="1px",
        block_border_color="#dbe2ea",
        block_border_color_dark="#263345",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="#526071",
        block_label_text_color_dark="#9aa8b8",
        block_title_text_color="#526071",
        block_title_text_color_dark="#9aa8b8",
        block_title_text_weight="500",
        block_shadow="none",
        block_shadow_dark="none",
        input_background_fill="#ffffff",
        input_background_fill_dark="#0f1826",
        input_border_color="#b9c5d2",
        input_border_color_dark="#3a4a5f",
        input_border_color_focus="#0f766e",
        input_border_color_focus_dark="#2dd4bf",
        input_border_width="1px",
        input_border_width_dark="1px",
        checkbox_border_color="#7d8b9b",
        checkbox_border_color_dark="#6b7d93",
        input_placeholder_color="#6b7888",
        input_placeholder_color_dark="#8593a5",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_hover="#0b5f58",
        button_primary_background_fill_dark="#2dd4bf",
        button_primary_background_fill_hover_dark="#5eead4",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#06231f",
        button_primary_border_color="transparent",
        button_primary_border_color_dark="transparent",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="#eef2f6",
        button_secondary_background_fill_dark="#1a2636",
        button_secondary_background_fill_hover_dark="#223146",
        button_secondary_border_color="#b9c5d2",
        button_secondary_border_color_dark="#3a4a5f",
        button_secondary_text_color="#17212e",
        button_secondary_text_color_dark="#e6ecf3",
        button_border_width="1px",
        button_border_width_dark="1px",
        button_large_text_weight="600",
        button_medium_text_weight="600",
        link_text_color="#0f766e",
        link_text_color_dark="#5eead4",
    )
