using System.Text.Json;

namespace MetaOpt.Storage;

/// <summary>Where process ids mean the same: one PID namespace (a container) of one boot of one host.</summary>
/// <param name="Host">Name of the host or container, for messages.</param>
/// <param name="Boot">The kernel's id of this boot; differs between hosts.</param>
/// <param name="PidNamespace">The kernel's name of the PID namespace, for example <c>pid:[4026531836]</c>.</param>
public sealed record ProcessSpace(string Host, string Boot, string PidNamespace)
{
    /// <summary>Of this process.</summary>
    public static ProcessSpace Here { get; } = new(Environment.MachineName,
        File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim(), new FileInfo("/proc/self/ns/pid").LinkTarget ?? "");

    /// <summary>Whether this process can see and signal the processes there by their ids.</summary>
    public bool IsHere => Boot == Here.Boot && PidNamespace == Here.PidNamespace;

    /// <summary>For a message: <c>on host NAME</c> or <c>in another container on this machine (NAME)</c>.</summary>
    public override string ToString() => Boot == Here.Boot ? $"in another container on this machine ({Host})" : $"on host {Host}";
}

/// <summary>
/// A process that a file names. The id alone is not enough: the kernel gives it to another process later, and in another
/// container it is another process's.
/// </summary>
/// <param name="Id">Process id in <paramref name="Space"/>.</param>
/// <param name="Started">Start time in clock ticks since the boot; 0 is not known.</param>
/// <param name="Space">Where the id is valid.</param>
public sealed record ProcessIdentity(int Id, long Started, ProcessSpace Space)
{
    /// <summary>This process.</summary>
    public static ProcessIdentity Current { get; } = Of(Environment.ProcessId);

    /// <summary>The process that has this id now.</summary>
    public static ProcessIdentity Of(int id) => new(id, StartOf(id) ?? 0, ProcessSpace.Here);

    /// <summary>Whether the process runs here; false for an id that meanwhile belongs to another process.</summary>
    public bool IsAlive => Space.IsHere && StartOf(Id) is { } started && (Started == 0 || started == Started);

    /// <summary>Writes it to a file that others may read at any moment.</summary>
    public void Write(string file) => AtomicFile.Write(file, JsonSerializer.Serialize(this));

    /// <summary>Reads what <see cref="Write"/> wrote; null when there is no such file, or it holds something else.</summary>
    public static ProcessIdentity? Read(string file)
    {
        try
        {
            var text = File.ReadAllText(file);
            // Earlier versions wrote the id alone.
            return int.TryParse(text, out var id)
                ? new(id, 0, ProcessSpace.Here)
                : JsonSerializer.Deserialize<ProcessIdentity>(text);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Field 22 of <c>/proc/ID/stat</c>; null for a process that is gone or a zombie.</summary>
    static long? StartOf(int id)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{id}/stat");
            // The name in parentheses may hold anything, also spaces and parentheses.
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[19]);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
