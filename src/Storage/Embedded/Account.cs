namespace MetaOpt.Storage.Embedded;

/// <summary>
/// The account the server runs as. PostgreSQL refuses root, so a root process drops to <c>postgres</c>, else <c>nobody</c>; where
/// accounts cannot be changed (a container with a single one), to a user namespace in which root is nobody.
/// </summary>
/// <param name="Name">Null when nothing has to be dropped.</param>
/// <param name="Prefix">Words before a command that make it run as the account.</param>
/// <param name="Owner"><c>uid:gid</c> that its files must belong to; null leaves them as they are.</param>
sealed record Account(string? Name, IReadOnlyList<string> Prefix, string? Owner)
{
    static readonly Account s_caller = new(null, [], null);

    public static async Task<Account> ChooseAsync(CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
            return s_caller;
        foreach (var name in new[] { "postgres", "nobody" })
        {
            var user = await Command.RunAsync(["id", "-u", name], cancellationToken);
            var group = await Command.RunAsync(["id", "-g", name], cancellationToken);
            if (!user.Ok || !group.Ok || user.Output == "0")
                continue;
            string[][] ways =
            [
                ["setpriv", $"--reuid={user.Output}", $"--regid={group.Output}", "--clear-groups"],
                ["runuser", "-u", name, "--"],
            ];
            foreach (var way in ways)
                if ((await Command.RunAsync([.. way, "true"], cancellationToken)).Ok)
                    return new(name, way, $"{user.Output}:{group.Output}");
        }
        return (await Command.RunAsync(["unshare", "-U", "true"], cancellationToken)).Ok
            ? new("a user namespace", ["unshare", "-U"], null)
            : throw new EmbeddedPostgresException(
                "PostgreSQL does not run as root, and root cannot become 'postgres' or 'nobody' here (tried setpriv, runuser "
                + "and " +
                "unshare -U). Start metaopt as an ordinary user, or set METAOPT_DATABASE_URL to a server of your own.");
    }

    /// <summary>Whether the account can enter a folder; one that does not exist yet counts as its nearest parent.</summary>
    public async Task<bool> CanEnterAsync(string folder, CancellationToken cancellationToken)
    {
        if (Owner is null)
            return true;
        var there = folder;
        while (!Directory.Exists(there) && Path.GetDirectoryName(there) is { } parent)
            there = parent;
        return (await Command.RunAsync([.. Prefix, "test", "-x", there], cancellationToken)).Ok;
    }

    /// <summary>Runs a program as the account; it must succeed.</summary>
    public Task<string> RequireAsync(IEnumerable<string> words, CancellationToken cancellationToken) =>
        Command.RequireAsync([.. Prefix, .. words], cancellationToken);

    /// <summary>Gives the account a folder or file of ours, with all that is in it.</summary>
    public async Task OwnAsync(string path, CancellationToken cancellationToken)
    {
        if (Owner is not null)
            await Command.RequireAsync(["chown", "-R", "-h", Owner, path], cancellationToken);
    }
}
