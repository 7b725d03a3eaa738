"""What every section of the settings is."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Name = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """Base of all sections: frozen, strict, and no key that it doesn't know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Outline(Section):
    """A section made of sections: one with nothing under its name is taken as its defaults."""

    @model_validator(mode="before")
    @classmethod
    def _skip_empty(cls, value: Any) -> Any:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


class Choice(Section):
    """A section of which exactly one key is written: the kind of a place, with its name there."""

    @cached_property
    def kind(self) -> str:
        """Which of the keys is set, by its YAML name."""
        return next(name for name, value in self._given() if value is not None)

    @cached_property
    def name(self) -> str:
        """The value of the key that is set."""
        return next(value for _, value in self._given() if value is not None)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name, value in self._given() if value is not None]
        if len(given) != 1:
            known = ", ".join(name for name, _ in self._given())
            raise ValueError(f"names {' and '.join(given) or 'no place'}; write exactly one of {known}")
        return self

    @model_serializer(mode="wrap")
    def _without_the_others(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}

    @abstractmethod
    def _given(self) -> list[tuple[str, str | None]]:
        """Its keys by their YAML names, with what is written there."""
