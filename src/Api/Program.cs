using MetaOpt.Api;

await using var app = await ApiHost.BuildAsync(args);
await app.RunAsync();
