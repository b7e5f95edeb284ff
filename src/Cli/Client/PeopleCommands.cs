using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MetaOpt.Cli.Client;

/// <summary>Users and tokens.</summary>
public static class PeopleCommands
{
    static readonly string[] Roles = ["admin", "member", "viewer"], Scopes = ["runs:read", "runs:write", "admin"];

    static Option<string?> User() => new("--user") { Description = "Somebody else's; for administrators." };

    /// <summary><c>users</c>, <c>users add NAME</c>, <c>users set NAME</c>, <c>users delete NAME</c>.</summary>
    public static Command Users()
    {
        var command = new Command("users", "List everybody; add, change and delete users. For administrators.")
        {
            Add(),
            Set(),
            Delete()
        };
        command.SetAction(async (_, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var users = await api.GetAsync("users", cancel);
            Console.WriteLine($"{"name",-24} {"role",-8} {"weight",7}  since");
            foreach (var user in users.Items()) Console.WriteLine(Line(user));
        });
        return command;
    }

    static Command Add()
    {
        var name = new Argument<string>(
            "name")
        { Description = "Lower-case letters, digits, dots, hyphens and underscores; it stays." };
        var (role, weight) = (Role(), Weight());
        var command = new Command("add", "Add a user.") { name, role, weight };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var body = new JsonObject { ["name"] = arguments.GetValue(name) };
            if (arguments.GetValue(role) is { } r) body["role"] = r;
            if (arguments.GetValue(weight) is { } w) body["weight"] = w;
            var user = await api.PostAsync("users", body, cancel);
            Console.WriteLine(Line(user));
            Console.WriteLine($"A first token: ./metaopt tokens create NAME --user {user.Text("name")}");
        });
        return command;
    }

    static Command Set()
    {
        var name = new Argument<string>("name") { Description = "Whom." };
        var (role, weight) = (Role(), Weight());
        var disabled =
            new Option<bool?>("--disabled") { Description = "true refuses every token of the user, false accepts them again." };
        var command = new Command("set", "Change a user's role or weight, or disable the user.") { name, role, weight, disabled };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var body = new JsonObject();
            if (arguments.GetValue(role) is { } r) body["role"] = r;
            if (arguments.GetValue(weight) is { } w) body["weight"] = w;
            if (arguments.GetValue(disabled) is { } d) body["disabled"] = d;
            Console.WriteLine(
                Line(await api.PatchAsync($"users/{Uri.EscapeDataString(arguments.GetValue(name)!)}", body, cancel)));
        });
        return command;
    }

    static Command Delete()
    {
        var name = new Argument<string>("name") { Description = "Whom." };
        var command = new Command("delete",
            "Delete a user with every token and session. Runs, models and audit events stay.") { name };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            await api.DeleteAsync($"users/{Uri.EscapeDataString(arguments.GetValue(name)!)}", cancel);
            Console.WriteLine($"Deleted {arguments.GetValue(name)}.");
        });
        return command;
    }

    /// <summary><c>tokens</c>, <c>tokens create NAME</c>, <c>tokens revoke ID</c>.</summary>
    public static Command Tokens()
    {
        var user = User();
        var command = new Command("tokens", "List tokens and browser sessions; make and revoke them.")
        {
            user,
            Create(),
            Revoke()
        };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var tokens = await api.GetAsync(Path(arguments.GetValue(user)), cancel);
            Console.WriteLine($"{"id",-10} {"state",-8} {"last used",-16}  {"expires",-10}  name");
            foreach (var token in tokens.Items())
                Console.WriteLine(
                    $"{token.Text("id"),-10} {State(token),-8} {Time(token, "lastUsedAt", 16),-16}  {Time(token, "expiresAt", 10),-10}  "
                    + $"{token.Text("name")} ({string.Join(", ", token.GetProperty("scopes").Items())})");
        });
        return command;
    }

    static Command Create()
    {
        var name = new Argument<string>("name") { Description = "What you call it, for example the machine it is for." };
        var user = User();
        var days = new Option<int?>("--days") { Description = "Refused after so many days; by default never." };
        var scopes = new Option<string[]>(
            "--scope")
        { Description = "runs:read, runs:write or admin; again for more. By default all that is possible." };
        scopes.AcceptOnlyFromAmong(Scopes);
        var command = new Command("create", "Make a token and print it. It is shown this once.") { name, user, days, scopes };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var body = new JsonObject { ["name"] = arguments.GetValue(name) };
            if (arguments.GetValue(days) is { } d) body["expiresInDays"] = d;
            if (arguments.GetValue(scopes) is { Length: > 0 } some)
                body["scopes"] = new JsonArray([.. some.Select(s => (JsonNode)s)]);
            Console.WriteLine((await api.PostAsync(Path(arguments.GetValue(user)), body, cancel)).Text("token"));
        });
        return command;
    }

    static Command Revoke()
    {
        var id = new Argument<string>("id") { Description = "The 8 characters that 'tokens' lists." };
        var user = User();
        var command = new Command("revoke", "Refuse a token from now on, and the browser sessions begun with it.") { id, user };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            await api.DeleteAsync($"{Path(arguments.GetValue(user))}/{Uri.EscapeDataString(arguments.GetValue(id)!)}", cancel);
            Console.WriteLine($"Revoked {arguments.GetValue(id)}.");
        });
        return command;
    }

    static Option<string?> Role()
    {
        var role = new Option<string?>("--role") { Description = "admin, member (the default) or viewer." };
        role.AcceptOnlyFromAmong(Roles);
        return role;
    }

    static Option<double?> Weight() =>
        new("--weight") { Description = "Share of the machines relative to the others' weights, 0.001 to 1000." };

    static string Path(string? user) => user is null ? "me/tokens" : $"users/{Uri.EscapeDataString(user)}/tokens";

    static string Line(JsonElement user) =>
        $"{user.Text("name"),-24} {user.Text("role"),-8} {user.Text("weight"),7}  {Time(user, "createdAt", 10)}{(user.Field("disabledAt") is null ? "" : "  disabled")}";

    static string State(JsonElement token) =>
        token.Field("revokedAt") is not null ? "revoked"
        : token.Field("expiresAt") is { } expiry && expiry.GetDateTimeOffset() <= DateTimeOffset.UtcNow ? "expired"
        : token.Flag("session") ? "session" : "valid";

    static string Time(JsonElement parent, string name, int length) =>
        parent.Text(name) is { } time ? time[..length].Replace('T', ' ') : "-";
}
