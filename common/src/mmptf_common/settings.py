"""What an operator can set: plain environment variables, read once at start."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _postgres_url(value: SecretStr) -> SecretStr:
    scheme = value.get_secret_value().partition("://")[0]
    if scheme not in {"postgresql", "postgres"}:
        raise ValueError("a URL of the form postgresql://user:password@host:port/database is expected")
    return value


class ServerSettings(BaseSettings):
    """HOST, PORT, LOG_LEVEL: where a process listens and how much it says."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class ServiceSettings(ServerSettings):
    """A service's own database and the shared cache.

    DATABASE_URL      postgresql://… of this service's database
    DATABASE_POOL     most connections that reads may hold (writes have their own, half as many)
    REDIS_URL         redis://… ; without it aggregates are computed at each request
    ENVIRONMENT       development allows what needs an identity in production, such as imports over HTTP
    """

    database_url: Annotated[SecretStr, AfterValidator(_postgres_url)]
    database_pool: Annotated[int, Field(ge=2, le=100)] = 10
    redis_url: SecretStr | None = None
    environment: Literal["production", "development"] = "production"
