using SmileApi.Access;
using SmileApi.Admission;
using SmileApi.Batches;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Explain;
using SmileApi.Faces;
using SmileApi.Models;
using SmileApi.Operations;

if (HealthProbe.IsAskedFor(args))
{
    return await HealthProbe.RunAsync(args);
}

// Settings and models lie beside the program, from wherever it is started.
var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });

builder.AddListening();
builder.AddLogging();
builder.AddTelemetry();
builder.AddAccess();
builder.AddAdmission();
builder.AddModel();
builder.AddFaces();
builder.AddBatching();
builder.AddClassify();
builder.AddBatches();
builder.AddExplain();
builder.AddAdmin();
builder.AddHealth();
builder.AddShutdown();
builder.AddApiDescription();

var app = builder.Build();

app.UseRequestLog();
app.UseProblems();
app.UseShutdown();
app.UseAccess();

app.MapClassify();
app.MapBatches();
app.MapExplain();
app.MapModel();
app.MapHistory();
app.MapAdmin();
app.MapHealth();
app.MapMetrics();
app.MapApiDescription();
app.MapPage();

return await app.RunOrExplainAsync();
