ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
RUN python -m venv /opt/stork
ENV PATH=/opt/stork/bin:$PATH
COPY requirements-build.lock requirements.lock /build/
RUN awk '/^[a-z]/ {late = /^(bjdata|py-ubjson)==/} {print >(late ? "/build/late.lock" : "/build/first.lock")}' /build/requirements.lock \
 && pip install --no-deps --no-compile --require-hashes -r /build/requirements-build.lock \
 && pip install --no-deps --no-compile --require-hashes --no-build-isolation -r /build/first.lock \
 && PYBJDATA_NO_EXTENSION=1 PYUBJSON_NO_EXTENSION=1 \
    pip install --no-deps --no-compile --require-hashes --no-build-isolation -r /build/late.lock

FROM dependencies AS package
COPY pyproject.toml README.md LICENSE /build/src/
COPY .crossbar /build/src/.crossbar
COPY node /build/src/node
COPY components /build/src/components
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /build /build/src \
 && pip install --no-deps --no-index --no-compile --root /package /build/*.whl

FROM dependencies AS try
COPY --from=package /package/ /
WORKDIR /app
COPY .crossbar .crossbar
ENV STORK_BIND=0.0.0.0 STORK_DATA=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["stork"]
CMD ["up"]
