using Microsoft.Extensions.Options;
using SmileApi.Operations;

namespace SmileApi.Faces;

internal static class FacesExtensions
{
    public static void AddFaces(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<FacesOptions, ValidateFacesOptions>(FacesOptions.Section);
        builder.Services.AddSingleton(services => FaceDetector.Load(services.GetRequiredService<IOptions<FacesOptions>>().Value));
        builder.Services.AddSingleton<FaceFinder>();
    }
}
