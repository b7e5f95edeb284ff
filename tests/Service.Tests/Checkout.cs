namespace MetaOpt.Service.Tests;

/// <summary>The files that these tests were built from.</summary>
static class Checkout
{
    public static string Folder { get; } = Find();

    static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "MetaOpt.sln")))
            folder = folder.Parent ?? throw new InvalidOperationException("Not in a checkout.");
        return folder.FullName;
    }
}
