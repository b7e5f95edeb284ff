using System.Diagnostics;
using MetaOpt.Cli.Client;
using MetaOpt.Storage;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>The database's address in every form that people have, and secrets that stay secret.</summary>
public sealed class DatabaseUrlTests
{
    const string Secret = "s3cr3t-p@ss/word";

    [Theory]
    [InlineData("postgresql://ada:s3cr3t-p%40ss%2Fword@db.lab:6432/runs", "db.lab", 6432, "runs", "ada", Secret)]
    [InlineData("POSTGRES://ada:s3cr3t-p%40ss%2Fword@db.lab/runs\n", "db.lab", 5432, "runs", "ada", Secret)]
    [InlineData("\"postgres://ada:a@b@db.lab/runs\"", "db.lab", 5432, "runs", "ada", "a@b")]
    [InlineData("'postgresql://ada@[fd00::1]:6432/runs' ", "fd00::1", 6432, "runs", "ada", null)]
    [InlineData("postgresql:///runs?host=%2Frun%2Fpostgresql&user=ada&password=a%26b", "/run/postgresql", 5432, "runs", "ada",
        "a&b")]
    [InlineData("postgresql://%2Frun%2Fpostgresql/runs?user=ada", "/run/postgresql", 5432, "runs", "ada", null)]
    [InlineData("postgresql://ada:x@one:6432,two:6433/runs?target_session_attrs=read-write", "one:6432,two:6433", 5432, "runs",
        "ada", "x")]
    [InlineData("postgresql://", "localhost", 5432, null, null, null)]
    [InlineData("Host=db.lab;Port=6432;Database=runs;Username=ada;Password='s3cr3t-p@ss/word'", "db.lab", 6432, "runs", "ada",
        Secret)]
    [InlineData("host=db.lab port=6432 dbname=runs user=ada password='s3cr3t-p@ss/word'", "db.lab", 6432, "runs", "ada", Secret)]
    [InlineData(@"host = db.lab user=ada password=it\'s\ me dbname='r\'uns'", "db.lab", 5432, "r'uns", "ada", "it's me")]
    public void An_address_is_read_in_every_form(string value, string host, int port, string? database, string? user,
        string? password)
    {
        var read = new NpgsqlConnectionStringBuilder(DatabaseUrl.Read(value));
        Assert.Equal((host, port, database, user, password), (read.Host, read.Port, read.Database, read.Username, read.Password));
    }

    [Theory]
    [InlineData("postgresql://h/db?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=7&application_name=lab")]
    [InlineData("host=h dbname=db sslmode=verify-full sslrootcert=/etc/ca.pem connect_timeout=7 application_name=lab")]
    [InlineData("Host=h;Database=db;SSL Mode=VerifyFull;Root Certificate=/etc/ca.pem;Timeout=7;Application Name=lab")]
    [InlineData("postgresql://h/db?sslmode=verify-full&sslrootcert=/etc/ca.pem&Timeout=7&Application%20Name=lab&gssencmode=disable&keepalives=1&ssl=true&sslmode=verify-full")]
    public void Parameters_are_libpqs_or_Npgsqls(string value)
    {
        var read = new NpgsqlConnectionStringBuilder(DatabaseUrl.Read(value));
        Assert.Equal((SslMode.VerifyFull, "/etc/ca.pem", 7, "lab"),
            (read.SslMode, read.RootCertificate, read.Timeout, read.ApplicationName));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" \n")]
    [InlineData("\"\"")]
    public void Nothing_is_no_address(string? value) => Assert.Null(DatabaseUrl.Read(value));

    [Theory]
    [InlineData("s3cr3t")]
    [InlineData("postgresql//ada:s3cr3t@h/db")]
    [InlineData("jdbc:postgresql://ada:s3cr3t@h/db")]
    [InlineData("postgresql://ada:s3cr3t/@h/db")]
    [InlineData("postgresql://ada:12345/s3cr3t@h/db")]
    [InlineData("postgresql://ada:12345?s3cr3t@h/db")]
    [InlineData("postgresql://ada:s3cr3t%zz@h/db")]
    [InlineData("postgresql://ada:s3cr3t@h:65536000/db")]
    [InlineData("postgresql://ada:x@h:port/db?password=s3cr3t")]
    [InlineData("postgresql://ada:x@h/db?s3cr3t=1")]
    [InlineData("postgresql://ada:x@h/db?sslmode=s3cr3t")]
    [InlineData("Host=h;Port=s3cr3t")]
    [InlineData("Host=h;Password=x;s3cr3t=y")]
    [InlineData("Host=h;Password=x;s3cr3t")]
    [InlineData("host=h password='s3cr3t")]
    public void A_malformed_address_is_refused_in_a_sentence_without_it(string value)
    {
        var refused = Assert.Throws<DatabaseUrlException>(() => DatabaseUrl.Read(value));
        Assert.DoesNotContain("s3cr3t", refused.ToString(), StringComparison.Ordinal);
        Assert.StartsWith("METAOPT_DATABASE_URL ", refused.Message, StringComparison.Ordinal);
        Assert.Null(refused.InnerException);
    }

    [Theory]
    [InlineData("metaopt-api.dll", "--urls=http://127.0.0.1:0", "postgresql://ada:s3cr3t/@127.0.0.1:1/db", 2)]
    [InlineData("metaopt-api.dll", "migrate", "Host=127.0.0.1;Port=s3cr3t;Password=s3cr3t", 2)]
    [InlineData("metaopt-worker.dll", "--name=w", "Host=127.0.0.1;Port=1;s3cr3t=s3cr3t", 2)]
    [InlineData("metaopt-api.dll", "--urls=http://127.0.0.1:0", "postgresql://ada:s3cr3t@127.0.0.1:1/db", 1)]
    [InlineData("", "db status", "postgresql://ada:s3cr3t/@127.0.0.1:1/db", 2)]
    public async Task A_program_that_cannot_use_its_address_ends_with_one_line_that_does_not_tell_it(string program,
        string argument, string value, int exitCode)
    {
        var file = program.Length == 0 ? typeof(ApiClient).Assembly.Location : Path.Combine(AppContext.BaseDirectory, program);
        var start = new ProcessStartInfo("dotnet", [file, .. argument.Split(' ')])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true
        };
        start.Environment[DatabaseUrl.Variable] = value;
        start.Environment["METAOPT_HOME"] = TestFolders.New("database-url");
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        var said = (await output + await errors).Trim();
        Assert.Equal(exitCode, process.ExitCode);
        Assert.DoesNotContain("s3cr3t", said, StringComparison.Ordinal);
        Assert.Single(said.Split('\n'));
    }
}
