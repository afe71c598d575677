# docker build -t rollcall . : builds anywhere. `scripts/image` makes the same image of a binary, without Docker.
FROM rust:1.95-bookworm AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates cmake python3
WORKDIR /src
COPY . .
RUN cargo build --release --locked && scripts/image-root target/release/rollcall /image

FROM scratch
COPY --from=build /image/ /
ENV PATH=/usr/bin
USER 65532:65532
ENTRYPOINT ["/usr/bin/rollcall"]
