using MetaOpt.Cli.Client;
using MetaOpt.Cli.Data;

namespace MetaOpt.Cli.Reproduce;

/// <summary>
/// The pictures that contestants of a neural-art evaluation arrived at, side by side: a row for each instance that was kept, in
/// columns content, style, then each contestant; of a training's seeds the first.
/// </summary>
public sealed record ContactSheet(IReadOnlyList<string> Columns, Picture Picture)
{
    const int Gap = 4;

    /// <summary>Reads the evaluation's stored thetas; null when it kept none.</summary>
    internal static async Task<ContactSheet?> ReadAsync(Measured measured, CancellationToken cancel)
    {
        var stored = (await measured.Api.GetAsync($"runs/{measured.Run}/checkpoints", cancel)).Items()
            .FirstOrDefault(c => c.Text("name") == "thetas");
        if (stored.Text("id") is not { } id) return null;
        var thetas = SafeTensors.Read(await measured.Api.GetBytesAsync($"checkpoints/{id}/content", cancel));
        var contestants = measured.Benchmark.Contestants.GroupBy(c => c.Training)
            .Select(seeds => (Title: seeds.Key, First: seeds.MinBy(c => c.Name, StringComparer.Ordinal)!.Name)).ToList();
        return Draw(thetas, [("content", "content"), .. contestants],
            thetas.Names.Count(n => n.StartsWith("content/", StringComparison.Ordinal)));
    }

    static ContactSheet Draw(SafeTensors thetas, IReadOnlyList<(string Title, string Name)> columns, int rows)
    {
        var size = (int)Math.Sqrt(thetas["style"].Length / 3);
        var (width, height) = ((columns.Count + 1) * (size + Gap) - Gap, rows * (size + Gap) - Gap);
        var pixels = new byte[height * width * 3];
        pixels.AsSpan().Fill(255);
        for (var row = 0; row < rows; row++)
        {
            Paste(thetas["style"], row, 1);
            foreach (var (i, (_, name)) in columns.Index()) Paste(thetas[$"{name}/{row}"], row, i == 0 ? 0 : i + 1);
        }
        return new(["content", "style", .. columns.Skip(1).Select(c => c.Title)], new(height, width, pixels));

        // Black is -1/2 and white 1/2; what the optimizer left outside is cut off.
        void Paste(float[] theta, int row, int column)
        {
            for (var y = 0; y < size; y++)
                for (var x = 0; x < 3 * size; x++)
                {
                    var value = (theta[y * 3 * size + x] + 0.5f) * 255;
                    pixels[(row * (size + Gap) + y) * width * 3 + column * (size + Gap) * 3 + x] =
                        (byte)Math.Clamp(float.IsNaN(value) ? 0 : Math.Round(value), 0, 255);
                }
        }
    }
}
