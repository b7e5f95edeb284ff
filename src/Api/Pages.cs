using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using MetaOpt.Api.Auth;

namespace MetaOpt.Api;

/// <summary>
/// The dashboard: files of <c>wwwroot</c>, for everybody; what they show asks for a token. Scripts and styles lie below
/// <c>/v/HASH/</c>, a hash of all of them, and are kept by browsers for ever; the document names the hash and is asked for again
/// each time. So after an update no browser shows half of the old pages.
/// </summary>
static partial class Pages
{
    // Every view has an address of its own; the page's scripts show what belongs there.
    static readonly HashSet<string> s_views = ["runs", "compare", "leaderboard", "trajectory", "models", "schedules", "new",
        "account", "admin", "sign-in"];

    static readonly string[] s_programs = ["/api", "/healthz", "/metrics", "/swagger", "/hangfire", "/v"];

    const string Charts = "vendor/uPlot.iife.min.js";

    static readonly ConcurrentDictionary<string, (string Html, string ETag)> s_documents = new();
    static readonly Lazy<string> s_version = new(Hash);

    /// <summary>Next to the program, wherever it is started from.</summary>
    public static string Folder => Path.Combine(AppContext.BaseDirectory, "wwwroot");

    public static void UsePages(this WebApplication app)
    {
        var versioned = $"/v/{s_version.Value}";
        app.Use((context, next) =>
        {
            if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method)) return next(context);
            if (ViewOf(context.Request.Path) is { } view) return WriteDocumentAsync(context, view);
            if (context.Request.Path.StartsWithSegments(versioned, out var file))
                (context.Request.Path, context.Items[nameof(Pages)]) = (file, true);
            return next(context);
        });
        app.UseStaticFiles(new StaticFileOptions
        {
            OnPrepareResponse = file => file.Context.Response.Headers.CacheControl =
                file.Context.Items.ContainsKey(nameof(Pages)) ? "public, max-age=31536000, immutable" : "no-cache",
        });
    }

    /// <summary>Name of the module in <c>pages</c>; null where the address is none of a view.</summary>
    static string? ViewOf(PathString path) => path.Value!.Split('/') switch
    {
        ["", ""] => "queue",
        ["", "runs", { Length: > 0 }, ..] => "run",
        ["", { } name, ..] when s_views.Contains(name) => name,
        _ => null,
    };

    /// <summary>A browser that went to an address where nothing is, and which is not the API's.</summary>
    public static bool IsMissing(HttpContext context) =>
        context.Response.StatusCode == 404 && HttpMethods.IsGet(context.Request.Method)
            && !s_programs.Any(p => context.Request.Path.StartsWithSegments(p))
        && context.Request.GetTypedHeaders().Accept.Any(a => a.MediaType == "text/html");

    /// <summary>The page that says so, with the status 404.</summary>
    public static Task WriteMissingAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-cache";
        context.Response.ContentType = "text/html; charset=utf-8";
        return context.Response.WriteAsync(s_documents.GetOrAdd("missing", Document).Html, context.RequestAborted);
    }

    static Task WriteDocumentAsync(HttpContext context, string view)
    {
        var (html, etag) = s_documents.GetOrAdd(view, Document);
        var response = context.Response;
        var data = string.Concat(DataOf(context.Request, view)
            .Select(path => $"<link rel=\"preload\" href=\"{path}\" as=\"fetch\" crossorigin>"));
        if (data.Length > 0) etag = $"{etag[..^1]}-data\"";
        (response.Headers.CacheControl, response.Headers.ETag, response.Headers.Vary) = ("no-cache", etag, "Cookie");
        if (EntityTags.IsKnown(context.Request, etag))
        {
            response.StatusCode = 304;
            return Task.CompletedTask;
        }
        response.ContentType = "text/html; charset=utf-8";
        if (HttpMethods.IsHead(context.Request.Method)) return Task.CompletedTask;
        return response.WriteAsync(html.Replace("<!-- data -->", data, StringComparison.Ordinal), context.RequestAborted);
    }

    /// <summary>
    /// Links to the data that the view's script asks for first, so that it is on its way before the script is; nothing where
    /// nobody is signed in.
    /// </summary>
    static IEnumerable<string> DataOf(HttpRequest request, string view)
    {
        if (BrowserSession.Read(request) is null) yield break;
        yield return "/api/v1/me";
        if (view == "run" && Guid.TryParseExact(request.Path.Value!.Split('/')[2], "D", out var run))
        {
            yield return $"/api/v1/runs/{run}";
            yield return "/api/v1/catalogue";
        }
        if (view != "compare" || request.Query.ContainsKey("series")) yield break;
        var ids = request.Query["runs"].ToString().Split(',');
        if (ids.All(id => Guid.TryParseExact(id, "D", out _)))
            yield return $"/api/v1/compare?runs={string.Join(',', ids)}&amp;maxPoints=600";
    }

    /// <summary>The document that names everything a view loads, so that the browser asks for all of it at once.</summary>
    static (string Html, string ETag) Document(string view)
    {
        var found = new List<string>();
        foreach (var module in (string[])["app/main.js", $"pages/{view}.js"]) Imports(module, found);
        // Which of them shows a run, only its kind tells.
        if (found.Contains("app/kinds.js"))
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Folder, "kinds"), "*.js").Order(StringComparer.Ordinal))
                Imports($"kinds/{Path.GetFileName(file)}", found);
        var links = found.Select(m => $"<link rel=\"modulepreload\" href=\"/v/@/{m}\">");
        // Curves need a library that is no module, and is missing where the server was built without npm.
        if (found.Contains("app/chart.js") && File.Exists(Path.Combine(Folder, Charts)))
            links = links.Prepend($"<link rel=\"preload\" as=\"script\" href=\"/v/@/{Charts}\">");
        var html = File.ReadAllText(Path.Combine(Folder, "index.html"))
            .Replace("<!-- modules -->", string.Join("\n  ", links), StringComparison.Ordinal)
            .Replace("/v/@/", $"/v/{s_version.Value}/", StringComparison.Ordinal);
        return (html, $"\"{s_version.Value}-{view}\"");
    }

    /// <summary>A module and what it imports at once, whatever that imports, and so on.</summary>
    static void Imports(string module, List<string> found)
    {
        if (found.Contains(module) || !File.Exists(Path.Combine(Folder, module))) return;
        found.Add(module);
        foreach (Match import in ImportFrom().Matches(File.ReadAllText(Path.Combine(Folder, module))))
            Imports(Path.GetRelativePath(Folder,
                Path.GetFullPath(Path.Combine(Folder, Path.GetDirectoryName(module)!, import.Groups[1].Value))), found);
    }

    static string Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        if (!Directory.Exists(Folder)) return "none";
        foreach (var file in Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            hash.AppendData(File.ReadAllBytes(file));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..12];
    }

    [GeneratedRegex("""^(?:import|export)\b[^;]*? from '(\.[^']+)';""", RegexOptions.Multiline)]
    private static partial Regex ImportFrom();
}
