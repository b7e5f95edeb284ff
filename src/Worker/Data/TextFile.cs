using System.Security.Cryptography;
using MetaOpt.Tasks;

namespace MetaOpt.Workers.Data;

/// <summary>The dataset <c>text</c>: <c>text.txt</c>, whatever the operator wants to have modelled.</summary>
static class TextFile
{
    const string Name = "text.txt";

    /// <summary>Whether the folder has it.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, Name));

    /// <summary>Reads and checks it.</summary>
    /// <exception cref="FileNotFoundException">It is not here.</exception>
    /// <exception cref="InvalidDataException">It is too short or too long.</exception>
    public static Dataset Read(string folder)
    {
        var file = new FileInfo(Path.Combine(folder, Name));
        if (!file.Exists)
            throw new FileNotFoundException($"There is no {file}; put a text there with: metaopt data fetch text --from FILE");
        // A character has at most four bytes.
        if (file.Length > 4L * CharacterText.Most)
            throw new InvalidDataException($"{file} has {file.Length} bytes; at most {4L * CharacterText.Most} are read.");
        var bytes = File.ReadAllBytes(file.FullName);
        try
        {
            return CharacterText.Read("text", bytes, Convert.ToHexStringLower(SHA256.HashData(bytes)));
        }
        catch (FormatException wrong)
        {
            throw new InvalidDataException($"{file}: {wrong.Message}");
        }
    }
}
