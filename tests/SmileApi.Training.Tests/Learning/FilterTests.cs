using System.Text.Json;

namespace SmileApi.Training.Tests;

public sealed class FilterTests
{
    private static readonly Architecture s_served = Architecture.Served;

    [Fact]
    public void A_filter_has_its_normalisation_folded_in_and_four_digits()
    {
        var weights = Weights.Random(s_served.Layout, 3);
        (weights["stem.scale"][1], weights["stem.variance"][1]) = (-2, 4);
        var filters = Filter.Of(s_served, weights);

        Assert.Equal(16, filters.Count);
        var raw = weights["stem.weight"];
        for (var i = 0; i < 25; i++)
        {
            Assert.Equal(raw[i], filters[0].Kernel[i], 1e-3 * Math.Abs(raw[i]));
            Assert.Equal(-raw[25 + i], filters[1].Kernel[i], 1e-3 * Math.Abs(raw[25 + i]));
        }

        Assert.All(filters.SelectMany(filter => filter.Kernel), weight => Assert.Equal(weight, float.Parse($"{weight:G4}", System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void In_json_a_filter_is_a_line_of_numbers_and_comes_back_the_same()
    {
        var filters = Filter.Of(s_served, Weights.Random(s_served.Layout, 3));
        var json = JsonSerializer.Serialize(filters, JsonOutput.Indented);

        Assert.Equal(filters.Count + 2, json.Split('\n').Length);
        using var parsed = JsonDocument.Parse(json);
        Assert.Equal(filters.Select(filter => filter.Kernel), parsed.RootElement.EnumerateArray().Select(filter => filter.EnumerateArray().Select(weight => weight.GetSingle())));
        Assert.Equal(filters.Select(filter => filter.Kernel), JsonSerializer.Deserialize<Filter[]>(json, JsonOutput.Indented)!.Select(filter => filter.Kernel));
    }

    [Theory]
    [InlineData("""[1, "two"]""")]
    [InlineData("{}")]
    [InlineData("1")]
    public void What_is_no_filter_is_an_error_of_the_json(string json) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Filter[]>($"[{json}]", JsonOutput.Indented));
}
