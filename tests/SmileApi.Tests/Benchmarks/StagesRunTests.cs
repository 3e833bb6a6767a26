using System.Reflection;
using BenchmarkDotNet.Attributes;
using SmileApi.Benchmarks.Stages;

namespace SmileApi.Tests.Benchmarks;

/// <summary>The benchmarks of the stages do what they measure: each throws when its stage does not answer as it should.</summary>
public sealed class StagesRunTests
{
    public static TheoryData<string, string> All => new(
        from stage in typeof(Sniff).Assembly.GetTypes()
        from method in stage.GetMethods()
        where method.GetCustomAttribute<BenchmarkAttribute>() is not null
        select (stage.FullName!, method.Name));

    [Fact]
    public void Every_stage_has_one() =>
        Assert.Superset(
            new HashSet<string> { "Sniff", "Decode", "Crop", "Detect", "Infer", "Batcher", "Json" },
            All.Select(row => row.Data.Item1.Split('.')[^1]).ToHashSet());

    [Theory]
    [MemberData(nameof(All))]
    public async Task It_runs_once(string stage, string method)
    {
        var type = typeof(Sniff).Assembly.GetType(stage, throwOnError: true)!;
        var benchmark = Activator.CreateInstance(type)!;
        foreach (var property in type.GetProperties())
        {
            // The first value is the smallest.
            if (property.GetCustomAttribute<ParamsAttribute>() is { } values)
            {
                property.SetValue(benchmark, values.Values[0]);
            }
        }

        await CallAllAsync<GlobalSetupAttribute>();
        var result = await CallAsync(type.GetMethod(method)!);
        await CallAllAsync<GlobalCleanupAttribute>();
        (benchmark as IDisposable)?.Dispose();

        Assert.NotNull(result);

        async Task CallAllAsync<TAttribute>()
            where TAttribute : Attribute
        {
            foreach (var one in type.GetMethods().Where(one => one.GetCustomAttribute<TAttribute>() is not null))
            {
                await CallAsync(one);
            }
        }

        async Task<object?> CallAsync(MethodInfo one)
        {
            var returned = one.Invoke(benchmark, null);
            if (returned is Task task)
            {
                await task;
            }

            return returned;
        }
    }
}
