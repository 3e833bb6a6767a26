namespace SmileApi.Training.Tests;

/// <summary><c>smile time</c>.</summary>
public sealed class TimeTests : CommandLine
{
    [Fact]
    public void Each_model_has_its_cost_by_size_of_batch_beside_the_first()
    {
        WriteModel("model.onnx");
        var committed = Needs.Committed("models", "smile.onnx");

        var (code, output, errors) = Smile("time", "model.onnx", committed, "--batches", "1,3", "--rounds", "2");

        Assert.Equal((0, ""), (code, errors));
        string[][] rows = [.. output.Split('\n').Where(line => line.Contains("smile-cnn20", StringComparison.Ordinal)).Select(line => line.Split('│', StringSplitOptions.TrimEntries))];
        Assert.Equal(["1", "1", "3", "3"], rows.Select(row => row[2]));
        Assert.All(rows, row => Assert.InRange(double.Parse(row[3], System.Globalization.CultureInfo.InvariantCulture), 0.1, double.MaxValue));
        Assert.Equal(("1.00", "1.00"), (rows[0][4], rows[2][4]));
        Assert.Equal(rows[0][1], rows[2][1]);
        Assert.NotEqual(rows[0][1], rows[1][1]);
    }

    [Fact]
    public void What_cannot_be_measured_is_told_in_a_line()
    {
        WriteModel("model.onnx");
        Fails("There is no model at", "time", "no.onnx");
        Fails("--rounds must be at least 1.", "time", "model.onnx", "--rounds", "0");
        Fails("--batches must be numbers from 1 to 1024", "time", "model.onnx", "--batches", "1,x");
        Fails("--batches must be numbers from 1 to 1024", "time", "model.onnx", "--batches", "0");
    }
}
