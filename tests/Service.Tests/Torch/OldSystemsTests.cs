using System.Diagnostics;
using System.Text;
using Xunit;

namespace MetaOpt.Service.Tests.Torch;

/// <summary>
/// TorchSharp's library loads on a system whose C++ library is older than its compiler, and nothing is changed elsewhere.
/// </summary>
public sealed class OldSystemsTests
{
    const string Binding = "runtimes/linux-x64/native/libLibTorchSharp.so";

    /// <summary>Runs an MSBuild target or query on the worker's project and returns what it prints.</summary>
    static async Task<string> BuildAsync(params string[] arguments)
    {
        var project = Path.Combine(Checkout.Folder, "src/Worker/MetaOpt.Worker.csproj");
        using var build =
            Process.Start(new ProcessStartInfo("dotnet", ["msbuild", project, "-p:Gpu=cpu", "-nologo", "-v:q", .. arguments])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
        var (output, errors) = (build.StandardOutput.ReadToEndAsync(), build.StandardError.ReadToEndAsync());
        await build.WaitForExitAsync();
        Assert.True(build.ExitCode == 0, await output + await errors);
        return (await output).Trim();
    }

    [Theory]
    [InlineData("GLIBCXX_3.4.30", true)]
    [InlineData("GLIBCXX_3.4.30 GLIBCXX_3.4.32", false)]
    public async Task Only_an_old_system_gets_a_changed_copy_and_the_package_never_changes(string symbols, bool changes)
    {
        var package = Path.Combine(await BuildAsync("-getProperty:NuGetPackageRoot"), "torchsharp", "0.107.0", Binding);
        var original = await File.ReadAllBytesAsync(package);
        var folder = TestFolders.New("old-systems");
        var system = Path.Combine(folder, "libstdc++.so.6");
        await File.WriteAllTextAsync(system, symbols);

        // The copy of a build may be a hard link into the package folder.
        var output = Path.Combine(folder, Binding);
        Directory.CreateDirectory(Path.GetDirectoryName(output)!);
        var kept = Path.Combine(folder, "package.so");
        File.Copy(package, kept);
        using (var link = Process.Start("ln", [kept, output])) await link.WaitForExitAsync();

        await BuildAsync("-t:FitOutput", $"-p:OutDir={folder}/", $"-p:SystemCpp={system}");

        Assert.Equal(original, await File.ReadAllBytesAsync(kept));
        Assert.Equal(original, await File.ReadAllBytesAsync(package));
        var fitted = await File.ReadAllBytesAsync(output);
        var different = Enumerable.Range(0, original.Length).Where(i => fitted[i] != original[i]).ToList();
        Assert.Equal(original.Length, fitted.Length);
        Assert.Equal(changes ? 1 : 0, different.Count);
        // Elf64_Vernaux: the flags follow the hash of the version's name.
        if (changes) Assert.Equal(Hash("GLIBCXX_3.4.32"), BitConverter.ToUInt32(original, different[0] - 4));
        Assert.Equal(File.GetUnixFileMode(kept), File.GetUnixFileMode(output));
    }

    /// <summary>The System V ABI's hash of a name.</summary>
    static uint Hash(string name)
    {
        uint hash = 0;
        foreach (var letter in Encoding.ASCII.GetBytes(name))
        {
            hash = (hash << 4) + letter;
            var high = hash & 0xf0000000;
            hash = (hash ^ (high >> 24)) & ~high;
        }
        return hash;
    }
}
