using System.Diagnostics;

namespace MetaOpt.Service.Tests.Deploy;

/// <summary>
/// Does the steps of a Dockerfile's stages without a container engine: each stage is a folder that a command sees as its root,
/// with this machine's /usr and /etc, read-only, in the place of the base image's. What stays untried is the base images
/// themselves.
/// </summary>
sealed class Rehearsal(string context, string folder)
{
    /// <summary>What a stage came to.</summary>
    public sealed class Image(string root)
    {
        public string Root => root;
        public string Workdir { get; set; } = "/";
        public string? User { get; set; }
        public Dictionary<string, string> Environment { get; init; } = [];
        public string[] Entrypoint { get; set; } = [];
        public string[] Health { get; set; } = [];
        public List<string> Volumes { get; init; } = [];
    }

    static readonly string s_home = System.Environment.GetEnvironmentVariable("HOME") ?? "/root";
    readonly Dictionary<string, Image> _images = [];
    int _containers;

    public Image this[string stage] => _images[stage];

    /// <summary>Does the steps of a stage whose predecessors were built.</summary>
    public async Task BuildAsync(Stage stage)
    {
        var root = Directory.CreateDirectory(Path.Combine(folder, stage.Name)).FullName;
        Image image;
        if (_images.TryGetValue(stage.From, out var before))
        {
            await ShellAsync($"cp -a '{before.Root}/.' '{root}/'");
            image = new(root)
            {
                Environment = new(before.Environment),
                Volumes = [.. before.Volumes],
                Workdir = before.Workdir,
                User = before.User,
            };
        }
        else
        {
            await ShellAsync($"cd '{root}' && mkdir -p usr etc dev proc tmp '.{s_home}' && "
                + "for n in bin sbin lib lib64; do ln -s usr/$n $n; done");
            // What Microsoft's images set; everything else comes from the machine.
            image = new(root) { Environment = { ["APP_UID"] = "1654" } };
        }
        foreach (var step in stage.Steps) await DoAsync(image, step);
        _images[stage.Name] = image;
    }

