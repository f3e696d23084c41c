# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --release --locked && cp target/release/strongroom /strongroom

FROM debian:bookworm-slim
# Certificates are for upstream stores over https.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin strongroom \
    && install -d -o strongroom -g strongroom -m 0700 /data
COPY --from=build /strongroom /usr/local/bin/strongroom
USER strongroom
# Index, objects, and unless told otherwise the root key: back it up, and keep the key's copy apart.
VOLUME /data
ENV STRONGROOM_DATA_DIR=/data STRONGROOM_LISTEN=0.0.0.0:9000
EXPOSE 9000
STOPSIGNAL SIGTERM
# Plain http; with STRONGROOM_TLS set, replace this check by one that speaks TLS.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/9000 && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["strongroom"]
CMD ["serve"]
