namespace MetaOpt.Api;

/// <summary>The dashboard: files of <c>wwwroot</c> at <c>/</c>, for everybody; what they show asks for a token.</summary>
static class Pages
{
    // Every view has an address of its own; the page's scripts show what belongs there.
    static readonly HashSet<string> s_views = ["runs", "compare", "leaderboard", "trajectory", "new", "account", "admin", "sign-in"];

    /// <summary>Next to the program, wherever it is started from.</summary>
    public static string Folder => Path.Combine(AppContext.BaseDirectory, "wwwroot");

    public static void UsePages(this WebApplication app)
    {
        app.Use((context, next) =>
        {
            if (HttpMethods.IsGet(context.Request.Method) && context.Request.Path.Value is { Length: > 1 } path && s_views.Contains(path.Split('/')[1]))
                context.Request.Path = "/";
            return next(context);
        });
        app.UseDefaultFiles();
        // Asked for again each time, and answered 304: after an update no browser shows half of the old pages.
        app.UseStaticFiles(new StaticFileOptions { OnPrepareResponse = file => file.Context.Response.Headers.CacheControl = "no-cache" });
    }
}
