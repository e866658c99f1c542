# One image for every service: docker build -t mangoes .
FROM rust:1-slim-trixie AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p mangoes

FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home mangoes
COPY --from=build /src/target/release/mangoes /usr/local/bin/mangoes
USER mangoes
ENTRYPOINT ["mangoes"]
