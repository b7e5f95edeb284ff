using MetaOpt.Api;
using MetaOpt.Storage;

try
{
    if (args is ["migrate", .. var rest])
    {
        await ApiHost.MigrateAsync(rest);
        return 0;
    }
    await using var app = await ApiHost.BuildAsync(args);
    await app.RunAsync();
    return 0;
}
catch (Exception wrong) when (wrong is DatabaseUrlException
    || wrong is InvalidOperationException
        && wrong.TargetSite?.DeclaringType?.Namespace is "MetaOpt.Api" or "MetaOpt.Api.Notifications")
{
    // A setting; its sentence says which.
    await Console.Error.WriteLineAsync(wrong.Message);
    return 2;
}
catch (Exception away) when (DatabaseOutage.Is(away))
{
    await Console.Error.WriteLineAsync($"The database cannot be used: {away.GetBaseException().Message.Split('\n')[0]}");
    return 1;
}
