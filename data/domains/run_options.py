"""What one retrain does otherwise than its domain says: by command, over HTTP, in a run's row."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationError

from data.domains.domain import Domain, Mode
from data.domains.sections import Section
from data.errors import InvalidParameter

OF_FULL = ("workers", "epochs", "learning_rate", "batch_size")
OF_TRAINING = ("epochs", "learning_rate", "batch_size")


class RunOptions(Section):
    """None is as the domain says; without a `snapshot` a new one is taken. A `dry_run` says what
    would be learnt from, and nothing else."""

    workers: int | None = Field(default=None, ge=0, le=64)
    epochs: int | None = Field(default=None, ge=1, le=1_000)
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    batch_size: int | None = Field(default=None, ge=1, le=4_096)
    snapshot: str | None = Field(default=None, pattern=r"^[0-9a-f]{8,64}$")
    dry_run: bool = False

    @classmethod
    def checked(cls, given: Mapping[str, Any], mode: Mode) -> Self:
        """Raises InvalidParameter in words."""
        try:
            options = cls.model_validate({name: given[name] for name in RunOptions.model_fields})
        except ValidationError as error:
            found = error.errors()[0]
            raise InvalidParameter(f"{found['loc'][0]}: {found['msg']}") from None
        options.must_suit(mode)
        return options

    def must_suit(self, mode: Mode) -> None:
        """Raises InvalidParameter for what this kind of retrain has not got."""
        idle = [name for name in OF_FULL if getattr(self, name) is not None]
        if mode == "teach" and idle:
            raise InvalidParameter(
                f"a teach refits the head and has no {', '.join(idle)}; leave that out, or ask for "
                "mode full"
            )
        if self.dry_run and self.snapshot:
            raise InvalidParameter("a dry run looks at the clips of now; leave out the snapshot")

    def changed(self) -> dict[str, Any]:
        """Only what is not as the domain says."""
        return self.model_dump(include=set(RunOptions.model_fields), exclude_defaults=True)

    def arguments(self) -> list[str]:
        """Of the command line, `--epochs 3`."""
        words = [(f"--{name.replace('_', '-')}", value) for name, value in self.changed().items()]
        return [
            each
            for name, value in words
            for each in ([name] if value is True else [name, str(value)])
        ]

    def applied(self, domain: Domain) -> Domain:
        changes = {
            name: value for name in OF_TRAINING if (value := getattr(self, name)) is not None
        }
        training = domain.training.model_copy(update=changes)
        return domain.model_copy(update={"training": training}) if changes else domain
