"""app.py: what the page is built with."""

import pytest

from serve_app.ui.app import mlflow_page


@pytest.mark.parametrize(
    ("tracking_uri", "address"),
    [
        ("sqlite:////home/mlflow.db", ""),
        ("https://mlflow.example", "https://mlflow.example"),
        ("http://telltale:secret@mlflow:5000/base", "http://mlflow:5000/base"),
    ],
)
def test_mlflow_is_linked_where_it_has_a_page_and_without_the_services_password(
    tracking_uri: str, address: str
) -> None:
    assert mlflow_page(tracking_uri) == address
