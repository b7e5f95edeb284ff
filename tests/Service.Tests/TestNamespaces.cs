using System.Diagnostics;

namespace MetaOpt.Service.Tests;

/// <summary>Namespaces of the kernel, as containers have them.</summary>
static class TestNamespaces
{
    /// <summary>
    /// Before a command: runs it as in a container of its own. It sees neither processes nor shared memory of ours.
    /// </summary>
    public static IReadOnlyList<string> Container { get; } = ["unshare", "--fork", "--pid", "--ipc", "--mount-proc"];

    /// <summary>Before a command: runs it as a user who has no inotify instance left.</summary>
    public static IReadOnlyList<string> WithoutInotify { get; } =
        ["unshare", "--user", "--map-root-user", "sh", "-c", "echo 0 >/proc/sys/user/max_inotify_instances && exec \"$@\"", "sh"];

    /// <summary>Whether commands run so here; many containers do not allow it.</summary>
    public static async Task<bool> WorkAsync(IReadOnlyList<string> prefix)
    {
        using var process =
            Process.Start(new ProcessStartInfo(prefix[0], [.. prefix.Skip(1), "true"]) { RedirectStandardError = true })!;
        await process.WaitForExitAsync();
        return process.ExitCode == 0;
    }
}
