using System.Text.Json.Nodes;
using MetaOpt.Tasks;

namespace MetaOpt.Workers.Data;

/// <summary>
/// The networks that an administrator put on this machine, <c>NAME.pt</c> each. A module is a program, so nobody else may write
/// there: nothing fetches or uploads one.
/// </summary>
/// <param name="folder">Where they lie; it need not exist.</param>
/// <param name="read">Makes a network of a file's bytes; null: this worker cannot, and has none.</param>
sealed class NetworkFolder(string folder, Func<byte[], INetwork>? read)
{
    const string Ending = ".pt";
    const long LargestFile = 1L << 30;

    readonly Dictionary<string, (DateTime Changed, JsonObject Document)> _described = [];
    readonly SemaphoreSlim _describing = new(1);

    /// <summary>Networks whose files have a name that a specification may give.</summary>
    public IReadOnlyList<string> Names => read is null || !Directory.Exists(folder)
        ? []
        :
        [
            .. Directory.EnumerateFiles(folder, "*" + Ending).Select(path => Path.GetFileNameWithoutExtension(path))
                .Where(NetworkName.IsValid).Order(StringComparer.Ordinal),
        ];

    /// <summary>For people: what each network is. A file is examined again when it changes.</summary>
    /// <param name="examine">Calls <see cref="Examine"/>, in a process of its own where a damaged file could end this
    /// one.</param>
    /// <param name="cancel">Stops waiting.</param>
    public async Task<JsonArray> DescribeAsync(Func<string, CancellationToken, Task<JsonObject>> examine,
        CancellationToken cancel)
    {
        await _describing.WaitAsync(cancel);
        try
        {
            var names = Names;
            foreach (var gone in _described.Keys.Except(names).ToList()) _described.Remove(gone);
            foreach (var name in names)
            {
                var changed = File.GetLastWriteTimeUtc(Path.Combine(folder, name + Ending));
                if (!_described.TryGetValue(name, out var known) || known.Changed != changed)
                    _described[name] = (changed, await examine(name, cancel));
            }
            return [.. names.Select(name => _described[name].Document.DeepClone())];
        }
        finally
        {
            _describing.Release();
        }
    }

    /// <summary>A network's <c>name</c>, <c>coordinates</c> and <c>sha256</c>, or the <c>error</c> in its file.</summary>
    public JsonObject Examine(string name)
    {
        var document = new JsonObject { ["name"] = name };
        try
        {
            var network = Read(name);
            (document["coordinates"], document["sha256"]) = (network.Parameters.Sum(p => p.Shape.Elements), network.Sha256);
        }
        catch (Exception wrong)
            when (wrong is SpecException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            document["error"] = wrong.Message;
        }
        return document;
    }

    /// <summary>Reads a network.</summary>
    /// <exception cref="FileNotFoundException">It is not here (any more).</exception>
    /// <exception cref="InvalidDataException">Its file is too large.</exception>
    /// <exception cref="SpecException">The name is none, this worker reads no networks, or the file is no module.</exception>
    public INetwork Read(string name)
    {
        if (!NetworkName.IsValid(name)) throw new SpecException("/task/network", $"\"{name}\" is no name of a network.");
        if (read is null)
            throw new SpecException("/task/network", "this worker was built without libtorch (-p:Gpu) and reads no networks.");
        var path = Path.Combine(folder, name + Ending);
        if (!File.Exists(path)) throw new FileNotFoundException($"{path} is not here.");
        if (new FileInfo(path).Length > LargestFile) throw new InvalidDataException($"{path} has more than {LargestFile} bytes.");
        return read(File.ReadAllBytes(path));
    }
}
