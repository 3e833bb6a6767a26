using SmileApi.Operations;

namespace SmileApi.Faces;

internal static class FacesExtensions
{
    public static void AddFaces(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<FacesOptions, ValidateFacesOptions>(FacesOptions.Section);
        builder.Services.AddSingleton<FaceFinder>();
    }
}
