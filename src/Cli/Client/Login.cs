using System.CommandLine;
using System.Text.Json;
using MetaOpt.Storage;

namespace MetaOpt.Cli.Client;

/// <summary>A server and a token for it, kept in the data folder until <c>logout</c>; readable by its owner only.</summary>
public sealed record Login(string Server, string Token)
{
    /// <summary>The login that <c>login</c> kept; null when nobody is signed in.</summary>
    public static Login? Read(Home home) =>
        File.Exists(home.LoginFile) ? JsonSerializer.Deserialize<Login>(File.ReadAllText(home.LoginFile)) : null;

    /// <summary><c>login [ADDRESS]</c>: keeps a token for the commands that follow.</summary>
    public static Command Command()
    {
        var address = new Argument<string?>("address")
        {
            Description = "The server; by default the one the other commands would use.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var command = new Command("login",
            "Keep a server's address and a token for it. Reads the token from standard input.") { address };
        command.SetAction(async (arguments, cancel) =>
        {
            var home = Home.FromEnvironment().Prepare();
            var server = ApiClient.Address(arguments.GetValue(address) ?? ApiClient.DefaultAddress(home));
            if (!Console.IsInputRedirected) Console.Error.Write("Token (not shown): ");
            var login = new Login(server.AbsoluteUri, ReadSecret());
            using var api = new ApiClient(server, login.Token);
            var me = await api.GetAsync("me", cancel);
            AtomicFile.Write(home.LoginFile, JsonSerializer.Serialize(login), AtomicFile.Private);
            Console.WriteLine(Describe(server, me));
        });
        return command;
    }

    /// <summary><c>logout</c>: forgets it again. The token itself stays valid until it is revoked.</summary>
    public static Command Logout()
    {
        var command = new Command("logout", "Forget what 'login' kept. The token stays valid; revoke it with 'tokens revoke'.");
        command.SetAction(_ =>
        {
            var file = Home.FromEnvironment().LoginFile;
            Console.WriteLine(File.Exists(file) ? "Signed out." : "Nobody was signed in.");
            File.Delete(file);
        });
        return command;
    }

    /// <summary><c>whoami</c>: whose token the commands use, and what it allows.</summary>
    public static Command WhoAmI()
    {
        var command = new Command("whoami", "Whose token the commands use, at which server, and what it allows.");
        command.SetAction(async (_, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            Console.WriteLine(Describe(api.Server, await api.GetAsync("me", cancel)));
        });
        return command;
    }

    static string Describe(Uri server, JsonElement me) =>
        $"{me.Text("name")} ({me.Text("role")}) at {server.GetLeftPart(UriPartial.Authority)}, scopes {string.Join(", ", me.GetProperty("scopes").Items())}";

    static string ReadSecret()
    {
        if (Console.IsInputRedirected) return Console.In.ReadLine()?.TrimStart('\uFEFF').Trim() ?? "";
        var secret = new System.Text.StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
            if (key.Key != ConsoleKey.Backspace) secret.Append(key.KeyChar);
            else if (secret.Length > 0) secret.Length--;
        Console.Error.WriteLine();
        return secret.ToString().Trim();
    }
}
