"""The errors of the model registry: what MLflow raises, said in our words."""

from collections.abc import Iterator
from contextlib import contextmanager

from data.errors import Conflict, NotReady, UnknownName


@contextmanager
def in_words() -> Iterator[None]:
    """MLflow's errors as ours; their own texts hold addresses and paths."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except MlflowException as error:
        code = error.error_code
        # An alias that does not exist is an invalid parameter to MLflow.
        if code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise UnknownName("the model registry (MLflow) knows no such thing") from error
        if code == "RESOURCE_ALREADY_EXISTS":
            raise Conflict("the model registry (MLflow) has that already") from error
        raise NotReady(f"the model registry (MLflow) does not answer ({code})") from error
    except SQLAlchemyError as error:  # while it opens its database MLflow lets them through
        raise NotReady("the database of the model registry (MLflow) does not answer") from error
    except OSError as error:
        raise NotReady("the files of the model registry (MLflow) are out of reach") from error
