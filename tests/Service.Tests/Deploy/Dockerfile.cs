using System.Text.Json;
using System.Text.RegularExpressions;

namespace MetaOpt.Service.Tests.Deploy;

/// <summary>A step of a stage, with its continuation lines joined: <c>COPY</c> and what follows.</summary>
sealed record Step(string Name, string Text)
{
    /// <summary>The words of a JSON list, as in <c>ENTRYPOINT ["a", "b"]</c>.</summary>
    public string[] List => JsonSerializer.Deserialize<string[]>(Text[Text.IndexOf('[')..])!;
}

/// <summary>A stage of a Dockerfile; one that no other needs may have no name.</summary>
sealed partial record Stage(string Name, string From, IReadOnlyList<Step> Steps)
{
    /// <summary>The stages of a file, in order.</summary>
    public static IReadOnlyList<Stage> Read(string file)
    {
        var text = string.Join('\n', File.ReadLines(file).Where(l => !l.TrimStart().StartsWith('#')))
            .Replace("\\\n", " ", StringComparison.Ordinal);
        var stages = new List<(string Name, string From, List<Step> Steps)>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var step = new Step(line.Split(' ')[0], line[(line.IndexOf(' ') + 1)..].Trim());
            if (step.Name != "FROM") stages[^1].Steps.Add(step);
            else if (FromLine().Match(step.Text) is { Success: true } from)
                stages.Add((from.Groups[2].Value, from.Groups[1].Value, []));
            else throw new FormatException($"{file}: FROM {step.Text}");
        }
        return [.. stages.Select(s => new Stage(s.Name, s.From, s.Steps))];
    }

    [GeneratedRegex(@"^(\S+)(?: AS (\S+))?$")]
    private static partial Regex FromLine();
}