    async Task DoAsync(Image image, Step step)
    {
        switch (step.Name)
        {
            case "WORKDIR":
                image.Workdir = step.Text;
                Directory.CreateDirectory(image.Root + step.Text);
                break;
            case "COPY":
                await CopyAsync(image, step.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
                break;
            case "RUN":
                await ShellAsync(Inside(image, ["sh", "-c", step.Text], user: null, keepsHome: true));
                break;
            case "ENV":
                foreach (var pair in step.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                    image.Environment[pair[..pair.IndexOf('=')]] = pair[(pair.IndexOf('=') + 1)..].Trim('"');
                break;
            case "USER":
                image.User = step.Text.StartsWith('$') ? image.Environment[step.Text[1..]] : step.Text;
                break;
            case "VOLUME":
                image.Volumes.Add(step.Text);
                break;
            case "ENTRYPOINT":
                image.Entrypoint = step.List;
                break;
            case "HEALTHCHECK":
                image.Health = step.List;
                break;
            case "EXPOSE":
                break;
            default:
                throw new NotSupportedException($"A step {step.Name} cannot be rehearsed yet.");
        }
    }

    async Task CopyAsync(Image image, string[] words)
    {
        var from = context;
        if (words[0].StartsWith("--from=", StringComparison.Ordinal))
            (from, words) = (_images[words[0]["--from=".Length..]].Root, words[1..]);
        var to = image.Root + (words[^1].StartsWith('/') ? words[^1] : Path.Combine(image.Workdir, words[^1]));
        foreach (var source in words[..^1].Select(w => Path.Combine(from, w.TrimStart('/').TrimEnd('/'))))
            // The content of a folder is copied, not the folder.
            await ShellAsync(Directory.Exists(source)
                ? $"mkdir -p '{to}' && cp -a '{source}/.' '{to}/'"
                : $"mkdir -p '{(to.EndsWith('/') ? to : Path.GetDirectoryName(to))}' && cp -a '{source}' '{to}'");
    }

    /// <summary>
    /// Starts an image as docker-compose.yml does: its user, no capabilities, a read-only root, /tmp and its volumes to write to,
    /// a network of its own in which there is only itself. Waits until its health check succeeds (or it ends by itself); then
    /// stops it.
    /// </summary>
    public async Task<(bool Healthy, string Said)> StartAsync(
        Image image, IReadOnlyDictionary<string, string> environment, string mount, string[] arguments, bool untilItEnds = false,
        TimeSpan? patience = null)
    {
        var container = Directory.CreateDirectory(Path.Combine(folder, $"container-{++_containers}")).FullName;
        var merged = new Image(image.Root)
        {
            Workdir = image.Workdir,
            Environment = new(image.Environment),
            Volumes = image.Volumes
        };
        foreach (var (name, value) in environment) merged.Environment[name] = value;
        var command = Inside(merged, [.. image.Entrypoint, .. arguments], image.User, keepsHome: false, container, mount);
        var start = new ProcessStartInfo("sh", ["-c", command])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using var process = Process.Start(start)!;
        var said = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        var healthy = false;
        try
        {
            if (untilItEnds)
            {
                await process.WaitForExitAsync().WaitAsync(Patience.Limit);
                healthy = process.ExitCode == 0;
            }
            for (var begun = Stopwatch.StartNew(); !untilItEnds && !healthy && !process.HasExited
                && begun.Elapsed < (patience ?? Patience.Limit);)
            {
                await Task.Delay(500);
                healthy = await CheckAsync(process, image);
            }
        }
        finally
        {
            // The first process of the namespace takes all others with it. It is another user's: nobody's death kills it.
            if (FirstProcess(process) is { } first) await ShellAsync($"kill -9 {first} || true");
            else if (!process.HasExited) process.Kill();
            await process.WaitForExitAsync();
        }
        return (healthy, string.Join('\n', await said));
    }

    static string? FirstProcess(Process parent)
    {
        var children = $"/proc/{parent.Id}/task/{parent.Id}/children";
        return !parent.HasExited && File.Exists(children) && File.ReadAllText(children).Trim() is { Length: > 0 } first
            ? first
            : null;
    }

    /// <summary>Whether this user may do on this machine what a rehearsal does.</summary>
    public static async Task<bool> IsPossibleAsync()
    {
        const string probe = "command -v setpriv && command -v nsenter && unshare --mount --pid --fork --net "
            + "sh -c 'mount --make-rprivate / && mount -t proc proc /proc && ip link set lo up'";
        using var process =
            Process.Start(new ProcessStartInfo("sh", ["-c", probe])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true
            })!;
        await process.WaitForExitAsync();
        return process.ExitCode == 0;
    }

    static async Task<bool> CheckAsync(Process parent, Image image)
    {
        if (FirstProcess(parent) is not { } first) return false;
        string[] inside = ["5", "nsenter", "--target", first, "--mount", "--pid", "--net", "--root", "--wd", "--",
            .. image.Health];
        var start = new ProcessStartInfo("timeout", inside) { RedirectStandardError = true, RedirectStandardOutput = true };
        using var check = Process.Start(start)!;
        await check.WaitForExitAsync();
        return check.ExitCode == 0;
    }

    /// <summary>A shell's command that executes another one with the image as its root.</summary>
    static string Inside(
        Image image, string[] command, string? user, bool keepsHome, string? container = null, string? mount = null)
    {
        var (root, variables) = (image.Root, image.Environment.Select(e => Quote($"{e.Key}={e.Value}")));
        var script = $"set -e; r={Quote(root)}; mount --make-rprivate /; mount --bind $r $r; "
            + "for d in usr etc; do mount --bind /$d $r/$d; mount -o remount,bind,ro $r/$d; done; "
            + "mount --rbind /dev $r/dev; mount -t proc proc $r/proc; mount -t tmpfs tmpfs $r/tmp; "
            // Where packages are kept, and how they are reached: only while an image is made.
            + (keepsHome ? $"mkdir -p $r{Quote(s_home)}; mount --bind {Quote(s_home)} $r{Quote(s_home)}; " : "");
        if (container is not null)
        {
            foreach (var volume in image.Volumes)
                script += $"cp -a $r{volume} {Quote(container)}/; "
                    + $"mount --bind {Quote(container)}/{Path.GetFileName(volume)} $r{volume}; ";
            if (mount is not null) script += $"mkdir -p $r/run/postgresql; mount --bind {Quote(mount)} $r/run/postgresql; ";
            script += "mount -o remount,bind,ro $r; ip link set lo up; ";
        }
        var run = string.Join(' ', command.Select(Quote));
        var keep = keepsHome ? "" : "-i PATH=\"$PATH\" ";
        var to = user is null ? "" : $"setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs --bounding-set=-all ";
        script += $"exec chroot $r env {keep}{string.Join(' ', variables)} {to}"
            + $"sh -c 'cd \"$0\"; exec \"$@\"' {Quote(image.Workdir)} {run}";
        return $"exec unshare --mount --pid --fork --kill-child {(container is null ? "" : "--net ")}sh -c {Quote(script)}";
    }

    static string Quote(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    static async Task ShellAsync(string command)
    {
        var start = new ProcessStartInfo("sh", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var said = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{command}\nended with {process.ExitCode}:\n{string.Join('\n', said)}");
    }
}
