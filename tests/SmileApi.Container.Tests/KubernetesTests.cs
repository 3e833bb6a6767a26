using k8s;
using k8s.Models;

namespace SmileApi.Container.Tests;

/// <summary>What <c>kubectl kustomize</c> makes of <c>deploy/kubernetes</c>, read strictly: a field that Kubernetes does not know is an error.</summary>
public sealed class KubernetesTests
{
    private const string ServiceMonitor = "kind: ServiceMonitor";

    /// <summary>Of the pod's own default, Shutdown:TimeoutSeconds.</summary>
    private const int ShutdownTimeoutSeconds = 30;

    [Theory]
    [InlineData("cpu")]
    [InlineData("gpu")]
    public async Task Every_manifest_fits_the_schema_and_the_others(string overlay)
    {
        var (manifests, monitor) = await RenderAsync(overlay);

        var deployment = Assert.Single(manifests.OfType<V1Deployment>());
        var services = manifests.OfType<V1Service>().ToArray();
        var autoscaler = Assert.Single(manifests.OfType<V2HorizontalPodAutoscaler>());
        var budget = Assert.Single(manifests.OfType<V1PodDisruptionBudget>());
        var policy = Assert.Single(manifests.OfType<V1NetworkPolicy>());
        Assert.Equal(2, services.Length);
        Assert.Equal(6, manifests.Count);
        var container = Assert.Single(deployment.Spec.Template.Spec.Containers);
        var ports = container.Ports.Select(port => port.Name).ToArray();

        IDictionary<string, string>[] selectors = [deployment.Spec.Selector.MatchLabels, budget.Spec.Selector.MatchLabels, policy.Spec.PodSelector.MatchLabels, .. services.Select(service => service.Spec.Selector)];
        Assert.All(selectors, selector => Assert.All(Nonempty(selector), label => Assert.Equal(label.Value, deployment.Spec.Template.Metadata.Labels[label.Key])));
        Assert.All(services.SelectMany(service => service.Spec.Ports), port => Assert.Contains(port.TargetPort.Value, ports));
        Assert.All(policy.Spec.Ingress.SelectMany(rule => rule.Ports), port => Assert.Contains(port.Port.Value, ports));
        Assert.Equal(("Deployment", deployment.Metadata.Name), (autoscaler.Spec.ScaleTargetRef.Kind, autoscaler.Spec.ScaleTargetRef.Name));
        Assert.Null(deployment.Spec.Replicas);

        // The one kind that the client does not know.
        Assert.Contains("app.kubernetes.io/component: management", monitor, StringComparison.Ordinal);
        Assert.Contains(services, service => service.Metadata.Labels.TryGetValue("app.kubernetes.io/component", out var component) && component == "management"
            && service.Spec.Ports.Any(port => monitor.Contains($"port: {port.Name}", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("gpu")]
    public async Task The_pod_may_do_nothing_and_has_time_to_end(string overlay)
    {
        var pod = (await RenderAsync(overlay)).Manifests.OfType<V1Deployment>().Single().Spec.Template.Spec;
        var container = pod.Containers.Single();
        var settings = container.Env.ToDictionary(setting => setting.Name, setting => setting.Value);

        Assert.Equal((true, 1654L, "RuntimeDefault"), (pod.SecurityContext.RunAsNonRoot, pod.SecurityContext.RunAsUser, pod.SecurityContext.SeccompProfile.Type));
        Assert.Equal((true, false, false), (container.SecurityContext.ReadOnlyRootFilesystem, container.SecurityContext.AllowPrivilegeEscalation, container.SecurityContext.Privileged));
        Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
        Assert.False(pod.AutomountServiceAccountToken);
        Assert.Equal(container.Resources.Limits["memory"], container.Resources.Requests["memory"]);
        var drain = container.Lifecycle.PreStop.Sleep.Seconds + int.Parse(settings["Shutdown__DelaySeconds"], System.Globalization.CultureInfo.InvariantCulture) + ShutdownTimeoutSeconds;
        Assert.InRange(pod.TerminationGracePeriodSeconds!.Value, drain + 1, drain + 30);
        Assert.Equal("/health/live", container.LivenessProbe.HttpGet.Path);
        Assert.All([container.ReadinessProbe, container.StartupProbe], probe => Assert.Equal("/health/ready", probe.HttpGet.Path));
        Assert.Equal(overlay == "gpu", container.Resources.Limits.ContainsKey("nvidia.com/gpu"));
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("gpu")]
    public async Task The_autoscaler_asks_for_a_metric_that_the_adapter_makes(string overlay)
    {
        var autoscaler = (await RenderAsync(overlay)).Manifests.OfType<V2HorizontalPodAutoscaler>().Single();
        var adapter = await File.ReadAllTextAsync(Path.Combine(SmileApi.Tests.Repository.Root, "deploy", "kubernetes", "prometheus-adapter-values.yaml"));

        Assert.Equal(["cpu"], autoscaler.Spec.Metrics.Where(metric => metric.Type == "Resource").Select(metric => metric.Resource.Name));
        var pods = Assert.Single(autoscaler.Spec.Metrics, metric => metric.Type == "Pods").Pods;
        Assert.Contains($"as: {pods.Metric.Name}", adapter, StringComparison.Ordinal);
        Assert.Contains("smileapi_queue_wait_seconds_bucket", adapter, StringComparison.Ordinal);
    }

    [Fact]
    public void A_field_that_is_misspelt_does_not_pass() =>
        Assert.ThrowsAny<Exception>(() => KubernetesYaml.LoadAllFromString("apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { port: [] }\n", strict: true));

    private static IDictionary<string, string> Nonempty(IDictionary<string, string> labels)
    {
        Assert.NotEmpty(labels);
        return labels;
    }

    private static async Task<(IReadOnlyList<object> Manifests, string Monitor)> RenderAsync(string overlay)
    {
        Assert.SkipWhen(await Command.TryAsync("kubectl", "version", "--client") is null, "no kubectl, which renders the manifests");
        var yaml = await Command.RunAsync("kubectl", ["kustomize", $"deploy/kubernetes/overlays/{overlay}"]);
        var documents = yaml.Split("\n---\n");
        var known = documents.Where(document => !document.Contains(ServiceMonitor, StringComparison.Ordinal));
        return (KubernetesYaml.LoadAllFromString(string.Join("\n---\n", known), strict: true), Assert.Single(documents, document => document.Contains(ServiceMonitor, StringComparison.Ordinal)));
    }
}
