using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Cli.Client;

namespace MetaOpt.Cli.Reproduce;

/// <summary>
/// Which run was made for which specification, in a file: a reproduction that was interrupted goes on with the runs it has, and
/// presets that need the same training share it.
/// </summary>
public sealed class RunLedger
{
    static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    readonly string _file;
    readonly JsonObject _runs;

    RunLedger(string file, JsonObject runs) => (_file, _runs) = (file, runs);

    /// <summary>The ledger in <paramref name="folder"/>, empty when there is none.</summary>
    public static RunLedger Open(string folder)
    {
        var file = Path.Combine(Directory.CreateDirectory(folder).FullName, "runs.json");
        return new(file, File.Exists(file) ? (JsonObject)JsonNode.Parse(File.ReadAllText(file))! : []);
    }

    /// <summary>
    /// The run that does what <paramref name="submission"/> says: one that is there and has not failed, else a new one.
    /// </summary>
    public async Task<string> SubmitAsync(ApiClient api, JsonObject submission, CancellationToken cancel)
    {
        var key = Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes($"{submission["kind"]} {submission["spec"]!.ToJsonString()}")));
        if ((string?)_runs[key] is { } known && await IsUsableAsync(api, known, cancel)) return known;
        var id = (await api.PostAsync("runs", submission, cancel)).Text("id")!;
        _runs[key] = id;
        // Whoever is killed while writing leaves the old list.
        await File.WriteAllTextAsync($"{_file}.part", _runs.ToJsonString(s_indented), cancel);
        File.Move($"{_file}.part", _file, overwrite: true);
        return id;
    }

    static async Task<bool> IsUsableAsync(ApiClient api, string id, CancellationToken cancel)
    {
        try
        {
            return (await api.GetAsync($"runs/{id}", cancel)).Text("state") is "queued" or "running" or "succeeded";
        }
        catch (ApiException)
        {
            return false; // deleted, or of another server
        }
    }
}
