namespace SmileApi.Tests;

/// <summary>
/// Tests of what <c>/metrics</c> tells. They run when no other test does: all services of one process share the instruments of one
/// name, and one that ends in another test takes them out of everybody's metrics.
/// </summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
