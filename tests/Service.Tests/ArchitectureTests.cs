using System.Reflection;
using Xunit;

namespace MetaOpt.Service.Tests;

/// <summary>Api -> Storage -> Domain &lt;- Worker -> Storage: Api and Worker never meet, and Domain knows nobody.</summary>
public class ArchitectureTests
{
    [Theory]
    [InlineData("MetaOpt.Domain", "")]
    [InlineData("MetaOpt.Storage", "MetaOpt.Domain")]
    [InlineData("metaopt-worker", "MetaOpt.Domain MetaOpt.Storage")]
    [InlineData("metaopt-api", "MetaOpt.Domain MetaOpt.Storage")]
    [InlineData("metaopt-cli", "MetaOpt.Domain MetaOpt.Storage")]
    [InlineData("metaopt-bench", "MetaOpt.Domain")]
    public void A_project_uses_only_what_the_arrows_allow(string assembly, string allowed)
    {
        var used = Assembly.Load(assembly).GetReferencedAssemblies().Select(r => r.Name!)
            .Where(n => n.StartsWith("metaopt", StringComparison.OrdinalIgnoreCase));
        Assert.Empty(used.Except(allowed.Split(' ')));
    }

    [Fact]
    public void The_learning_library_needs_no_database_network_or_logger()
    {
        string[] forbidden = ["Npgsql", "System.Net", "Microsoft.Extensions", "Microsoft.EntityFrameworkCore",
            "Microsoft.AspNetCore"];
        Assert.DoesNotContain(Assembly.Load("MetaOpt.Domain").GetReferencedAssemblies(),
            r => forbidden.Any(f => r.Name!.StartsWith(f, StringComparison.Ordinal)));
    }
}
