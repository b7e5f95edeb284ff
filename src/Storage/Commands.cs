using Npgsql;

namespace MetaOpt.Storage;

/// <summary>Short forms for named statements with named parameters; null is SQL null.</summary>
static class Commands
{
    public static NpgsqlCommand Command(
        this NpgsqlConnection connection, string sql, params (string Name, object? Value)[] parameters)
    {
        var command = new NpgsqlCommand(sql, connection);
        Add(command.Parameters, parameters);
        return command;
    }

    public static NpgsqlCommand Command(
        this NpgsqlDataSource dataSource, string sql, params (string Name, object? Value)[] parameters)
    {
        var command = dataSource.CreateCommand(sql);
        Add(command.Parameters, parameters);
        return command;
    }

    static void Add(NpgsqlParameterCollection to, (string Name, object? Value)[] parameters)
    {
        foreach (var (name, value) in parameters)
            to.Add(value as NpgsqlParameter ?? new NpgsqlParameter(name, value ?? DBNull.Value));
    }

    /// <summary>A jsonb parameter.</summary>
    public static (string, object?) Json(string name, object? value) =>
        (name, new NpgsqlParameter(name, NpgsqlTypes.NpgsqlDbType.Jsonb) { Value = value ?? DBNull.Value });
}
