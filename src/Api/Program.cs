using MetaOpt.Api;

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
catch (InvalidOperationException wrong) when (wrong.TargetSite?.DeclaringType?.Namespace == "MetaOpt.Api")
{
    // A setting; its sentence says which.
    await Console.Error.WriteLineAsync(wrong.Message);
    return 2;
}
