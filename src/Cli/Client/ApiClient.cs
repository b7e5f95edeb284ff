using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MetaOpt.Cli.Client;

/// <summary>
/// The HTTP API, as a client sees it. Every answer that is not a success becomes an <see cref="ApiException"/>.
/// </summary>
public sealed class ApiClient : IDisposable
{
    const string Root = "/api/v1/";
    readonly HttpClient _http;

    /// <summary>Talks to <paramref name="server"/> with a bearer token.</summary>
    public ApiClient(Uri server, string? token)
    {
        Server = server;
        _http = new HttpClient { BaseAddress = server, Timeout = Timeout.InfiniteTimeSpan };
        if (token is not null)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>Address of the server.</summary>
    public Uri Server { get; }

    /// <summary>
    /// Server: <c>METAOPT_URL</c>, else what <c>login</c> kept, else the one that <c>metaopt up</c> started, else port 5080 of
    /// this machine. Token: <c>METAOPT_TOKEN</c>, else what <c>login</c> kept for that server, else the file <c>admin-token</c>.
    /// </summary>
    public static ApiClient FromEnvironment()
    {
        var home = Home.FromEnvironment();
        var login = Login.Read(home);
        var server = Address(Environment.GetEnvironmentVariable("METAOPT_URL") ?? login?.Server ?? DefaultAddress(home));
        var token = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("METAOPT_TOKEN"))
            && login?.Server == server.AbsoluteUri
            ? login.Token
            : Token(home);
        return new ApiClient(server, token);
    }

    /// <summary>The server that <c>metaopt up</c> started, else port 5080 of this machine.</summary>
    public static string DefaultAddress(Home home) =>
        home.Address?.AbsoluteUri ?? "http://127.0.0.1:5080";

    /// <summary>The address as somebody wrote it.</summary>
    public static Uri Address(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var server) && server.Scheme is "http" or "https"
        ? server
        : throw new CommandException(
            $"\"{text}\" is no address of a server (METAOPT_URL); give a whole one such as http://127.0.0.1:5080.",
            ExitCode.Usage);

    /// <summary><c>METAOPT_TOKEN</c>, else the content of the token file, else null.</summary>
    public static string? Token(Home home) => Environment.GetEnvironmentVariable("METAOPT_TOKEN") is { Length: > 0 } token
        ? token : home.Token;

    /// <summary>GET of a JSON document; <paramref name="path"/> is relative to <c>/api/v1/</c>.</summary>
    public Task<JsonElement> GetAsync(string path, CancellationToken cancel) => SendAsync(HttpMethod.Get, path, null, cancel);

    /// <summary>POST of <paramref name="body"/>, verbatim, as JSON.</summary>
    public Task<JsonElement> PostAsync(string path, string? body, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, path, body, cancel);

    /// <summary>POST of a JSON document.</summary>
    public Task<JsonElement> PostAsync(string path, JsonNode body, CancellationToken cancel) =>
        PostAsync(path, body.ToJsonString(), cancel);

    /// <summary>PATCH with a JSON document.</summary>
    public Task<JsonElement> PatchAsync(string path, JsonNode body, CancellationToken cancel) =>
        SendAsync(HttpMethod.Patch, path, body.ToJsonString(), cancel);

    /// <summary>DELETE.</summary>
    public Task<JsonElement> DeleteAsync(string path, CancellationToken cancel) =>
        SendAsync(HttpMethod.Delete, path, null, cancel);

    /// <summary>
    /// The whole id of the run that somebody named by its id or by the end of it, such as the 8 characters that lists and pages
    /// show.
    /// </summary>
    /// <exception cref="CommandException">No run's id ends so, or several do; the message lists them.</exception>
    public async Task<string> RunIdAsync(string text, CancellationToken cancel)
    {
        if (Guid.TryParseExact(text, "D", out var whole)) return whole.ToString();
        const int Shown = 5;
        var runs = (await GetAsync($"runs?id={Uri.EscapeDataString(text)}&limit={Shown + 1}", cancel)).Items().ToList();
        return runs switch
        {
            [var run] => run.Text("id")!,
            [] => throw new CommandException($"No run has an id that ends in \"{text}\". List runs with ./metaopt runs."),
            _ => throw new CommandException($"Several runs have an id that ends in \"{text}\"; give more of it:\n"
                + string.Join('\n', runs.Take(Shown).Select(run => $"  {run.Text("id")}  {run.Text("name")}"))
                + (runs.Count > Shown ? "\n  and others" : "")),
        };
    }

    /// <summary>The answer's body as it comes: a download or an event stream. Dispose the response.</summary>
    public async Task<HttpResponseMessage> OpenAsync(
        string path, CancellationToken cancel, string? accept = null, string? lastEventId = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, Root + path);
        if (accept is not null)
            request.Headers.Accept.ParseAdd(accept);
        if (lastEventId is { Length: > 0 })
            request.Headers.Add("Last-Event-ID", lastEventId);
        var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        if (!response.IsSuccessStatusCode)
            using (response)
                throw new ApiException(response.StatusCode, await response.Content.ReadAsStringAsync(cancel));
        return response;
    }

    /// <summary>The whole answer to a GET, for files that fit into memory.</summary>
    public async Task<byte[]> GetBytesAsync(string path, CancellationToken cancel)
    {
        using var response = await OpenAsync(path, cancel);
        return await response.Content.ReadAsByteArrayAsync(cancel);
    }

    /// <summary>True when the server is alive and its database answers.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancel)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(TimeSpan.FromSeconds(5));
            using var response = await _http.GetAsync("/healthz/ready", limit.Token);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e)
            when (e is HttpRequestException or IOException
                || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return false;
        }
    }

    async Task<JsonElement> SendAsync(HttpMethod method, string path, string? body, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, Root + path);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(100));
        using var response = await _http.SendAsync(request, limit.Token);
        var text = await response.Content.ReadAsStringAsync(limit.Token);
        if (!response.IsSuccessStatusCode)
            throw new ApiException(response.StatusCode, text);
        return text.Length == 0 ? default : JsonElement.Parse(text);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}
