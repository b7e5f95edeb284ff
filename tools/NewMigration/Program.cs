using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

Console.WriteLine("Run `dotnet ef migrations add` with this as the startup project; see NewMigration.csproj.");

sealed class Design : IDesignTimeDbContextFactory<MetaOptDb>
{
    public MetaOptDb CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<MetaOptDb>().UseNpgsql("Host=none").Options);
}
