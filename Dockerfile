# Two targets: api and worker.
#   docker build --target api -t metaopt-api .     docker build --target worker -t metaopt-worker .
FROM node:22-slim AS pages
WORKDIR /pages
COPY src/Api/package.json src/Api/package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source
# Packages first: they change less often than sources.
COPY Directory.Build.props Directory.Packages.props global.json .editorconfig ./
COPY src/Domain/MetaOpt.Domain.csproj src/Domain/packages.lock.json src/Domain/
COPY src/Storage/MetaOpt.Storage.csproj src/Storage/packages.lock.json src/Storage/
COPY src/Api/MetaOpt.Api.csproj src/Api/packages.lock.json src/Api/
COPY src/Worker/MetaOpt.Worker.csproj src/Worker/packages.lock.json src/Worker/
RUN dotnet restore src/Api --locked-mode && dotnet restore src/Worker --locked-mode
COPY src/ src/
COPY --from=pages /pages/node_modules src/Api/node_modules
RUN dotnet publish src/Api --no-restore -c Release -o /app/api && dotnet publish src/Worker --no-restore -c Release -o /app/worker

FROM mcr.microsoft.com/dotnet/aspnet:10.0 AS base
# The data folder is made here so that a volume mounted on it belongs to the user of the image.
RUN mkdir -p /data/data && chown -R "$APP_UID" /data
# Nothing is written but below /data and /tmp: the root file system may be read-only.
ENV METAOPT_HOME=/data DOTNET_EnableDiagnostics=0
VOLUME /data
USER $APP_UID

FROM base AS api
COPY --from=build /app/api /app
WORKDIR /app
# A container's loopback is its own; who may reach the port is decided where it is published. What comes through there, comes from the
# gateway of one of Docker's networks: a proxy on the host.
ENV METAOPT_LISTEN=0.0.0.0:5080 METAOPT_BEHIND_PROXY=172.16.0.0/12,192.168.0.0/16,10.0.0.0/8
EXPOSE 5080
# The image has no curl; bash opens the connection itself.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5080 && printf 'GET /healthz/ready HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["dotnet", "metaopt-api.dll"]

FROM base AS worker
COPY --from=build /app/worker /app
WORKDIR /app
# Alive while it is the first process: a worker whose database is away waits for it, and that is healthy.
HEALTHCHECK --interval=30s --timeout=5s CMD ["bash", "-c", "grep -q metaopt-worker /proc/1/cmdline"]
ENTRYPOINT ["dotnet", "metaopt-worker.dll", "--data", "/data/data"]
