using System.Text.Json.Nodes;

namespace MetaOpt.Service.Tests;

/// <summary>
/// What <c>./metaopt bench</c> measures with a test: with <c>METAOPT_LONG_FORM=FOLDER</c> in the environment it is the long form,
/// and what it found goes to that folder, as a table for people and as JSON.
/// </summary>
static class LongForm
{
    static readonly string? s_folder =
        Environment.GetEnvironmentVariable("METAOPT_LONG_FORM") is { Length: > 0 } folder ? folder : null;

    public static bool Wanted => s_folder is not null;

    /// <summary>Adds a row of what was found, before it is judged.</summary>
    public static void Report(string title, params (string Name, JsonNode? Value)[] found)
    {
        var lines = found.Select(f => $"  {f.Name,-62} {f.Value}");
        var text = $"{title}\n{string.Join('\n', lines)}\n";
        Console.WriteLine(text);
        if (s_folder is null) return;
        File.AppendAllText(Path.Combine(s_folder, "report.txt"), text + "\n");
        var file = Path.Combine(s_folder, "report.json");
        var rows = File.Exists(file) ? JsonNode.Parse(File.ReadAllText(file))!.AsArray() : [];
        rows.Add(new JsonObject([new("title", title), .. found.Select(f => KeyValuePair.Create(f.Name, f.Value))]));
        File.WriteAllText(file, rows.ToJsonString(new() { WriteIndented = true }) + "\n");
    }
}
