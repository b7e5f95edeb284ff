using System.Text.RegularExpressions;
using Xunit;

namespace MetaOpt.Service.Tests.Kinds;

/// <summary>What a kind of run is called stands in its own folder: everything else asks the catalogue's entry.</summary>
public sealed partial class KindNamesTests
{
    static readonly string[] s_sources = [".cs", ".js", ".sql", ".html"];

    /// <summary>Files of a kind: where its entry is, and its module of the dashboard.</summary>
    static bool IsItsOwn(string path, string kind) =>
        path.EndsWith($"wwwroot/kinds/{kind}.js", StringComparison.Ordinal)
            || File.ReadAllText(path).Contains($"const string Name = \"{kind}\"", StringComparison.Ordinal);

    [Fact]
    public void A_kinds_name_is_a_literal_nowhere_but_in_its_own_files()
    {
        var source = Path.Combine(Checkout.Folder, "src");
        var found =
            from path in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories)
            where s_sources.Contains(Path.GetExtension(path)) && !path.Contains("/obj/", StringComparison.Ordinal)
            from kind in Catalog.RunKinds.Names
            where Literals().Matches(File.ReadAllText(path)).Any(m => m.Groups[1].Value == kind) && !IsItsOwn(path, kind)
            select $"{Path.GetRelativePath(source, path)}: {kind}";
        Assert.Empty(found);
    }

    [Fact]
    public void Every_kind_names_a_view_that_the_dashboard_has()
    {
        foreach (var kind in Catalog.RunKinds.All)
            Assert.True(File.Exists(Path.Combine(Checkout.Folder, "src/Api/wwwroot/kinds", $"{kind.View}.js")),
                $"{kind.Name} is shown by {kind.View}.js, which is not there");
    }

    [Fact]
    public void An_entry_is_named_in_the_catalogue_alone()
    {
        var source = Path.Combine(Checkout.Folder, "src");
        // Optimizers, tasks and kinds of runs are registered by "Class.Entry".
        var found =
            from path in Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            where Path.GetFileName(path) != "Catalog.cs" && !path.Contains("/obj/", StringComparison.Ordinal)
                && !path.Contains("/Presets/", StringComparison.Ordinal)
            where EntryOfAClass().IsMatch(File.ReadAllText(path))
            select Path.GetRelativePath(source, path);
        Assert.Empty(found);
    }

    /// <summary>Texts in quotes. The name of a field, in brackets or where it is read, is not the name of a kind.</summary>
    [GeneratedRegex("""(?<!\[|Text\(|Field\(|Number\()["'`]([a-z-]+)["'`](?!\])""")]
    private static partial Regex Literals();

    [GeneratedRegex(@"\b[A-Z]\w+\.(Persistent)?Entry\b")]
    private static partial Regex EntryOfAClass();
}
