namespace MetaOpt.Storage;

/// <summary>Files that another process may read at any moment: it finds the old content or the new one, never a part.</summary>
public static class AtomicFile
{
    /// <summary>Writes a new file and renames it to <paramref name="path"/>.</summary>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <param name="text">Its whole content, written as UTF-8.</param>
    /// <param name="mode">Permissions; null leaves them to the umask.</param>
    /// <exception cref="IOException">The folder does not exist, or the disk is full; <paramref name="path"/> is as it
    /// was.</exception>
    public static void Write(string path, string text, UnixFileMode? mode = null)
    {
        // A random name, not the process id: processes of two containers can have the same.
        var part = $"{path}.{Path.GetRandomFileName()}.part";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (mode is not null)
                options.UnixCreateMode = mode;
            using (var writer = new StreamWriter(new FileStream(part, options)))
                writer.Write(text);
            File.Move(part, path, overwrite: true);
        }
        catch
        {
            File.Delete(part);
            throw;
        }
    }

    /// <summary>Permissions of a file that holds a secret: its owner reads and writes it, nobody else does.</summary>
    public const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
}
