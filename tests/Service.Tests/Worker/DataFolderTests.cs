using System.IO.Compression;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Tasks;
using MetaOpt.Workers;
using MetaOpt.Workers.Data;
using Xunit;

namespace MetaOpt.Service.Tests.Workers;

public class DataFolderTests
{
    readonly string _folder = TestFolders.New("data");

    [Fact]
    public void A_dataset_reads_the_same_and_hashes_the_same_plain_and_packed()
    {
        Assert.DoesNotContain("mnist", new DataFolder(_folder).Names);
        Write(packed: false);
        Assert.Contains("mnist", new DataFolder(_folder).Names);
        var plain = new DataFolder(_folder).Read("mnist");
        Assert.Equal((3, 2, 28, 10), (plain.Train.Count, plain.Test.Count, plain.Rows, plain.Classes));
        Assert.Equal([0, 1, 2], plain.Train.Labels);
        Assert.StartsWith("Not the published mnist: train-images-idx3-ubyte, ", plain.Difference);
        Assert.All(KnownDatasets.All, known => Assert.Null(known.Difference([.. known.Files.Select(f => f.Sha256)])));
        Assert.Equal("Not the published cifar-10: test_batch.bin had other content.", KnownDatasets.Cifar10.Difference(
            [.. KnownDatasets.Cifar10.Files.SkipLast(1).Select(f => f.Sha256), "00"]));
        Assert.Equal(3 * 784, plain.Train.Pixels.Length);
        Assert.Equal(17, plain.Train.Pixels[17]);

        Directory.Delete(Path.Combine(_folder, "mnist"), recursive: true);
        Write(packed: true);
        Assert.Equal(plain.Sha256, new DataFolder(_folder).Read("mnist").Sha256);
    }

    [Theory]
    [InlineData("00000803", 2, "promises")]         // cut
    [InlineData("00000803", 4, "goes on after")]    // too long
    [InlineData("00000802", 3, "begins with")]      // wrong rank
    [InlineData("00000d03", 3, "begins with")]      // floats
    public void A_damaged_file_is_refused_with_its_name_and_what_is_wrong(string magic, int images, string what)
    {
        Write(packed: false);
        var path = Path.Combine(_folder, "mnist", "train-images-idx3-ubyte");
        File.WriteAllBytes(path,
            [.. Convert.FromHexString(magic), 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28, .. new byte[images * 784]]);
        var wrong = Assert.Throws<InvalidDataException>(() => new DataFolder(_folder).Read("mnist"));
        Assert.Contains(path, wrong.Message);
        Assert.Contains(what, wrong.Message);
    }

