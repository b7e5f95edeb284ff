using System.Security.Cryptography;
using System.Text.Json;
using MetaOpt.Tasks;

namespace MetaOpt.Workers.Data;

/// <summary>
/// The dataset <c>images</c>, as <c>metaopt data fetch images</c> writes it: <c>pictures-idx4-ubyte</c>, [pictures, 256, 256, 3]
/// in the IDX format, and <c>index.json</c> with its size and SHA-256 and each picture's name and part, in the same order.
/// <c>vgg.safetensors</c>, which nobody fetches, makes it <c>images-vgg</c> too.
/// </summary>
static class PictureFolder
{
    const string Pictures = "pictures-idx4-ubyte", Index = "index.json", Vgg = "vgg.safetensors";
    const int Size = 256, Channels = 3;

    sealed record IndexFile(long Bytes, string Sha256, IReadOnlyList<Entry> Pictures);

    sealed record Entry(string Name, string Part);

    /// <summary>Names of the folder's datasets: <c>images</c>, and <c>images-vgg</c> where there are weights.</summary>
    public static IEnumerable<string> Names(string folder)
    {
        if (!File.Exists(Path.Combine(folder, Pictures)) || !File.Exists(Path.Combine(folder, Index))) yield break;
        yield return "images";
        if (File.Exists(Path.Combine(folder, Vgg))) yield return "images-vgg";
    }

    /// <summary>Reads and checks the pictures, and the weights for <c>images-vgg</c>.</summary>
    /// <exception cref="FileNotFoundException">A file is not here.</exception>
    /// <exception cref="InvalidDataException">A file is not what the index says.</exception>
    public static Dataset Read(string folder, string name)
    {
        if (!Names(folder).Contains(name))
        {
            throw new FileNotFoundException(
                $"The files of {name} are not in {folder} ({Pictures} and {Index}, by: metaopt data fetch images"
                + $"{(name == "images" ? "" : $"; and {Vgg}, VGG-16's or VGG-19's weights")}).");
        }
        var (index, content) = (ReadIndex(Path.Combine(folder, Index)), IdxFile.Read(Path.Combine(folder, Pictures), 4));
        var sha256 = Convert.ToHexStringLower(SHA256.HashData(content.Bytes));
        if (sha256 != index.Sha256 || content.Bytes.LongLength != index.Bytes)
            throw new InvalidDataException($"{content.Path} is not the file that {Index} describes; fetch the pictures again.");
        if (content.Dimensions is not [var count, Size, Size, Channels] || count != index.Pictures.Count)
            throw new InvalidDataException(
                $"{content.Path} holds {string.Join(" x ", content.Dimensions)} bytes, not {index.Pictures.Count} pictures of {Size} x {Size} x {Channels}.");
        var pictures = content.Values.Chunk(Size * Size * Channels)
            .Zip(index.Pictures, (pixels, entry) => (entry.Name, entry.Part, Pixels: pixels)).ToList();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(content.Bytes);
        hash.AppendData(File.ReadAllBytes(Path.Combine(folder, Index)));
        var features = name == "images" ? null : ReadWeights(Path.Combine(folder, Vgg), hash);
        return new(name, Size, Size, 1, Part("train"), Part("test"), Convert.ToHexStringLower(hash.GetHashAndReset()))
        {
            Channels = Channels,
            Styles = pictures.Where(p => p.Part == "style").ToDictionary(p => p.Name, p => p.Pixels),
            Features = features,
        };

        LabelledImages Part(string part)
        {
            byte[][] chosen = [.. pictures.Where(p => p.Part == part).Select(p => p.Pixels)];
            return chosen.Length > 0 ? new([.. chosen.SelectMany(p => p)], new byte[chosen.Length])
                : throw new InvalidDataException($"{folder} has no {part} pictures.");
        }
    }

    static IndexFile ReadIndex(string path)
    {
        try
        {
            var index = JsonSerializer.Deserialize<IndexFile>(File.ReadAllBytes(path), JsonSerializerOptions.Web);
            if (index is { Pictures: not null } && index.Pictures.All(p => p is { Name: not null, Part: not null })
                && index.Pictures.DistinctBy(p => p.Name).Count() == index.Pictures.Count) return index;
        }
        catch (JsonException)
        {
        }
        throw new InvalidDataException($"{path} is not an index of pictures with different names; fetch them again.");
    }

    static SafeTensors ReadWeights(string path, IncrementalHash hash)
    {
        if (new FileInfo(path).Length > 1L << 30) throw new InvalidDataException($"{path} is larger than 1 GiB.");
        var bytes = File.ReadAllBytes(path);
        hash.AppendData(bytes);
        try
        {
            return SafeTensors.Read(bytes);
        }
        catch (FormatException wrong)
        {
            throw new InvalidDataException($"{path}: {wrong.Message}");
        }
    }
}
