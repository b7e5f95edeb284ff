using System.Security.Cryptography;

namespace MetaOpt.Workers.Data;

/// <summary>SHA-256 of a dataset's files, each by itself and all one after the other; lower-case hexadecimal.</summary>
sealed class FileHashes : IDisposable
{
    readonly IncrementalHash _all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    readonly List<string> _each = [];

    /// <summary>Of each file, in the order they were added.</summary>
    public IReadOnlyList<string> OfEach => _each;

    /// <summary>Adds a file's uncompressed content.</summary>
    public void Add(byte[] content)
    {
        _all.AppendData(content);
        _each.Add(Convert.ToHexStringLower(SHA256.HashData(content)));
    }

    /// <summary>Of all that was added; once.</summary>
    public string OfAll() => Convert.ToHexStringLower(_all.GetHashAndReset());

    /// <inheritdoc/>
    public void Dispose() => _all.Dispose();
}
