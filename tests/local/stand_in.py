"""What the tests run as each of the services: the same verbs, settings and health check, and nothing else."""

import asyncio
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = Path(__file__).parent.name.removeprefix("mmptf_")


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with the environment."""

    def do_GET(self) -> None:
        """`/health/ready` and anything else."""
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


async def execute(statement: str, url: str) -> None:
    """Run one statement in the service's database."""
    import asyncpg

    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


verb = sys.argv[1]
print(f"{NAME} {verb} speaking, process {os.getpid()}")
if os.environ.get("STAND_IN_FAILS") == f"{NAME} {verb}":
    sys.exit(3)
if verb == "migrate":
    made = f"CREATE TABLE IF NOT EXISTS loaded (times int); GRANT SELECT, INSERT ON loaded TO {NAME}_serve"
    asyncio.run(execute(made, os.environ["MIGRATION_DATABASE_URL"]))
if verb == "seed":
    asyncio.run(execute("INSERT INTO loaded VALUES (1)", os.environ["DATABASE_URL"]))
if verb == "serve":
    signal.signal(signal.SIGTERM, lambda *_: (print("asked to stop", flush=True), os._exit(0)))
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
