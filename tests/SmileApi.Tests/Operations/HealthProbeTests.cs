using SmileApi.Operations;

namespace SmileApi.Tests.Operations;

public sealed class HealthProbeTests
{
    [Theory]
    [InlineData(null, null, "http://localhost:8080")]
    [InlineData(null, "9000;9001", "http://localhost:9000")]
    [InlineData("http://*:5000;https://*:5001", "9000", "http://localhost:5000")]
    [InlineData("http://+:5000", null, "http://localhost:5000")]
    [InlineData("http://0.0.0.0:5000", null, "http://localhost:5000")]
    [InlineData("http://[::]:5000", null, "http://localhost:5000")]
    [InlineData("http://10.0.0.7:5000", null, "http://10.0.0.7:5000")]
    public void The_probe_asks_where_the_environment_says_that_the_service_listens(string? urls, string? ports, string address) =>
        Assert.Equal(address, HealthProbe.Address(name => name switch { "ASPNETCORE_URLS" => urls, "ASPNETCORE_HTTP_PORTS" => ports, _ => null }));
}
