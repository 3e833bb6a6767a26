using System.Buffers;
using System.Globalization;
using Microsoft.ML.OnnxRuntime.Tensors;
using Microsoft.ML.OnnxRuntime;
using SkiaSharp;

// POST /classify: the whole picture is one face, as one writes it in an afternoon: the form's file, decoded in full and in colour,
// resized, one run a request. POST /echo: takes in a body and answers with as much as the service does, and nothing between.
// Arguments: the model, and the mean and the deviation of its input.
var builder = WebApplication.CreateBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.WebHost.UseUrls("http://127.0.0.1:0");
var app = builder.Build();
using var session = new InferenceSession(args[0]);
var (mean, deviation) = (float.Parse(args[1], CultureInfo.InvariantCulture), float.Parse(args[2], CultureInfo.InvariantCulture));

app.MapPost("/classify", async (IFormFile image) =>
{
    using var stream = new MemoryStream();
    await image.CopyToAsync(stream);
    using var photo = SKBitmap.Decode(stream.ToArray());
    var side = Math.Min(photo.Width, photo.Height);
    using var square = new SKBitmap();
    photo.ExtractSubset(square, SKRectI.Create((photo.Width - side) / 2, (photo.Height - side) / 2, side, side));
    using var face = square.Resize(new SKImageInfo(100, 100), new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));
    var input = new DenseTensor<float>([1, 1, 100, 100]);
    for (var y = 0; y < 100; y++)
    {
        for (var x = 0; x < 100; x++)
        {
            var pixel = face.GetPixel(x, y);
            input[0, 0, y, x] = (0.299f * pixel.Red + 0.587f * pixel.Green + 0.114f * pixel.Blue - mean) / deviation;
        }
    }

    using var outputs = session.Run([NamedOnnxValue.CreateFromTensor("image", input)]);
    var probability = outputs.First(output => output.Name == "probability").AsTensor<float>()[0, 0];
    return new { smile = probability >= 0.5, probability };
}).DisableAntiforgery();

var answer = new byte[560];
Array.Fill(answer, (byte)'x');
app.MapPost("/echo", async (HttpContext context) =>
{
    while (true)
    {
        var read = await context.Request.BodyReader.ReadAsync();
        context.Request.BodyReader.AdvanceTo(read.Buffer.End);
        if (read.IsCompleted)
        {
            break;
        }
    }

    context.Response.ContentType = "application/json";
    context.Response.ContentLength = answer.Length;
    context.Response.BodyWriter.Write(answer);
    await context.Response.BodyWriter.FlushAsync();
});

// Of all requests so far, without what its own answer needs.
app.MapGet("/allocated", () => GC.GetTotalAllocatedBytes(precise: true).ToString(CultureInfo.InvariantCulture));

app.Lifetime.ApplicationStarted.Register(() => Console.WriteLine($"Now listening on: {app.Urls.First()}"));
app.Run();
