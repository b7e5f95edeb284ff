using System.Collections.Concurrent;
using System.Reflection;
using Xunit.Abstractions;
using Xunit.Sdk;

[assembly: Xunit.TestFramework("MetaOpt.Service.Tests.LogKeepingFramework", "MetaOpt.Service.Tests")]

namespace MetaOpt.Service.Tests;

/// <summary>
/// What processes log and pages look like while tests run. A failed test keeps a copy of what was written in its time, also by
/// tests beside it, in a folder of its name below <c>METAOPT_TEST_LOGS</c> (artifacts/failed-tests); all else is removed.
/// </summary>
static class TestLogs
{
    static readonly string s_live = TestFolders.New("logs");
    static int s_count;

    /// <summary>Path of a new file.</summary>
    public static string NewFile(string name) => Path.Combine(s_live, $"{Interlocked.Increment(ref s_count):D4}-{name}");

    /// <summary>A new file that may be written from several threads, and holds each line at once.</summary>
    public static TextWriter Open(string name) => TextWriter.Synchronized(new StreamWriter(NewFile(name)) { AutoFlush = true });

    /// <summary>Copies what was written since a time; the folder, or null when that is nothing.</summary>
    public static string? Keep(string test, DateTime since)
    {
        var files = Directory.GetFiles(s_live).Where(f => File.GetLastWriteTimeUtc(f) >= since && new FileInfo(f).Length > 0)
            .ToList();
        if (files.Count == 0) return null;
        var kept = Environment.GetEnvironmentVariable("METAOPT_TEST_LOGS") is { Length: > 0 } given
            ? given
            : Path.Combine(Checkout.Folder, "artifacts/failed-tests");
        var name = new string(
            [.. test.Replace("MetaOpt.Service.Tests.", "", StringComparison.Ordinal)
                .Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' ? c : '-')]);
        var folder = Directory.CreateDirectory(Path.Combine(kept, name.Length <= 150 ? name : name[..150])).FullName;
        foreach (var file in files) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        return folder;
    }
}

/// <summary>xunit, but a failure says where its logs are.</summary>
public sealed class LogKeepingFramework(IMessageSink diagnostics) : XunitTestFramework(diagnostics)
{
    protected override ITestFrameworkExecutor CreateExecutor(AssemblyName assemblyName)
    {
        Direct.Apply();
        return new Executor(assemblyName, SourceInformationProvider, DiagnosticMessageSink);
    }

    sealed class Executor(AssemblyName assembly, ISourceInformationProvider sources, IMessageSink diagnostics)
        : XunitTestFrameworkExecutor(assembly, sources, diagnostics)
    {
        protected override void RunTestCases(
            IEnumerable<IXunitTestCase> testCases, IMessageSink executionMessageSink,
            ITestFrameworkExecutionOptions executionOptions) =>
            base.RunTestCases(testCases, new Sink(executionMessageSink), executionOptions);
    }

    sealed class Sink(IMessageSink inner) : Xunit.LongLivedMarshalByRefObject, IMessageSink
    {
        readonly ConcurrentDictionary<string, DateTime> _begun = new();

        public bool OnMessage(IMessageSinkMessage message)
        {
            if (message is ITestStarting starting) _begun[starting.Test.DisplayName] = DateTime.UtcNow;
            if (message is ITestFailed failed
                && TestLogs.Keep(failed.Test.DisplayName, _begun[failed.Test.DisplayName]) is { } folder)
                message = new TestFailed(failed.Test, failed.ExecutionTime, failed.Output, failed.ExceptionTypes,
                    [$"{failed.Messages[0]}\nLogs: {folder}", .. failed.Messages[1..]], failed.StackTraces,
                    failed.ExceptionParentIndices);
            return inner.OnMessage(message);
        }
    }
}
