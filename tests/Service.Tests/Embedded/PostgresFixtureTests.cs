using Xunit;

namespace MetaOpt.Service.Tests.Embedded;

public class PostgresFixtureTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task A_test_class_gets_a_migrated_and_empty_database()
    {
        await using var count = postgres.DataSource.CreateCommand("select count(*) from runs");
        Assert.Equal(0L, await count.ExecuteScalarAsync());
    }

    [Fact]
    public async Task A_further_database_is_another_one()
    {
        var other = await PostgresFixture.CreateDatabaseAsync();
        Assert.NotEqual(postgres.ConnectionString, other);
    }
}
