namespace MetaOpt.Api;

/// <summary>The dashboard: files of <c>wwwroot</c> at <c>/</c>, for everybody; what they show asks for a token.</summary>
static class Pages
{
    /// <summary>Next to the program, wherever it is started from.</summary>
    public static string Folder => Path.Combine(AppContext.BaseDirectory, "wwwroot");

    public static void UsePages(this WebApplication app)
    {
        app.UseDefaultFiles();
        // Asked for again each time, and answered 304: after an update no browser shows half of the old pages.
        app.UseStaticFiles(new StaticFileOptions { OnPrepareResponse = file => file.Context.Response.Headers.CacheControl = "no-cache" });
    }
}
