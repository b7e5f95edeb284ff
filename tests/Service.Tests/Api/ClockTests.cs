using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>Servers whose clock is wrong: only the database's counts for what is stored there.</summary>
public sealed class ClockTests
{
    // An empty database whose statements and defaults find these functions before PostgreSQL's own.
    static async Task ShiftAsync(string database, int days)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await using (var empty = source.CreateCommand("drop owned by current_user cascade")) await empty.ExecuteNonQueryAsync();
        foreach (var function in (string[])["now", "clock_timestamp"])
        {
            await using var create = source.CreateCommand(
                $"create function public.{function}() returns timestamptz stable language sql " +
                $"as 'select pg_catalog.{function}() + interval ''{days} days'''");
            await create.ExecuteNonQueryAsync();
        }
        var name = new NpgsqlConnectionStringBuilder(database).Database;
        await using var find = source.CreateCommand($"alter database \"{name}\" set search_path = public, pg_catalog");
        await find.ExecuteNonQueryAsync();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(-2)]
    public async Task Tokens_sessions_workers_and_the_queue_live_by_the_databases_clock(int days)
    {
        var database = await PostgresFixture.CreateDatabaseAsync();
        await ShiftAsync(database, days);
        var api = new ApiFixture();
        await api.StartAsync(database);
        try
        {
            var queue = api.App.Services.GetRequiredService<RunQueue>();
            await api.SubmitAsync();
            await queue.RegisterWorkerAsync(new WorkerIdentity("w", "elsewhere", [], []), default);
            Assert.Equal("elsewhere", (string?)(await api.GetAsync("/api/v1/queue"))["pools"]!.AsArray().Single()!["name"]);
            var metrics = await api.Admin.GetStringAsync("/metrics");
            Assert.Contains("metaopt_workers{pool=\"elsewhere\"} 1", metrics, StringComparison.Ordinal);
            var oldest = metrics.Split('\n').Single(l => l.StartsWith("metaopt_queue_oldest_seconds{", StringComparison.Ordinal));
            Assert.InRange(double.Parse(oldest.Split(' ')[^1], CultureInfo.InvariantCulture), 0, 3600);

            var made = await api.Admin.PostAsync("/api/v1/me/tokens", ApiFixture.Json("""{"name":"t","expiresInDays":1}"""));
            var token = JsonNode.Parse(await made.Content.ReadAsStringAsync())!;
            var lifetime = (DateTimeOffset)token["expiresAt"]! - (DateTimeOffset)token["createdAt"]!;
            Assert.InRange(lifetime.TotalDays, 0.9, 1.1);
            using var client = api.WithToken((string)token["token"]!);
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/api/v1/me")).StatusCode);
        }
        finally
        {
            await api.DisposeAsync();
        }
    }
}
