# Stork node: one image for the whole gateway, a replica, or the publish server alone. Built by scripts/image.
#
#   docker run -p 8080:8080 -p 127.0.0.1:5557:5557 stork-node                     the whole gateway
#   docker run -p 8080:8080 -e STORK_PUBLISH_SERVER=HOST stork-node               one more replica
#   docker run -p 10.0.0.5:5555-5558:5555-5558 stork-node publish-server          the publish server alone
#
# Your application is a folder mounted on /app/.crossbar (read-only will do), or an image of your own:
#
#   FROM stork-node
#   USER root
#   RUN pip install asyncpg
#   USER 10001
#   COPY app.py /app/.crossbar/
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off PIP_ROOT_USER_ACTION=ignore
# The system's certificates, as pip trusts them: a base image may have a company's own.
ENV UV_PROJECT_ENVIRONMENT=/opt/stork UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy
RUN python -m venv /opt/stork
ENV PATH=/opt/stork/bin:$PATH
COPY pyproject.toml uv.lock /build/
COPY scripts/pinned.py /build/scripts/
# As in scripts/venv: pip installs uv, which installs the rest. What both fetch stays in a cache of the builder's, and is in
# no layer. uv leaves a lock that everybody may write.
RUN --mount=type=cache,target=/root/.cache \
    python /build/scripts/pinned.py uv >/build/uv.txt \
 && pip install --no-deps --no-compile --require-hashes --only-binary :all: -r /build/uv.txt \
 && uv sync --project /build --frozen --inexact --extra node --no-install-project \
 && uv export --project /build --quiet --frozen --only-group setup --no-hashes --output-file /build/setup.txt \
 && rm -f /opt/stork/.lock

FROM dependencies AS package
COPY pyproject.toml README.md LICENSE /build/source/
COPY .crossbar /build/source/.crossbar
COPY components /build/source/components
COPY node /build/source/node
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /build /build/source \
 && pip install --no-deps --no-index --no-compile --root /package /build/*.whl \
 && python -m compileall -q --invalidation-mode checked-hash -s /package -p / /package

FROM dependencies AS pruned
COPY scripts/deploy/image/prune.py scripts/deploy/image/never-loaded.txt /build/
RUN python /build/prune.py /build/never-loaded.txt /build/setup.txt
# Crossbar pins versions of four packages that have known faults; newer ones are locked (pyproject.toml says why).
RUN ! pip check | grep -vE "^crossbar .* has requirement (h2|hpack|hyperframe|idna)[<>=]|^No broken requirements"

FROM ${BASE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /app --shell /usr/sbin/nologin stork \
 && install -d -o stork -g stork -m 0750 /data
ENV PATH=/opt/stork/bin:$PATH
COPY --from=pruned /opt/stork /opt/stork
COPY scripts/deploy/image/loaded.py /opt/stork/
RUN python /opt/stork/loaded.py
COPY scripts/deploy/image/healthcheck.py /opt/stork/
COPY --from=package /package/ /
WORKDIR /app
COPY .crossbar .crossbar

# In a container, loopback is for nobody else: ports are published to who may reach them.
ENV STORK_BIND=0.0.0.0 STORK_DATA=/data \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
# As a number, so that Kubernetes can tell that it is not root.
USER 10001:10001
RUN stork check
VOLUME /data
# 8080  browsers: the page, /ws, /stork.js
# 8081  the operator: /health, /ready, /metrics
# 5555  push, not answered; 5557 push, answered
# 5556  the bus, for nodes; 5558 replay, for nodes
EXPOSE 8080 8081 5555 5556 5557 5558
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-I", "-S", "/opt/stork/healthcheck.py"]
ENTRYPOINT ["stork"]
CMD ["up"]
