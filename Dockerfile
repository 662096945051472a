# The image of the daemon. docs/install.md tells how it is built, run and pinned.
#
# The base is a full version, never a moving tag. Its digest belongs to the registry that you pull it from: ask it
# (docker buildx imagetools inspect python:3.11.14-slim-bookworm) and build with
#   docker build --build-arg PYTHON=python:3.11.14-slim-bookworm@sha256:… -t remediator:0.1.0 .
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# Bytecode is made once, at the end, such that nothing compares it with its source again.
# Dependencies first: they change less often than the code. Only wheels, and only those whose hashes are known.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/remediator \
    && python -m pip --python /opt/remediator/bin/python install --no-compile --require-hashes --only-binary :all: --no-deps -r requirements.lock
RUN python -m venv /build/tools \
    && /build/tools/bin/pip install --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY remediator ./remediator
RUN /build/tools/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /build/dist . \
    && python -m pip --python /opt/remediator/bin/python install --no-compile --no-deps --no-index /build/dist/remediator-*.whl \
    && /opt/remediator/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/remediator/lib

FROM ${PYTHON}
LABEL org.opencontainers.image.title="remediator" \
      org.opencontainers.image.description="Closes the loop from a Prometheus alert to a verified fix" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 remediator \
    && useradd --system --uid 10001 --gid remediator --home-dir /var/lib/remediator --shell /usr/sbin/nologin remediator \
    && install -d -o remediator -g remediator -m 0750 /var/lib/remediator
COPY --from=build /opt/remediator /opt/remediator
COPY policies /etc/remediator/policies
# Nothing is written but to the data directory and /tmp: the root file system may be read-only.
ENV PATH=/opt/remediator/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    REMEDIATOR_POLICIES=/etc/remediator/policies REMEDIATOR_DATA_DIR=/var/lib/remediator
USER 10001:10001
WORKDIR /var/lib/remediator
VOLUME ["/var/lib/remediator"]
EXPOSE 9095 9096
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["remediator", "health"]
ENTRYPOINT ["remediator"]
CMD ["serve"]
