# SmileApi in containers. Plain Dockerfile syntax, so that every builder understands it.
#
#   docker build -t smileapi .                            the service, on port 8080
#   docker build --target training -t smile-training .    the training tool, on any system
#   docker compose build smileapi-gpu                     the service for NVIDIA GPUs: the target gpu and its two arguments
#
# A builder that is not BuildKit (Docker before 23) makes every target on its way to the last: give it --target service.

# cpu, or cuda with a GPU_BASE that holds CUDA and cuDNN.
ARG ACCELERATOR=cpu
ARG GPU_BASE=mcr.microsoft.com/dotnet/aspnet:10.0-noble

FROM mcr.microsoft.com/dotnet/sdk:10.0-noble AS source
WORKDIR /source
ENV DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
COPY global.json Directory.Build.props Directory.Packages.props .editorconfig ./

# Packages change rarely: restored from the project files alone, they stay cached while the code changes.
FROM source AS service-build
ARG ACCELERATOR
COPY src/SmileApi/SmileApi.csproj src/SmileApi/
COPY src/SmileApi.Imaging/SmileApi.Imaging.csproj src/SmileApi.Imaging/
COPY src/SmileApi.Inference/SmileApi.Inference.csproj src/SmileApi.Inference/
RUN dotnet restore src/SmileApi -p:Accelerator=$ACCELERATOR
COPY models models
COPY samples samples
COPY src/SmileApi src/SmileApi
COPY src/SmileApi.Imaging src/SmileApi.Imaging
COPY src/SmileApi.Inference src/SmileApi.Inference
RUN dotnet publish src/SmileApi -c Release --no-restore -p:Accelerator=$ACCELERATOR -o /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0-noble AS runtime

FROM mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled AS chiseled

# What the service loads and the chiseled base lacks, laid out as it is to lie there: libturbojpeg, which no package of ours brings,
# and whatever any library needs. One that is found nowhere ends the build. Debian and Ubuntu call the same package differently.
FROM runtime AS native
RUN apt-get update -qq \
 && (apt-get install -y -qq --no-install-recommends libturbojpeg0 || apt-get install -y -qq --no-install-recommends libturbojpeg)
COPY --from=chiseled / /chiseled
COPY --from=service-build /app /app
RUN set -e; mkdir /native; \
    libraries="$(find /usr/lib -name 'libturbojpeg.so.0') $(find /usr/lib -name 'libssl.so.3')"; \
    test "$(echo $libraries | wc -w)" = 2; \
    needed=$(ldd $libraries $(find /app -name '*.so')); \
    if echo "$needed" | grep 'not found'; then exit 1; fi; \
    for library in $libraries $(echo "$needed" | awk '$3 ~ "^/" && $3 !~ "^/app/" { print $3 }' | sort -u); do \
      place=$(readlink -f "$(dirname "$library")")/$(basename "$library"); \
      test -e "/chiseled$place" || install -D -m 0644 "$(readlink -f "$library")" "/native$place"; \
    done; \
    find /native -type f -exec ls -l {} +

# No shell, no package manager, nothing to write to: only what the service loads.
FROM chiseled AS service
LABEL org.opencontainers.image.title="SmileApi" \
      org.opencontainers.image.description="Says over HTTP how likely it is that a face smiles. The code is MIT; the weights come from pictures that allow research use only." \
      org.opencontainers.image.licenses="MIT AND LicenseRef-SmileApi-Weights-Research-Only"
# Memory of a large decoded picture goes back to the system at once, instead of staying in the C library's heap in pieces.
ENV MALLOC_MMAP_THRESHOLD_=1048576
COPY --from=native /native/ /
COPY --from=service-build /app /app
WORKDIR /app
USER $APP_UID
EXPOSE 8080
# The probe itself gives up after 4 seconds; on a machine that is so busy that it hardly runs, patience does more than another probe.
HEALTHCHECK --interval=10s --timeout=30s --start-period=120s --retries=3 CMD ["dotnet", "SmileApi.dll", "healthcheck"]
ENTRYPOINT ["dotnet", "SmileApi.dll"]

# The same on a base with CUDA. It asks for a GPU, and so says why it does not start when the packages or the base are the CPU's.
FROM ${GPU_BASE} AS gpu
LABEL org.opencontainers.image.title="SmileApi for NVIDIA GPUs" \
      org.opencontainers.image.description="Says over HTTP how likely it is that a face smiles. The code is MIT; the weights come from pictures that allow research use only." \
      org.opencontainers.image.licenses="MIT AND LicenseRef-SmileApi-Weights-Research-Only"
ENV APP_UID=1654 ASPNETCORE_HTTP_PORTS=8080 DOTNET_RUNNING_IN_CONTAINER=true DOTNET_ROOT=/usr/share/dotnet \
    MALLOC_MMAP_THRESHOLD_=1048576 Inference__Provider=cuda
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends ca-certificates libssl3t64 libstdc++6 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=runtime /usr/share/dotnet /usr/share/dotnet
COPY --from=native /native/ /
COPY --from=service-build /app /app
WORKDIR /app
USER $APP_UID
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=30s --start-period=120s --retries=3 CMD ["/usr/share/dotnet/dotnet", "SmileApi.dll", "healthcheck"]
ENTRYPOINT ["/usr/share/dotnet/dotnet", "SmileApi.dll"]

FROM source AS training-build
COPY src/SmileApi.Training/SmileApi.Training.csproj src/SmileApi.Training/
COPY src/SmileApi.Imaging/SmileApi.Imaging.csproj src/SmileApi.Imaging/
COPY src/SmileApi.Inference/SmileApi.Inference.csproj src/SmileApi.Inference/
RUN dotnet restore src/SmileApi.Training
COPY src/SmileApi.Training src/SmileApi.Training
COPY src/SmileApi.Imaging src/SmileApi.Imaging
COPY src/SmileApi.Inference src/SmileApi.Inference
RUN dotnet publish src/SmileApi.Training -c Release --no-restore -o /app

# Mount a folder to work in at /work and the pictures at /data.
FROM runtime AS training
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends fonts-dejavu-core \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=training-build /app /app
ENV SMILE_DATA=/data
WORKDIR /work
ENTRYPOINT ["/app/smile"]

# Without a target, the service.
FROM service
