"""The page's words in the language of whoever is asked for."""

import pytest

from serve_app.client.connection import ServiceAway, ServiceError
from serve_app.ui.markup import percent, score
from serve_app.ui.wording import words
from serve_app.ui.words.translate import (
    LATER,
    NAMES,
    in_language,
    in_script,
    number,
    plural,
    speaking,
    t,
    told,
    wanted,
)


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ({}, "", "en"),
        ({}, "fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        ({}, "de-DE,es-419;q=0.7", "es"),
        ({}, "de", "en"),
        ({"lang": "es"}, "fr", "es"),
        ({"lang": "tlh"}, "fr", "fr"),
    ],
)
def test_the_address_decides_then_the_browser(
    query: dict[str, str], accepted: str, language: str
) -> None:
    assert wanted(query, {"accept-language": accepted}) == language


def test_numbers_and_plurals_follow_the_language() -> None:
    def waits(count: int) -> str:
        return plural("{count} correction waits.", "{count} corrections wait.", count)

    assert [waits(n) for n in (0, 1)] == ["0 corrections wait.", "1 correction waits."]
    with speaking("es"):
        assert waits(0).endswith("esperan.")
        assert waits(1).endswith("espera.")
        assert (number(12345.6, ",.1f"), score(0.871)) == ("12\u202f345,6", "0,871")
    with speaking("fr"):
        assert waits(0).endswith("correction attend.")
        assert waits(2).endswith("corrections attendent.")
        assert percent(0.999) == "plus de 99\u00a0%"
        assert t("answered in {ms:.0f} ms", ms=3.4) == "réponse en 3 ms"


def test_what_a_browser_is_sent_at_first_is_made_once_and_translated_for_each() -> None:
    with speaking(LATER):
        made = {"label": t("Key"), "parts": [f"<p>{t('Stop')}, {t('Stop')}</p>"], "id": 3}
        code = in_script('say(t("Sending {name} …", { name })); start("x");')
    assert in_language(made, "en") == {"label": "Key", "parts": ["<p>Stop, Stop</p>"], "id": 3}
    assert in_language(made, "es")["parts"] == ["<p>Detener, Detener</p>"]
    assert in_language(code, "fr") == 'say(t("Envoi de {name} …", { name })); start("x");'


@pytest.mark.parametrize("language", NAMES)
def test_names_of_others_are_never_read_as_sentences(language: str) -> None:
    with speaking(language):
        assert t("{weird} [folder]") == "{weird} [folder]"
        assert t("Sending {name} …", name="{curly}.wav").count("{curly}.wav") == 1


def test_a_refusal_is_told_in_the_readers_language_by_what_it_is() -> None:
    large = ServiceError("the clip has 20,000,001 bytes; at most 20,000,000 are accepted", 413)
    kind = ServiceError("the clip is a PNG image, not a sound file; send WAV", 415)
    assert words(large) == "The clip has 20,000,001 bytes; at most 20,000,000 are accepted."
    with speaking("es"):
        said = words(large)
        assert said.startswith("El clip tiene 20\u202f000\u202f001 bytes;")
        assert words(kind) == "El clip es una imagen PNG, no un archivo de sonido; envíe WAV."
        assert words(ServiceAway("")).startswith("El servicio no responde")
        needed = "this needs a key with the role admin: send it as 'Authorization: Bearer <key>'"
        assert words(ServiceError(needed, 401)).startswith("Esto requiere una clave con el rol")
    with speaking("fr"):
        odd = ServiceError("the moon is full", 409)
        assert words(odd) == "Cela contredit l’état actuel\u00a0: the moon is full."


def test_what_is_known_nowhere_stays_as_it_is() -> None:
    with speaking("fr"):
        assert told("the moon is full") == "the moon is full"
        assert told("3 clips are waiting for training: 2 of normal, 1 of fluid.") == (
            "Attendent un entraînement\u00a0: 3 extraits, 2 de normal, 1 de fluid."
        )
