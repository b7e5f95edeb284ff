using Xunit;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("MetaOpt.Service.Tests.LongestFirst", "MetaOpt.Service.Tests")]

namespace MetaOpt.Service.Tests;

/// <summary>The classes that take minutes begin first: one that begins last is waited for alone.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    static readonly string[] s_longest =
        ["KillTests", "DockerfileTests", "FaultTests", "AwayTests", "dashboard", "WorkerTests", "DemoTests", "QueueModelTests",
            "AuthorisationMatrixTests", "LoadTests"];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(collection =>
        Array.FindIndex(s_longest, name => collection.DisplayName.EndsWith(name, StringComparison.Ordinal)) is >= 0 and var place
            ? place
            : s_longest.Length);
}
