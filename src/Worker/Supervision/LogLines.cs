using System.Text;

namespace MetaOpt.Workers.Supervision;

/// <summary>
/// Splits what a child prints into lines for a log: bounded in length whatever it prints, without control characters.
/// </summary>
static class LogLines
{
    /// <summary>Characters that are kept of a line.</summary>
    public const int Longest = 500;

    /// <summary>
    /// Hands over each line until the end; empty ones are left out. A carriage return ends a line too, so each state of a
    /// progress bar is one.
    /// </summary>
    public static async Task ReadAsync(TextReader printed, Action<string> take)
    {
        var (buffer, line) = (new char[4096], new StringBuilder());
        while (await printed.ReadAsync(buffer) is > 0 and var count)
            foreach (var character in buffer.AsMemory(0, count).ToArray())
                if (character is '\n' or '\r') End();
                else if (line.Length < Longest && !char.IsControl(character)) line.Append(character);
        End();

        void End()
        {
            // The rest of a character whose first half is the last that fits.
            if (line.Length == Longest && char.IsHighSurrogate(line[^1])) line.Length--;
            if (line.Length > 0) take(line.ToString());
            line.Clear();
        }
    }
}
