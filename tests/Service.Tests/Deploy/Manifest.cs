using YamlDotNet.RepresentationModel;

namespace MetaOpt.Service.Tests.Deploy;

/// <summary>What is in the YAML files of the checkout.</summary>
static class Manifest
{
    /// <summary>The documents of a file.</summary>
    public static IEnumerable<YamlMappingNode> Documents(string path)
    {
        var stream = new YamlStream();
        using var reader = File.OpenText(Path.Combine(Checkout.Folder, path));
        stream.Load(reader);
        return stream.Documents.Select(d => (YamlMappingNode)d.RootNode);
    }

    /// <summary>What lies at the end of a path such as <c>spec/template/spec</c>, or null.</summary>
    public static YamlNode? At(this YamlNode? node, string path) =>
        path.Split('/').Aggregate(node, (n, key) => n is YamlMappingNode map ? Child(map, key) : null);

    /// <summary>Its own, else one that is merged in, as docker-compose.yml does.</summary>
    static YamlNode? Child(YamlMappingNode map, string key) =>
        map.Children.TryGetValue(new YamlScalarNode(key), out var child) ? child
        : map.Children.TryGetValue(new YamlScalarNode("<<"), out var merged) && merged is YamlMappingNode other
            ? Child(other, key)
            : null;

    public static string? TextAt(this YamlNode? node, string path) => (node.At(path) as YamlScalarNode)?.Value;

    public static IReadOnlyList<YamlNode> ListAt(this YamlNode? node, string path) =>
        (node.At(path) as YamlSequenceNode)?.Children.ToList() ?? [];

    public static IReadOnlyList<string> TextsAt(this YamlNode? node, string path) =>
        [.. node.ListAt(path).Select(n => ((YamlScalarNode)n).Value!)];
}
