using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Configurations;
using SmileApi.Tests;

[assembly: AssemblyFixture(typeof(SmileApi.Container.Tests.ServiceImage))]

namespace SmileApi.Container.Tests;

/// <summary>The image of the service, built from the Dockerfile once for all tests, when the first of them asks for it.</summary>
public sealed class ServiceImage
{
    private const string Name = "smileapi:container-tests";

    private readonly Lazy<Task<string>> _image = new(BuildAsync);

    /// <summary>The image's name; the test is skipped where there is no container engine.</summary>
    public Task<string> NameAsync() => _image.Value;

    /// <summary>Starts the service with every restriction that SECURITY.md names and waits until it is ready.</summary>
    internal async Task<HardenedService> StartAsync(params (string Name, string Value)[] settings)
    {
        var container = Restricted(await NameAsync(), settings)
            .WithPortBinding(8080, assignRandomHostPort: true)
            .WithWaitStrategy(Wait.ForUnixContainer().UntilHttpRequestIsSucceeded(request => request.ForPort(8080).ForPath("/health/ready")))
            .Build();
        await container.StartAsync();
        return new HardenedService(container);
    }

    /// <summary>Runs the service with settings that it must refuse, to its end.</summary>
    /// <returns>Its exit code and what it printed.</returns>
    internal async Task<(long ExitCode, string Output)> RunToEndAsync(params (string Name, string Value)[] settings)
    {
        await using var container = Restricted(await NameAsync(), settings)
            .WithWaitStrategy(Wait.ForUnixContainer().UntilMessageIsLogged("did not start", wait => wait.WithMode(WaitStrategyMode.OneShot)))
            .Build();
        await container.StartAsync();
        var exitCode = await container.GetExitCodeAsync();
        var (output, errors) = await container.GetLogsAsync(timestampsEnabled: false);
        return (exitCode, output + errors);
    }

    private static ContainerBuilder Restricted(string image, (string Name, string Value)[] settings) => new ContainerBuilder(image)
        .WithEnvironment(settings.ToDictionary(setting => setting.Name, setting => setting.Value))
        .WithCreateParameterModifier(create =>
        {
            create.HostConfig!.ReadonlyRootfs = true;
            create.HostConfig.CapDrop = ["ALL"];
            create.HostConfig.SecurityOpt = ["no-new-privileges"];
            create.HostConfig.PidsLimit = 256;
            create.HostConfig.Memory = HardenedService.MemoryLimit;
            create.HostConfig.NanoCPUs = 1_000_000_000;
        });

    private static async Task<string> BuildAsync()
    {
        var version = await Command.TryAsync("docker", "version", "--format", "{{.Server.APIVersion}}");
        Assert.SkipWhen(version is null, "no container engine answers `docker version`");

        // Testcontainers asks in the newest words it knows and takes an older engine for none; and it would fetch an image that cleans
        // up after tests that have died, which not every machine may.
        Environment.SetEnvironmentVariable("DOCKER_API_VERSION", version.Trim());
        Environment.SetEnvironmentVariable("TESTCONTAINERS_RYUK_DISABLED", "true");
        var image = new ImageFromDockerfileBuilder()
            .WithDockerfileDirectory(Repository.Root)
            .WithTarget("service")
            .WithName(Name)
            .WithCleanUp(false)
            .Build();
        await image.CreateAsync();
        return Name;
    }
}
