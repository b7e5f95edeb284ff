using MetaOpt.Service.Tests.Api;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>An administrator invites somebody, who signs in, works and signs out: all from the command line.</summary>
public sealed class PeopleCommandsTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    readonly string ada = TestFolders.New("ada");

    static async Task<string> RunAsync(string home, int exitCode, string arguments, string? input = null)
    {
        var (code, output) = await CommandLine.RunAsync(home, "", arguments, input);
        Assert.True(exitCode == code, $"{arguments}: {code}\n{output}");
        return output.Trim();
    }

    [Fact]
    public async Task A_colleague_is_added_gets_a_token_signs_in_and_is_shut_out_again()
    {
        var address = api.App.Urls.First();
        await RunAsync(api.Home, 0, $"login {address}", await File.ReadAllTextAsync(Path.Combine(api.Home, "admin-token")));
        Assert.StartsWith("admin (admin) at ", await RunAsync(api.Home, 0, "whoami"));
        Assert.Contains("ada", await RunAsync(api.Home, 0, "users add ada --weight 2"));
        var token = await RunAsync(api.Home, 0, "tokens create laptop --user ada --days 30 --scope runs:read --scope runs:write");
        Assert.StartsWith("mo_", token);

        await RunAsync(ada, 1, $"login {address}", "mo_wrong\n");
        Assert.False(File.Exists(Path.Combine(ada, "login")));
        Assert.Equal($"ada (member) at {address}, scopes runs:read, runs:write",
            await RunAsync(ada, 0, $"login {address}", token + "\n"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(ada, "login")));
        Assert.StartsWith("403", await RunAsync(ada, 1, "users"));
        var id = token.Split('_')[1];
        Assert.Matches($"{id} +valid +.* laptop", await RunAsync(ada, 0, "tokens"));

        await File.WriteAllTextAsync(Path.Combine(ada, "run.json"), ApiFixture.Training);
        var run = await RunAsync(ada, 0, "submit run.json");
        Assert.Matches($"{run[^8..]}  ada +queued ", await RunAsync(api.Home, 0, "runs --owner ada"));
        Assert.DoesNotContain(run[^8..], await RunAsync(api.Home, 0, "runs --owner admin"));

        Assert.Contains("disabled", await RunAsync(api.Home, 0, "users set ada --role viewer --disabled true"));
        Assert.Contains("./metaopt login", await RunAsync(ada, 1, "whoami"));
        await RunAsync(api.Home, 0, "users set ada --disabled false");
        Assert.Contains("ada (viewer)", await RunAsync(ada, 0, "whoami"));
        await RunAsync(api.Home, 0, $"tokens revoke {id} --user ada");
        Assert.Contains("revoked", await RunAsync(api.Home, 0, "tokens --user ada"));
        await RunAsync(ada, 1, "whoami");
        Assert.Equal("Deleted ada.", await RunAsync(api.Home, 0, "users delete ada"));
        Assert.DoesNotContain("ada", await RunAsync(api.Home, 0, "users"));
        Assert.Equal("Signed out.", await RunAsync(ada, 0, "logout"));
        Assert.False(File.Exists(Path.Combine(ada, "login")));
    }
}
