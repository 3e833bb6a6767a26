# SmileApi in containers. Plain Dockerfile syntax, so that every builder understands it.
#
#   docker build -t smileapi .                            the service, on port 8080
#   docker build --target training -t smile-training .    the training tool, on any system

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS source
WORKDIR /source
ENV DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
COPY global.json Directory.Build.props Directory.Packages.props .editorconfig ./

# Packages change rarely: restored from the project files alone, they stay cached while the code changes.
FROM source AS service-build
COPY src/SmileApi/SmileApi.csproj src/SmileApi/
COPY src/SmileApi.Imaging/SmileApi.Imaging.csproj src/SmileApi.Imaging/
COPY src/SmileApi.Inference/SmileApi.Inference.csproj src/SmileApi.Inference/
RUN dotnet restore src/SmileApi
COPY models models
COPY samples samples
COPY src/SmileApi src/SmileApi
COPY src/SmileApi.Imaging src/SmileApi.Imaging
COPY src/SmileApi.Inference src/SmileApi.Inference
RUN dotnet publish src/SmileApi -c Release --no-restore -o /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0 AS service
# Memory of a large decoded picture goes back to the system at once, instead of staying in the C library's heap in pieces.
ENV MALLOC_MMAP_THRESHOLD_=1048576
LABEL org.opencontainers.image.title="SmileApi" \
      org.opencontainers.image.description="Says over HTTP how likely it is that a face smiles. The code is MIT; the weights come from pictures that allow research use only." \
      org.opencontainers.image.licenses="MIT AND LicenseRef-SmileApi-Weights-Research-Only"
# Debian and Ubuntu call the package of the same library differently.
RUN apt-get update -qq \
 && (apt-get install -y -qq --no-install-recommends libturbojpeg0 || apt-get install -y -qq --no-install-recommends libturbojpeg) \
 && rm -rf /var/lib/apt/lists/* \
 && ldconfig -p | grep libturbojpeg.so.0
COPY --from=service-build /app /app
WORKDIR /app
USER $APP_UID
EXPOSE 8080
ENTRYPOINT ["dotnet", "SmileApi.dll"]

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
FROM mcr.microsoft.com/dotnet/aspnet:10.0 AS training
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends fonts-dejavu-core \
 && rm -rf /var/lib/apt/lists/*
COPY --from=training-build /app /app
ENV SMILE_DATA=/data
WORKDIR /work
ENTRYPOINT ["/app/smile"]

# Without a target, the service.
FROM service
