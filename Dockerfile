# The portal as one static program in an empty image, without a shell.
#
#   docker build -t handoff .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -p 8080:8080 -v handoff:/var/lib/handoff \
#     -v "$PWD/handoff.yaml:/etc/handoff/handoff.yaml:ro" --env-file handoff.env handoff
#
# In a container the settings say `listen: 0.0.0.0:8080`. `internal_listen` may
# stay on loopback: the health check below runs inside the container. The one place
# that is written to is the volume: `store: file:/var/lib/handoff/handoff.db`. (A path
# that is relative begins at the settings' own folder.)
#
# The same source, base image and `--timestamp` give the same image with buildah.

FROM golang:1.26-bookworm AS build
WORKDIR /src
# The modules first: they change less often than the code, and stay in their own layer.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Nothing of the machine or the moment of the build is in the program, so that
# anybody can build the same bytes from the same source. Pages for engineers and
# operators, the settings and the commands are a lot of code that runs seldom: nothing
# is inlined into them.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -funcalign=16" \
    -gcflags github.com/handoff-portal/handoff/web/guide=-l \
    -gcflags github.com/handoff-portal/handoff/internal/demo=-l \
    -gcflags github.com/handoff-portal/handoff/internal/operator=-l \
    -gcflags github.com/handoff-portal/handoff/internal/doctor=-l \
    -gcflags github.com/handoff-portal/handoff/internal/config=-l \
    -gcflags github.com/handoff-portal/handoff/internal/phone=-l \
    -gcflags github.com/handoff-portal/handoff/cmd/handoff=-l \
    -o /out/handoff ./cmd/handoff
RUN mkdir -p /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/handoff /handoff
COPY --chmod=644 LICENSE /LICENSE
# A new volume takes its owner from here.
COPY --from=build --chown=65532:65532 /out/data /var/lib/handoff
WORKDIR /var/lib/handoff
USER 65532:65532
VOLUME /var/lib/handoff
EXPOSE 8080
# SIGTERM: streams say goodbye, open requests finish.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/handoff", "live"]
ENTRYPOINT ["/handoff"]
CMD ["serve", "--config", "/etc/handoff/handoff.yaml"]
