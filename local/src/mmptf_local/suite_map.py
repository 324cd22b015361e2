"""The map of the suite, suite.toml: every process that is deployed, what it needs and which others it calls."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmptf_local.processes import CannotStart
from mmptf_local.state import checkout

Need = Literal["database", "cache", "identity"]


class Deployable(BaseModel):
    """One process of the map.

    is_service: whether it is one of the services that the gateway forwards to
    needs, asks, port: as suite.toml states them
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z]+$")]
    is_service: bool
    needs: frozenset[Need] = frozenset()
    asks: tuple[str, ...] = ()
    port: Annotated[int, Field(ge=1, le=65535)] | None = None

    @property
    def package(self) -> str:
        """The package with its command."""
        return f"mmptf_{self.name}"

    @property
    def folder(self) -> str:
        """The folder of its package, relative to the checkout."""
        return f"services/{self.name}" if self.is_service else self.name

    @property
    def port_variable(self) -> str:
        """The variable that sets its port on one machine."""
        return "PORT" if self.name == "gateway" else f"{self.name.upper()}_PORT"

    @property
    def metrics_variable(self) -> str:
        """The variable that sets the port of its figures on one machine."""
        return f"{self.name.upper()}_METRICS_PORT"

    @property
    def address_variable(self) -> str:
        """The variable with its address, which the processes that call it are given."""
        return f"{self.name.upper()}_URL"

    @property
    def database_variable(self) -> str:
        """The variable with the URL of a database to use instead of one that the runner makes."""
        return f"{self.name.upper()}_DATABASE_URL"


def read_map(file: Path | None = None) -> tuple[Deployable, ...]:
    """The processes of a map in its order, by default the checkout's; raises CannotStart where the file is no map."""
    file = file or checkout() / "suite.toml"
    try:
        stated: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
        services = stated.pop("services", {})
        found = [Deployable(name=name, is_service=True, **entry) for name, entry in services.items()]
        found += [Deployable(name=name, is_service=False, **entry) for name, entry in stated.items()]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CannotStart(f"{file} is no map of the suite: {_reason(error)}") from error
    names = {each.name for each in found}
    for each in found:
        if unknown := set(each.asks) - names:
            raise CannotStart(f"{file}: {each.name} asks {', '.join(sorted(unknown))}, which the map does not name")
    if "gateway" not in names or not services:
        raise CannotStart(f"{file}: the gateway and at least one service are expected")
    return tuple(found)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return str(error)
