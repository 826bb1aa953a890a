# syntax=docker/dockerfile:1
# The ingester as an image: hashed requirements plus the wheel, no compiler, no checkout, not root.
# Nothing is written at run time, so `read_only: true` works.

FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# Requirements first: they change less often than the code, and their layer is kept.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --quiet --require-hashes --requirement requirements/build.txt \
    && python -m venv /opt/ingester \
    && /opt/ingester/bin/pip install --quiet --require-hashes --requirement requirements/runtime.txt
COPY pyproject.toml LICENSE README.md ./
COPY ingester ingester
COPY replay replay
COPY sql sql
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/ingester/bin/pip install --quiet --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim-trixie
ENV PATH=/opt/ingester/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/ingester /opt/ingester
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
ENTRYPOINT ["ingester"]
CMD ["--help"]
