using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// A build step (see OldSystems.targets) that makes an ELF file's need of a symbol version weak, so that a system without it
/// loads the file.
/// </summary>
/// <remarks>Format: System V ABI, symbol versioning (Elf64_Verneed, Elf64_Vernaux), little endian.</remarks>
public class WeakenVersionNeed : Task
{
    const uint VersionNeeds = 0x6ffffffe;
    const byte Weak = 2;

    /// <summary>The shared library. It is replaced and never written to: other names of the same file stay as they are.</summary>
    [Required]
    public string File { get; set; }

    /// <summary>The version's name.</summary>
    [Required]
    public string Version { get; set; }

    public override bool Execute()
    {
        var bytes = System.IO.File.ReadAllBytes(File);
        if (bytes.Length < 64 || BitConverter.ToUInt32(bytes, 0) != 0x464c457f || bytes[4] != 2)
        {
            Log.LogError("{0} is not a 64-bit ELF file.", File);
            return false;
        }
        if (!Mark(bytes)) return true;
        var fresh = File + ".new";
        System.IO.File.Copy(File, fresh, true); // with its permissions
        System.IO.File.WriteAllBytes(fresh, bytes);
        System.IO.File.SetLastWriteTimeUtc(fresh,
            System.IO.File.GetLastWriteTimeUtc(File)); // the next build need not copy it again
        System.IO.File.Delete(File);
        System.IO.File.Move(fresh, File);
        return true;
    }

    /// <summary>Whether a need of the version was there and was not weak yet.</summary>
    bool Mark(byte[] bytes)
    {
        long Table(int section) => BitConverter.ToInt64(bytes, 0x28) + (long)section * BitConverter.ToUInt16(bytes, 0x3a);
        var marked = false;
        for (var section = 0; section < BitConverter.ToUInt16(bytes, 0x3c); section++)
        {
            var header = (int)Table(section);
            if (BitConverter.ToUInt32(bytes, header + 4) != VersionNeeds) continue;
            var names = BitConverter.ToInt64(bytes, (int)Table(BitConverter.ToInt32(bytes, header + 0x28)) + 0x18);
            for (var need = (int)BitConverter.ToInt64(bytes, header + 0x18); ;)
            {
                for (var version = need + BitConverter.ToInt32(bytes, need + 8); ;)
                {
                    var name = (int)names + BitConverter.ToInt32(bytes, version + 8);
                    if (Encoding.ASCII.GetString(bytes, name, Version.Length + 1) == Version + "\0"
                        && (bytes[version + 4] & Weak) == 0)
                    {
                        bytes[version + 4] |= Weak;
                        marked = true;
                    }
                    var next = BitConverter.ToInt32(bytes, version + 12);
                    if (next == 0) break;
                    version += next;
                }
                var following = BitConverter.ToInt32(bytes, need + 12);
                if (following == 0) break;
                need += following;
            }
        }
        return marked;
    }
}
