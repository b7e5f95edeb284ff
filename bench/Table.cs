using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MetaOpt.Bench;

/// <summary>A column: its heading, the field of the row it shows, and for numbers how.</summary>
/// <param name="Heading">What is printed above, with the unit.</param>
/// <param name="Field">Name in the row and in the JSON file.</param>
/// <param name="Format">.NET's numeric format.</param>
sealed record Column(string Heading, string Field, string Format = "F2");

/// <summary>Rows of named fields, printed aligned under the machine they come from, and written as a JSON array.</summary>
sealed class Table(string title, params Column[] columns)
{
    static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
    readonly List<JsonObject> _rows = [];
    readonly List<string> _notes = [];

    /// <summary>Adds a row; a field may be missing, or have no column and appear in the file alone.</summary>
    public void Add(JsonObject row) => _rows.Add(row);

    /// <summary>A line below the table.</summary>
    public void Note(string text) => _notes.Add(text);

    /// <summary>Prints, and writes the file if one was asked for; there every row also says which machine it is from.</summary>
    public void Finish(Bench bench)
    {
        var machine = Machine.Describe();
        bench.Output.WriteLine($"{title}\n{machine}\n");
        var shown = columns.Where(c => _rows.Any(r => r.ContainsKey(c.Field))).ToArray();
        var cells = _rows.Select(r => shown.Select(c => Text(r[c.Field], c.Format)).ToArray());
        string[][] lines = [[.. shown.Select(c => c.Heading)], .. cells];
        var widths = shown.Select((_, i) => lines.Max(l => l[i].Length)).ToArray();
        foreach (var line in lines)
        {
            var padded = line.Select((cell, i) => IsText(shown[i]) ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]));
            bench.Output.WriteLine(string.Join("  ", padded).TrimEnd());
        }
        if (_notes.Count > 0) bench.Output.WriteLine("\n" + string.Join('\n', _notes));
        if (bench.Json is not { } file) return;
        foreach (var row in _rows) row["machine"] = machine;
        File.WriteAllText(file, new JsonArray([.. _rows]).ToJsonString(Indented) + "\n");
    }

    bool IsText(Column column) => _rows.Any(r => r[column.Field] is JsonValue v && v.GetValueKind() == JsonValueKind.String);

    static string Text(JsonNode? cell, string format) => cell is not JsonValue value ? ""
        : value.TryGetValue<double>(out var real) ? real.ToString(format, CultureInfo.InvariantCulture)
        : value.TryGetValue<int>(out var whole) ? whole.ToString(format, CultureInfo.InvariantCulture)
        : value.ToString();
}
