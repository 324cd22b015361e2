# One recipe for every image: docker build --build-arg SERVICE=catalog .   (or any other name in suite.toml)

# By its digest (python@sha256:...) the base is the one that was examined.
ARG BASE=python:3.11.14-slim-bookworm
FROM ${BASE} AS python
# The base image carries its standard library without bytecode, and the process may not write any: every start
# and every health check would compile what it imports.
RUN python -m compileall -q -j 0 -x site-packages "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"


FROM python AS builder
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /source
# All that .dockerignore lets through: pins, sources, and `wheels` in the archive that `make kit` writes, where no package
# index is asked.
COPY . .
ARG SERVICE
# `telemetry` installs what sends spans.
ARG EXTRA=
# The wheels are named by path, so that no stranger's package of the same name can take their place. The pins are
# constraints: only what this service needs is installed, and its hashes are checked.
RUN --mount=type=cache,target=/root/.cache/uv \
    set -eu; \
    member="services/${SERVICE:?a name in suite.toml}"; \
    [ -d "$member" ] || member="$SERVICE"; \
    [ ! -d wheels ] || set -- --no-index --find-links wheels; \
    pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore "$@" --require-hashes --requirement bootstrap.txt; \
    uv build --wheel --out-dir dist common; \
    uv build --wheel --out-dir dist "$member"; \
    uv venv --python "$(command -v python)" /app; \
    common=$(ls dist/mmptf_common-*.whl); \
    uv pip install "$@" --python /app/bin/python --constraint requirements.txt --compile-bytecode \
      "$common${EXTRA:+[$EXTRA]}" "dist/mmptf_$SERVICE"-*.whl; \
    ln -s "mmptf-$SERVICE" /app/bin/mmptf


FROM python
# asyncpg looks for a home folder, hence a named user; the number lets an orchestrator see that it is not root.
RUN groupadd --gid 10001 mmptf \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mmptf
COPY --from=builder /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DRAIN_SECONDS=5
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# http.client rather than urllib, which would ask a proxy named in the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-IS", "-c", \
    "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=3); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["mmptf"]
CMD ["serve"]
ARG SERVICE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mmptf-$SERVICE" \
      org.opencontainers.image.description="The $SERVICE process of the Migration Fund suite" \
      org.opencontainers.image.revision="$REVISION"