    [Fact]
    public void A_header_that_promises_the_earth_takes_no_memory()
    {
        Write(packed: false);
        File.WriteAllBytes(Path.Combine(_folder, "mnist", "train-images-idx3-ubyte"),
            [0, 0, 8, 3, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        Assert.Contains("claims dimensions",
            Assert.Throws<InvalidDataException>(() => new DataFolder(_folder).Read("mnist")).Message);

        // Within what is allowed, but not there: 822 MB.
        var images = Path.Combine(_folder, "mnist", "train-images-idx3-ubyte");
        File.WriteAllBytes(images, [0, 0, 8, 3, 0, 0x10, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("has 0 of the 822083584 bytes",
            Assert.Throws<InvalidDataException>(() => new DataFolder(_folder).Read("mnist")).Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
        File.Delete(images);
        File.WriteAllText(images + ".gz", "<html>not found</html>");
        Assert.Contains("is not a gzip file",
            Assert.Throws<InvalidDataException>(() => new DataFolder(_folder).Read("mnist")).Message);
    }

    const long MostAllocated = 16 << 20;

    /// <summary>
    /// Random changes of valid files of each kind: they are read, or refused with a reason, and take no more memory than they are
    /// worth.
    /// </summary>
    [Theory]
    [InlineData("mnist", "mnist/train-images-idx3-ubyte", 16)]
    [InlineData("mnist", "mnist/t10k-labels-idx1-ubyte", 10)]
    [InlineData("cifar-10", "cifar-10/data_batch_2.bin", 6146)]
    [InlineData("images", "images/pictures-idx4-ubyte", 20)]
    [InlineData("images", "images/index.json", 400)]
    [InlineData("images-vgg", "images/vgg.safetensors", 90)]
    [InlineData("text", "text/text.txt", 1000)]
    public void A_changed_file_is_read_or_refused_with_a_reason(string dataset, string file, int region)
    {
        Write(packed: false);
        WriteCifar();
        WriteImages();
        var path = Path.Combine(_folder, file);
        var valid = File.ReadAllBytes(path);
        new DataFolder(_folder).Read(dataset);
        var random = new Random(1);
        for (var i = 0; i < 150; i++)
        {
            var changed = valid.ToArray();
            for (var n = random.Next(1, 4); n > 0; n--)
                changed[random.Next(Math.Min(region, changed.Length))] = (byte)random.Next(256);
            File.WriteAllBytes(path, random.Next(6) == 0 ? changed[..random.Next(changed.Length)] : changed);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                new DataFolder(_folder).Read(dataset);
            }
            catch (Exception refused) when (refused is InvalidDataException or SpecException)
            {
            }
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
        }
    }

    void WriteImages()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder, "images")).FullName;
        byte[] pictures = [0, 0, 8, 4, 0, 0, 0, 3, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 3, .. new byte[3 * 256 * 256 * 3]];
        File.WriteAllBytes(Path.Combine(folder, "pictures-idx4-ubyte"), pictures);
        var sha256 = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(pictures));
        File.WriteAllText(Path.Combine(folder, "index.json"), $$"""
            {"bytes":{{pictures.Length}},"sha256":"{{sha256}}","pictures":[{"name":"a","part":"train"},{"name":"b","part":"test"},{"name":"c","part":"style"}]}
            """);
        var weights = new SafeTensors();
        weights.Add("features.0.bias", [1, 2], 2);
        File.WriteAllBytes(Path.Combine(folder, "vgg.safetensors"), weights.ToBytes());
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "text")).FullName, "text.txt"),
            string.Concat(Enumerable.Repeat("To be, or not.\n", 700)));
    }

    [Fact]
    public void Labels_that_do_not_fit_are_refused()
    {
        Write(packed: false);
        var labels = Path.Combine(_folder, "mnist", "train-labels-idx1-ubyte");
        File.WriteAllBytes(labels, [0, 0, 8, 1, 0, 0, 0, 3, 0, 10, 2]);
        Assert.Contains("label 1 is 10",
            Assert.Throws<InvalidDataException>(() => new DataFolder(_folder).Read("mnist")).Message);
        File.WriteAllBytes(labels, [0, 0, 8, 1, 0, 0, 0, 2, 0, 1]);
        Assert.Contains("3 images", Assert.Throws<InvalidDataException>(() => new DataFolder(_folder).Read("mnist")).Message);
    }

    [Fact]
    public async Task A_network_comes_with_each_labelled_dataset_where_the_worker_can_read_networks()
    {
        Write(packed: false);
        var networks = Directory.CreateDirectory(Path.Combine(_folder, "networks")).FullName;
        foreach (var file in (string[])["lenet.pt", "Upper.pt", "notes.txt"])
            File.WriteAllText(Path.Combine(networks, file), file);
        Assert.DoesNotContain("mnist/lenet", new DataFolder(_folder).Names);
        Assert.Contains("-p:Gpu", Assert.Throws<SpecException>(() => new DataFolder(_folder).Read("mnist/lenet")).Message);

        var read = 0;
        var folder = new DataFolder(_folder,
            bytes => bytes.Length == 8 && read++ >= 0 ? new Nothing() : throw new SpecException("/task/network", "is none."));
        Assert.Equal(["mnist/lenet"], folder.Names.Where(n => n.Contains('/')));
        Assert.Equal((3, 5), (folder.Read("mnist/lenet").Train.Count, folder.Read("mnist/lenet").Network!.Parameters.Count));
        Assert.Equal(2, read);
        Assert.Throws<FileNotFoundException>(() => folder.Read("mnist/resnet"));
        Assert.Throws<SpecException>(() => folder.Read("mnist/Upper"));

        Task<JsonArray> Networks() => folder.NetworksAsync((name, _) => Task.FromResult(folder.Examine(name)), default);
        Assert.Equal(30, (long)Assert.Single(await Networks())!["coordinates"]!);
        Assert.Equal(30, (long)Assert.Single(await Networks())!["coordinates"]!);
        Assert.Equal(3, read); // once for both descriptions
        File.WriteAllText(Path.Combine(networks, "lenet.pt"), "damaged..");
        File.SetLastWriteTimeUtc(Path.Combine(networks, "lenet.pt"), DateTime.UtcNow.AddHours(1));
        Assert.Contains("is none", (string)Assert.Single(await Networks())!["error"]!);
        File.Delete(Path.Combine(networks, "lenet.pt"));
        Assert.Empty(await Networks());
    }

    /// <summary>Five tensors of six, which nobody evaluates.</summary>
    sealed class Nothing : INetwork
    {
        public string Sha256 => "00";

        public IReadOnlyList<ParameterTensor> Parameters { get; } = [
            .. Enumerable.Range(0, 5).Select(i => new ParameterTensor($"p{i}", new Shape(6)))];

        public ReadOnlyMemory<float> Values => new float[30];

        public void Evaluate<T>(
            IKernels<T> kernels, Tensor<T> theta, Tensor<T> images, Tensor<T> labels, int classes, ReadOnlySpan<long> seeds,
            Tensor<T> losses, Tensor<T> gradients)
            where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T> => throw new NotSupportedException();
    }

    /// <summary>
    /// Two records a file; in record r of file f, the byte of channel c at pixel i is 50 f + 20 r + 5 c + i, cut to a byte.
    /// </summary>
    [Fact]
    public void CIFAR_10s_planes_become_pixels_of_three_colours()
    {
        Assert.DoesNotContain("cifar-10", new DataFolder(_folder).Names);
        WriteCifar();
        Assert.Contains("cifar-10", new DataFolder(_folder).Names);
        var data = new DataFolder(_folder).Read("cifar-10");
        Assert.Equal((10, 2, 32, 32, 3, 10),
            (data.Train.Count, data.Test.Count, data.Rows, data.Columns, data.Channels, data.Classes));
        Assert.Equal([0, 1, 1, 2, 2, 3, 3, 4, 4, 5], data.Train.Labels);
        Assert.Equal([5, 6], data.Test.Labels);
        foreach (var (image, i, c) in new[] { (0, 0, 0), (3, 40, 1), (9, 1023, 2) })
            Assert.Equal((byte)(50 * (image / 2) + 20 * (image % 2) + 5 * c + i), data.Train.Pixels[image * 3072 + i * 3 + c]);
        Assert.Equal(250 + 20 + 10 + 7 - 256, data.Test.Pixels[3072 + 7 * 3 + 2]);

        File.WriteAllBytes(Path.Combine(_folder, "cifar-10", "test_batch.bin"), new byte[3073]);
        Assert.NotEqual(data.Sha256, new DataFolder(_folder).Read("cifar-10").Sha256);
    }

    [Theory]
    [InlineData(3072, 0, "no whole number of records of 3073")]
    [InlineData(0, 0, "has 0 bytes")]
    [InlineData(3073, 10, "label 10 in record 0, not below 10")]
    public void A_damaged_CIFAR_file_is_refused_with_its_name_and_what_is_wrong(int bytes, byte label, string what)
    {
        WriteCifar();
        var path = Path.Combine(_folder, "cifar-10", "data_batch_3.bin");
        var content = new byte[bytes];
        content.AsSpan()[..Math.Min(1, bytes)].Fill(label);
        File.WriteAllBytes(path, content);
        var wrong = Assert.Throws<InvalidDataException>(() => new DataFolder(_folder).Read("cifar-10"));
        Assert.Contains(path, wrong.Message);
        Assert.Contains(what, wrong.Message);
        File.Delete(path);
        Assert.Contains("data_batch_3.bin",
            Assert.Throws<FileNotFoundException>(() => new DataFolder(_folder).Read("cifar-10")).Message);
    }

    [Theory]
    [InlineData("--slots", "0")]
    [InlineData("--slots", "1.5")]
    [InlineData("--lease-seconds", "NaN")]
    [InlineData("--resume-seconds", "-1")]
    [InlineData("--threads", "many")]
    [InlineData("--name", "")]
    public void A_setting_out_of_range_is_refused_with_its_value_and_range(string option, string value) =>
        Assert.Contains($"'{value}'", Assert.Throws<UsageException>(() => WorkerSettings.Parse([option, value])).Message);

    [Fact]
    public void Unknown_options_are_refused_and_defaults_fill_the_rest()
    {
        Assert.Contains("--slot'", Assert.Throws<UsageException>(() => WorkerSettings.Parse(["--slot", "2"])).Message);
        Assert.Contains("--slots", Assert.Throws<UsageException>(() => WorkerSettings.Parse(["--slots"])).Message);
        var settings = WorkerSettings.Parse(["--slots=2", "--threads", "3", "--lease-seconds", "2.5"]);
        Assert.Equal((2, 3, 2.5, "cpu"), (settings.Slots, settings.Threads, settings.Lease.TotalSeconds, settings.Pool));
    }

    void WriteCifar()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder, "cifar-10")).FullName;
        for (var f = 0; f < 6; f++)
        {
            var records = Enumerable.Range(0, 2)
                .SelectMany(r => Enumerable.Range(0, 3072).Select(k => (byte)(50 * f + 20 * r + 5 * (k / 1024) + k % 1024))
                    .Prepend((byte)(f + r)));
            File.WriteAllBytes(Path.Combine(folder, f < 5 ? $"data_batch_{f + 1}.bin" : "test_batch.bin"), [.. records]);
        }
    }

    void Write(bool packed)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder, "mnist")).FullName;
        foreach (var (part, count) in new[] { ("train", 3), ("t10k", 2) })
        {
            Save($"{part}-images-idx3-ubyte",
                [0, 0, 8, 3, 0, 0, 0, (byte)count, 0, 0, 0, 28, 0, 0, 0, 28,
                    .. Enumerable.Range(0, count * 784).Select(i => (byte)i)]);
            Save($"{part}-labels-idx1-ubyte",
                [0, 0, 8, 1, 0, 0, 0, (byte)count, .. Enumerable.Range(0, count).Select(i => (byte)i)]);
        }

        void Save(string name, byte[] bytes)
        {
            using var file = File.Create(Path.Combine(folder, packed ? name + ".gz" : name));
            using Stream stream = packed ? new GZipStream(file, CompressionLevel.Fastest) : file;
            stream.Write(bytes);
        }
    }
}
