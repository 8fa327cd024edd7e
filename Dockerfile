ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements-build.lock ./
RUN python -m venv /build/tools && /build/tools/bin/pip install --no-deps --require-hashes -r requirements-build.lock
COPY requirements.lock ./
RUN PYBJDATA_NO_EXTENSION=1 PYUBJSON_NO_EXTENSION=1 /build/tools/bin/pip wheel --no-deps --no-build-isolation --require-hashes --wheel-dir wheels -r requirements.lock
RUN python -m venv /opt/stork && /opt/stork/bin/pip install --no-index --no-deps --no-compile wheels/*.whl
