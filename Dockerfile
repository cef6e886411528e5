# syntax=docker/dockerfile:1
# Images are named by tag, and a tag can be moved; distroless has no tags of versions.
# For builds that never change, add the digest that docker buildx imagetools inspect
# IMAGE prints: IMAGE@sha256:…
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# The image leaves .git out: docker build --build-arg VERSION=$(git describe --tags --always)
ARG VERSION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/giftcards ./cmd/giftcards \
    && mkdir /out/state

# One static program; the base adds certificate authorities and a user. Licences and
# notices travel in it: docker run --rm IMAGE licences prints them.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/giftcards /giftcards
# The only place that is written: the secret keys, unless GIFTCARDS_KEYS_FILE names them elsewhere.
COPY --from=build --chown=65532:65532 /out/state /var/lib/giftcards
USER 65532:65532
ENV GIFTCARDS_LISTEN=:8080 GIFTCARDS_STATE_DIR=/var/lib/giftcards GIFTCARDS_LOG_FORMAT=json
VOLUME /var/lib/giftcards
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --start-interval=1s CMD ["/giftcards", "health"]
ENTRYPOINT ["/giftcards"]
CMD ["serve"]
