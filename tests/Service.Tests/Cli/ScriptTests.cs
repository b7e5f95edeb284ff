using System.Diagnostics;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>
/// The script <c>./metaopt</c> alone: what it does before it hands over, on a machine that has next to nothing.
/// </summary>
public sealed class ScriptTests
{
    // What the script needs of a system; no package manager, no npm, no flock. The program behind it is one that tells its
    // arguments.
    static readonly string[] s_programs =
        ["bash", "cat", "dirname", "env", "find", "grep", "head", "mkdir", "mv", "readlink", "sort", "tail", "touch"];

    static async Task<(int ExitCode, string Output, string Errors)> RunAsync(string checkout, params string[] arguments)
    {
        Directory.CreateDirectory(Path.Combine(checkout, "src"));
        File.Copy(Path.Combine(Checkout.Folder, "metaopt"), Path.Combine(checkout, "metaopt"), overwrite: true);
        var programs = Directory.CreateDirectory(Path.Combine(checkout, "programs")).FullName;
        foreach (var program in s_programs)
            if (!File.Exists(Path.Combine(programs, program)))
                File.CreateSymbolicLink(Path.Combine(programs, program), Find(program));
        await File.WriteAllTextAsync(Path.Combine(programs, "dotnet"), "#!/usr/bin/env bash\necho \"dotnet $*\"\n");
        File.SetUnixFileMode(Path.Combine(programs, "dotnet"), (UnixFileMode)0b111_101_101);
        var start = new ProcessStartInfo(Find("bash"), [Path.Combine(checkout, "metaopt"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = programs;
        start.Environment["METAOPT_HOME"] = Path.Combine(checkout, "home");
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output, await errors);
    }

    static string Find(string program) =>
        Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, program)).First(File.Exists);

    [Theory]
    [InlineData("test")]
    [InlineData("screenshots")]
    [InlineData("bench")]
    [InlineData("bench gpu")]
    [InlineData("bench dashboard")]
    [InlineData("bench faults")]
    [InlineData("bench queue-model")]
    [InlineData("bench load")]
    public async Task Help_of_what_the_script_does_itself_runs_nothing(string command)
    {
        var (code, output, errors) = await RunAsync(TestFolders.New("script"), [.. command.Split(' '), "--help"]);
        Assert.Equal((0, ""), (code, errors));
        Assert.StartsWith("Usage: ./metaopt " + command.Split(' ')[0], output);
        Assert.DoesNotContain("dotnet ", output);
    }

    [Theory]
    [InlineData("demo")]
    [InlineData("up")]
    [InlineData("reproduce")]
    [InlineData("db start")]
    [InlineData("bench peers")]
    public async Task Help_of_the_program_builds_it_and_installs_nothing(string command)
    {
        var (code, output, errors) = await RunAsync(TestFolders.New("script"), [.. command.Split(' '), "--help"]);
        Assert.Equal(0, code);
        Assert.EndsWith($"{command.Replace("bench ", "")} --help\n", output);
        // Without npm, what sets the dashboard up would complain.
        Assert.True(errors is "" or "Building (once, and again when sources change) ...\n", errors);
    }

    [Fact]
    public async Task It_builds_where_nothing_can_be_locked()
    {
        var (code, output, errors) = await RunAsync(TestFolders.New("script"), "status");
        Assert.True(code == 0, errors);
        Assert.EndsWith("metaopt-cli.dll status\n", output);
    }

    [Fact]
    public async Task A_folder_whose_name_MSBuild_would_change_is_named()
    {
        var (code, output, errors) = await RunAsync(Path.Combine(TestFolders.New("script"), "a%20b"), "status");
        Assert.Equal((1, ""), (code, output.Replace("dotnet --version\n", "")));
        Assert.Contains("\"%20\"", errors);
    }
}
