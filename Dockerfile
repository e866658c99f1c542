# One image for every service: make image, or docker build -t mangoes .
# The classic builder and BuildKit both build it, and both find the crates of others in their cache.

# The version for the label; the build stops where Cargo.toml says another one.
ARG VERSION=0.1.0

FROM rust:1.95-slim-trixie AS toolchain
WORKDIR /src

# The workspace reduced to what decides which crates of others are built: manifests, and a stub in
# place of each program and library. Copied below by content, so a change of source ends here.
FROM toolchain AS manifests
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock \
        ! -path '*/src/lib.rs' ! -path '*/src/main.rs' ! -name build.rs -delete \
    && find . -name '*.rs' \
        -exec sh -c 'for file; do echo "#![allow(warnings)] fn main() { }" >"$file"; done' sh {} + \
    && find . -type d -empty -delete

# The workspace without the program, which the commit is compiled into.
FROM toolchain AS libraries
COPY . .
RUN rm -r services/mangoes docker LICENSE

FROM toolchain AS build
COPY --from=manifests /src .
# What was built of the stubs goes at once: Cargo compares times, and the files of a checkout may
# be older than the stubs.
RUN cargo build --profile dist --locked -p mangoes && cargo clean --profile dist --workspace
ARG VERSION
RUN grep -qx "version = \"$VERSION\"" Cargo.toml \
    || { echo "Dockerfile says version $VERSION, Cargo.toml another one: make them equal"; exit 1; }
COPY --from=libraries /src .
RUN cargo build --profile dist --locked -p mangoes && cargo clean --profile dist -p mangoes
# The commit comes last, because every commit has another one: it builds the program alone again.
COPY services/mangoes services/mangoes
ARG COMMIT
RUN MANGOES_COMMIT=$COMMIT cargo build --profile dist --locked -p mangoes
COPY LICENSE LICENSE
COPY docker docker
# Modes are given here: those of a checkout depend on its owner's umask.
RUN install -D -m 0755 target/dist/mangoes /image/usr/local/bin/mangoes \
    && install -D -m 0755 docker/init /image/usr/local/bin/mangoes-init \
    && install -D -m 0644 -t /image/usr/local/share/mangoes nats/server.conf nats/users.conf \
    && install -D -m 0644 LICENSE /image/usr/share/doc/mangoes/LICENSE \
    && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt \
        /image/etc/ssl/certs/ca-certificates.crt
# The crates in the program, with their licences.
RUN umask 022 && sh docker/third-party /image/usr/share/doc/mangoes

FROM debian:trixie-slim
# A volume that is mounted here first belongs to the user of this image, as this folder does.
RUN install -d -o 10001 -g 10001 -m 0750 /run/mangoes
COPY --from=build /image /
USER 10001:10001
# Probes come from outside of the container. Who can reach the port is the network's business.
ENV MANGOES_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["mangoes", "health"]
ENTRYPOINT ["mangoes"]
ARG VERSION
ARG COMMIT
ARG SOURCE
LABEL org.opencontainers.image.title="mangoes" \
      org.opencontainers.image.description="Keeps a movie app's catalogue fresh from TMDB" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="$SOURCE"
